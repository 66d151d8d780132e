package command

import (
	"bytes"
	"strconv"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/value"
)

// object is a structure in memory, or some members of it.
type object struct {
	name    string // "struct task_struct"
	addr    uint64
	val     value.Value
	members []member // nil for all of it
	style   value.Style
	follow  bool // show what pointers point to
	noComma bool // members end without a comma (list -S, tree -S)
}

var objectRecord = &output.Record[object]{
	Type: "object",
	Help: "a structure in memory",
	Columns: []output.Column[object]{
		{Name: "name", Help: "its type", Get: func(o *object) output.Value { return output.String(o.name) }},
		{Name: "address", Help: "where it is", Get: func(o *object) output.Value { return output.Addr(o.addr) }},
		{Name: "value", Help: "the value of each member, or of those asked for by their paths", Get: func(o *object) output.Value { return output.Tree(o) }},
		{Name: "targets", Help: "with -p: what its pointers point to, by member", Get: func(o *object) output.Value {
			if !o.follow {
				return output.Null()
			}
			return output.Object(o.targets()...)
		}},
	},
	Text: func(b []byte, o *object) []byte { return o.appendText(b) },
}

func (o *object) appendText(b []byte) []byte {
	if o.members == nil && !o.follow {
		b = append(append(b, o.name...), ' ')
		b = value.Append(b, o.val, o.style)
		return append(b, '\n')
	}
	v := o.val
	if o.members == nil {
		b = append(append(b, o.name...), " {\n"...)
		v = v.Load()
		members := v.Type().Underlying().Members()
		for i, m := range members {
			if m.Name != "" || m.BitSize == 0 {
				b = o.appendMember(b, m.Name, place{last: i == len(members)-1}, v.Field(m), nil)
			}
		}
		return append(b, "}\n"...)
	}
	for i := range o.members {
		m := &o.members[i]
		mv, err := v.Follow(m.steps)
		b = o.appendMember(b, m.path, m.place, mv, err)
	}
	return b
}

// appendMember appends "  name = value,", indented and with a comma as in the
// whole structure; err is why there is no value.
func (o *object) appendMember(b []byte, name string, at place, v value.Value, err error) []byte {
	level := 1 + at.depth
	if o.noComma {
		level = 1
	}
	for range level {
		b = append(b, "  "...)
	}
	if err == nil && o.follow && v.Type().Underlying().Kind() == ctype.Pointer {
		return o.appendPointer(b, name, v)
	}
	if name != "" {
		b = append(append(b, name...), " = "...)
	}
	b = o.appendValue(b, v, err, level)
	if at.last || o.noComma && !compound(v) {
		return append(b, '\n')
	}
	return append(b, ",\n"...)
}

// compound reports whether a value has parts: the short form of list -S shows
// these as the long form does.
func compound(v value.Value) bool {
	u := v.Type().Underlying()
	switch u.Kind() {
	case ctype.Struct, ctype.Union:
		return true
	case ctype.Array:
		return !u.Elem().Underlying().IsChar()
	}
	return false
}

func (o *object) appendValue(b []byte, v value.Value, err error, level int) []byte {
	if err != nil {
		return append(b, output.FaultText(err)...)
	}
	s := o.style
	s.Level = level
	if o.noComma {
		return appendShort(b, v, s)
	}
	return value.Append(b, v, s)
}

// appendShort appends a value in the short form: enums, characters and truth
// values as numbers, character arrays up to their first zero byte, words that
// are the address of a symbol with its name.
func appendShort(b []byte, v value.Value, s value.Style) []byte {
	u := v.Type().Underlying()
	switch k := u.Kind(); {
	case k == ctype.Enum || k == ctype.Bool || k == ctype.Int && u.IsChar():
		if n, err := v.Int(); err == nil {
			if n < 0 && s.Radix == 16 && u.Size() < 8 {
				n &= 1<<(8*u.Size()) - 1
			}
			return append(b, number(n, s.Radix)...)
		}
	case k == ctype.Int && u.Size() == 8 && s.Names != nil:
		b = value.Append(b, v, s)
		if n, err := v.Uint(); err == nil && n != 0 {
			if name, off, ok := s.Names.SymbolAt(n); ok && off == 0 {
				b = append(append(append(b, " <"...), name...), '>')
			}
		}
		return b
	case k == ctype.Array && u.Elem().Underlying().IsChar():
		if text, err := v.CString(int(u.Size())); err == nil {
			return strconv.AppendQuote(b, text)
		}
	}
	return value.Append(b, v, s)
}

