package value

import (
	"strconv"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/fault"
)

// Style is how values are printed. The zero Style prints as gdb does with the
// settings of crash: pretty, decimal, at most 256 elements, 20 levels deep.
type Style struct {
	Radix int   // 10 or 16; 0 means 10
	Max   int   // most elements of an array and characters of a string; 0 means 256
	Deep  int   // most levels of structs and arrays; 0 means 20
	Level int   // level the value starts at: its members are indented by 2*(Level+1)
	Names Names // symbols behind pointers; nil for none
	Lines bool  // one array element a line, as gdb's "print array"
	Stop  bool  // character arrays end at the first zero byte, as gdb's "print null-stop"
}

// Format is the text of v as a member of something: "0xffff888003ad2a00",
// "{\n  next = ...". Memory that cannot be read appears in place as <excluded>,
// <not mapped> and so on.
func Format(v Value, s Style) string { return string(Append(nil, v, s)) }

// Append appends the text of Format to dst.
func Append(dst []byte, v Value, s Style) []byte {
	p := newPrinter(dst, s)
	p.value(v, s.Level)
	return p.out
}

// AppendTop appends the text of v as the result of an expression: pointers are
// preceded by their type, "(struct task_struct *) 0xffff888003ad2a00".
func AppendTop(dst []byte, v Value, s Style) []byte {
	p := newPrinter(dst, s)
	if v.kind() == ctype.Pointer && !plainCharPointer(v.typ) {
		p.out = append(p.out, '(')
		p.out = append(p.out, v.typ.String()...)
		p.out = append(p.out, ") "...)
	}
	p.value(v, s.Level)
	return p.out
}

// plainCharPointer reports whether t is a pointer to char, const or not, and not
// a typedef: gdb prints those without their type.
func plainCharPointer(t *ctype.Type) bool {
	if t.Kind() != ctype.Pointer {
		return false
	}
	e := t.Elem()
	for k := e.Kind(); k == ctype.Const || k == ctype.Volatile; k = e.Kind() {
		e = e.Elem()
	}
	return e.Kind() == ctype.Int && e.Name() == "char"
}

// Bounds on the printing of one value: nested arrays and structs of a damaged
// type can ask for any amount of text and of work without text.
const (
	maxText  = 16 << 20
	maxSteps = 4 << 20  // members and elements
	maxReads = 32 << 20 // bytes read ahead
)

type printer struct {
	out []byte
	Style
	hex   bool
	start int // length of out when printing began
	steps int
	reads int64
}

// full counts a member or element and reports whether a bound is reached.
func (p *printer) full() bool {
	p.steps++
	return len(p.out)-p.start > maxText || p.steps > maxSteps || p.reads > maxReads
}

// load reads the first n bytes of v ahead.
func (p *printer) load(v Value, n int64) Value {
	l := v.loadN(n)
	if l.blk != v.blk {
		p.reads += n
	}
	return l
}

func newPrinter(dst []byte, s Style) *printer {
	if s.Max <= 0 {
		s.Max = 256
	}
	if s.Deep <= 0 {
		s.Deep = 20
	}
	return &printer{out: dst, Style: s, hex: s.Radix == 16, start: len(dst)}
}

func (p *printer) text(s string) { p.out = append(p.out, s...) }

// value prints v; level counts the structs and arrays around it.
func (p *printer) value(v Value, level int) {
	u := v.typ.Underlying()
	kind := u.Kind()
	switch kind {
	case ctype.Struct, ctype.Union, ctype.Array:
		if level >= p.Deep+p.Level {
			p.text("{...}")
			return
		}
		if kind == ctype.Array {
			p.array(v, u, level)
		} else {
			p.members(v, u, level)
		}
	case ctype.Int, ctype.Bool:
		p.integer(v, u)
	case ctype.Enum:
		p.enum(v, u)
	case ctype.Pointer:
		p.pointer(v, u)
	case ctype.Float:
		p.float(v, u)
	case ctype.Func:
		p.text("{")
		p.text(v.typ.String())
		p.text("} ")
		p.address(v.addr)
	case ctype.Void:
		p.text("void")
	default:
		p.text("<unknown type>")
	}
}

