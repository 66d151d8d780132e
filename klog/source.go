package klog

import (
	"fmt"
	"strings"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
	"github.com/kdive/kdive/vmcore"
)

// source answers questions about layouts from debug info or, failing that, from
// VMCOREINFO, which the kernel writes for tools that read the log
// (log_buf_vmcoreinfo_setup, kernel/printk/printk.c).
type source struct {
	k       kernel.View
	info    *vmcore.VMCoreInfo
	missing []string
}

// getter takes one number out of the bytes of an object; nil if the kernel has
// no such member.
type getter func(obj []byte) uint64

func (g getter) in(obj []byte) uint64 {
	if g == nil {
		return 0
	}
	return g(obj)
}

func (s *source) symbol(name string) (uint64, bool) {
	if a, ok := s.k.ImageSymbol(name); ok {
		return a, true
	}
	if s.info != nil {
		return s.info.Symbol(name)
	}
	return 0, false
}

// offset of a member; need is noted as missing if neither source knows it.
func (s *source) offset(path string) (int64, bool) {
	if f, err := kernel.FieldOf(s.k, path); err == nil {
		return f.Offset, true
	}
	if s.info != nil {
		if off, ok := s.info.Offset(path); ok && off >= 0 && off < 1<<16 {
			return off, true
		}
	}
	return 0, false
}

// number is the getter of an integer member of size bytes (its true size, if
// there is debug info).
func (s *source) number(path string, size int) getter {
	if f, err := kernel.FieldOf(s.k, path); err == nil {
		return f.In
	}
	if off, ok := s.offset(path); ok {
		return at(int(off), size)
	}
	s.missing = append(s.missing, path)
	return nil
}

// optional is number for a member that may be absent.
func (s *source) optional(path string, size int) getter {
	n := len(s.missing)
	g := s.number(path, size)
	s.missing = s.missing[:n]
	return g
}

// at is the getter of a little-endian number at a fixed place.
func at(off, size int) getter {
	return func(obj []byte) uint64 {
		if off < 0 || off+size > len(obj) {
			return 0
		}
		return value.Number(obj[off : off+size])
	}
}

// size of a struct.
func (s *source) size(name string) int {
	n := int64(0)
	if t, err := s.k.StructType(name); err == nil {
		n = t.Size()
	} else if s.info != nil {
		n, _ = s.info.Size(name)
	}
	if n <= 0 || n > 1<<16 {
		s.missing = append(s.missing, "struct "+name)
		return 0
	}
	return int(n)
}

// chars is the place of a character array; lengthKey is its key in VMCOREINFO.
func (s *source) chars(path, lengthKey string) span {
	if f, err := kernel.FieldOf(s.k, path); err == nil {
		return span{int(f.Offset), int(f.Size())}
	}
	if s.info == nil {
		return span{}
	}
	typ, member, _ := strings.Cut(path, ".")
	outer, inner, nested := strings.Cut(member, ".")
	off, ok := s.info.Offset(typ + "." + outer)
	if nested { // VMCOREINFO names the nested struct by its own type
		var in int64
		in, ok2 := s.info.Offset("dev_printk_info." + inner)
		off, ok = off+in, ok && ok2
	}
	n, ok2 := s.info.Length(lengthKey)
	if !ok || !ok2 || off < 0 || n < 0 || off > 1<<16 || n > 1<<16 {
		return span{}
	}
	return span{int(off), int(n)}
}

type span struct{ off, n int }

// text is the string in a character array of obj.
func (c span) text(obj []byte) string {
	if c.off+c.n > len(obj) {
		return ""
	}
	s, _, _ := strings.Cut(string(obj[c.off:c.off+c.n]), "\x00")
	return s
}

func (s *source) err() error {
	if len(s.missing) == 0 {
		return nil
	}
	return fmt.Errorf("kernel log: neither debug info nor VMCOREINFO knows %s", strings.Join(s.missing, ", "))
}
