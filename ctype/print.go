package ctype

import (
	"fmt"
	"strconv"
	"strings"
)

// Line is one line of a definition as gdb's ptype prints it.
type Line struct {
	Text   string // the line, indented by four blanks for each level
	Name   string // the member that the line declares; empty for the others
	Offset int64  // of the member, in bytes from the start of the whole type
	Placed bool   // Offset is known: not within pointers to anonymous structs
}

// maxLines bounds a definition; damaged types can contain themselves.
const maxLines = 20000

// Definition of a struct, union, enum or typedef, line by line, anonymous
// structs and unions expanded in place. Other types are one line.
func (t *Type) Definition() []Line {
	p := definer{}
	if t.Kind() == Typedef {
		// Typedefs of typedefs are resolved, as far as they go behind pointers too.
		quals, base, decl := t.d().Elem.split("", 0)
		for n := 0; base.kind == Typedef && n < maxDepth; n++ {
			var q string
			q, base, decl = base.d().Elem.split(decl, 0)
			quals += q
		}
		p.prefix = "typedef "
		p.defined(quals, base, 0, base.baseName(), join(decl, t.name)+";")
		return p.lines
	}
	quals, base, decl := t.split("", 0)
	p.defined(quals, base, 0, base.baseName(), decl)
	return p.lines
}

type definer struct {
	lines  []Line
	prefix string
}

func (p *definer) add(l Line) {
	if len(p.lines) < maxLines {
		p.lines = append(p.lines, l)
	}
}

// defined prints base with its body, if it has one, between quals and tail.
func (p *definer) defined(quals string, base *Type, depth int, name, tail string) {
	head := p.prefix + quals
	switch base.kind {
	case Struct, Union:
		if base.name == "" {
			name = strings.TrimSuffix(base.keyword(), " {...}")
		}
		p.add(Line{Text: head + name + " {"})
		p.body(base, depth+1, 0, true)
		p.add(Line{Text: join("}", tail)})
	case Enum:
		if base.name == "" {
			name = "enum"
		}
		p.add(Line{Text: head + name + " {"})
		for _, e := range base.Enumerators() {
			p.add(Line{Text: "  " + e.Name + " = " + strconv.FormatInt(e.Value, 10)})
		}
		if tail == "" {
			tail = ";"
		}
		p.add(Line{Text: strings.Replace(join("}", tail), "} ;", "};", 1)})
	default:
		p.add(Line{Text: join(head+name, tail)})
	}
}

// body prints the members of t, which starts at offset at.
func (p *definer) body(t *Type, depth int, at int64, placed bool) {
	indent := strings.Repeat("    ", depth)
	if t.Incomplete() {
		p.add(Line{Text: indent + "<incomplete type>"})
		return
	}
	if depth > maxDepth {
		p.add(Line{Text: indent + "..."})
		return
	}
	if len(t.Members()) == 0 {
		p.add(Line{Text: indent + "<no data fields>"})
	}
	for _, m := range t.Members() {
		if len(p.lines) >= maxLines {
			return
		}
		p.member(m, depth, at+m.Offset, placed)
	}
}

func (p *definer) member(m Member, depth int, at int64, placed bool) {
	indent := strings.Repeat("    ", depth)
	quals, base, decl := m.Type.split(m.Name, 0)
	if m.BitSize != 0 {
		at += m.BitOffset >> 3
		decl += fmt.Sprintf(" : %d", m.BitSize)
	}
	line := Line{Name: m.Name, Offset: at, Placed: placed && m.Name != ""}
	anonymous := base.name == ""
	switch {
	case anonymous && (base.kind == Struct || base.kind == Union):
		p.add(Line{Text: indent + quals + strings.TrimSuffix(base.keyword(), "{...}") + "{"})
		direct := m.Type.Underlying() == base
		p.body(base, depth+1, at, placed && direct)
		line.Text = indent + join("}", decl) + ";"
	case anonymous && base.kind == Enum:
		line.Text = indent + join(quals+base.enumBody(), decl) + ";"
	default:
		line.Text = indent + join(quals+base.baseName(), decl) + ";"
	}
	p.add(line)
}

// enumBody spells an anonymous enum on one line, values given where they do not
// follow from the one before.
func (t *Type) enumBody() string {
	var b strings.Builder
	b.WriteString("enum {")
	next := int64(0)
	for i, e := range t.Enumerators() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(e.Name)
		if e.Value != next {
			fmt.Fprintf(&b, " = %d", e.Value)
		}
		next = e.Value + 1
	}
	b.WriteString("}")
	return b.String()
}

// Offsets formats a definition with the offset of each member in front of it, as
// crash's struct -o does: "   [8]     struct list_head lru;". With base 16
// offsets are hexadecimal with 0x; addr is added to each, and a number that is
// not zero prints addresses: hexadecimal without 0x.
func Offsets(lines []Line, size int64, base int, addr uint64) []string {
	number := func(off int64) string {
		switch {
		case addr != 0:
			return strconv.FormatUint(addr+uint64(off), 16)
		case base == 16:
			return "0x" + strconv.FormatInt(off, 16)
		}
		return strconv.FormatInt(off, 10)
	}
	width := len(number(size)) + 2
	out := make([]string, 0, len(lines))
	for i, l := range lines {
		text := l.Text
		if i > 0 && i < len(lines)-1 {
			mark := ""
			if l.Placed {
				mark = "[" + number(l.Offset) + "]"
			}
			text = fmt.Sprintf("  %*s %s", width, mark, strings.TrimPrefix(text, "    "))
		}
		out = append(out, text)
	}
	return out
}
