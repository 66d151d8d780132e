package hostile

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kdive/kdive/vmcore/vmcoretest"
)

// TestCutOff cuts a file off while the program has it open, between two
// commands of one session.
func TestCutOff(t *testing.T) {
	b := theBench(t)
	kdump, err := os.ReadFile(b.dump)
	if err != nil {
		t.Fatal(err)
	}
	core := memoryOf(t, b.dump).ELF(vmcoretest.HeadersFirst, nil)
	flat := vmcoretest.Flatten(vmcoretest.Records(kdump, 30000))
	for name, data := range map[string][]byte{"kdump": kdump, "ELF": core, "flattened": flat} {
		t.Run(name, func(t *testing.T) { b.cutDump(t, data) })
	}
	t.Run("vmlinux", b.cutVmlinux)
	t.Run("index", b.cutIndex)
}

// cutDump tries several lengths. What was not read from beyond the cut must
// stay as it is.
func (b *bench) cutDump(t *testing.T, data []byte) {
	dir := t.TempDir()
	path := filepath.Join(dir, "vmcore")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := layoutOf(data, 0)
	if err != nil {
		t.Fatal(err)
	}
	list := lines(t)
	reads := b.readsOf(t, []string{path}, list)
	s := session{dir: dir, files: []string{b.vmlinux, "vmcore"}, cache: b.cache, lines: list}
	clean := b.run(s)
	if clean.broken != nil {
		t.Fatal(clean.broken)
	}
	size := int64(len(data))
	cuts := []int64{0, size / 3}
	if thorough() {
		cuts = append(cuts, 1, 4096, 5000, size*2/3, size-4096, size-1)
	}
	for _, cut := range cuts {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		o := b.runCutting(t, s, path, cut)
		if o.broken != nil {
			t.Errorf("cut at %#x: %v", cut, o.broken)
			continue
		}
		pfns, contained := l.touched(mutation{off: cut})
		same, faults := 0, 0
		for i, answer := range o.answers {
			if strings.Contains(answer, "truncated") || strings.Contains(answer, "cut off") {
				faults++
			}
			if answer == clean.answers[i] {
				same++
			} else if contained && reads.independent(i, pfns) {
				t.Errorf("cut at %#x: %q read nothing beyond it and changed:\n%s", cut, list[i], difference(clean.answers[i], answer))
			}
		}
		if cut < size/2 && faults == 0 {
			t.Errorf("cut at %#x: no answer tells of it", cut)
		}
		t.Logf("cut at %#x of %#x: of %d answers %d are the same, %d tell of it", cut, size, len(o.answers), same, faults)
	}
}

func (b *bench) cutVmlinux(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "vmlinux")
	s := session{dir: dir, files: []string{"vmlinux", b.dump}, cache: b.cache, lines: lines(t)}
	for _, share := range []int64{0, 1, 50, 99} {
		if err := copyFile(b.vmlinux, path); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if share == 0 { // and no index
			s.cache = filepath.Join(dir, "cache")
		}
		o := b.runCutting(t, s, path, st.Size()*share/100)
		s.cache = b.cache
		if o.broken != nil {
			t.Errorf("cut to %d%%: %v", share, o.broken)
			continue
		}
		told := 0
		for _, a := range o.answers {
			if strings.Contains(a, "cut off") || strings.Contains(a, "shorter") {
				told++
			}
		}
		if share < 50 && told == 0 {
			t.Errorf("cut to %d%%: no answer tells of it", share)
		}
		t.Logf("cut to %d%%: %d of %d answers tell of it, status %d", share, told, len(o.answers), o.status)
	}
}

func (b *bench) cutIndex(t *testing.T) {
	dir := t.TempDir()
	cache := filepath.Join(dir, "cache")
	if err := copyTree(b.cache, cache); err != nil {
		t.Fatal(err)
	}
	indexes, err := filepath.Glob(filepath.Join(cache, "index", "*.index"))
	if err != nil || len(indexes) == 0 {
		t.Fatalf("no index: %v", err)
	}
	s := session{dir: dir, files: []string{b.vmlinux, b.dump}, cache: cache, lines: lines(t)}
	if o := b.runCutting(t, s, indexes[0], 0); o.broken != nil {
		t.Error(o.broken)
	}
}

// runCutting runs a session from standard input and cuts a file off once it
// has answered a first command.
func (b *bench) runCutting(t *testing.T, s session, path string, size int64) outcome {
	t.Helper()
	c := exec.Command(b.program, append([]string{"-s", "--cache", s.cache, "--module-debug", b.modules}, s.files...)...)
	var errs strings.Builder
	c.Dir, c.Stderr = s.dir, &errs
	c.Env = append(os.Environ(), "HOME="+s.dir, "XDG_STATE_HOME="+s.dir)
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	watch := time.AfterFunc(patience, func() { _ = c.Process.Kill() })
	defer watch.Stop()
	say := func(line string) { _, _ = fmt.Fprintln(stdin, line) } // a dead process shows in its status
	say("set error redirect")
	say("echo " + mark)
	in := bufio.NewReader(stdout)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("no first answer: %v, %s", err, errs.String())
		}
		if strings.TrimSpace(line) == mark {
			break
		}
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer stdin.Close()
		for _, l := range s.lines {
			say(l)
			say("echo " + mark)
		}
	}()
	out, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // the status tells
	o := outcome{status: c.ProcessState.ExitCode(), stderr: errs.String(), wall: time.Since(begun)}
	o.cpu = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	o.answers = strings.Split(string(out), mark+"\n")
	o.answers = o.answers[:len(o.answers)-1]
	for i, a := range o.answers {
		o.answers[i] = numbered.ReplaceAllString(a, "$$ = ")
	}
	o.broken = o.check(len(s.lines), string(out))
	return o
}
