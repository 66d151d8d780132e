package die

import (
	"debug/dwarf"
	"errors"
	"fmt"
)

// AttrSpec is one attribute of an abbreviation.
type AttrSpec struct {
	Attr     dwarf.Attr
	Form     Form
	Implicit int64 // the value, for FormImplicitConst
}

// Abbrev is one abbreviation declaration.
type Abbrev struct {
	Tag      dwarf.Tag
	Children bool
	Attrs    []AttrSpec
}

var errAbbrevEnd = errors.New("abbreviation table ends early")

// AbbrevReader runs over one abbreviation table.
type AbbrevReader struct {
	buf   Buf
	start int
	Code  uint64 // of the declaration just read
	Abbrev
	Err error
}

// ReadAbbrevs starts at offset off of .debug_abbrev.
func ReadAbbrevs(section []byte, off uint64) AbbrevReader {
	r := AbbrevReader{}
	if off >= uint64(len(section)) {
		r.Err = fmt.Errorf("abbreviation table at %#x: outside .debug_abbrev", off)
		return r
	}
	r.buf, r.start = At(section, int(off)), int(off)
	return r
}

// Pos is where in .debug_abbrev the next declaration starts.
func (r *AbbrevReader) Pos() int { return r.buf.Pos }

// Seek goes to the declaration at an offset that Pos gave.
func (r *AbbrevReader) Seek(pos int) { r.buf.Pos = pos }

// head reads what comes before a declaration's attributes.
func (r *AbbrevReader) head() bool {
	if r.Err != nil {
		return false
	}
	b := &r.buf
	r.Code = b.Uleb()
	if r.Code == 0 {
		if b.Bad {
			r.Err = errAbbrevEnd
		}
		return false
	}
	r.Tag = dwarf.Tag(b.Uleb())
	r.Children = b.U8() != 0
	r.Attrs = r.Attrs[:0]
	return true
}

// spec reads one attribute; false behind the last one and on an error.
func (r *AbbrevReader) spec() (s AttrSpec, more bool) {
	b := &r.buf
	attr, form := b.Uleb(), b.Uleb()
	if b.Bad {
		r.Err = errAbbrevEnd
		return s, false
	}
	if attr == 0 && form == 0 {
		return s, false
	}
	s = AttrSpec{Attr: dwarf.Attr(min(attr, 0xffff)), Form: Form(min(form, 0xffff))}
	if s.Form == FormImplicitConst {
		s.Implicit = b.Sleb()
	}
	return s, true
}

// Next reads one declaration into r, whose Attrs it overwrites; false at the
// end of the table or on an error, which is then in r.Err.
func (r *AbbrevReader) Next() bool {
	if !r.head() {
		return false
	}
	for {
		s, more := r.spec()
		if !more {
			return r.Err == nil
		}
		r.Attrs = append(r.Attrs, s)
	}
}

// Skip is Next without the attributes, and much cheaper: r.Attrs is empty.
func (r *AbbrevReader) Skip() bool {
	if !r.head() {
		return false
	}
	b := &r.buf
	for {
		if p := b.Data[b.Pos:]; len(p) >= 2 && (p[0]|p[1]) < 0x80 && Form(p[1]) != FormImplicitConst {
			b.Pos += 2
			if p[0]|p[1] == 0 {
				return true
			}
			continue
		}
		if _, more := r.spec(); !more {
			return r.Err == nil
		}
	}
}

// abbrevTable finds abbreviations by code. Compilers number them 1, 2, 3, ...;
// others go into a map.
type abbrevTable struct {
	dense  []Abbrev
	sparse map[uint64]*Abbrev
	weight int // bytes of memory, about
}

var errNoAbbrevs = errors.New("empty abbreviation table")

// parseAbbrevs reads a table; of a damaged one what comes before the damage. The
// error says why there is no more, and matters only if there is nothing.
func parseAbbrevs(section []byte, off uint64) (*abbrevTable, error) {
	t := &abbrevTable{}
	r := ReadAbbrevs(section, off)
	var pool []AttrSpec
	for r.Next() {
		start := len(pool)
		pool = append(pool, r.Attrs...)
		a := Abbrev{Tag: r.Tag, Children: r.Children, Attrs: pool[start:len(pool):len(pool)]}
		if r.Code == uint64(len(t.dense))+1 {
			t.dense = append(t.dense, a)
			continue
		}
		if t.sparse == nil {
			t.sparse = make(map[uint64]*Abbrev)
		}
		t.sparse[r.Code] = &a
	}
	t.weight = 24*len(pool) + 40*len(t.dense) + 100*len(t.sparse)
	if r.Err == nil {
		r.Err = errNoAbbrevs
	}
	return t, r.Err
}

// Len is the number of bytes read so far.
func (r *AbbrevReader) Len() int { return r.buf.Pos - r.start }

func (t *abbrevTable) find(code uint64) *Abbrev {
	if code-1 < uint64(len(t.dense)) {
		return &t.dense[code-1]
	}
	return t.sparse[code]
}
