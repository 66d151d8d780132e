package kernel_test

import (
	"strings"
	"testing"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/kernel/kerneltest"
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
