package debuginfo

import (
	"debug/dwarf"
	"fmt"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo/die"
)

// typeAt is the type that the entry at off describes: the same *Type for the
// same definition.
func (in *Info) typeAt(off int) (*ctype.Type, error) {
	in.mu.Lock()
	t := in.types[off]
	in.mu.Unlock()
	if t != nil {
		return t, nil
	}
	e, u, err := in.entry(off)
	if err != nil {
		return nil, err
	}
	to, err := in.canonical(u, &e)
	if err != nil {
		return nil, err
	}
	if to != off {
		if e, u, err = in.entry(to); err != nil {
			return nil, err
		}
		return in.keep(off, in.keep(to, in.newType(u, &e))), nil
	}
	return in.keep(off, in.newType(u, &e)), nil
}

// keep notes the type of an entry, unless somebody else was faster.
func (in *Info) keep(off int, t *ctype.Type) *ctype.Type {
	in.mu.Lock()
	defer in.mu.Unlock()
	if first := in.types[off]; first != nil {
		return first
	}
	in.types[off] = t
	return t
}

var ctypeKinds = map[dwarf.Tag]ctype.Kind{
	dwarf.TagStructType:          ctype.Struct,
	dwarf.TagClassType:           ctype.Struct,
	dwarf.TagUnionType:           ctype.Union,
	dwarf.TagEnumerationType:     ctype.Enum,
	dwarf.TagTypedef:             ctype.Typedef,
	dwarf.TagPointerType:         ctype.Pointer,
	dwarf.TagReferenceType:       ctype.Pointer,
	dwarf.TagRvalueReferenceType: ctype.Pointer,
	dwarf.TagArrayType:           ctype.Array,
	dwarf.TagSubroutineType:      ctype.Func,
	dwarf.TagSubprogram:          ctype.Func,
	dwarf.TagConstType:           ctype.Const,
	dwarf.TagVolatileType:        ctype.Volatile,
	dwarf.TagRestrictType:        ctype.Restrict,
	dwarf.TagAtomicType:          ctype.Atomic,
	dwarf.TagUnspecifiedType:     ctype.Void,
}

// newType makes the type of an entry; everything but its name waits until it
// is asked for.
func (in *Info) newType(u *unit, e *die.Entry) *ctype.Type {
	name := e.Name()
	if e.Tag == dwarf.TagBaseType {
		return baseType(name, e)
	}
	kind := ctypeKinds[e.Tag]
	if kind == ctype.Func {
		name = ""
	}
	origin := ctype.Origin{Offset: uint64(e.Off)}
	if origin.File, origin.Line = in.declared(u, e); origin.File == "" {
		origin.File = u.name
	}
	entry := *e
	return ctype.NewLazy(kind, name, origin, func(def *ctype.Def) error {
		return guard(func() error { return in.define(u, &entry, kind, def) })
	})
}

func baseType(name string, e *die.Entry) *ctype.Type {
	size, _ := e.Uint(dwarf.AttrByteSize)
	enc, _ := e.Uint(dwarf.AttrEncoding)
	def := ctype.Def{Size: int64(min(size, 1<<16))}
	kind := ctype.Int
	switch enc {
	case die.EncBoolean:
		kind = ctype.Bool
	case die.EncFloat, die.EncComplexFloat:
		kind = ctype.Float
	case die.EncSigned:
		def.Signed = true
	case die.EncSignedChar:
		def.Signed, def.Char = true, true
	case die.EncUnsignedChar, die.EncUTF:
		def.Char = true
	case die.EncUnsigned:
	default:
		if size == 0 {
			kind = ctype.Void
		}
	}
	return ctype.New(kind, name, def)
}

// maxList bounds members, enumerators and parameters of one type.
const maxList = 1 << 17

// maxParams bounds the parameters of one function; C promises 127.
const maxParams = 512

var errList = fmt.Errorf("more than %d members", maxList)

// maxSize bounds sizes and counts, so that arithmetic on them cannot overflow.
const maxSize = 1 << 46

// define decodes what a type consists of.
func (in *Info) define(u *unit, e *die.Entry, kind ctype.Kind, def *ctype.Def) error {
	size, _ := e.Uint(dwarf.AttrByteSize)
	if size > maxSize {
		return fmt.Errorf("%s at %#x: size %d makes no sense", e.Tag, e.Off, size)
	}
	def.Size = int64(size)
	def.Declaration = e.Flag(dwarf.AttrDeclaration)
	switch kind {
	case ctype.Struct, ctype.Union:
		return in.members(u, e, def)
	case ctype.Enum:
		return enumerators(e, def)
	case ctype.Array:
		return in.array(u, e, def)
	case ctype.Func:
		return in.function(u, e, def)
	case ctype.Unknown:
		return fmt.Errorf("%s at %#x: not a type of C", e.Tag, e.Off)
	case ctype.Pointer:
		if def.Size == 0 {
			def.Size = int64(u.AddrSize)
		}
	}
	var err error
	def.Elem, err = in.typeOf(u, e)
	return err
}

