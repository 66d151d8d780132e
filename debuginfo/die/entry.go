package die

import (
	"cmp"
	"debug/dwarf"
	"fmt"
	"iter"
	"slices"
)

// Entry is one debugging information entry: a cursor that decodes attributes
// when asked.
type Entry struct {
	Unit *Unit
	Off  int // in .debug_info
	*Abbrev
	data int // where the attribute values start
}

// Valid reports whether the entry is one; the zero Entry is not.
func (e *Entry) Valid() bool { return e.Abbrev != nil }

// Entry decodes the entry at off, which must be inside the unit. A null entry
// (the end of a list of siblings) is no error and not Valid.
func (u *Unit) Entry(off int) (Entry, error) {
	if off < u.First || off >= u.End {
		return Entry{}, fmt.Errorf("entry at %#x: outside its unit", off)
	}
	t, err := u.abbrevs()
	if err != nil {
		return Entry{}, fmt.Errorf("entry at %#x: %w", off, err)
	}
	b := At(u.d.Info[:u.End], off)
	code := b.Uleb()
	if b.Bad {
		return Entry{}, fmt.Errorf("entry at %#x: cut off", off)
	}
	e := Entry{Unit: u, Off: off, data: b.Pos}
	if code == 0 {
		return e, nil
	}
	if e.Abbrev = t.find(code); e.Abbrev == nil {
		return Entry{}, fmt.Errorf("entry at %#x: abbreviation %d is not declared", off, code)
	}
	return e, nil
}

// Attr decodes the value of an attribute; false if the entry has none or it is
// damaged.
func (e *Entry) Attr(a dwarf.Attr) (Value, bool) {
	b := At(e.Unit.d.Info[:e.Unit.End], e.data)
	for i := range e.Attrs {
		s := &e.Attrs[i]
		if s.Attr == a {
			v := b.Value(s.Form, s.Implicit, e.Unit)
			return v, !b.Bad
		}
		b.skip(s.Form, e.Unit.Version, e.Unit.AddrSize)
		if b.Bad {
			break
		}
	}
	return Value{}, false
}

// All runs over the attributes of the entry in their order.
func (e *Entry) All() iter.Seq2[dwarf.Attr, Value] {
	return func(yield func(dwarf.Attr, Value) bool) {
		b := At(e.Unit.d.Info[:e.Unit.End], e.data)
		for i := range e.Attrs {
			s := &e.Attrs[i]
			v := b.Value(s.Form, s.Implicit, e.Unit)
			if b.Bad || !yield(s.Attr, v) {
				return
			}
		}
	}
}

// Name is the value of DW_AT_name, empty if there is none.
func (e *Entry) Name() string {
	v, _ := e.Attr(dwarf.AttrName)
	return v.Str()
}

// Flag is the value of a flag attribute.
func (e *Entry) Flag(a dwarf.Attr) bool {
	v, ok := e.Attr(a)
	return ok && v.U != 0
}

// Uint is the value of a constant attribute.
func (e *Entry) Uint(a dwarf.Attr) (uint64, bool) {
	v, ok := e.Attr(a)
	return v.U, ok && v.IsConst()
}

// Ref is the entry that an attribute refers to, in this unit or another.
func (e *Entry) Ref(a dwarf.Attr) (Entry, bool, error) {
	v, ok := e.Attr(a)
	if !ok {
		return Entry{}, false, nil
	}
	off, err := v.Ref()
	if err != nil {
		return Entry{}, true, err
	}
	u := e.Unit
	if off < u.First || off >= u.End {
		if u, err = u.d.UnitOf(off); err != nil {
			return Entry{}, true, err
		}
	}
	t, err := u.Entry(off)
	return t, true, err
}

// UnitOf is the unit that covers an offset in .debug_info.
func (d *Data) UnitOf(off int) (*Unit, error) {
	heads := d.heads()
	i, found := slices.BinarySearchFunc(heads, off, func(h Header, off int) int { return cmp.Compare(h.Off, off) })
	if !found {
		i--
	}
	if i < 0 || off >= heads[i].End {
		return nil, fmt.Errorf("entry at %#x: in no unit", off)
	}
	return d.Unit(heads[i].Off)
}

// after is the offset behind the entry's own attributes.
func (e *Entry) after() (int, bool) {
	b := At(e.Unit.d.Info[:e.Unit.End], e.data)
	for i := range e.Attrs {
		b.skip(e.Attrs[i].Form, e.Unit.Version, e.Unit.AddrSize)
	}
	return b.Pos, !b.Bad
}

// next is the offset of the next sibling, children passed over.
func (e *Entry) next() (int, error) {
	pos, ok := e.after()
	if !ok {
		return 0, fmt.Errorf("entry at %#x: cut off", e.Off)
	}
	if !e.Children {
		return pos, nil
	}
	if v, ok := e.Attr(dwarf.AttrSibling); ok {
		if sib, err := v.Ref(); err == nil && sib >= pos && sib < e.Unit.End {
			return sib, nil
		}
	}
	for depth := 1; depth > 0; {
		c, err := e.Unit.Entry(pos)
		if err != nil {
			return 0, err
		}
		if !c.Valid() {
			depth--
			pos = c.data
			continue
		}
		if pos, ok = c.after(); !ok {
			return 0, fmt.Errorf("entry at %#x: cut off", c.Off)
		}
		if c.Abbrev.Children {
			depth++
		}
	}
	return pos, nil
}

// Kids runs over the children of the entry. It ends after the first error.
func (e *Entry) Kids() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if !e.Valid() || !e.Children {
			return
		}
		pos, ok := e.after()
		if !ok {
			yield(Entry{}, fmt.Errorf("entry at %#x: cut off", e.Off))
			return
		}
		for pos < e.Unit.End {
			c, err := e.Unit.Entry(pos)
			if err == nil && !c.Valid() {
				return
			}
			if err == nil {
				pos, err = c.next()
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// NameRef is where the name of the entry stands, 0 if it has none.
func (e *Entry) NameRef() (StrRef, error) {
	v, ok := e.Attr(dwarf.AttrName)
	if !ok {
		return 0, nil
	}
	return v.StrRef()
}
