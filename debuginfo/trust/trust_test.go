package trust

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// place makes a directory and a file in it with the given modes.
func place(t *testing.T, dirMode, fileMode os.FileMode) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cache")
	path := filepath.Join(dir, "index")
	if err := errors.Join(
		os.Mkdir(dir, 0o700),
		os.WriteFile(path, []byte("content"), 0o600),
		os.Chmod(path, fileMode), // past the umask
		os.Chmod(dir, dirMode),
	); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestModes(t *testing.T) {
	tests := []struct {
		name      string
		dir, file os.FileMode
		want      string // part of the error; "" for trusted
	}{
		{"private", 0o700, 0o600, ""},
		{"shared for reading", 0o755, 0o644, ""},
		{"group writes file", 0o700, 0o660, "index: not trusted: others can write to it (mode 0660)"},
		{"world writes file", 0o700, 0o602, "mode 0602"},
		{"group writes directory", 0o770, 0o600, "cache: not trusted: others can write to it (mode 0770)"},
		{"world writes directory", 0o707, 0o600, "mode 0707"},
		{"sticky directory", 0o777 | os.ModeSticky, 0o600, "mode 1777"},
	}
	for _, tt := range tests {
		path := place(t, tt.dir, tt.file)
		f, err := Open(path)
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			if b, err := io.ReadAll(f); string(b) != "content" || err != nil {
				t.Errorf("%s: read %q, %v", tt.name, b, err)
			}
			f.Close()
			continue
		}
		if !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestSymbolicLinks(t *testing.T) {
	path := place(t, 0o700, 0o600)
	link := filepath.Join(filepath.Dir(path), "link")
	if err := os.Symlink("index", link); err != nil {
		t.Fatal(err)
	}
	if err := File(link); !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("link to a file: %v", err)
	}
	dirLink := filepath.Join(t.TempDir(), "dir")
	if err := os.Symlink(filepath.Dir(path), dirLink); err != nil {
		t.Fatal(err)
	}
	if err := File(filepath.Join(dirLink, "index")); err != nil {
		t.Errorf("file through a linked directory: %v", err)
	}
	if err := os.Chmod(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := Dir(dirLink); !errors.Is(err, ErrUntrusted) {
		t.Errorf("link to a directory that others can write to: %v", err)
	}
}

func TestOtherKinds(t *testing.T) {
	path := place(t, 0o700, 0o600)
	dir := filepath.Dir(path)
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := File(fifo); !errors.Is(err, ErrUntrusted) {
		t.Errorf("FIFO: %v", err)
	}
	if err := File(dir); !errors.Is(err, ErrUntrusted) {
		t.Errorf("directory as a file: %v", err)
	}
	if err := File(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrUntrusted) {
		t.Errorf("missing file: %v", err)
	}
	if err := File(filepath.Join(dir, "none", "file")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
	if err := Dir(path); err == nil {
		t.Error("file as a directory")
	}
}

func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	for _, which := range []string{"index", "."} {
		path := place(t, 0o755, 0o644)
		target := filepath.Join(filepath.Dir(path), which)
		if err := os.Chown(target, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		if err := File(path); !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), "user 12345 owns it") {
			t.Errorf("%s given away: %v", which, err)
		}
	}
	// Root's files are good for everybody.
	path := place(t, 0o755, 0o644)
	for dir := filepath.Dir(path); strings.Contains(dir, "TestOwner"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Setresuid(-1, 12345, -1); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setresuid(-1, 0, -1)
	if err := File(path); err != nil {
		t.Errorf("root's file, seen by another user: %v", err)
	}
}
