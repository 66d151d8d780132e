package frame

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo/location"
	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/value"
)

// Bounds on one value.
const (
	maxObject  = 1 << 20 // bytes of an object in pieces
	maxPointed = 4       // optimized pointers that point to optimized pointers
)

func bytes8(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }

// lost is the error of a value that is lost.
func lost(p location.Provenance) error { return &fault.Lost{Why: p.How} }

// finish makes the value of a variable from where it is.
func (m *Model) finish(x *machine, v *Variable, depth int) {
	v.Provenance = v.Where.Provenance()
	v.Value = m.build(x, v.Type, v.Where, depth)
	if p := v.Where.Pieces; len(p) == 1 && p[0].Kind == location.Implicit {
		if target, err := v.Value.Deref(); err != nil || target.Whole() != nil {
			v.Provenance = location.LostFor(location.NoLocation, "a pointer that the compiler optimized out")
		}
	}
}

// build makes the value of an object from its pieces.
func (m *Model) build(x *machine, typ *ctype.Type, r location.Result, depth int) value.Value {
	size := typ.Size()
	if len(r.Pieces) == 1 && r.Pieces[0].Bits == 0 {
		switch p := &r.Pieces[0]; p.Kind {
		case location.InMemory:
			return value.New(m.v, typ, p.Addr)
		case location.Implicit:
			return m.pointed(x, typ, p, depth)
		case location.Missing:
			return value.Absent(typ, lost(p.Provenance))
		default:
			if scalar(typ) && size <= 8 && len(p.Data) <= 16 {
				var b [8]byte
				copy(b[:], p.Data)
				return value.ConstIn(m.v, typ, binary.LittleEndian.Uint64(b[:]))
			}
		}
	}
	if addr, ok := together(r.Pieces, size); ok {
		return value.New(m.v, typ, addr)
	}
	if size <= 0 || size > maxObject {
		return value.Absent(typ, &fault.Lost{Why: fmt.Sprintf("an object of %d bytes in pieces", size)})
	}
	c := composer{data: make([]byte, size), missing: make([]error, size)}
	at := uint64(0)
	for i := range r.Pieces {
		p := &r.Pieces[i]
		bits := p.Bits
		if bits == 0 {
			bits = uint64(size) * 8
		}
		if at >= uint64(size)*8 {
			break
		}
		c.add(m.v, p, at, min(bits, uint64(size)*8-at))
		at += bits
	}
	for i := (at + 7) / 8; i < uint64(size); i++ {
		c.missing[i] = &fault.Lost{Why: "optimized out"}
	}
	return value.FromPieces(m.v, typ, c.data, c.holes())
}

// together is where an object is whose pieces lie in memory one behind the other.
func together(pieces []location.Piece, size int64) (addr uint64, ok bool) {
	bits := uint64(0)
	for i := range pieces {
		p := &pieces[i]
		if i == 0 {
			addr = p.Addr
		}
		if p.Kind != location.InMemory || p.Skip != 0 || bits%8 != 0 || p.Addr != addr+bits/8 {
			return 0, false
		}
		if bits += p.Bits; bits >= 1<<50 {
			break
		}
	}
	return addr, size > 0 && bits >= uint64(size)*8
}

func scalar(t *ctype.Type) bool {
	switch t.Underlying().Kind() {
	case ctype.Int, ctype.Bool, ctype.Enum, ctype.Pointer:
		return true
	}
	return false
}

// composer puts the pieces of an object together.
type composer struct {
	data    []byte
	missing []error // of each byte
}

// add puts bits of a piece at bit at of the object.
func (c *composer) add(mem value.Memory, p *location.Piece, at, bits uint64) {
	first, last := at/8, (at+bits+7)/8
	fail := func(err error) {
		for i := first; i < last; i++ {
			c.missing[i] = err
		}
	}
	var src []byte
	skip := p.Skip
	switch p.Kind {
	case location.InMemory:
		src = make([]byte, (skip%8+bits+7)/8)
		addr := p.Addr + skip/8
		skip %= 8
		if err := mem.Read(src, addr); err != nil {
			fail(err)
			return
		}
	case location.InRegister, location.Computed:
		src = p.Data
	case location.Implicit:
		fail(&fault.Lost{Why: p.How})
		return
	default:
		fail(lost(p.Provenance))
		return
	}
	if n := uint64(len(src)) * 8; skip > n || bits > n-skip {
		fail(&fault.Lost{Why: "a piece that is larger than its place"})
		return
	}
	if at%8 == 0 && skip%8 == 0 && bits%8 == 0 {
		copy(c.data[first:last], src[skip/8:])
		return
	}
	for i := range bits {
		from, to := skip+i, at+i
		bit := src[from/8] >> (from % 8) & 1
		c.data[to/8] = c.data[to/8]&^(1<<(to%8)) | bit<<(to%8)
	}
}

// holes are the runs of bytes that are missing for the same reason.
func (c *composer) holes() []value.Hole {
	var list []value.Hole
	for i, err := range c.missing {
		if err == nil {
			continue
		}
		if k := len(list) - 1; k >= 0 && list[k].Off+list[k].Len == int64(i) && errors.Is(list[k].Err, err) {
			list[k].Len++
			continue
		}
		list = append(list, value.Hole{Off: int64(i), Len: 1, Err: err})
	}
	return list
}

// pointed is a pointer that the compiler optimized out, to an object that it
// kept.
func (m *Model) pointed(x *machine, typ *ctype.Type, p *location.Piece, depth int) value.Value {
	why := &fault.Lost{Why: "a pointer that the compiler optimized out"}
	absent := value.Absent(typ, why)
	u := typ.Underlying()
	if depth >= maxPointed || u.Kind() != ctype.Pointer || p.Offset != 0 {
		return absent
	}
	e, err := x.code.Unit().Data().UnitOf(p.Target)
	if err != nil {
		return absent
	}
	t, err := e.Entry(p.Target)
	if err != nil || !t.Valid() {
		return absent
	}
	target := Variable{Entry: t}
	if target.Type, err = x.code.Info.TypeOf(&t); err != nil || target.Type == nil {
		target.Type = u.Elem() // a DW_TAG_dwarf_procedure has none
	}
	if c, ok := constant(&t); ok {
		target.Where = location.Result{Pieces: []location.Piece{{Kind: location.Computed, Data: c}}}
	} else {
		list, _ := locations(&t)
		expr, ok := location.Select(list, x.code.Link)
		if !ok {
			return absent
		}
		target.Where = location.Evaluate(expr, t.Unit, x)
	}
	m.finish(x, &target, depth+1)
	return value.Optimized(typ, target.Value, why)
}
