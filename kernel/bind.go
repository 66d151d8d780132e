package kernel

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/mapped"
	"github.com/kdive/kdive/value"
)

// A model package declares what it needs of the kernel's layouts as a struct of
// Fields, Sizes, Syms and Enums with `need` tags, and binds it once per dump:
//
//	type needs struct {
//		State kernel.Field `need:"task_struct.__state|task_struct.state"`
//		TGID  kernel.Field `need:"task_struct.tgid"`
//		Size  kernel.Size  `need:"task_struct"`
//		Init  kernel.Sym   `need:"init_task"`
//		Slab  kernel.Enum  `need:"?PGTY_slab"`
//	}
//
// Alternatives are tried in order, newest spelling first. A leading "?" makes a
// need optional: Present tells. Symbols are those of the kernel image. Kernel
// versions never come into it.

// Field is where a member lies within its outermost struct.
type Field struct {
	Path   string      // the spelling that was found, "task_struct.__state"
	Offset int64       // bytes from the start of the outermost struct
	Type   *ctype.Type // declared type
	size   int64
	bitOff int64
	bits   int64
	signed bool
}

// Present reports whether an optional field exists.
func (f *Field) Present() bool { return f.Type != nil }

// Size of the member in bytes.
func (f *Field) Size() int64 { return f.size }

// At is the address of the member in the object at base.
func (f *Field) At(base uint64) uint64 { return base + uint64(f.Offset) }

// Uint reads an integer or pointer member of the object at base. A signed
// member is sign-extended.
func (f *Field) Uint(m value.Memory, base uint64) (uint64, error) {
	var b [8]byte
	n := f.readSize()
	if err := m.Read(b[:n], f.At(base)); err != nil {
		return 0, err
	}
	return f.decode(b[:n]), nil
}

// Int is Uint for signed use.
func (f *Field) Int(m value.Memory, base uint64) (int64, error) {
	u, err := f.Uint(m, base)
	return int64(u), err
}

// In decodes the member out of obj, the bytes of the whole object. A buffer
// that is too short gives 0.
func (f *Field) In(obj []byte) uint64 {
	end := f.Offset + f.readSize()
	if f.Offset < 0 || end > int64(len(obj)) {
		return 0
	}
	return f.decode(obj[f.Offset:end])
}

// Bytes are the member's bytes in obj, nil if the buffer is too short.
func (f *Field) Bytes(obj []byte) []byte {
	if f.Offset < 0 || f.Offset+f.size > int64(len(obj)) {
		return nil
	}
	return obj[f.Offset : f.Offset+f.size]
}

// readSize is how many bytes hold the member as an integer: of an array or
// struct the first eight at most.
func (f *Field) readSize() int64 {
	if f.bits > 0 {
		return (f.bitOff + f.bits + 7) / 8
	}
	return min(f.size, 8)
}

func (f *Field) decode(b []byte) uint64 {
	u := value.Number(b)
	bits := f.readSize() * 8
	if f.bits > 0 {
		u, bits = u>>f.bitOff, f.bits
	}
	if bits <= 0 || bits >= 64 {
		return u
	}
	u &= 1<<bits - 1
	if f.signed && u>>(bits-1) != 0 {
		u |= ^uint64(0) << bits
	}
	return u
}

// Size is the size of a type in bytes; 0 if an optional type is missing.
type Size int64

// Sym is the run-time address of a symbol; 0 if an optional one is missing.
type Sym uint64

// Enum is the value of an enumerator.
type Enum struct {
	Value int64
	ok    bool
}

// Present reports whether an optional enumerator exists.
func (e Enum) Present() bool { return e.ok }

// MissingError names the needs that neither debug info nor symbols satisfy.
type MissingError struct {
	Needs []string // as declared, alternatives separated by |
	Err   error    // why the debug info could not answer, if that is the cause
}

func (e *MissingError) Error() string {
	if e.Err != nil {
		return e.Err.Error() // without debug info everything is missing
	}
	return "this kernel's debug info lacks " + strings.Join(e.Needs, ", ")
}

