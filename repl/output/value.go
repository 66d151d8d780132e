// Package output turns the rows that commands emit into text or JSON.
//
// A command declares each kind of row once as a Record: JSON name, heading,
// format and help of every column. The Emitter prints rows either as the text
// that a reader of crash expects, or as one JSON object a line with typed
// fields. The package knows nothing of dumps, commands or terminals. Start from
// Record and Emitter; Value is one typed cell.
package output

import (
	"math"
	"time"
)

// Kind is the type of a Value.
type Kind uint8

// The kinds of values and what they are in JSON.
const (
	KindNull   Kind = iota // null: the row has no such datum
	KindBool               // true, false
	KindInt                // number
	KindUint               // number
	KindFloat              // number
	KindAddr               // string "0x…": addresses, masks, everything that is read in hexadecimal
	KindString             // string
	KindTime               // string, RFC 3339 in UTC
	KindList               // array
	KindObject             // object
	KindFault              // object {"type":"fault",…}
	KindTree               // whatever the Appender writes
)

// String is the word that the manual uses for the kind.
func (k Kind) String() string {
	return [...]string{"null", "bool", "integer", "integer", "number", "address",
		"string", "time", "array", "object", "fault", "value"}[k]
}

// Value is one typed datum. The zero Value is null.
type Value struct {
	kind Kind
	num  uint64
	str  string
	ref  any // []Value, []Field, time.Time, error or Appender, by kind
}

// Field is one named value of an object.
type Field struct {
	Name  string
	Value Value
}

// Appender is a tree of typed values that writes itself as JSON. It lets
// packages below this one hand over nested values without importing it.
type Appender interface {
	AppendJSON(b []byte) []byte
}

// Null is the absence of a value.
func Null() Value { return Value{} }

// NullOf is null where v would be if it were known: the documentation tells the
// kind of v.
func NullOf(v Value) Value { return Value{num: uint64(v.kind)} }

// Bool is a truth value.
func Bool(v bool) Value {
	if v {
		return Value{kind: KindBool, num: 1}
	}
	return Value{kind: KindBool}
}

// Int is a signed number.
func Int[T ~int | ~int8 | ~int16 | ~int32 | ~int64](v T) Value {
	return Value{kind: KindInt, num: uint64(int64(v))}
}

// Uint is an unsigned number.
func Uint[T ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64](v T) Value {
	return Value{kind: KindUint, num: uint64(v)}
}

// Float is a number with a fraction. NaN and infinities become null in JSON.
func Float(v float64) Value { return Value{kind: KindFloat, num: math.Float64bits(v)} }

// Addr is an address; in JSON a string "0x…" without leading zeros.
func Addr(v uint64) Value { return Value{kind: KindAddr, num: v} }

// Hex is a number that is read in hexadecimal, such as a mask of flags. It is
// the same as Addr and exists so that declarations say what they mean.
func Hex[T ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64](v T) Value { return Addr(uint64(v)) }

// String is a string that is data: a name, a path, a message of the kernel.
// Never pass a formatted line.
func String(v string) Value { return Value{kind: KindString, str: v} }

// Time is a moment; null if t is the zero time.
func Time(t time.Time) Value {
	if t.IsZero() {
		return NullOf(Value{kind: KindTime})
	}
	return Value{kind: KindTime, ref: t}
}

// List is an array.
func List(v ...Value) Value { return Value{kind: KindList, ref: v} }

// Strings is an array of strings.
func Strings(s []string) Value {
	v := make([]Value, len(s))
	for i := range s {
		v[i] = String(s[i])
	}
	return List(v...)
}

// Object is an object with ordered fields.
func Object(f ...Field) Value { return Value{kind: KindObject, ref: f} }

// Fault is the reason why there is no value. In text it prints as <excluded>,
// <not mapped> and so on; nil is null.
func Fault(err error) Value {
	if err == nil {
		return NullOf(Value{kind: KindFault})
	}
	return Value{kind: KindFault, ref: err}
}

// Tree is a nested value that writes itself.
func Tree(a Appender) Value {
	if a == nil {
		return Value{}
	}
	return Value{kind: KindTree, ref: a}
}

// Kind returns the type of v.
func (v Value) Kind() Kind { return v.kind }
