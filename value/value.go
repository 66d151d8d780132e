// Package value is typed places in dumped memory: a member of a structure, an
// element of an array, what a pointer points to; read, followed and printed.
//
// It knows C types, bytes and the text form that gdb gives to C values. It must
// not know where bytes come from (Memory), how symbols are found (Names) or what
// any kernel structure means. Every access returns an error whose chain holds a
// *fault.Error when memory is the cause. Start from New and Value; Format and
// AppendJSON print.
package value

import (
	"errors"
	"fmt"

	"github.com/kdive/kdive/ctype"
)

// Memory reads virtual addresses. Read fills p or returns an error that holds a
// *fault.Error; a short read is an error.
type Memory interface {
	Read(p []byte, addr uint64) error
}

// Names finds the symbol that contains an address, for the <symbol+offset>
// behind printed pointers. An address in no symbol (heap, gaps, beyond the size
// of the symbol before it, zero-based per-CPU offsets) has none.
type Names interface {
	SymbolAt(addr uint64) (name string, off uint64, ok bool)
}

// Objects is what Names may implement, too: what a pointer to no symbol points
// to, an object of one of the kernel's caches.
type Objects interface {
	ObjectAt(addr uint64) (Object, bool)
}

// Object is what an address is in.
type Object struct {
	Cache  string
	Type   string // "struct file", "" if it is not known
	Addr   uint64 // of the object
	Offset int64  // of the address in it
}

// Value is a C object: a place in memory (an lvalue) or a computed value. It is
// small and passed by value. A Value from New reads memory when it is asked for
// something; Load reads the object once, and members of a loaded Value share
// its bytes.
type Value struct {
	mem  Memory
	typ  *ctype.Type
	blk  *block   // bytes read ahead; nil if none
	addr uint64   // lvalue: its address; otherwise without blk: the bits of a scalar
	off  int64    // where the object starts in blk
	bit  bitRange // set for bit-fields
	lval bool
}

// bitRange is a bit-field: size bits starting first bits above the start of the
// object, counted from the least significant bit.
type bitRange struct{ first, size int64 }

// New is the object of type typ at virtual address addr.
func New(mem Memory, typ *ctype.Type, addr uint64) Value {
	return Value{mem: mem, typ: typ, addr: addr, lval: true}
}

// Const is a computed scalar of at most 64 bits. Bits beyond the size of the
// type are ignored.
func Const(typ *ctype.Type, bits uint64) Value {
	return Value{typ: typ, addr: bits}
}

// ConstIn is Const for a value that may be followed: a computed pointer.
func ConstIn(mem Memory, typ *ctype.Type, bits uint64) Value {
	return Value{mem: mem, typ: typ, addr: bits}
}

// FromBytes is a computed object with the given bytes.
func FromBytes(mem Memory, typ *ctype.Type, data []byte) Value {
	return Value{mem: mem, typ: typ, blk: &block{data: data}}
}

// Type of the object as declared, typedefs and qualifiers included; nil is void.
func (v Value) Type() *ctype.Type { return v.typ }

// Memory the object lives in or points into.
func (v Value) Memory() Memory { return v.mem }

// Addr is the virtual address of an object in memory. Bit-fields give the
// address of the first byte of their storage.
func (v Value) Addr() (uint64, bool) {
	if !v.lval {
		return 0, false
	}
	return v.addr, true
}

// BitField reports whether v is a bit-field and how many bits it has.
func (v Value) BitField() (size int64, ok bool) { return v.bit.size, v.bit.size != 0 }

// kind of the type without typedefs and qualifiers.
func (v Value) kind() ctype.Kind { return v.typ.Underlying().Kind() }

// As is the same place seen with another type: no conversion, no check.
func (v Value) As(typ *ctype.Type) Value {
	v.typ = typ
	v.bit = bitRange{}
	return v
}

// ErrType is in the chain of errors about operations that a type does not have:
// a member of an int, the element of a struct.
var ErrType = errors.New("wrong type")

func (v Value) typeError(what string) error {
	return fmt.Errorf("%s is not %s: %w", v.typ, what, ErrType)
}
