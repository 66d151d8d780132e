package value

import (
	"errors"
	"fmt"
	"slices"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/fault"
)

// Hole is a part of an object whose bytes are not known, in bytes from its start.
type Hole struct {
	Off, Len int64
	Err      error
}

// FromPieces is a computed object of which some bytes are not known: they fail
// where they are used, with the error of their hole. data must have the size of
// the type.
func FromPieces(mem Memory, typ *ctype.Type, data []byte, holes []Hole) Value {
	b := &block{data: data}
	for _, h := range holes {
		b.holes = append(b.holes, hole{h.Off, h.Off + h.Len, h.Err})
	}
	slices.SortFunc(b.holes, func(x, y hole) int { return int(x.lo - y.lo) })
	return Value{mem: mem, typ: typ, blk: b}
}

// Absent is an object of which nothing is known; whatever is asked of it fails
// with err.
func Absent(typ *ctype.Type, err error) Value {
	n := max(typ.Size(), 1)
	if n > maxLoad {
		n = maxLoad
	}
	return FromPieces(nil, typ, make([]byte, n), []Hole{{Len: n, Err: err}})
}

// Optimized is a pointer that does not exist any more though what it points to
// does: it can be followed, and has no number. err says so.
func Optimized(typ *ctype.Type, target Value, err error) Value {
	v := Absent(typ, err)
	v.blk.target = &target
	return v
}

// followed is what an optimized pointer points to.
func (v Value) followed() (Value, bool) {
	if v.blk == nil || v.blk.target == nil || v.off != 0 {
		return Value{}, false
	}
	t := *v.blk.target
	if want := v.typ.Underlying().Elem(); want.Underlying().Size() == t.typ.Underlying().Size() {
		t = t.As(want)
	}
	return t, true
}

// Whole is why a part of the object cannot be read; nil if all of it can.
func (v Value) Whole() error {
	v = v.Load()
	if v.blk == nil || len(v.blk.holes) == 0 {
		return nil
	}
	n := v.typ.Size()
	_, err, _ := v.blk.slice(v.off, n)
	return err
}

// lostText is what stands in place of a lost value; empty for other errors.
func lostText(err error) string {
	var e *fault.Lost
	if errors.As(err, &e) {
		return fmt.Sprintf("<%s>", e)
	}
	return ""
}
