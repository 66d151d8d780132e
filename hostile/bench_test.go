package hostile

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// bench is what all tests work with: the program, and the bundled dump with its
// kernel unpacked and indexed.
type bench struct {
	dir     string // removed at the end
	program string
	vmlinux string
	dump    string
	modules string // directory with the modules' debug files
	cache   string // holds the index of vmlinux
	reads   *reads // nil until readsOf
}

var benchDir string

func TestMain(m *testing.M) {
	if os.Getenv(launchVariable) != "" {
		os.Exit(launch())
	}
	status := m.Run()
	if benchDir != "" {
		_ = os.RemoveAll(benchDir)
	}
	os.Exit(status)
}

var openBench = sync.OnceValues(func() (*bench, error) {
	dir, err := os.MkdirTemp("", "kdive-hostile-")
	if err != nil {
		return nil, err
	}
	benchDir = dir
	tiny, err := filepath.Abs(filepath.Join("..", "testdata", "tiny"))
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir, program: filepath.Join(dir, "kdive"), vmlinux: filepath.Join(dir, "vmlinux"),
		dump: filepath.Join(tiny, "vmcore.kdump"), modules: tiny, cache: filepath.Join(dir, "cache")}
	if out, err := exec.Command("go", "build", "-o", b.program, "../cmd/kdive").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	if err := unpack(filepath.Join(tiny, "vmlinux.zst"), b.vmlinux); err != nil {
		return nil, err
	}
	if out, err := exec.Command(b.program, "index", "--cache", b.cache, b.vmlinux).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("kdive index: %w\n%s", err, out)
	}
	return b, nil
})

func theBench(t *testing.T) *bench {
	t.Helper()
	b, err := openBench()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unpack(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	z, err := zstd.NewReader(in)
	if err != nil {
		return err
	}
	defer z.Close()
	return writeFile(to, z)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return writeFile(to, in)
}

func writeFile(to string, r io.Reader) error {
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, r); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// copyTree copies a cache directory: directories for the user alone, as the
// program wants them.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		return copyFile(path, filepath.Join(to, rel))
	})
}
