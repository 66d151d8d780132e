package die

import (
	"debug/dwarf"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
)

// Sections are the contents of the DWARF sections; those that a file lacks are
// empty.
type Sections struct {
	Info, Abbrev, Str, LineStr, StrOffsets, Addr []byte
	Line, Ranges, RngLists, Loc, LocLists        []byte
}

// Data is the debugging information of one object.
type Data struct {
	Sections

	mu     sync.Mutex
	units  map[int]*Unit // by offset; parsed when first asked for
	tables map[uint64]*abbrevTable
	weight int // bytes of tables, about
	heads  func() []Header
	work   atomic.Int64 // bytes of abbreviation declarations read by Spend's callers
}

// New makes a Data of sections.
func New(s Sections) *Data {
	d := &Data{Sections: s, units: make(map[int]*Unit), tables: make(map[uint64]*abbrevTable)}
	d.heads = sync.OnceValue(func() []Header {
		var list []Header
		for h, err := range d.Headers() {
			if err == nil {
				list = append(list, h)
			}
		}
		return list
	})
	return d
}

// Spend accounts for n bytes of abbreviations read while running over all
// units; false once it is too much. Real units read their own table once, or
// share one; a damaged file may make a million units read the longest table.
func (d *Data) Spend(n int) bool {
	return d.work.Add(int64(n)) <= 16*int64(len(d.Abbrev))+1<<24
}

// Unit types (DWARF 5, 7.5.1).
const (
	UnitCompile  = 1
	UnitType     = 2
	UnitPartial  = 3
	UnitSkeleton = 4
)

// Header is a unit header. Offsets are in .debug_info.
type Header struct {
	Off, First, End int // of the header, of the root entry, behind the last entry
	Version         int
	Type            int
	AddrSize        int
	AbbrevOff       uint64
}

// ReadHeader reads the unit header at off. With an error the Header's End may
// still be set: a unit of an unknown version can be passed over.
func (d *Data) ReadHeader(off int) (Header, error) {
	b := At(d.Info, off)
	h := Header{Off: off}
	n := b.U32()
	if n >= 0xfffffff0 {
		return h, fmt.Errorf("unit at %#x: 64-bit DWARF is not supported", off)
	}
	if b.Bad || uint64(n) > uint64(b.Len()) {
		return h, fmt.Errorf("unit at %#x: reaches beyond the end of .debug_info", off)
	}
	h.End = b.Pos + int(n)
	b.Data = b.Data[:h.End]
	h.Version = int(b.U16())
	h.Type = UnitCompile
	switch {
	case h.Version >= 2 && h.Version <= 4:
		h.AbbrevOff, h.AddrSize = uint64(b.U32()), int(b.U8())
	case h.Version == 5:
		h.Type, h.AddrSize, h.AbbrevOff = int(b.U8()), int(b.U8()), uint64(b.U32())
		switch h.Type {
		case UnitCompile, UnitPartial:
		case UnitType:
			b.Skip(12) // signature, offset of the type
		default:
			return h, fmt.Errorf("unit at %#x: unit type %d is not supported", off, h.Type)
		}
	default:
		return h, fmt.Errorf("unit at %#x: DWARF version %d is not supported", off, h.Version)
	}
	if h.AddrSize != 8 && h.AddrSize != 4 {
		return h, fmt.Errorf("unit at %#x: addresses of %d bytes", off, h.AddrSize)
	}
	h.First = b.Pos
	if b.Bad {
		return h, fmt.Errorf("unit at %#x: header cut off", off)
	}
	return h, nil
}

// Headers runs over all units in order of their offsets. A unit that cannot be
// read is passed over with its error; the run ends where it is not known where
// the next one starts.
func (d *Data) Headers() iter.Seq2[Header, error] {
	return func(yield func(Header, error) bool) {
		for off := 0; off < len(d.Info); {
			h, err := d.ReadHeader(off)
			if !yield(h, err) || h.End <= off {
				return
			}
			off = h.End
		}
	}
}

// Unit is one unit with what its root entry says.
type Unit struct {
	Header
	Lang     int    // DW_LANG_...
	StmtList int64  // offset in .debug_line, -1 if there is no line table
	LowPC    uint64 // base address of ranges and location lists

	d                                      *Data
	root                                   Entry
	name, compDir                          Value
	strOffBase, addrBase, rngBase, lstBase uint64
	table                                  atomic.Pointer[abbrevTable]
}

