package repl

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// cutOff is a mapped file that somebody has shortened.
func cutOff(t *testing.T) []byte {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "dump"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1 << 16); err != nil {
		t.Fatal(err)
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, 1<<16, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(mem) })
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	return mem
}

// TestFileCutOff reads a mapped file that somebody shortens: an error, neither
// the end of the process nor the report of a bug.
func TestFileCutOff(t *testing.T) {
	mem := cutOff(t)
	var sum byte
	err := guarded(func() error {
		for _, b := range mem {
			sum += b
		}
		return nil
	})
	var bug *bugError
	if err == nil || errors.As(err, &bug) || !strings.Contains(err.Error(), "became shorter") {
		t.Errorf("error %v", err)
	}
}

// TestNilPointer is a bug like any other panic.
func TestNilPointer(t *testing.T) {
	var p *Command
	err := guarded(func() error {
		_ = p.Name
		return nil
	})
	var bug *bugError
	if !errors.As(err, &bug) || !strings.Contains(string(bug.stack), "exec_test.go") {
		t.Errorf("error %v", err)
	}
}

// TestCompletionFails has nothing to offer and goes on.
func TestCompletionFails(t *testing.T) {
	mem := cutOff(t)
	sh := New(Options{Stdin: strings.NewReader("")})
	words := []string{"word"}
	for _, c := range []struct {
		name string
		fail func()
	}{
		{"sound", func() {}},
		{"panics", func() { panic("bug") }},
		{"cut", func() { words[0] = string(mem[:1]) }},
	} {
		sh.Add(&Command{Name: c.name, Complete: func(*Shell, []string, string) []string { c.fail(); return words }})
		line := []rune(c.name + " w")
		tails, _ := (&completer{sh}).Do(line, len(line))
		if (len(tails) == 1) != (c.name == "sound") {
			t.Errorf("%s: %q", c.name, tails)
		}
	}
}

func TestHistoryFileIsNotTrusted(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/dev/null", link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", "relative", link, dir, "/dev/null", "/proc/nowhere/history"} {
		if got := prepareHistory(path); got != "" {
			t.Errorf("%s is accepted as %s", path, got)
		}
	}
	loose := filepath.Join(dir, "loose")
	if err := os.WriteFile(loose, []byte(strings.Repeat("line\n", 2*keptHistory+1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := prepareHistory(loose); got != loose {
		t.Errorf("%s: %q", loose, got)
	}
	st, err := os.Stat(loose)
	if err != nil || st.Mode().Perm() != 0o600 || st.Size() != 5*keptHistory {
		t.Errorf("%v, %v, %d bytes", err, st.Mode(), st.Size())
	}
}

func TestComplete(t *testing.T) {
	sh := New(Options{})
	sh.Add(
		&Command{Name: "ps", Options: []Option{{Name: "k"}, {Name: "n", Number: true}}},
		&Command{Name: "p", Expr: true, Options: []Option{{Name: "x"}}},
		&Command{Name: "set", Complete: (*Shell).VariableNames},
		&Command{Name: "*", Complete: func(_ *Shell, args []string, prefix string) []string {
			return []string{prefix + "_struct", prefix + strings.Join(args, "+"), "other"}
		}},
	)
	sh.CompleteWords(func(_ []string, prefix string) []string { return []string{prefix + "ies", "other"} })
	tests := []struct {
		line, want string
		start      int
	}{
		{"p", "p pd ps px", 0},
		{"  ps", "ps", 2},
		{"ps -", "--help --json -k", 3},
		{"ps --j", "--json", 3},
		{"p jiff", "jiffies", 2},
		{"p (jiff", "jiffies", 3},
		{"p ", "", 2},
		{"px jiff", "jiffies", 3},
		{"ps; p jiff", "jiffies", 6},
		{"set sc", "scroll", 4},
		{"set scroll of", "off", 11},
		{"sf x", "", 3},
		{"*task", "task task_struct", 1},
		{"* a b", "b_struct ba", 4},
		{"ps | j", "json", 5},
		{"jiff", "jiffies", 0}, {"  jiff", "jiffies", 2},
		{"nothing x", "", 8},
		{"", strings.Join(sh.commandNames(""), " "), 0},
	}
	for _, tt := range tests {
		words, start := sh.Complete(tt.line)
		got := strings.Join(words, " ")
		if got != tt.want || start != tt.start {
			t.Errorf("%q: %q at %d, want %q at %d", tt.line, got, start, tt.want, tt.start)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "subdir"), 0o700); err != nil {
		t.Fatal(err)
	}
	if words, _ := sh.Complete("ps > " + dir + "/su"); len(words) != 1 || words[0] != dir+"/subdir/" {
		t.Errorf("files: %q", words)
	}
}

func FuzzComplete(f *testing.F) {
	sh := New(Options{})
	sh.Add(&Command{Name: "ps", Options: []Option{{Name: "k"}}})
	f.Add("ps -k ; *x | < (a")
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "<>") {
			return // would list directories
		}
		if _, start := sh.Complete(line); start < 0 || start > len(line) {
			t.Errorf("%q: word at %d", line, start)
		}
	})
}
