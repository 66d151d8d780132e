package kernel_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/kernel/kerneltest"
	"github.com/kdive/kdive/mapped"
)

// Debug info may say anything of the width of a bit-field.
func TestFieldTooWide(t *testing.T) {
	k := kerneltest.New(t, "struct s { unsigned long a : 64; unsigned long b : 65; unsigned char c : 3; };")
	k.Words(0x1000, 1<<63|5, 0, 0, 0)
	f, err := kernel.FieldOf(k, "s.a")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := f.Uint(k, 0x1000); v != 1<<63|5 || err != nil {
		t.Errorf("64 bits: %#x, %v", v, err)
	}
	if _, err := kernel.FieldOf(k, "s.b"); err == nil || !strings.Contains(err.Error(), "s.b: a bit-field of 65 bits") {
		t.Errorf("65 bits: %v", err)
	}
	var n struct {
		Wide kernel.Field `need:"s.b"`
	}
	if err := k.Bind(&n); err == nil {
		t.Error("bound a bit-field of 65 bits")
	}
}

// cutOff are layouts of a file that was cut off.
type cutOff struct{ kernel.Layouts }

func (cutOff) StructType(name string) (*ctype.Type, error) {
	return nil, fmt.Errorf("struct %s: %w", name, &mapped.Error{Path: "vmlinux", Offset: 0x1000})
}

// What cannot be read is not said to be missing.
func TestBindCutOff(t *testing.T) {
	var need struct {
		State kernel.Field `need:"task_struct.__state|task_struct.state"`
	}
	var missing *kernel.MissingError
	if err := kernel.Bind(cutOff{}, &need); !errors.As(err, &missing) || err.Error() != "struct task_struct: vmlinux: no bytes at offset 0x1000: the file was cut off while in use, or its storage failed" {
		t.Errorf("%v", err)
	}
}
