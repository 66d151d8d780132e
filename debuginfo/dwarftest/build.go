// Package dwarftest writes small DWARF sections for tests.
//
// It knows the encoding of entries, abbreviations and line programs, and writes
// what it is told, sense or nonsense. Start from Build, or File for a whole
// object; a tree of entries is made with E and attributes with A.
package dwarftest

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"

	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/elffile/elftest"
)

// Entry is one debugging information entry to write.
type Entry struct {
	Tag   dwarf.Tag
	Attrs []Attr
	Kids  []*Entry

	code, off int
}

// Attr is one attribute. Value is an integer, a string, an *Entry to refer to,
// or bytes, as the form needs; nil for FormFlagPresent.
type Attr struct {
	Attr  dwarf.Attr
	Form  die.Form
	Value any
}

// A makes an attribute.
func A(a dwarf.Attr, f die.Form, v any) Attr { return Attr{a, f, v} }

// Name is a DW_AT_name in .debug_str.
func Name(s string) Attr { return Attr{dwarf.AttrName, die.FormStrp, s} }

// Type is a DW_AT_type that refers to an entry of the same unit.
func Type(e *Entry) Attr { return Attr{dwarf.AttrType, die.FormRef4, e} }

// Num is an attribute with a number of one byte.
func Num(a dwarf.Attr, n int) Attr { return Attr{a, die.FormData1, n} }

// Flag is an attribute that is set.
func Flag(a dwarf.Attr) Attr { return Attr{a, die.FormFlagPresent, nil} }

// Addr is the location of a variable at a fixed address.
func Addr(addr uint64) Attr {
	return Attr{dwarf.AttrLocation, die.FormExprloc, binary.LittleEndian.AppendUint64([]byte{3}, addr)}
}

// E makes an entry. Items are Attrs and *Entry children.
func E(tag dwarf.Tag, items ...any) *Entry {
	e := &Entry{Tag: tag}
	for _, it := range items {
		switch v := it.(type) {
		case Attr:
			e.Attrs = append(e.Attrs, v)
		case *Entry:
			e.Kids = append(e.Kids, v)
		}
	}
	return e
}

// Bytes makes an expression or a table of parts: an int is a byte, a uint64 eight
// bytes, and bytes are themselves.
func Bytes(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch v := p.(type) {
		case int:
			b = append(b, byte(v))
		case uint64:
			b = binary.LittleEndian.AppendUint64(b, v)
		case []byte:
			b = append(b, v...)
		}
	}
	return b
}

// Unit is one unit to write.
type Unit struct {
	Version int // 4 or 5; 5 if zero
	Root    *Entry
	Line    []byte // the unit's line table, see Lines; its DW_AT_stmt_list is added
}

type writer struct {
	s    die.Sections
	strs map[string]int
	unit int
}

// Build writes the sections of units.
func Build(units ...Unit) die.Sections {
	w := &writer{strs: map[string]int{}}
	w.s.Str = []byte{0}
	for _, u := range units {
		w.add(u)
	}
	return w.s
}

func (w *writer) add(u Unit) {
	if u.Version == 0 {
		u.Version = 5
	}
	if u.Line != nil {
		u.Root.Attrs = append(u.Root.Attrs, Attr{dwarf.AttrStmtList, die.FormSecOffset, len(w.s.Line)})
		w.s.Line = append(w.s.Line, u.Line...)
	}
	abbrevOff := len(w.s.Abbrev)
	codes := map[string]int{}
	w.abbrevs(u.Root, codes)
	w.s.Abbrev = append(w.s.Abbrev, 0)

	le := binary.LittleEndian
	head := le.AppendUint16(nil, uint16(u.Version))
	if u.Version >= 5 {
		head = append(head, die.UnitCompile, 8)
		head = le.AppendUint32(head, uint32(abbrevOff))
	} else {
		head = le.AppendUint32(head, uint32(abbrevOff))
		head = append(head, 8)
	}
	// The first pass finds the offsets, the second writes references to them.
	w.unit = len(w.s.Info)
	var body []byte
	for range 2 {
		body = w.entry(nil, u.Root, 4+len(head))
	}
	w.s.Info = le.AppendUint32(w.s.Info, uint32(len(head)+len(body)))
	w.s.Info = append(append(w.s.Info, head...), body...)
}

