package value

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"

	"github.com/kdive/kdive/ctype"
)

// scalarSize is the size in bytes of an integer-like type: integers, bool,
// enums and pointers; 0 for everything else.
func scalarSize(u *ctype.Type) int64 {
	switch u.Kind() {
	case ctype.Int, ctype.Bool, ctype.Enum, ctype.Pointer:
		return u.Size()
	}
	return 0
}

// Uint is the value of an integer, bool, enum, pointer or bit-field as C converts
// it to unsigned long: signed types are sign-extended, 128-bit types cut off.
func (v Value) Uint() (uint64, error) {
	u := v.typ.Underlying()
	size := scalarSize(u)
	if size <= 0 || size > 16 {
		return 0, v.typeError("an integer")
	}
	if v.bit.size != 0 {
		return v.bitField(u)
	}
	if v.immediate() {
		return extend(v.addr, 8*size, u.Signed()), nil
	}
	p, err := v.raw(size)
	if err != nil {
		return 0, err
	}
	return extend(Number(p), 8*size, u.Signed()), nil
}

// Scalar reads a scalar of at most 64 bits: the result has the same type and is
// no longer a place in memory nor a bit-field. Pointers can still be followed.
func (v Value) Scalar() (Value, error) {
	u := v.typ.Underlying()
	if u.Kind() != ctype.Float {
		bits, err := v.Uint()
		return ConstIn(v.mem, v.typ, bits), err
	}
	if v.immediate() {
		return v, nil
	}
	p, err := v.raw(u.Size())
	if err != nil {
		return Value{}, err
	}
	if len(p) > 8 {
		return FromBytes(v.mem, v.typ, p), nil
	}
	return ConstIn(v.mem, v.typ, Number(p)), nil
}

// Int is Uint seen as signed.
func (v Value) Int() (int64, error) {
	u, err := v.Uint()
	return int64(u), err
}

// Bool is whether a scalar differs from zero.
func (v Value) Bool() (bool, error) {
	if v.kind() == ctype.Float {
		f, err := v.Float()
		return f != 0, err
	}
	if v.typ.Size() == 16 && v.bit.size == 0 {
		w, err := v.Wide()
		return err == nil && w.Sign() != 0, err
	}
	u, err := v.Uint()
	return u != 0, err
}

// Wide is the value of an integer of any size up to 16 bytes.
func (v Value) Wide() (*big.Int, error) {
	u := v.typ.Underlying()
	if u.Size() == 16 && u.Kind() == ctype.Int && v.bit.size == 0 && !v.immediate() {
		p, err := v.raw(16)
		if err != nil {
			return nil, err
		}
		return wide(p, u.Signed()), nil
	}
	n, err := v.Uint()
	if err != nil {
		return nil, err
	}
	if u.Signed() {
		return big.NewInt(int64(n)), nil
	}
	return new(big.Int).SetUint64(n), nil
}

func wide(p []byte, signed bool) *big.Int {
	w := new(big.Int).SetUint64(binary.LittleEndian.Uint64(p[8:]))
	w.Lsh(w, 64).Or(w, new(big.Int).SetUint64(binary.LittleEndian.Uint64(p)))
	if signed && p[15]&0x80 != 0 {
		w.Sub(w, new(big.Int).Lsh(big.NewInt(1), 128))
	}
	return w
}

// bitField extracts a bit-field, which may straddle nine bytes.
func (v Value) bitField(u *ctype.Type) (uint64, error) {
	first, size := v.bit.first, v.bit.size
	if size < 0 || size > 64 {
		return 0, fmt.Errorf("bit-field of %d bits: %w", size, ErrType)
	}
	v.addr += uint64(first >> 3)
	v.off += first >> 3
	first &= 7
	n := (first + size + 7) / 8
	p, err := v.raw(n)
	if err != nil {
		return 0, err
	}
	bits := Number(p[:min(n, 8)]) >> first
	if n == 9 {
		bits |= uint64(p[8]) << (64 - first)
	}
	return extend(bits, size, u.Signed()), nil
}

// extend widens an n-bit number to 64 bits.
func extend(u uint64, n int64, signed bool) uint64 {
	if n <= 0 || n >= 64 {
		return u
	}
	if signed {
		return uint64(int64(u<<(64-n)) >> (64 - n))
	}
	return u << (64 - n) >> (64 - n)
}

// Float is the value of a float or double; integers are converted.
func (v Value) Float() (float64, error) {
	u := v.typ.Underlying()
	if u.Kind() != ctype.Float {
		n, err := v.Uint()
		if u.Signed() {
			return float64(int64(n)), err
		}
		return float64(n), err
	}
	bits := v.addr
	if !v.immediate() {
		p, err := v.raw(u.Size())
		if err != nil {
			return 0, err
		}
		if len(p) == 16 {
			x, _ := extended(p)
			f, _ := x.Float64()
			return f, nil
		}
		bits = Number(p)
	}
	switch u.Size() {
	case 4:
		return float64(math.Float32frombits(uint32(bits))), nil
	case 8:
		return math.Float64frombits(bits), nil
	}
	return 0, fmt.Errorf("floating point of %d bytes: %w", u.Size(), ErrType)
}

// CString is the text of a character array or behind a character pointer up to
// the first zero byte, at most limit bytes. A text that runs into memory that
// cannot be read is returned as far as it goes, with the error.
func (v Value) CString(limit int) (string, error) {
	u := v.typ.Underlying()
	switch {
	case u.Kind() == ctype.Pointer:
		addr, err := v.Uint()
		if err != nil {
			return "", err
		}
		s, _, err := readString(v.mem, addr, limit)
		return string(s), err
	case u.Kind() == ctype.Array:
		n := min(u.Size(), int64(limit))
		if u.Size() == 0 && v.lval {
			s, _, err := readString(v.mem, v.addr, limit)
			return string(s), err
		}
		p, err := v.raw(n)
		if err != nil && v.lval {
			p, _, err = readString(v.mem, v.addr, int(n))
		}
		if i := bytes.IndexByte(p, 0); i >= 0 {
			p = p[:i]
		}
		return string(p), err
	}
	return "", v.typeError("a character array or pointer")
}

// extended decodes the 80-bit format of the x87 in 16 bytes: 64 bits of mantissa
// with its leading one, 15 of exponent, the sign. ok is false for values that
// the processor does not accept, infinities and those that are no number.
func extended(p []byte) (x *big.Float, ok bool) {
	mantissa := binary.LittleEndian.Uint64(p)
	exp := int(binary.LittleEndian.Uint16(p[8:]))
	x = new(big.Float).SetPrec(64).SetUint64(mantissa)
	x.SetMantExp(x, max(exp&0x7fff, 1)-16383-63)
	if exp&0x8000 != 0 {
		x.Neg(x)
	}
	return x, exp&0x7fff != 0x7fff && (exp&0x7fff == 0) == (mantissa>>63 == 0)
}