// fault prints, in place of a value, why it cannot be read.
func (p *printer) fault(err error) {
	if s := lostText(err); s != "" {
		p.text(s)
		return
	}
	p.text("<")
	if r := fault.ReasonOf(err); r != 0 {
		p.text(r.String())
	} else {
		p.text("error: ")
		p.text(err.Error())
	}
	p.text(">")
}

// missing prints the fault of an object no byte of which can be read.
func (p *printer) missing(v Value, size int64) bool {
	if v.blk == nil || size <= 0 {
		return false
	}
	err := v.blk.covered(v.off, size)
	if err != nil {
		p.fault(err)
	}
	return err != nil
}

func (p *printer) members(v Value, u *ctype.Type, level int) {
	if u.Incomplete() {
		p.text("<incomplete type>")
		return
	}
	v = p.load(v, u.Size())
	if p.missing(v, u.Size()) {
		return
	}
	if v.immediate() {
		p.text("<error: no bytes>")
		return
	}
	first := true
	p.text("{")
	for _, m := range u.Members() {
		if m.Name == "" && m.BitSize != 0 {
			continue // padding
		}
		if p.full() {
			p.text("...")
			break
		}
		if !first {
			p.text(",")
		}
		first = false
		p.newline(level + 1)
		if m.Name != "" {
			p.text(m.Name)
			p.text(" = ")
		}
		p.value(v.Field(m), level+1)
	}
	if first {
		p.text("<No data fields>}")
		return
	}
	p.newline(level)
	p.text("}")
}

const blanks = "                                                                "

func (p *printer) newline(level int) {
	p.out = append(p.out, '\n')
	for n := 2 * level; n > 0; n -= len(blanks) {
		p.out = append(p.out, blanks[:min(n, len(blanks))]...)
	}
}

func (p *printer) array(v Value, u *ctype.Type, level int) {
	elem := u.Elem()
	eu := elem.Underlying()
	size := elem.Size()
	// Arrays without bytes (flexible members) print as the address of the place.
	if u.Size() <= 0 || size <= 0 {
		p.place(v, eu)
		return
	}
	if v.immediate() {
		p.text("<error: no bytes>")
		return
	}
	n := u.Size() / size
	show := min(n, int64(p.Max))
	if isChar(eu) {
		p.charArray(v, n)
		return
	}
	v = p.load(v, show*size)
	if p.missing(v, show*size) {
		return
	}
	p.text("{")
	for i := int64(0); i < show; i++ {
		if p.full() {
			show = 0
			break
		}
		switch {
		case p.Lines && i > 0:
			p.text(",")
			fallthrough
		case p.Lines:
			p.newline(level + 1)
		case i > 0:
			p.text(", ")
		}
		e := v.elem(elem, i)
		if run := p.missingRun(e, size, show-i); run > 1 {
			p.missing(e, size)
			p.text(" <repeats ")
			p.out = strconv.AppendInt(p.out, run, 10)
			p.text(" times>")
			i += run - 1
			continue
		}
		p.value(e, level+1)
	}
	if show < n {
		p.text("...")
	}
	if p.Lines {
		p.newline(level)
	}
	p.text("}")
}

// missingRun is how many elements from e on lie in the same hole.
func (p *printer) missingRun(e Value, size, most int64) int64 {
	if e.blk == nil || len(e.blk.holes) == 0 {
		return 0
	}
	for _, h := range e.blk.holes {
		if h.lo <= e.off && e.off < h.hi {
			return min(most, (h.hi-e.off)/size)
		}
	}
	return 0
}

// place prints an array that has no bytes of its own.
func (p *printer) place(v Value, elem *ctype.Type) {
	if !v.lval {
		p.text("{}")
		return
	}
	p.address(v.addr)
	if isChar(elem) && v.addr != 0 {
		p.text(" ")
		p.stringAt(v.mem, v.addr)
	}
}
