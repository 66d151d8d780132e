package debuginfo

import (
	"debug/dwarf"
	"fmt"
	"sync"

	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/line"
)

// unit is a unit of .debug_info with what else is kept of it.
type unit struct {
	*die.Unit
	name  string
	dir   string
	head  line.Header // its file table; empty if it has none or it is damaged
	ids   []uint64    // identity of each file, see scan.Key
	paths []string    // filled when needed
	code  func() ([]code, error)
}

// unitOf is the unit that holds the entry at off.
func (in *Info) unitOf(off int) (*unit, error) {
	x, err := in.index()
	if err != nil {
		return nil, err
	}
	u, ok := x.UnitOf(off)
	if !ok {
		return nil, fmt.Errorf("entry at %#x: in no unit", off)
	}
	return in.unitAt(u.Off)
}

// maxFiles bounds the file tables of the units that are kept, at some 50 bytes
// an entry. A kernel has 700,000 in all.
const maxFiles = 1 << 21

// unitAt is the unit whose header is at off.
func (in *Info) unitAt(off int) (*unit, error) {
	in.mu.Lock()
	u := in.units[off]
	in.mu.Unlock()
	if u != nil {
		return u, nil
	}
	d, err := in.sections()
	if err != nil {
		return nil, err
	}
	du, err := d.Unit(off)
	if err != nil {
		return nil, err
	}
	u = &unit{Unit: du, name: du.Name(), dir: du.CompDir()}
	u.code = sync.OnceValues(u.readCode)
	if du.StmtList >= 0 && u.head.Read(&d.Sections, du.StmtList) != nil {
		u.head = line.Header{}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if first := in.units[off]; first != nil {
		return first, nil
	}
	if in.files += len(u.head.Files); in.files > maxFiles {
		clear(in.units)
		in.files = len(u.head.Files)
	}
	u.ids = in.ids.Append(nil, &u.head)
	u.paths = make([]string, len(u.head.Files))
	in.units[off] = u
	return u, nil
}

// entry decodes the entry at off.
func (in *Info) entry(off int) (die.Entry, *unit, error) {
	u, err := in.unitOf(off)
	if err != nil {
		return die.Entry{}, nil, err
	}
	e, err := u.Entry(off)
	if err == nil && !e.Valid() {
		err = fmt.Errorf("entry at %#x: a null entry", off)
	}
	return e, u, err
}

// ref is the entry that an attribute of e refers to; false if e has no such
// attribute.
func (in *Info) ref(u *unit, e *die.Entry, a dwarf.Attr) (int, bool, error) {
	v, ok := e.Attr(a)
	if !ok {
		return 0, false, nil
	}
	off, err := v.Ref()
	return off, true, err
}

// declared is where an entry says it is declared.
func (in *Info) declared(u *unit, e *die.Entry) (file string, line int) {
	if i, ok := e.Uint(dwarf.AttrDeclFile); ok && i != 0 {
		file = in.sourcePath(u, i)
	}
	n, _ := e.Uint(dwarf.AttrDeclLine)
	return file, int(n & (1<<31 - 1))
}
