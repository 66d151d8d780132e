package command

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/repl/output"
)

// definition is a type as it is declared, whole or some members of it.
type definition struct {
	typ     *ctype.Type
	name    string   // as asked for: "struct page"
	members []member // nil for the whole type
	offsets bool     // show offsets, or addresses if base is not 0
	base    uint64
	radix   int
	bare    bool // no SIZE line
}

var definitionRecord = &output.Record[definition]{
	Type: "definition",
	Help: "a type as it is declared",
	Columns: []output.Column[definition]{
		{Name: "name", Help: "name of the type", Get: func(d *definition) output.Value { return output.String(d.name) }},
		{Name: "kind", Help: "struct, union, enum, typedef and so on", Get: func(d *definition) output.Value { return output.String(kindName(d.typ)) }},
		{Name: "target", Help: "of a typedef: the type it stands for", Get: func(d *definition) output.Value {
			if d.typ.Kind() != ctype.Typedef {
				return output.Null()
			}
			return output.String(d.typ.Elem().String())
		}},
		{Name: "size", Help: "bytes", Get: func(d *definition) output.Value { return output.Int(d.typ.Size()) }},
		{Name: "address", Help: "of the object, with -o and an address", Get: func(d *definition) output.Value { return optionalAddr(d.base) }},
		{Name: "file", Help: "where it is declared", Get: func(d *definition) output.Value { return optional(d.typ.Origin().File) }},
		{Name: "line", Help: "line in file, 0 if not known", Get: func(d *definition) output.Value { return output.Int(d.typ.Origin().Line) }},
		{Name: "members", Help: "members: {name, member_type, offset in bytes, size in bytes, bits of a bit-field or null, members of an anonymous type or null}",
			Get: func(d *definition) output.Value { return d.memberValues() }},
		{Name: "enumerators", Help: "of an enum: {name, value}", Get: func(d *definition) output.Value { return enumerators(d.typ) }},
	},
	Text: func(b []byte, d *definition) []byte {
		for _, l := range d.lines() {
			b = append(append(b, l...), '\n')
		}
		if !d.bare && d.typ.Size() > 0 {
			b = append(b, "SIZE: "...)
			b = append(b, number(d.typ.Size(), d.radix)...)
			b = append(b, '\n')
		}
		return b
	},
}

// number is n in decimal, or in hexadecimal with 0x.
func number(n int64, radix int) string {
	if radix == 16 {
		return "0x" + strconv.FormatInt(n, 16)
	}
	return strconv.FormatInt(n, 10)
}

func kindName(t *ctype.Type) string {
	switch t.Kind() {
	case ctype.Struct:
		return "struct"
	case ctype.Union:
		return "union"
	case ctype.Enum:
		return "enum"
	case ctype.Typedef:
		return "typedef"
	case ctype.Pointer:
		return "pointer"
	case ctype.Array:
		return "array"
	case ctype.Func:
		return "function"
	case ctype.Void:
		return "void"
	}
	return "base type"
}

// lines are the text of d without the SIZE line.
func (d *definition) lines() []string {
	lines := d.typ.Definition()
	switch {
	case d.members != nil:
		return d.memberLines()
	case d.offsets:
		return ctype.Offsets(lines, d.typ.Size(), d.radix, d.base)
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.Text
	}
	return out
}

// memberLines show members with their offsets, under the structure that each
// lies in.
func (d *definition) memberLines() []string {
	var out []string
	var owner *ctype.Type
	for i := range d.members {
		p := &d.members[i].place
		if p.owner != owner {
			if owner != nil {
				out = append(out, "}")
			}
			owner = p.owner
			head := owner.String()
			if owner == d.typ {
				head = d.name
			}
			out = append(out, head+" {")
		}
		base := d.base
		if owner != d.typ {
			base = 0 // that object's address is not known here
		}
		out = append(out, d.placeLines(p, base)...)
	}
	return append(out, "}")
}

