package value

import (
	"fmt"

	"github.com/kdive/kdive/fault"
)

// Limits on what is read at once. Sizes come from debug info and may be nonsense.
const (
	maxLoad  = 1 << 20 // bytes read ahead for one object
	maxBytes = 1 << 26 // bytes that Bytes returns
	pageSize = 4096
)

// block is the bytes of an object, read once. Parts that could not be read are
// listed in holes, in ascending order.
type block struct {
	data   []byte
	holes  []hole
	target *Value // of an optimized pointer
}

type hole struct {
	lo, hi int64 // range in data
	err    error
}

// readBlock reads n bytes at addr. Where the whole read fails it goes on page by
// page, so that one missing page costs its own bytes only.
func readBlock(mem Memory, addr uint64, n int64) *block {
	b := &block{data: make([]byte, n)}
	if n == 0 || mem.Read(b.data, addr) == nil {
		return b
	}
	for at := int64(0); at < n; {
		end := min(n, at+pageSize-int64((addr+uint64(at))%pageSize))
		if err := mem.Read(b.data[at:end], addr+uint64(at)); err != nil {
			clear(b.data[at:end])
			b.addHole(at, end, err)
		}
		at = end
	}
	return b
}

func (b *block) addHole(lo, hi int64, err error) {
	if k := len(b.holes) - 1; k >= 0 && b.holes[k].hi == lo && fault.ReasonOf(b.holes[k].err) == fault.ReasonOf(err) {
		b.holes[k].hi = hi
		return
	}
	b.holes = append(b.holes, hole{lo, hi, err})
}

// slice returns n bytes from off, or why one of them is missing. ok is false if
// the range lies outside of the block.
func (b *block) slice(off, n int64) (p []byte, err error, ok bool) {
	if !b.has(off, n) {
		return nil, nil, false
	}
	for _, h := range b.holes {
		if h.lo < off+n && off < h.hi {
			return nil, h.err, true
		}
	}
	return b.data[off : off+n : off+n], nil, true
}

// covered returns the error of the hole that holds all of [off, off+n).
func (b *block) covered(off, n int64) error {
	for _, h := range b.holes {
		if h.lo <= off && off+n <= h.hi {
			return h.err
		}
	}
	return nil
}

// Load reads the object's bytes once; members, elements and printing then use
// them. Bytes that cannot be read fail where they are used. Objects over 1 MiB
// are not read ahead.
func (v Value) Load() Value {
	return v.loadN(v.typ.Size())
}

func (v Value) loadN(n int64) Value {
	if !v.lval || v.mem == nil || n <= 0 || n > maxLoad || v.blk != nil && v.blk.has(v.off, n) {
		return v
	}
	v.blk, v.off = readBlock(v.mem, v.addr, n), 0
	return v
}

// has reports whether [off, off+n) lies in the block.
func (b *block) has(off, n int64) bool {
	return off >= 0 && n >= 0 && off <= int64(len(b.data)) && n <= int64(len(b.data))-off
}

// raw returns n bytes from the start of the object.
func (v Value) raw(n int64) ([]byte, error) {
	if v.blk != nil {
		if p, err, ok := v.blk.slice(v.off, n); ok {
			return p, err
		}
	}
	return v.read(n)
}

// read is raw for bytes that have not been read ahead.
func (v Value) read(n int64) ([]byte, error) {
	if !v.lval || v.mem == nil {
		return nil, fmt.Errorf("%s has no byte %d", v.typ, n-1)
	}
	if n < 0 || n > maxBytes {
		return nil, fmt.Errorf("%s: %d bytes are too many to read at once", v.typ, n)
	}
	p := make([]byte, n)
	if err := v.mem.Read(p, v.addr); err != nil {
		return nil, err
	}
	return p, nil
}

// Bytes of the object. The slice must not be written to.
func (v Value) Bytes() ([]byte, error) {
	if v.bit.size != 0 || v.immediate() {
		u, err := v.Uint()
		if err != nil {
			return nil, err
		}
		var p [8]byte
		for i := range p {
			p[i] = byte(u >> (8 * i))
		}
		return p[:max(0, min(v.typ.Size(), 8))], nil
	}
	return v.raw(v.typ.Size())
}

// immediate reports whether the bits of v are in v.addr.
func (v Value) immediate() bool { return !v.lval && v.blk == nil }
