package command

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kdive/kdive/livetext"
)

// Everything that differs in the bundled dump is explained, and only by tables.
func TestDisDiff(t *testing.T) {
	text, rows := tinyCheck(t, "dis --diff")
	if len(rows) < 4 || !strings.Contains(text, "       0         0  unexplained\n") || !strings.Contains(text, "  alternative\n") || !strings.Contains(text, "  static call\n") {
		t.Errorf("%d rows:\n%s", len(rows), text)
	}
	if text := tinyText(t, "dis --diff shm_close"); text != "no differences\n" {
		t.Error(text)
	}
	k, err := tiny(t).kernel()
	if err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if m, err := livetext.Load(stopped, k); m != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("stopped while loading: %v", err)
	}
	m, err := livetext.Load(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	low, high := m.Text()
	counts := map[livetext.Kind]int{}
	for p, err := range m.Diff(t.Context(), low, high) {
		if err != nil {
			t.Fatal(err)
		}
		if len(p.File) != len(p.Dump) || string(p.File) == string(p.Dump) || p.Detail == "" {
			t.Fatalf("%+v", p)
		}
		counts[p.Kind]++
	}
	if counts[livetext.Unexplained] > 0 || counts[livetext.StaticCall] == 0 || counts[livetext.Alternative] < 500 || counts[livetext.Relocation] < 10000 {
		t.Error(counts)
	}
	for _, err := range m.Diff(t.Context(), high, high+100) {
		if err == nil {
			t.Error("data has a difference of code")
		}
	}
	for _, line := range []string{"dis --diff 0", "dis --diff init_task", "dis --diff shm_close 3"} {
		tinyFailure(t, line)
	}
}

func TestDisSource(t *testing.T) {
	dir := t.TempDir()
	source := strings.Repeat("line;\n", 400) + "}\n" + strings.Repeat("line;\n", 100)
	if err := os.MkdirAll(filepath.Join(dir, "ipc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ipc/shm.c"), []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	text, rows := tinyCheck(t, "dis --source "+dir+" -s ffffffffbe378c5e", "source_line.source")
	if !strings.HasPrefix(text, "FILE: ipc/shm.c\nLINE: 381\n\n  376\tline;\n") || !strings.Contains(text, "\n* 381\tline;\n") || !strings.HasSuffix(text, "\n  401\t}\n\n") || len(rows) != 26 {
		t.Errorf("%d rows:\n%s", len(rows), text)
	}
	if text := tinyText(t, "dis -s --source "+dir+" ffffffffbe378c5e 2"); !strings.HasSuffix(text, "  383\tline;\n\n") {
		t.Error(text)
	}
	tinyFailure(t, "dis -s schedule")
	tinyFailure(t, "dis -sr schedule")
}

func TestDisMarks(t *testing.T) {
	text, _ := tinyCheck(t, "dis -ra ffffffffbe378c5e", "instruction.string")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "=> 0xffffffffbe378c5e <__shm_close+78>:\tud2") || strings.Count(text, "=>") != 1 {
		t.Errorf("%s", text)
	}
	if text := tinyText(t, "dis -b 2", "dis __shm_close+78 2", "dis -b 0"); !strings.Contains(text, "<__shm_close+82>") {
		t.Error(text)
	}
}