func (e *MissingError) Unwrap() error { return e.Err }

// Bind fills the tagged fields of *need, a pointer to a struct. Fields that can
// be bound are bound even if others are missing, which a *MissingError names.
func (k *Kernel) Bind(need any) error { return Bind(k, need) }

// Bind fills the tagged fields of *need from l; see Kernel.Bind.
func Bind(l Layouts, need any) error {
	v := reflect.ValueOf(need).Elem()
	var missing MissingError
	for i := range v.NumField() {
		tag, ok := v.Type().Field(i).Tag.Lookup("need")
		if !ok {
			continue
		}
		spec, optional := strings.CutPrefix(tag, "?")
		if err := bindOne(l, v.Field(i).Addr().Interface(), spec); err != nil && !optional {
			missing.Needs = append(missing.Needs, spec)
			var cutOff *mapped.Error
			switch {
			case errors.Is(err, ErrNoDebugInfo):
				missing.Err = ErrNoDebugInfo
			case errors.As(err, &cutOff):
				missing.Err = err // the file of the debug info is not what it was
			}
		}
	}
	if missing.Needs != nil {
		return &missing
	}
	return nil
}

func bindOne(l Layouts, dst any, spec string) error {
	var err error
	for alt := range strings.SplitSeq(spec, "|") {
		switch dst := dst.(type) {
		case *Field:
			*dst, err = FieldOf(l, alt)
		case *Size:
			var t *ctype.Type
			if t, err = l.StructType(alt); err == nil {
				*dst = Size(t.Size())
			}
		case *Sym:
			a, ok := l.ImageSymbol(alt)
			*dst = Sym(a)
			err = found(ok, alt)
		case *Enum:
			var ok bool
			dst.Value, ok = l.Enumerator(alt)
			dst.ok = ok
			err = found(ok, alt)
		default:
			panic(fmt.Sprintf("kernel.Bind: need tag on a %T", dst))
		}
		if err == nil {
			return nil
		}
	}
	return err
}

func found(ok bool, what string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%s: not found", what)
}

// Field resolves "struct.member.member", the first part a struct, union or
// typedef name, or "typeof(variable)" for a variable whose type has no name.
func (k *Kernel) Field(path string) (Field, error) { return FieldOf(k, path) }

// FieldOf is Kernel.Field for any Layouts.
func FieldOf(l Layouts, path string) (Field, error) {
	name, rest, _ := strings.Cut(path, ".")
	t, err := rootType(l, name)
	if err != nil {
		return Field{}, err
	}
	f := Field{Path: path, Type: t, size: t.Size()}
	for part := range strings.SplitSeq(rest, ".") {
		m, ok := f.Type.Find(part)
		if !ok {
			return Field{}, fmt.Errorf("%s: no member %s", path, part)
		}
		f.Offset += m.Offset
		f.Type, f.bits, f.bitOff = m.Type, m.BitSize, m.BitOffset
	}
	u := f.Type.Underlying()
	f.size = f.Type.Size()
	f.signed = (u.Kind() == ctype.Int || u.Kind() == ctype.Enum) && u.Signed()
	if f.bits > 0 {
		f.Offset, f.bitOff = f.Offset+f.bitOff/8, f.bitOff%8
		if f.bitOff+f.bits > 64 {
			return Field{}, fmt.Errorf("%s: a bit-field of %d bits does not lie in 8 bytes", path, f.bits)
		}
	}
	return f, nil
}

func rootType(l Layouts, name string) (*ctype.Type, error) {
	variable, ok := strings.CutPrefix(name, "typeof(")
	if !ok {
		return l.StructType(name)
	}
	t, err := l.VariableType(strings.TrimSuffix(variable, ")"))
	// The layout of an array is that of its elements.
	for depth := 0; err == nil && t.Underlying().Kind() == ctype.Array && depth < 8; depth++ {
		t = t.Underlying().Elem()
	}
	return t, err
}
