// Package ctype models the C types of a kernel: what debug info describes and
// what values, expressions and declarations are printed from.
//
// It knows layouts and C spelling, nothing of DWARF, memory or symbols. Start
// from Type. Types that come from debug info are lazy: members, enumerators,
// element types are decoded when first asked for, so that naming task_struct
// does not decode the thousands of types reachable from it. A Type is immutable
// once made and safe for concurrent use; the same definition is the same *Type.
package ctype

import "sync"

// Kind is the class of a type.
type Kind uint8

// The kinds of C types. Qualifiers are kinds of their own, as in DWARF.
const (
	Unknown Kind = iota // a type the debug info does not describe (see Err)
	Void
	Int // integers including the character types
	Bool
	Float
	Enum
	Pointer
	Array
	Struct
	Union
	Func
	Typedef
	Const
	Volatile
	Restrict
	Atomic
)

// Type is one C type. The zero Type is Unknown.
type Type struct {
	kind   Kind
	name   string // tag, typedef name or base type name; empty if anonymous
	origin Origin

	once    sync.Once
	resolve func(*Def) error // nil once everything is in def
	def     Def
	err     error
}

// Origin says where a definition stands.
type Origin struct {
	File   string // source or header file, e.g. "include/linux/sched.h"; may be empty
	Line   int    // in File, 0 if not known
	Offset uint64 // identity within the debug info (offset of the entry)
}

// Def is the part of a type that may be decoded late.
type Def struct {
	Size        int64 // bytes, of base types, enums, structs, unions and pointers
	Signed      bool  // Int and Enum
	Char        bool  // Int with a character encoding
	Declaration bool  // struct, union or enum without a definition in this unit
	Elem        *Type // target of pointers, arrays, typedefs, qualifiers; result of Func; nil is void
	Count       int64 // Array: number of elements, Flexible if none is given
	Members     []Member
	Enumerators []Enumerator
	Params      []Param
	Variadic    bool
}

// Flexible is the Count of an array declared with [] (a flexible array member).
const Flexible = -1

// Member is one member of a struct or union.
type Member struct {
	Name   string // empty for an anonymous struct or union, and for padding bit-fields
	Type   *Type
	Offset int64 // bytes from the start of the enclosing type
	// A bit-field covers BitSize bits starting BitOffset bits (little-endian
	// counting, from the least significant) above byte Offset; BitSize is 0
	// for ordinary members.
	BitOffset, BitSize int64
}

// Enumerator is one constant of an enum.
type Enumerator struct {
	Name  string
	Value int64
}

// Param is one parameter of a function type.
type Param struct {
	Name string
	Type *Type
}

// New makes a type from a complete definition.
func New(kind Kind, name string, def Def) *Type {
	return &Type{kind: kind, name: name, def: def}
}

// NewLazy makes a type whose definition resolve fills in when it is first
// needed. resolve runs at most once and must not ask t for its definition; an
// error it returns makes the type Incomplete with that Err.
func NewLazy(kind Kind, name string, origin Origin, resolve func(*Def) error) *Type {
	return &Type{kind: kind, name: name, origin: origin, resolve: resolve}
}

func (t *Type) d() *Def {
	if t.resolve != nil {
		t.once.Do(func() { t.err = t.resolve(&t.def) })
	}
	return &t.def
}

// Kind of the type; a nil Type is Void.
func (t *Type) Kind() Kind {
	if t == nil {
		return Void
	}
	return t.kind
}

// Name is the tag, typedef name or base type name, without struct, union or
// enum; empty for anonymous and derived types.
func (t *Type) Name() string {
	if t == nil {
		return "void"
	}
	return t.name
}

// Origin of the definition.
func (t *Type) Origin() Origin { return t.origin }

// Err says why the definition could not be decoded, nil if it could.
func (t *Type) Err() error { t.d(); return t.err }

// Incomplete reports whether the type has no known layout: a declaration only,
// or a definition that could not be decoded.
func (t *Type) Incomplete() bool {
	d := t.d()
	return d.Declaration || t.err != nil
}

// Signed reports whether an integer or enum type is signed.
func (t *Type) Signed() bool { return t.d().Signed }

// IsChar reports whether an integer type is a character type.
func (t *Type) IsChar() bool { return t.kind == Int && t.d().Char }

// Elem is what a pointer points to, the element of an array, the target of a
// typedef or qualifier, the result of a function. nil is void.
func (t *Type) Elem() *Type { return t.d().Elem }

// Count is the number of elements of an array, Flexible if it has no bound.
func (t *Type) Count() int64 { return t.d().Count }

// Members of a struct or union in declaration order.
func (t *Type) Members() []Member { return t.d().Members }

// Enumerators of an enum in declaration order.
func (t *Type) Enumerators() []Enumerator { return t.d().Enumerators }

// Params of a function type.
func (t *Type) Params() []Param { return t.d().Params }

// Variadic reports whether a function type ends in "...".
func (t *Type) Variadic() bool { return t.d().Variadic }

// maxDepth bounds chains of typedefs, qualifiers and nested arrays and structs,
// which damaged debug info can make circular.
const maxDepth = 64

// Size in bytes; 0 for void, functions, flexible arrays and incomplete types.
func (t *Type) Size() int64 { return t.size(0) }

func (t *Type) size(depth int) int64 {
	if t == nil || depth > maxDepth {
		return 0
	}
	d := t.d()
	switch t.kind {
	case Typedef, Const, Volatile, Restrict, Atomic:
		return d.Elem.size(depth + 1)
	case Array:
		n := d.Elem.size(depth + 1)
		if d.Count <= 0 || n <= 0 || d.Count > (1<<62)/n {
			return 0
		}
		return d.Count * n
	case Func, Void:
		return 0
	}
	return d.Size
}

// Underlying strips typedefs and qualifiers. It never returns nil: void is a
// Type of kind Void.
func (t *Type) Underlying() *Type {
	for depth := 0; t != nil && depth < maxDepth; depth++ {
		switch t.kind {
		case Typedef, Const, Volatile, Restrict, Atomic:
			t = t.d().Elem
		default:
			return t
		}
	}
	if t != nil {
		return unknown
	}
	return void
}

var (
	void    = New(Void, "void", Def{})
	unknown = New(Unknown, "", Def{})
)

// VoidType is the type void.
func VoidType() *Type { return void }

// PointerTo makes the type of pointers to t on a 64-bit machine.
func PointerTo(t *Type) *Type { return New(Pointer, "", Def{Size: 8, Elem: t}) }

// ArrayOf makes the type of arrays of n elements of type t.
func ArrayOf(t *Type, n int64) *Type { return New(Array, "", Def{Elem: t, Count: n}) }