// placeLines shows one member: as the definition does if it is a line there,
// else declared by its path.
func (d *definition) placeLines(p *place, base uint64) []string {
	lines := p.owner.Definition()
	shown := ctype.Offsets(lines, p.owner.Size(), d.radix, base)
	for i, l := range lines {
		if l.Name == p.inside && l.Placed && l.Offset == p.offset {
			return blockBefore(lines, shown, i)
		}
	}
	decl := p.typ.Declare(p.inside)
	if p.bits != 0 {
		decl += fmt.Sprintf(" : %d", p.bits)
	}
	mark := "[" + number(p.offset, d.radix) + "]"
	if base != 0 {
		mark = "[" + strconv.FormatUint(base+uint64(p.offset), 16) + "]"
	}
	width := len(number(p.owner.Size(), d.radix)) + 2
	return []string{fmt.Sprintf("  %*s %s;", width, mark, decl)}
}

// blockBefore is line i, from the opening brace on if the line closes an
// anonymous structure.
func blockBefore(lines []ctype.Line, shown []string, i int) []string {
	text := strings.TrimLeft(lines[i].Text, " ")
	if !strings.HasPrefix(text, "}") {
		return shown[i : i+1]
	}
	indent := len(lines[i].Text) - len(text)
	for from := i - 1; from > 0; from-- {
		if t := lines[from].Text; len(t)-len(strings.TrimLeft(t, " ")) == indent {
			return shown[from : i+1]
		}
	}
	return shown[i : i+1]
}

func (d *definition) memberValues() output.Value {
	if d.typ == nil {
		return output.Null()
	}
	if d.members != nil {
		var v []output.Value
		for i := range d.members {
			p := &d.members[i].place
			f := memberFields(p.inside, p.typ, p.offset, p.bits)
			if p.owner != d.typ {
				f = append(f, output.Field{Name: "of", Value: output.String(p.owner.String())})
			}
			v = append(v, output.Object(f...))
		}
		return output.List(v...)
	}
	u := d.typ.Underlying()
	if k := u.Kind(); k != ctype.Struct && k != ctype.Union {
		return output.Null()
	}
	budget := maxMembers
	return memberList(u, 0, 0, &budget)
}

func memberFields(name string, t *ctype.Type, offset, bits int64) []output.Field {
	f := []output.Field{
		{Name: "name", Value: optional(name)},
		{Name: "member_type", Value: output.String(t.String())},
		{Name: "offset", Value: output.Int(offset)},
		{Name: "size", Value: output.Int(t.Size())},
	}
	if bits != 0 {
		f = append(f, output.Field{Name: "bits", Value: output.Int(bits)})
	}
	return f
}

// Bounds on what damaged types can ask for: a structure can contain itself, and
// more than once.
const (
	maxMemberDepth = 16     // anonymous structures in each other
	maxMembers     = 100000 // members of one type
)

// memberList describes the members of u, which starts at offset at; anonymous
// structures with their members.
func memberList(u *ctype.Type, at int64, depth int, budget *int) output.Value {
	var v []output.Value
	for _, m := range u.Members() {
		if *budget--; *budget < 0 {
			break
		}
		offset := at + m.Offset
		if m.BitSize != 0 {
			offset += m.BitOffset >> 3
		}
		f := memberFields(m.Name, m.Type, offset, m.BitSize)
		mu := m.Type.Underlying()
		if k := mu.Kind(); (k == ctype.Struct || k == ctype.Union) && mu.Name() == "" && depth < maxMemberDepth {
			f = append(f, output.Field{Name: "members", Value: memberList(mu, offset, depth+1, budget)})
		}
		v = append(v, output.Object(f...))
	}
	return output.List(v...)
}

func enumerators(t *ctype.Type) output.Value {
	u := t.Underlying()
	if u.Kind() != ctype.Enum {
		return output.Null()
	}
	var v []output.Value
	for _, e := range u.Enumerators() {
		v = append(v, output.Object(output.Field{Name: "name", Value: output.String(e.Name)}, output.Field{Name: "value", Value: output.Int(e.Value)}))
	}
	return output.List(v...)
}