// maxWeight bounds the abbreviation tables that are kept.
const maxWeight = 128 << 20

// abbrevs is the unit's abbreviation table.
func (u *Unit) abbrevs() (*abbrevTable, error) {
	if t := u.table.Load(); t != nil {
		return t, nil
	}
	d := u.d
	d.mu.Lock()
	t := d.tables[u.AbbrevOff]
	d.mu.Unlock()
	if t == nil {
		var err error
		if t, err = parseAbbrevs(d.Abbrev, u.AbbrevOff); len(t.dense)+len(t.sparse) == 0 {
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tables[u.AbbrevOff] == nil {
		if d.weight += t.weight; d.weight > maxWeight {
			clear(d.tables)
			for _, other := range d.units {
				other.table.Store(nil)
			}
			d.weight = t.weight
		}
		d.tables[u.AbbrevOff] = t
	}
	u.table.Store(t)
	return t, nil
}

// Unit reads the unit at off. It is read once and shared.
func (d *Data) Unit(off int) (*Unit, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if u := d.units[off]; u != nil {
		return u, nil
	}
	h, err := d.ReadHeader(off)
	if err != nil {
		return nil, err
	}
	u, err := d.Open(h)
	if err == nil {
		d.units[off] = u
	}
	return u, err
}

// Open reads the root entry of a unit. Unlike Unit it keeps nothing.
func (d *Data) Open(h Header) (*Unit, error) {
	u := &Unit{Header: h, d: d, StmtList: -1}
	var err error
	if u.root, err = u.readRoot(); err != nil {
		return nil, fmt.Errorf("unit at %#x: %w", h.Off, err)
	}
	root := &u.root
	if v, ok := root.Attr(dwarf.AttrStrOffsetsBase); ok {
		u.strOffBase = v.U
	}
	if v, ok := root.Attr(dwarf.AttrAddrBase); ok {
		u.addrBase = v.U
	}
	if v, ok := root.Attr(dwarf.AttrRnglistsBase); ok {
		u.rngBase = v.U
	}
	if v, ok := root.Attr(dwarf.AttrLoclistsBase); ok {
		u.lstBase = v.U
	}
	u.name, _ = root.Attr(dwarf.AttrName)
	u.compDir, _ = root.Attr(dwarf.AttrCompDir)
	if v, ok := root.Attr(dwarf.AttrStmtList); ok {
		u.StmtList = int64(v.U & (1<<62 - 1))
	}
	if v, ok := root.Attr(dwarf.AttrLanguage); ok {
		u.Lang = int(v.U & 0xffff)
	}
	if v, ok := root.Attr(dwarf.AttrLowpc); ok {
		u.LowPC, _ = v.Addr()
	}
	return u, nil
}

// readRoot reads the root entry, and of the abbreviation table no more than it
// takes to find the entry's: compilers put the most used ones first.
func (u *Unit) readRoot() (Entry, error) {
	b := At(u.d.Info[:u.End], u.First)
	code := b.Uleb()
	if b.Bad || code == 0 {
		return Entry{}, errors.New("no root entry")
	}
	r := ReadAbbrevs(u.d.Abbrev, u.AbbrevOff)
	for decl, n := r.Pos(), 0; r.Skip(); decl, n = r.Pos(), n+1 {
		if r.Code == code {
			r.Seek(decl)
			r.Next()
			return Entry{Unit: u, Off: u.First, Abbrev: &r.Abbrev, data: b.Pos}, nil
		}
		if n > 64 && !u.d.Spend(8) {
			return Entry{}, errors.New("too many abbreviations")
		}
	}
	if r.Err != nil {
		return Entry{}, r.Err
	}
	return Entry{}, fmt.Errorf("root entry has abbreviation %d, which is not declared", code)
}

// Root is the root entry of the unit.
func (u *Unit) Root() Entry { return u.root }

// Data is what the unit belongs to.
func (u *Unit) Data() *Data { return u.d }

// Name is the unit's source file as the compiler was given it, relative to
// CompDir unless absolute.
func (u *Unit) Name() string { return u.name.Str() }

// NameRef is where the name stands.
func (u *Unit) NameRef() StrRef { r, _ := u.name.StrRef(); return r }

// CompDir is the directory the compiler ran in.
func (u *Unit) CompDir() string { return u.compDir.Str() }

// CompDirRef is where the name of the directory stands.
func (u *Unit) CompDirRef() StrRef { r, _ := u.compDir.StrRef(); return r }
