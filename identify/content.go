package identify

import (
	"encoding/binary"
	"fmt"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
)

// What an object contains tells which of a few structures it is: a member that
// is a pointer to a struct file_operations points to one, if the object has that
// member.

// pointer is a pointer in a structure.
type pointer struct {
	off    int64
	target *ctype.Type
	code   bool // to a function
}

// maxPointers bounds what is looked at of one structure.
const maxPointers = 256

// pointersOf lists the pointers to structures and functions in t, also in its
// inner structures, but not in unions: of these, most members are not valid.
func pointersOf(t *ctype.Type) []pointer {
	var list []pointer
	budget := maxVisits
	var visit func(t *ctype.Type, at int64, depth int)
	visit = func(t *ctype.Type, at int64, depth int) {
		if budget--; t == nil || budget < 0 || depth > maxNesting || len(list) >= maxPointers {
			return
		}
		u := t.Underlying()
		switch u.Kind() {
		case ctype.Struct:
			for _, m := range u.Members() {
				if m.BitSize == 0 {
					visit(m.Type, at+m.Offset, depth+1)
				}
			}
		case ctype.Pointer:
			if u.Elem() == nil {
				return
			}
			switch e := u.Elem().Underlying(); e.Kind() {
			case ctype.Func:
				list = append(list, pointer{off: at, code: true})
			case ctype.Struct:
				if e.Name() != "" {
					list = append(list, pointer{off: at, target: e})
				}
			}
		}
	}
	visit(t, 0, 0)
	return list
}

// agreement is how an object fits a structure.
type agreement struct {
	fits, fails int
	example     string // a member that fits, and what it points to
}

// agrees compares the object at base, whose bytes are given, with t.
func (m *Model) agrees(t *ctype.Type, obj []byte) agreement {
	var a agreement
	for _, p := range m.pointers(t) {
		if p.off+8 > int64(len(obj)) {
			continue
		}
		v := binary.LittleEndian.Uint64(obj[p.off:])
		if v == 0 {
			continue
		}
		what, verdict := m.fits(&p, v)
		switch {
		case verdict > 0:
			if a.fits++; a.example == "" {
				f, _ := m.memberOf(t, p.off)
				a.example = f.Path + " points to " + what
			}
		case verdict < 0:
			a.fails++
		}
	}
	return a
}

func (m *Model) pointers(t *ctype.Type) []pointer {
	m.typeMu.RLock()
	list, ok := m.shapes[t]
	m.typeMu.RUnlock()
	if !ok {
		list = pointersOf(t)
		m.typeMu.Lock()
		m.shapes[t] = list
		m.typeMu.Unlock()
	}
	return list
}

// fits judges a pointer: 1 if it points to what it should, -1 if it cannot be
// right, 0 if that is not known.
func (m *Model) fits(p *pointer, v uint64) (what string, verdict int) {
	if v >= ^uint64(4094) { // ERR_PTR
		return "", 0
	}
	if int64(v) >= 0 {
		return "", -1
	}
	if !m.k.IsKernelAddress(v) {
		if v>>48 == 0xdead { // LIST_POISON and the like
			return "", 0
		}
		return "", -1
	}
	x := m.Find(v)
	switch x.Kind {
	case Symbol:
		code := x.Symbol.Type|0x20 == 't' || x.Symbol.Type|0x20 == 'w'
		if p.code || code {
			if p.code != code || x.Offset() != 0 {
				return "", -1
			}
			return x.Symbol.Name, 1
		}
		t, ok := m.symbolType(&x.Symbol)
		if !ok {
			return "", 0
		}
		return x.Symbol.Name, m.contains(t.Type, x.Offset(), p.target)
	case Object:
		if p.code {
			return "", -1
		}
		t, ok := m.cacheType(x.Object.Slab.Cache)
		if !ok || !t.Certain || x.Offset() < 0 {
			return "", 0
		}
		return "an object of " + x.Object.Slab.Cache.Name, m.contains(t.Type, x.Offset(), p.target)
	case Nothing:
		return "", -1
	}
	if p.code {
		return "", -1
	}
	return "", 0
}

// contains is 1 if t has a structure want at an offset, else -1.
func (m *Model) contains(t *ctype.Type, off int64, want *ctype.Type) int {
	for range maxNesting {
		u := t.Underlying()
		if off == 0 && u.Name() == want.Name() && u.Kind() == want.Kind() {
			return 1
		}
		next := (*ctype.Type)(nil)
		switch u.Kind() {
		case ctype.Array:
			if size := u.Elem().Size(); size > 0 {
				next, off = u.Elem(), off%size
			}
		case ctype.Struct, ctype.Union:
			for _, f := range u.Members() {
				if f.BitSize == 0 && off >= f.Offset && off-f.Offset < f.Type.Size() {
					next, off = f.Type, off-f.Offset
					break
				}
			}
		}
		if next == nil {
			return -1
		}
		t = next
	}
	return -1
}

// mergedType is the type of an object of a cache that several users share: the
// structure, of those of their names, that its contents agree with.
func (m *Model) mergedType(c *slab.Cache, base uint64) (Typing, bool) {
	list := m.candidates(c)
	if len(list) == 0 || c.ObjectSize > kernel.PageSize*4 {
		return Typing{}, false
	}
	var room [1024]byte
	obj := room[:min(int64(len(room)), c.ObjectSize)]
	if m.k.Read(obj, base) != nil {
		return Typing{}, false
	}
	var best Typing
	score := 0
	for i := range list {
		a := m.agrees(list[i].Type, obj)
		if s := a.fits - 2*a.fails; s > score {
			best, score = list[i], s
			best.Source = FromContent
			best.Certain = a.fails == 0 && a.fits > 1
			best.Why = fmt.Sprintf("%s; %d pointers in it agree, %d do not: %s", list[i].Why, a.fits, a.fails, a.example)
		}
	}
	return best, score > 0
}
