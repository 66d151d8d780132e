package debuginfo

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestInlinesAgainstAddr2line compares function, inlined calls and the lines
// of calls in the middle of random functions with binutils' addr2line. Files
// are left out: addr2line 2.40 takes some from the function's unit; so are lines of the
// address itself, where addr2line takes the last of several rows.
func TestInlinesAgainstAddr2line(t *testing.T) {
	in := openReal(t, Options{})
	needOracle(t)
	if _, err := exec.LookPath("addr2line"); err != nil {
		t.Skip(err)
	}
	var input bytes.Buffer
	for _, pc := range randomPCs(in, 3000) {
		if s, _ := in.SymbolAt(pc); strings.HasPrefix(s.Name, "__pfx_") || strings.HasPrefix(s.Name, "_R") {
			continue // padding, where addr2line guesses; Rust
		}
		fmt.Fprintf(&input, "%#x\n", pc)
	}
	cmd := exec.Command("addr2line", "-a", "-i", "-f", "-e", os.Getenv("KDIVE_TEST_VMLINUX"))
	cmd.Stdin = &input
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	compared, inlined, noLine, wrong := 0, 0, 0, 0
	for i := 0; i < len(lines); {
		pc, err := strconv.ParseUint(lines[i], 0, 64)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for i++; i < len(lines) && !strings.HasPrefix(lines[i], "0x"); i += 2 {
			place, _, _ := strings.Cut(lines[i+1], " (")
			want = append(want, lines[i]+place[strings.LastIndexByte(place, ':'):])
		}
		compared++
		if strings.HasSuffix(want[0], ":?") || strings.HasSuffix(want[0], ":0") {
			noLine++
			continue
		}
		if x, err := in.Scopes(pc); err == nil && len(x) == 0 {
			continue // assembly, where labels are a matter of taste
		}
		inlined += len(want) - 1
		got := frames(t, in, pc)
		for _, list := range [][]string{got, want} { // the innermost line: see TestLinesAgainstStdlib
			if len(list) > 0 {
				list[0], _, _ = strings.Cut(list[0], ":")
			}
		}
		if strings.Join(got, "; ") != strings.Join(want, "; ") {
			if wrong++; wrong < 20 {
				t.Errorf("%#x: got  %q\nwant %q", pc, got, want)
			}
		}
	}
	t.Logf("%d addresses, %d inlined calls, %d without a line, %d differ", compared, inlined, noLine, wrong)
}

// frames is the calls at pc from the innermost outwards.
func frames(t *testing.T, in *Info, pc uint64) []string {
	scopes, err := in.Scopes(pc)
	if err != nil {
		t.Errorf("%#x: %v", pc, err)
	}
	_, lineno, _ := in.Line(pc)
	var list []string
	for i := len(scopes) - 1; i >= 0; i-- {
		if s := scopes[i]; !s.Block() {
			list = append(list, fmt.Sprintf("%s:%d", s.Name, lineno))
			lineno = s.CallLine
		}
	}
	return list
}

// TestSymbolsAgainstNm compares every symbol with binutils' nm.
func TestSymbolsAgainstNm(t *testing.T) {
	in := openReal(t, Options{})
	needOracle(t)
	out, err := exec.Command("nm", os.Getenv("KDIVE_TEST_VMLINUX")).Output()
	if err != nil {
		t.Skip(err)
	}
	want := map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		want[line]++
	}
	n, wrong := 0, 0
	last := uint64(0)
	for s := range in.Symbols() {
		n++
		if s.Addr < last {
			t.Fatalf("%s: out of order", s.Name)
		}
		last = s.Addr
		line := fmt.Sprintf("%016x %c %s", s.Addr, s.Type, s.Name)
		if want[line] == 0 {
			if wrong++; wrong < 20 {
				t.Errorf("%s: not in nm's list", line)
			}
		}
		want[line]--
		if n%100 == 0 {
			if list := in.Lookup(s.Name); !slices.Contains(list, s) {
				t.Errorf("Lookup(%s) = %v", s.Name, list)
			}
			if list := in.SymbolsAt(s.Addr); !slices.Contains(list, s) {
				t.Errorf("SymbolsAt(%#x): %d symbols, %s missing", s.Addr, len(list), s.Name)
			}
		}
	}
	for line, n := range want {
		if n > 0 && line[17] != 'U' {
			if wrong++; wrong < 20 {
				t.Errorf("%s: missing", line)
			}
		}
	}
	t.Logf("%d symbols, %d differ", n, wrong)
}
