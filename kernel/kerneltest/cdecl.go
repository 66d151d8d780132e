package kerneltest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/kdive/kdive/ctype"
)

// The subset of C that tests need: struct, union and enum definitions with
// scalar, pointer, array, bit-field, nested and anonymous members; typedef;
// and variables (for typeof). Function pointers are written as void *.

func baseTypes() map[string]*ctype.Type {
	m := map[string]*ctype.Type{"void": ctype.VoidType()}
	add := func(size int64, signed bool, names ...string) {
		for _, n := range names {
			m[n] = ctype.New(ctype.Int, n, ctype.Def{Size: size, Signed: signed, Char: size == 1})
		}
	}
	add(1, true, "char", "s8")
	add(1, false, "unsigned char", "u8")
	add(2, true, "short", "s16")
	add(2, false, "unsigned short", "u16")
	add(4, true, "int", "s32")
	add(4, false, "unsigned int", "unsigned", "u32")
	add(8, true, "long", "s64")
	add(8, false, "unsigned long", "u64")
	m["bool"] = ctype.New(ctype.Bool, "_Bool", ctype.Def{Size: 1})
	return m
}

var tokens = regexp.MustCompile(`\w+|[{}\[\];,*:=()]`)

type parser struct {
	k    *Kernel
	toks []string
}

func (k *Kernel) declare(src string) (err error) {
	p := &parser{k: k, toks: tokens.FindAllString(src, -1)}
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("%v in %q, before %q", e, src, strings.Join(p.toks, " "))
		}
	}()
	for len(p.toks) > 0 {
		isTypedef := p.accept("typedef")
		base := p.base()
		for !p.accept(";") {
			name, t, _ := p.declarator(base)
			if isTypedef {
				k.types[name] = ctype.New(ctype.Typedef, name, ctype.Def{Elem: t})
			} else {
				k.variables[name] = t
			}
			p.accept(",")
		}
	}
	return nil
}

func (p *parser) peek() string {
	if len(p.toks) == 0 {
		panic("unexpected end")
	}
	return p.toks[0]
}

func (p *parser) next() string {
	s := p.peek()
	p.toks = p.toks[1:]
	return s
}

func (p *parser) accept(s string) bool {
	if len(p.toks) > 0 && p.toks[0] == s {
		p.toks = p.toks[1:]
		return true
	}
	return false
}

func (p *parser) number() int64 {
	s := p.next()
	n, err := strconv.ParseInt(s, 0, 64)
	if err == nil {
		return n
	}
	v, ok := p.k.enums[s]
	if !ok {
		panic("no number: " + s)
	}
	return v
}

// base parses a type without its pointers and arrays.
func (p *parser) base() *ctype.Type {
	word := p.next()
	switch word {
	case "struct", "union", "enum":
		name := ""
		if p.peek() != "{" {
			name = p.next()
		}
		spec := word + " " + name
		if !p.accept("{") {
			if t := p.k.types[spec]; t != nil {
				return t
			}
			// Declared only, or defined later: resolved when needed.
			return ctype.NewLazy(ctype.Typedef, spec, ctype.Origin{}, func(d *ctype.Def) error {
				if d.Elem = p.k.types[spec]; d.Elem == nil {
					return fmt.Errorf("%s is never defined", spec)
				}
				return nil
			})
		}
		t := p.body(word, name)
		if name != "" {
			p.k.types[spec] = t
		}
		return t
	case "unsigned":
		if s := word + " " + p.peek(); p.k.types[s] != nil {
			p.next()
			word = s
		}
	}
	t := p.k.types[word]
	if t == nil {
		panic("no type " + word)
	}
	return t
}

func (p *parser) body(word, name string) *ctype.Type {
	if word == "enum" {
		var list []ctype.Enumerator
		v := int64(0)
		for !p.accept("}") {
			n := p.next()
			if p.accept("=") {
				v = p.number()
			}
			list = append(list, ctype.Enumerator{Name: n, Value: v})
			p.k.enums[n] = v
			v++
			p.accept(",")
		}
		return ctype.New(ctype.Enum, name, ctype.Def{Size: 4, Enumerators: list})
	}
	l := layout{union: word == "union"}
	for !p.accept("}") {
		base := p.base()
		if p.accept(";") { // anonymous member
			l.add("", base, 0)
			continue
		}
		for !p.accept(";") {
			n, t, bits := p.declarator(base)
			l.add(n, t, bits)
			p.accept(",")
		}
	}
	kind := ctype.Struct
	if l.union {
		kind = ctype.Union
	}
	return ctype.New(kind, name, ctype.Def{Size: l.size(), Members: l.members})
}

// declarator parses stars, a name, array bounds and the width of a bit-field.
func (p *parser) declarator(t *ctype.Type) (string, *ctype.Type, int64) {
	for p.accept("*") {
		t = ctype.PointerTo(t)
	}
	name := p.next()
	var dims []int64
	for p.accept("[") {
		n := int64(ctype.Flexible)
		if p.peek() != "]" {
			n = p.number()
		}
		p.accept("]")
		dims = append(dims, n)
	}
	for i := len(dims) - 1; i >= 0; i-- {
		t = ctype.ArrayOf(t, dims[i])
	}
	if p.accept(":") {
		return name, t, p.number()
	}
	return name, t, 0
}

// layout places members as the x86-64 ABI does; bit-fields are packed bit by bit.
type layout struct {
	union   bool
	members []ctype.Member
	bits    int64 // used so far
	align   int64
}

func (l *layout) add(name string, t *ctype.Type, width int64) {
	align := max(1, alignment(t))
	l.align = max(l.align, align)
	at := l.bits
	if l.union {
		at = 0
	}
	if width > 0 {
		unit := t.Size() * 8
		if at/unit != (at+width-1)/unit {
			at = (at + unit - 1) / unit * unit
		}
		l.members = append(l.members, ctype.Member{Name: name, Type: t, Offset: at / 8, BitOffset: at % 8, BitSize: width})
		l.bits = max(l.bits, at+width)
		return
	}
	off := (at + align*8 - 1) / (align * 8) * align
	l.members = append(l.members, ctype.Member{Name: name, Type: t, Offset: off})
	l.bits = max(l.bits, (off+t.Size())*8)
}

func (l *layout) size() int64 {
	bytes := (l.bits + 7) / 8
	return (bytes + l.align - 1) / max(1, l.align) * l.align
}

func alignment(t *ctype.Type) int64 {
	u := t.Underlying()
	switch u.Kind() {
	case ctype.Array:
		return alignment(u.Elem())
	case ctype.Struct, ctype.Union:
		a := int64(1)
		for _, m := range u.Members() {
			a = max(a, alignment(m.Type))
		}
		return a
	}
	return u.Size()
}
