package elffile

import (
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/kdive/kdive/elffile/elftest"
	"github.com/kdive/kdive/mapped"
)

func TestFileCutOffWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vmlinux")
	o := sample()
	o.Sections = append(o.Sections, elftest.Section{Name: ".big", Type: elf.SHT_PROGBITS, Data: make([]byte, 1<<20)})
	if err := os.WriteFile(path, o.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	big, err := f.Data(f.Section(".big"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	sum := 0
	err = Guard(func() error {
		for _, b := range big {
			sum += int(b)
		}
		return nil
	})
	var m *mapped.Error
	if !errors.As(err, &m) || m.Path != path || m.Offset < 4096 {
		t.Fatalf("reading past the new end: %v", err)
	}
	if f.Size() < 1<<20 {
		t.Error("size changed")
	}
}
