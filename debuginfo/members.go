package debuginfo

import (
	"debug/dwarf"
	"fmt"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo/die"
)

func (in *Info) members(u *unit, e *die.Entry, def *ctype.Def) error {
	for c, err := range e.Kids() {
		if err != nil {
			return err
		}
		if c.Tag != dwarf.TagMember {
			continue
		}
		if len(def.Members) >= maxList {
			return errList
		}
		m := ctype.Member{Name: c.Name()}
		if m.Type, err = in.typeOf(u, &c); err != nil {
			return err
		}
		if err := place(&m, &c); err != nil {
			return err
		}
		def.Members = append(def.Members, m)
	}
	return nil
}

// place fills in where a member lies.
func place(m *ctype.Member, e *die.Entry) error {
	if v, ok := e.Attr(dwarf.AttrDataMemberLoc); ok {
		n, ok := constant(v)
		if !ok || n < 0 || n > maxSize {
			return fmt.Errorf("member %s at %#x: its location is no constant", m.Name, e.Off)
		}
		m.Offset = n
	}
	size, ok := e.Uint(dwarf.AttrBitSize)
	if !ok {
		return nil
	}
	if size > 1<<10 {
		return fmt.Errorf("member %s at %#x: bit-field of %d bits", m.Name, e.Off, size)
	}
	m.BitSize = int64(size)
	var storage int64 // bytes of the declared type
	if t, ok, err := e.Ref(dwarf.AttrType); ok && err == nil && t.Valid() {
		storage, _ = scalar(&t)
	}
	bit := m.Offset * 8
	if v, ok := e.Uint(dwarf.AttrDataBitOffset); ok {
		if v > maxSize {
			return fmt.Errorf("member %s at %#x: bit offset %d makes no sense", m.Name, e.Off, v)
		}
		bit += int64(v)
	} else if v, ok := e.Attr(dwarf.AttrBitOffset); ok {
		// DWARF 2 and 3 count from the most significant bit of a storage unit
		// whose size is the member's (DWARF 3, 5.6.6).
		unit := storage
		if n, ok := e.Uint(dwarf.AttrByteSize); ok {
			unit = int64(min(n, 1<<10))
		}
		bit += unit*8 - v.Int() - m.BitSize
	}
	if bit < 0 {
		return fmt.Errorf("member %s at %#x: bit offset %d makes no sense", m.Name, e.Off, bit)
	}
	splitBits(m, bit, storage*8)
	return nil
}

// splitBits gives a bit-field that starts bit bits into its struct a byte
// offset: that of the object of n bits, aligned to its size, that holds it all,
// or, in a packed struct where there is none, that of its first byte.
func splitBits(m *ctype.Member, bit, n int64) {
	if n > 0 && bit/n == (bit+m.BitSize-1)/n {
		m.Offset, m.BitOffset = bit/n*n/8, bit%n
		return
	}
	m.Offset, m.BitOffset = bit/8, bit%8
}

// constant is a value that is a number, or an expression of one operation that
// yields one.
func constant(v die.Value) (int64, bool) {
	switch {
	case v.IsConst():
		return int64(v.U), true
	case !v.IsBlock() || len(v.Block) == 0:
		return 0, false
	}
	b := die.At(v.Block, 1)
	var n int64
	switch op := v.Block[0]; {
	case op >= die.OpConst1u && op <= die.OpConst8s:
		n = int64(b.OpConst(op))
	case op == die.OpConstu || op == die.OpPlusUconst:
		n = int64(b.Uleb())
	case op == die.OpConsts:
		n = b.Sleb()
	case op >= die.OpLit0 && op <= die.OpLit31:
		n = int64(op - die.OpLit0)
	default:
		return 0, false
	}
	return n, !b.Bad && b.Len() == 0
}