// appendPointer appends a pointer with its type and what it points to.
func (o *object) appendPointer(b []byte, name string, v value.Value) []byte {
	b = append(append(b, v.Type().Declare(name)...), " = "...)
	to, err := v.Uint()
	if err != nil {
		b = append(b, output.FaultText(err)...)
		return append(b, '\n')
	}
	b = append(append(b, "0x"...), appendHex(nil, to, 1, '0')...)
	b = append(b, "\n  -> "...)
	if o.style.Names != nil && to != 0 {
		if n, off, ok := o.style.Names.SymbolAt(to); ok && off == 0 {
			b = append(append(append(b, '<'), n...), '>')
			if v.Type().Underlying().Elem().Underlying().Kind() == ctype.Func {
				return append(b, '\n')
			}
			b = append(b, ' ')
		}
	}
	var text []byte
	switch t, err := target(v, to); {
	case to == 0:
		text = []byte("NULL")
	case err != nil:
		text = []byte(output.FaultText(err))
	case !t.ok:
		text = []byte("(unknown target type)")
	case t.text != nil:
		// A string is shown as its pointer shows it.
		text = t.quoted(o.style)
	default:
		text = value.Append(nil, t.val, o.style)
	}
	// What is below the arrow stands to the right of it.
	b = append(b, bytes.ReplaceAll(text, []byte("\n"), []byte("\n     "))...)
	return append(b, '\n')
}

// pointed is what a pointer points to.
type pointed struct {
	val  value.Value
	ok   bool         // it has a type that can be shown
	text *value.Value // the pointer, if it points to characters
}

func (p *pointed) quoted(s value.Style) []byte {
	s.Names = nil
	b := value.Append(nil, *p.text, s)
	if _, text, ok := bytes.Cut(b, []byte(" ")); ok {
		return text
	}
	return b
}

// target follows a pointer; an error says that nothing there can be read.
func target(v value.Value, to uint64) (pointed, error) {
	if to == 0 {
		return pointed{}, nil
	}
	elem := v.Type().Underlying().Elem()
	u := elem.Underlying()
	switch u.Kind() {
	case ctype.Void, ctype.Func, ctype.Unknown:
		return pointed{}, nil
	}
	t, err := v.Deref()
	if err == nil {
		err = readable(v.Memory(), to, elem.Size())
	}
	p := pointed{val: t, ok: u.Size() > 0}
	if u.Kind() == ctype.Int && u.IsChar() {
		p.text = &v
	}
	return p, err
}

// readable is why neither end of an object can be read, nil if one can.
func readable(mem value.Memory, addr uint64, size int64) error {
	var b [1]byte
	err := mem.Read(b[:], addr)
	if err == nil || size <= 1 {
		return err
	}
	if mem.Read(b[:], addr+uint64(size-1)) == nil {
		return nil
	}
	return err
}

// AppendJSON implements output.Appender: the value of the structure, or an
// object of the members asked for.
func (o *object) AppendJSON(b []byte) []byte {
	if o.members == nil {
		return value.AppendJSON(b, o.val, o.style)
	}
	b = append(b, '{')
	for i := range o.members {
		if i > 0 {
			b = append(b, ',')
		}
		m := &o.members[i]
		b = append(output.AppendString(b, m.path), ':')
		v, err := o.val.Follow(m.steps)
		if err != nil {
			b = output.AppendFault(b, err)
		} else {
			b = value.AppendJSON(b, v, o.style)
		}
	}
	return append(b, '}')
}

// targets are what the pointers of o point to, as JSON.
func (o *object) targets() []output.Field {
	var f []output.Field
	add := func(name string, v value.Value) {
		if v.Type().Underlying().Kind() != ctype.Pointer {
			return
		}
		to, err := v.Uint()
		var p pointed
		if err == nil {
			p, err = target(v, to)
		}
		switch {
		case err != nil && fault.ReasonOf(err) != 0:
			f = append(f, output.Field{Name: name, Value: output.Fault(err)})
		case err == nil && p.ok && p.text == nil:
			f = append(f, output.Field{Name: name, Value: output.Tree(value.JSON{Value: p.val, Style: o.style})})
		}
	}
	if o.members == nil {
		v := o.val.Load()
		for _, m := range v.Type().Underlying().Members() {
			if m.Name != "" {
				add(m.Name, v.Field(m))
			}
		}
	}
	for i := range o.members {
		if v, err := o.val.Follow(o.members[i].steps); err == nil {
			add(o.members[i].path, v)
		}
	}
	return f
}
