package mapped

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func temp(t *testing.T, size int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFileCutOffWhileMapped(t *testing.T) {
	path := temp(t, 1<<20)
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	sum := 0
	err = Guard(func() error {
		for _, b := range m.Data {
			sum += int(b)
		}
		return nil
	})
	var e *Error
	if !errors.As(err, &e) || e.Path != path || e.Offset < 4096 || e.Offset >= 1<<20 {
		t.Fatalf("reading past the new end: %v", err)
	}
}

func TestGuardLetsBugsThrough(t *testing.T) {
	for name, bug := range map[string]func() error{
		"nil pointer": func() error { var p *int; *p = 1; return nil },
		"own panic":   func() error { panic("bug") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: the panic was swallowed", name)
				}
			}()
			_ = Guard(bug)
		}()
	}
}

func TestGuardReturnsErrors(t *testing.T) {
	want := errors.New("plain")
	if err := Guard(func() error { return want }); err != want {
		t.Errorf("got %v", err)
	}
}

func TestOpenOddFiles(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "no such file",
		temp(t, 0):                 "empty file",
		dir:                        "not a regular file",
		"/dev/zero":                "not a regular file",
	} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestCloseTwice(t *testing.T) {
	m, err := Open(temp(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(live.list) != 0 {
		t.Errorf("%d mappings left behind", len(live.list))
	}
}