// abbrevs declares the abbreviation of an entry and of those below it.
func (w *writer) abbrevs(e *Entry, codes map[string]int) {
	b := binary.AppendUvarint(nil, uint64(e.Tag))
	b = append(b, byte(min(len(e.Kids), 1)))
	for _, a := range e.Attrs {
		b = binary.AppendUvarint(b, uint64(a.Attr))
		b = binary.AppendUvarint(b, uint64(a.Form))
		if a.Form == die.FormImplicitConst {
			b = sleb(b, integer(a.Value))
		}
	}
	b = append(b, 0, 0)
	if e.code = codes[string(b)]; e.code == 0 {
		e.code = len(codes) + 1
		codes[string(b)] = e.code
		w.s.Abbrev = append(binary.AppendUvarint(w.s.Abbrev, uint64(e.code)), b...)
	}
	for _, k := range e.Kids {
		w.abbrevs(k, codes)
	}
}

// entry appends an entry to b, which starts at offset base of its unit.
func (w *writer) entry(b []byte, e *Entry, base int) []byte {
	e.off = base + len(b)
	b = binary.AppendUvarint(b, uint64(e.code))
	for _, a := range e.Attrs {
		b = w.value(b, a)
	}
	if len(e.Kids) == 0 {
		return b
	}
	for _, k := range e.Kids {
		b = w.entry(b, k, base)
	}
	return append(b, 0)
}

func (w *writer) value(b []byte, a Attr) []byte {
	le := binary.LittleEndian
	n := integer(a.Value)
	switch v := a.Value.(type) {
	case *Entry:
		n = int64(v.off)
		if a.Form == die.FormRefAddr {
			n += int64(w.unit)
		}
	case string:
		if a.Form == die.FormString {
			return append(append(b, v...), 0)
		}
		n = int64(w.str(v))
	case []byte:
		if a.Form == die.FormExprloc || a.Form == die.FormBlock {
			b = binary.AppendUvarint(b, uint64(len(v)))
		} else if a.Form == die.FormBlock1 {
			b = append(b, byte(len(v)))
		}
		return append(b, v...)
	}
	switch die.FormShape(a.Form, 5, 8) {
	case 0:
		return b
	case 1:
		return append(b, byte(n))
	case 2:
		return le.AppendUint16(b, uint16(n))
	case 4:
		return le.AppendUint32(b, uint32(n))
	case 8:
		return le.AppendUint64(b, uint64(n))
	}
	if a.Form == die.FormSdata {
		return sleb(b, n)
	}
	return binary.AppendUvarint(b, uint64(n))
}

func (w *writer) str(s string) int {
	off, ok := w.strs[s]
	if !ok {
		off = len(w.s.Str)
		w.strs[s] = off
		w.s.Str = append(append(w.s.Str, s...), 0)
	}
	return off
}

func integer(v any) int64 {
	switch n := v.(type) {
	case int:
		return int64(n)
	case int64:
		return n
	case uint64:
		return int64(n)
	}
	return 0
}

func sleb(b []byte, n int64) []byte {
	for {
		c := byte(n & 0x7f)
		n >>= 7
		if n == 0 && c&0x40 == 0 || n == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// File is an ELF executable with these sections, symbols and, if given, a
// .text section that covers the symbols.
func File(s die.Sections, symbols ...elftest.Symbol) []byte {
	o := elftest.Object{Type: elf.ET_EXEC}
	o.Sections = append(o.Sections, elftest.Section{Name: ".text", Type: elf.SHT_PROGBITS, Flags: elf.SHF_ALLOC | elf.SHF_EXECINSTR, Addr: 0x1000, Data: bytes.Repeat([]byte{0x90}, 0x1000)})
	for _, d := range []struct {
		name string
		data []byte
	}{
		{".debug_info", s.Info}, {".debug_abbrev", s.Abbrev}, {".debug_str", s.Str}, {".debug_line_str", s.LineStr},
		{".debug_line", s.Line}, {".debug_ranges", s.Ranges}, {".debug_rnglists", s.RngLists}, {".debug_addr", s.Addr}, {".debug_str_offsets", s.StrOffsets},
	} {
		if d.data != nil {
			o.Sections = append(o.Sections, elftest.Section{Name: d.name, Type: elf.SHT_PROGBITS, Data: d.data})
		}
	}
	sym, str := elftest.Symbols(uint32(len(o.Sections)+2), symbols...)
	o.Sections = append(o.Sections, sym, str)
	return o.Bytes()
}
