package value

import (
	"fmt"

	"github.com/kdive/kdive/ctype"
)

// Member is the member of a struct or union, or of the struct or union that v
// points to. Members of anonymous structs and unions are found as C finds them.
func (v Value) Member(name string) (Value, error) {
	u := v.typ.Underlying()
	if u.Kind() == ctype.Pointer {
		target, err := v.Deref()
		if err != nil {
			return Value{}, err
		}
		v, u = target, target.typ.Underlying()
	}
	if k := u.Kind(); k != ctype.Struct && k != ctype.Union {
		return Value{}, v.typeError("a struct or union")
	}
	if v.immediate() {
		return Value{}, fmt.Errorf("%s has no bytes", v.typ)
	}
	m, ok := u.Find(name)
	if !ok {
		if err := u.Err(); err != nil {
			return Value{}, fmt.Errorf("%s: %w", v.typ, err)
		}
		return Value{}, fmt.Errorf("%s has no member %s", v.typ, name)
	}
	return v.Field(m), nil
}

// Field is the member m of a struct or union; m must be one of its type's.
func (v Value) Field(m ctype.Member) Value {
	v.typ = m.Type
	v.addr += uint64(m.Offset)
	v.off += m.Offset
	v.bit = bitRange{}
	if m.BitSize != 0 {
		v.bit = bitRange{m.BitOffset, m.BitSize}
	}
	return v
}

// Index is element i of an array, or of the array that a pointer points to.
// Bounds are those of C: none for objects in memory.
func (v Value) Index(i int64) (Value, error) {
	u := v.typ.Underlying()
	switch u.Kind() {
	case ctype.Pointer:
		if t, ok := v.followed(); ok && i == 0 {
			return t, nil
		}
		addr, err := v.Uint()
		if err != nil {
			return Value{}, err
		}
		elem := u.Elem()
		if k := elem.Underlying().Kind(); k == ctype.Void || k == ctype.Func {
			return Value{}, fmt.Errorf("%s points to no object: %w", v.typ, ErrType)
		}
		return New(v.mem, elem, addr+uint64(i*elem.Size())), nil
	case ctype.Array:
		e := v.elem(u.Elem(), i)
		if !v.lval && (i < 0 || v.blk == nil || e.off+e.typ.Size() > int64(len(v.blk.data))) {
			return Value{}, fmt.Errorf("%s has no element %d", v.typ, i)
		}
		return e, nil
	}
	return Value{}, v.typeError("an array or pointer")
}

// elem is element i of an array without checks.
func (v Value) elem(typ *ctype.Type, i int64) Value {
	d := i * typ.Size()
	v.typ, v.bit = typ, bitRange{}
	v.addr += uint64(d)
	v.off += d
	return v
}

// Deref is the object that a pointer points to, the first element of an array,
// a function itself.
func (v Value) Deref() (Value, error) {
	u := v.typ.Underlying()
	switch u.Kind() {
	case ctype.Array:
		return v.Index(0)
	case ctype.Func:
		return v, nil
	case ctype.Pointer:
		if t, ok := v.followed(); ok {
			return t, nil
		}
		addr, err := v.Uint()
		if err != nil {
			return Value{}, err
		}
		if u.Elem().Underlying().Kind() == ctype.Void {
			return Value{}, fmt.Errorf("%s points to no object: %w", v.typ, ErrType)
		}
		return New(v.mem, u.Elem(), addr), nil
	}
	return Value{}, v.typeError("a pointer")
}

// Path follows a member path: names joined by . or -> (which mean the same:
// pointers are followed), and [n] on arrays and pointers.
func (v Value) Path(path string) (Value, error) {
	steps, err := ParsePath(path)
	if err != nil {
		return Value{}, err
	}
	return v.Follow(steps)
}

// Follow is Path with the path parsed beforehand.
func (v Value) Follow(steps []Step) (Value, error) {
	var err error
	for i, s := range steps {
		if s.Name != "" {
			v, err = v.Member(s.Name)
		} else {
			v, err = v.Index(s.Index)
		}
		if err != nil {
			return Value{}, fmt.Errorf("%s: %w", PathString(steps[:i+1]), err)
		}
	}
	return v, nil
}
