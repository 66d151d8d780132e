package expr

import (
	"errors"
	"fmt"
	"math"
	"math/big"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/value"
)

// decay turns arrays and functions into pointers, as C does with operands.
// Nothing is read.
func decay(v value.Value) (value.Value, error) {
	u := v.Type().Underlying()
	switch u.Kind() {
	case ctype.Array, ctype.Func:
		addr, ok := v.Addr()
		if !ok {
			return v, fmt.Errorf("%s is not in memory", v.Type())
		}
		t := v.Type()
		if u.Kind() == ctype.Array {
			t = u.Elem()
		}
		return value.ConstIn(v.Memory(), ctype.PointerTo(t), addr), nil
	case ctype.Unknown:
		return v, errUntyped
	case ctype.Struct, ctype.Union:
		return v, fmt.Errorf("%s is not a number or pointer", v.Type())
	}
	return v, nil
}

// errUntyped is about objects that no debug info describes.
var errUntyped = errors.New("its type is not known: cast it")

func isObject(v value.Value) bool {
	_, ok := v.Addr()
	return ok
}

func isArithmetic(t *ctype.Type) bool {
	switch t.Underlying().Kind() {
	case ctype.Int, ctype.Bool, ctype.Enum, ctype.Float:
		return true
	}
	return false
}

// arithmeticType is the expression type of a size and signedness.
func arithmeticType(size int64, signed bool) *ctype.Type {
	switch {
	case size > 8 && signed:
		return typeInt128
	case size > 8:
		return typeU128
	case size > 4 && signed:
		return typeLong
	case size > 4:
		return typeUlong
	case signed:
		return typeInt
	}
	return typeUint
}

// promoted is the type of an arithmetic operand after C's integer promotions:
// what fits into int becomes int.
func promoted(v value.Value) *ctype.Type {
	u := v.Type().Underlying()
	if u.Kind() == ctype.Float {
		if u.Size() == 4 {
			return typeFloat
		}
		return typeDouble
	}
	size, signed := u.Size(), u.Signed()
	if n, ok := v.BitField(); ok && n < 32 && size <= 4 || size < 4 {
		return typeInt
	}
	return arithmeticType(size, signed)
}

// common is the type of an operation on two promoted types.
func common(a, b *ctype.Type) *ctype.Type {
	af, bf := a.Kind() == ctype.Float, b.Kind() == ctype.Float
	switch {
	case af && bf:
		if a.Size() >= b.Size() {
			return a
		}
		return b
	case af:
		return a
	case bf:
		return b
	case a.Size() > b.Size():
		return a
	case b.Size() > a.Size():
		return b
	}
	return arithmeticType(a.Size(), a.Signed() && b.Signed())
}

// wideConst is a 128-bit constant; n is cut off.
func wideConst(mem value.Memory, t *ctype.Type, n *big.Int) value.Value {
	n = new(big.Int).And(n, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1)))
	var be [16]byte
	n.FillBytes(be[:])
	for i, j := 0, 15; i < j; i, j = i+1, j-1 {
		be[i], be[j] = be[j], be[i]
	}
	return value.FromBytes(mem, t, be[:])
}

// cast converts v to type t.
func (p *parser) cast(v value.Value, t *ctype.Type) (value.Value, error) {
	u := t.Underlying()
	switch u.Kind() {
	case ctype.Void:
		return value.Const(t, 0), nil
	case ctype.Struct, ctype.Union, ctype.Array:
		if from := v.Type().Underlying(); from == u || from.Kind() == ctype.Unknown && isObject(v) {
			return v.As(t), nil
		}
		return v, fmt.Errorf("%s cannot be cast to %s", v.Type(), t)
	case ctype.Func, ctype.Unknown:
		return v, fmt.Errorf("nothing can be cast to %s", t)
	}
	// An object of unknown type is taken to be of the type it is cast to.
	if v.Type().Underlying().Kind() == ctype.Unknown {
		if isObject(v) {
			v = v.As(t)
		}
	}
	v, err := decay(v)
	if err != nil {
		return v, err
	}
	from := v.Type().Underlying()
	if k := from.Kind(); k == ctype.Void || k == ctype.Float && u.Kind() == ctype.Pointer || k == ctype.Pointer && u.Kind() == ctype.Float {
		return v, fmt.Errorf("%s cannot be cast to %s", v.Type(), t)
	}
	if p.skip > 0 && !isConstant(v) {
		return value.Const(t, 0), nil
	}
	return p.convert(v, t)
}

// convert reads the scalar v and makes it a t.
func (p *parser) convert(v value.Value, t *ctype.Type) (value.Value, error) {
	mem := v.Memory()
	if mem == nil {
		mem = p.scope.Memory()
	}
	u, from := t.Underlying(), v.Type().Underlying()
	switch {
	case u.Kind() == ctype.Bool:
		b, err := v.Bool()
		if b {
			return value.Const(t, 1), err
		}
		return value.Const(t, 0), err
	case u.Kind() == ctype.Float:
		f, err := v.Float()
		if err == nil && u.Size() > 8 {
			err = fmt.Errorf("%s is not supported", t)
		}
		return floatConst(f, t), err
	case from.Kind() == ctype.Float:
		f, err := v.Float()
		if err == nil && (math.IsNaN(f) || f >= 1<<64 || f < -1<<63) {
			err = fmt.Errorf("%g does not fit into %s", f, t)
		}
		if f < 0 || u.Signed() && f < 1<<63 {
			return value.ConstIn(mem, t, uint64(int64(f))), err
		}
		return value.ConstIn(mem, t, uint64(f)), err
	case u.Size() > 8:
		w, err := v.Wide()
		if err != nil {
			return v, err
		}
		return wideConst(mem, t, w), nil
	}
	n, err := v.Uint()
	return value.ConstIn(mem, t, n), err
}
