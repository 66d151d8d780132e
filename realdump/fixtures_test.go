package realdump

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// files are the files of one dump.
type files struct {
	dump    []string
	vmlinux string
	modules []string // directories with modules' debug files
}

// realDump is a dump with facts; files skips the test if it is not there.
type realDump struct {
	name  string
	files func(t *testing.T) files
}

var dumps = []realDump{
	{"tiny-kdump", bundled},
	{"tiny", tinyELF},
	{"6.1-cloud", cloud},
}

// bundled is the dump in testdata.
func bundled(t *testing.T) files {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "testdata", "tiny"))
	if err != nil {
		t.Fatal(err)
	}
	return files{[]string{filepath.Join(dir, "vmcore.kdump")}, filepath.Join(dir, "vmlinux.zst"), []string{dir}}
}

// fixtures is the directory with the dumps that are not bundled.
func fixtures(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("KDIVE_FIXTURES")
	if dir == "" {
		t.Skip("KDIVE_FIXTURES names no directory with dumps")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// tinyELF is the whole memory of which the bundled dump is a part.
func tinyELF(t *testing.T) files {
	t.Helper()
	dir := filepath.Join(fixtures(t), "tiny")
	dump := filepath.Join(t.TempDir(), "vmcore.elf")
	unpack(t, filepath.Join(dir, "vmcore.elf.zst"), func(r io.Reader) error { return write(dump, r) })
	return files{[]string{dump}, filepath.Join(dir, "vmlinux.zst"), []string{dir}}
}

// cloud is a dump of a distribution's kernel.
func cloud(t *testing.T) files {
	t.Helper()
	dir := filepath.Join(fixtures(t), "6.1-cloud")
	modules := t.TempDir()
	unpack(t, filepath.Join(dir, "modules.tar.zst"), func(r io.Reader) error { return untar(modules, r) })
	return files{[]string{filepath.Join(dir, "vmcore.flat")}, filepath.Join(dir, "vmlinux.zst"), []string{modules}}
}

// maxFile bounds what is unpacked.
const maxFile = 1 << 30

func unpack(t *testing.T, path string, to func(io.Reader) error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := to(io.LimitReader(r, maxFile)); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func write(path string, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

func untar(dir string, r io.Reader) error {
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case !filepath.IsLocal(h.Name):
			return fmt.Errorf("%s is outside the directory", h.Name)
		case h.Typeflag == tar.TypeReg:
			if err := write(filepath.Join(dir, h.Name), tr); err != nil {
				return err
			}
		}
	}
}

// cache is the directory for unpacked kernels and indexes: the user's own if the
// environment names one, else one that TestMain removes.
func cache(t *testing.T) string {
	t.Helper()
	if os.Getenv("KDIVE_CACHE") != "" {
		return ""
	}
	dir, err := ownCache()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

var (
	ownCache = sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "kdive-realdump-")
		removable = dir
		return dir, err
	})
	removable string
)

func TestMain(m *testing.M) {
	status := m.Run()
	if removable != "" {
		if err := os.RemoveAll(removable); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(status)
}
