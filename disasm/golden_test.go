package disasm

import (
	"bufio"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"
)

// A golden is one line of testdata/*.golden: what objdump printed for an instruction.
type golden struct {
	pc         uint64
	code       []byte
	att, intel string
}

func readGolden(t testing.TB, file string) []golden {
	t.Helper()
	f, err := os.Open("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []golden
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) != 4 {
			t.Fatalf("%s: line %q", file, lines.Text())
		}
		pc, err := strconv.ParseUint(fields[0], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		code, err := hex.DecodeString(strings.ReplaceAll(fields[1], " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, golden{pc, code, fields[2], fields[3]})
	}
	return all
}

func TestGolden(t *testing.T) {
	rows := map[*sideRow]bool{}
	for _, file := range []string{"insns.golden", "newer.golden"} {
		all := readGolden(t, file)
		for i, g := range all {
			code := g.code
			for _, next := range all[i+1 : min(i+20, len(all))] { // as in memory, with what follows
				code = append(code[:len(code):len(code)], next.code...)
			}
			in, err := AMD64.Decode(code, g.pc)
			if err != nil {
				t.Errorf("%s: % x: %v", file, g.code, err)
			}
			if in.Len != len(g.code) {
				t.Errorf("%s: % x (%s): length %d, objdump %d", file, g.code, g.att, in.Len, len(g.code))
			}
			if got := string(AMD64.AppendText(nil, &in, Style{})); got != g.att {
				t.Errorf("%s: % x: %q, objdump %q", file, g.code, got, g.att)
			}
			if got := string(AMD64.AppendText(nil, &in, Style{Intel: true})); got != g.intel {
				t.Errorf("%s: % x: Intel %q, objdump %q", file, g.code, got, g.intel)
			}
			if in.side != nil {
				rows[in.side] = true
			}
		}
		t.Logf("%s: %d instructions", file, len(all))
	}
	for i := range sideTable {
		if row := &sideTable[i]; !rows[row] {
			t.Errorf("no instruction in testdata shows row %s %s of the side table", row.names, row.mod)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	all := readGolden(b, "insns.golden")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		g := &all[i%200] // the general instructions
		if _, err := AMD64.Decode(g.code, g.pc); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeAndPrint(b *testing.B) {
	all := readGolden(b, "insns.golden")
	b.ReportAllocs()
	var buf []byte
	for i := 0; b.Loop(); i++ {
		g := &all[i%200]
		in, err := AMD64.Decode(g.code, g.pc)
		if err != nil {
			b.Fatal(err)
		}
		buf = AMD64.AppendText(buf[:0], &in, Style{})
	}
}
