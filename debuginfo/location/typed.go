package location

import (
	"debug/dwarf"
	"encoding/binary"
	"fmt"

	"github.com/kdive/kdive/debuginfo/die"
)

// base is the type of a value on the stack. The zero base is DWARF's generic
// type: 64 bits, neither signed nor unsigned.
type base struct {
	size   int // bytes, 1 to 8
	signed bool
}

func (t base) generic() bool { return t.size == 0 }

// normal is v as a value of the type keeps it: extended to 64 bits.
func (t base) normal(v uint64) uint64 {
	if t.generic() || t.size >= 8 {
		return v
	}
	shift := 64 - 8*t.size
	if t.signed {
		return uint64(int64(v<<shift) >> shift)
	}
	return v << shift >> shift
}

// baseType reads the base type whose entry is at an offset of the unit; 0 is the
// generic type.
func baseType(u *die.Unit, off uint64) (base, error) {
	if off == 0 {
		return base{}, nil
	}
	if u == nil || off >= uint64(u.End-u.Off) {
		return base{}, fmt.Errorf("type at %#x: outside its unit", off)
	}
	e, err := u.Entry(u.Off + int(off))
	if err != nil {
		return base{}, err
	}
	if !e.Valid() || e.Tag != dwarf.TagBaseType {
		return base{}, fmt.Errorf("type at %#x: no base type", off)
	}
	size, _ := e.Uint(dwarf.AttrByteSize)
	enc, _ := e.Uint(dwarf.AttrEncoding)
	t := base{size: int(min(size, 17))}
	switch enc {
	case die.EncSigned, die.EncSignedChar:
		t.signed = true
	case die.EncAddress, die.EncBoolean, die.EncUnsigned, die.EncUnsignedChar, die.EncUTF:
	default:
		return base{}, lostError{NoOperator, fmt.Sprintf("operator on type %s", e.Name())}
	}
	if size != 1 && size != 2 && size != 4 && size != 8 {
		return base{}, lostError{NoOperator, fmt.Sprintf("operator on %d bytes", size)}
	}
	return t, nil
}

// little is a value's bytes.
func little(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }

// number is the value of up to 8 bytes.
func number(b []byte) uint64 {
	var p [8]byte
	copy(p[:], b)
	return binary.LittleEndian.Uint64(p[:])
}

// binaryOp computes x op y of one type.
func binaryOp(op uint8, t base, x, y uint64) (uint64, base, error) {
	signed := t.signed || t.generic()
	width := uint64(64)
	if !t.generic() {
		width = uint64(8 * t.size)
	}
	switch op {
	case die.OpAnd:
		x &= y
	case die.OpOr:
		x |= y
	case die.OpXor:
		x ^= y
	case die.OpPlus:
		x += y
	case die.OpMinus:
		x -= y
	case die.OpMul:
		x *= y
	case die.OpDiv, die.OpMod:
		if y == 0 {
			return 0, t, lostError{Damaged, "the expression divides by zero"}
		}
		switch {
		case op == die.OpDiv && signed && int64(y) == -1:
			x = -x // the smallest number overflows
		case op == die.OpDiv && signed:
			x = uint64(int64(x) / int64(y))
		case op == die.OpDiv:
			x /= y
		case t.signed && int64(y) == -1:
			x = 0
		case t.signed:
			x = uint64(int64(x) % int64(y))
		default:
			x %= y
		}
	case die.OpShl:
		x <<= min(y, 64)
	case die.OpShr:
		x = base{t.size, false}.normal(x) >> min(y, 64)
	case die.OpShra:
		x = uint64(int64(base{t.size, true}.normal(x)) >> min(y, width-1))
	default:
		return compare(op, signed, x, y), base{}, nil
	}
	return t.normal(x), t, nil
}

// compare is 1 or 0, of the generic type.
func compare(op uint8, signed bool, x, y uint64) uint64 {
	less := x < y
	if signed {
		less = int64(x) < int64(y)
	}
	holds := false
	switch op {
	case die.OpEq:
		holds = x == y
	case die.OpNe:
		holds = x != y
	case die.OpLt:
		holds = less
	case die.OpLe:
		holds = less || x == y
	case die.OpGt:
		holds = !less && x != y
	case die.OpGe:
		holds = !less
	}
	if holds {
		return 1
	}
	return 0
}

func unaryOp(op uint8, t base, x uint64) uint64 {
	switch {
	case op == die.OpNot:
		x = ^x
	case op == die.OpNeg, op == die.OpAbs && (t.signed || t.generic()) && int64(x) < 0:
		x = -x
	}
	return t.normal(x)
}