// typeOf is the type an entry refers to, nil (void) if it refers to none.
func (in *Info) typeOf(u *unit, e *die.Entry) (*ctype.Type, error) {
	off, ok, err := in.ref(u, e, dwarf.AttrType)
	if !ok || err != nil {
		return nil, err
	}
	return in.typeAt(off)
}

func enumerators(e *die.Entry, def *ctype.Def) error {
	size, enc := scalar(e)
	def.Signed = enc == die.EncSigned || enc == die.EncSignedChar
	if def.Size == 0 {
		def.Size = size
	}
	for c, err := range e.Kids() {
		if err != nil {
			return err
		}
		v, ok := c.Attr(dwarf.AttrConstValue)
		if c.Tag != dwarf.TagEnumerator || !ok {
			continue
		}
		n := int64(v.U)
		if enc == 0 && n < 0 {
			def.Signed = true
		}
		if len(def.Enumerators) >= maxList {
			return errList
		}
		def.Enumerators = append(def.Enumerators, ctype.Enumerator{Name: c.Name(), Value: n})
	}
	// The form of a value says nothing about its sign: extend as the enum does.
	if shift := 64 - 8*def.Size; shift > 0 && shift < 64 {
		for i := range def.Enumerators {
			v := &def.Enumerators[i].Value
			if def.Signed {
				*v = *v << shift >> shift
			} else {
				*v = int64(uint64(*v) << shift >> shift)
			}
		}
	}
	return nil
}

// maxChain bounds chains of typedefs and qualifiers.
const maxChain = 32

// scalar is the size and encoding of the integer type that an entry is, or
// stands for through typedefs, qualifiers and enumerations. It reads entries:
// a type that is being decoded must not ask another one for its definition,
// which may need the first.
func scalar(e *die.Entry) (size int64, encoding uint64) {
	t := *e
	for range maxChain {
		if n, ok := t.Uint(dwarf.AttrByteSize); ok && size == 0 && n <= 64 {
			size = int64(n)
		}
		if enc, ok := t.Uint(dwarf.AttrEncoding); ok {
			return size, enc
		}
		next, ok, err := t.Ref(dwarf.AttrType)
		if !ok || err != nil || !next.Valid() {
			break
		}
		t = next
	}
	return size, 0
}

func (in *Info) function(u *unit, e *die.Entry, def *ctype.Def) error {
	def.Size = 0
	var err error
	if def.Elem, err = in.typeOf(u, e); err != nil {
		return err
	}
	for c, err := range e.Kids() {
		if err != nil {
			return err
		}
		switch c.Tag {
		case dwarf.TagFormalParameter:
			if len(def.Params) >= maxParams {
				return errList
			}
			p := ctype.Param{Name: c.Name()}
			if p.Type, err = in.typeOf(u, &c); err != nil {
				return err
			}
			def.Params = append(def.Params, p)
		case dwarf.TagUnspecifiedParameters:
			def.Variadic = true
		}
	}
	return nil
}

// maxDimensions of an array.
const maxDimensions = 32

func (in *Info) array(u *unit, e *die.Entry, def *ctype.Def) error {
	elem, err := in.typeOf(u, e)
	if err != nil {
		return err
	}
	counts := make([]int64, 0, 4)
	for c, err := range e.Kids() {
		if err != nil {
			return err
		}
		if c.Tag == dwarf.TagSubrangeType && len(counts) < maxDimensions {
			counts = append(counts, count(&c))
		}
	}
	if len(counts) == 0 {
		counts = append(counts, ctype.Flexible)
	}
	for i := len(counts) - 1; i > 0; i-- {
		elem = ctype.ArrayOf(elem, counts[i])
	}
	def.Elem, def.Count, def.Size = elem, counts[0], 0
	return nil
}

// count is the number of elements of one dimension, ctype.Flexible if the
// source gives none or it is known at run time only.
func count(e *die.Entry) int64 {
	if v, ok := e.Attr(dwarf.AttrCount); ok {
		if n, ok := constant(v); ok && n >= 0 && n < maxSize {
			return n
		}
		return ctype.Flexible
	}
	v, ok := e.Attr(dwarf.AttrUpperBound)
	if !ok {
		return ctype.Flexible
	}
	n, ok := constant(v)
	// gcc gives int x[0] the upper bound -1, in 8 bytes or with a sign.
	if !ok || n < -1 || n >= maxSize {
		return ctype.Flexible
	}
	return n + 1
}
