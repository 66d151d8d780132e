package ctype

import (
	"strconv"
	"strings"
)

// String spells the type as C does without a declarator: "struct list_head *",
// "char [16]", "int (*)(struct file *, int)".
func (t *Type) String() string { return t.Declare("") }

// Declare spells a declaration of name with type t: Declare("comm") of an array
// of 16 characters is "char comm[16]". Structs, unions and enums appear by tag,
// anonymous ones as "struct {...}".
func (t *Type) Declare(name string) string { return t.declare(name, 0) }

func (t *Type) declare(decl string, depth int) string {
	quals, base, decl := t.split(decl, depth)
	return join(quals+base.baseName(), decl)
}

// split separates a declaration of decl with type t into what C writes on its
// left, the qualifiers and the base type, and the declarator on its right.
func (t *Type) split(decl string, depth int) (quals string, base *Type, declarator string) {
	var q qualifiers
	for ; depth <= maxDepth; depth++ {
		if t == nil {
			return q.prefix(), void, decl
		}
		switch t.kind {
		case Pointer:
			// A qualified pointer carries its qualifiers behind the star.
			if s := q.take(); s != "" {
				decl = " " + join(s, decl)
			}
			decl = "*" + decl
			if e := t.d().Elem.unqualified(); e != nil && (e.kind == Array || e.kind == Func) {
				decl = "(" + decl + ")"
			}
		case Array:
			bound := "[]"
			if n := t.d().Count; n != Flexible {
				bound = "[" + strconv.FormatInt(n, 10) + "]"
			}
			decl += bound
		case Func:
			q = 0
			decl += t.paramList(depth)
		case Const, Volatile, Restrict, Atomic:
			q |= 1 << (t.kind - Const)
		default:
			return q.prefix(), t, decl
		}
		t = t.d().Elem
	}
	return "", cyclic, decl
}

var cyclic = New(Unknown, "<cyclic type>", Def{})

// unqualified strips qualifiers, not typedefs.
func (t *Type) unqualified() *Type {
	for depth := 0; t != nil && t.kind >= Const && t.kind <= Atomic && depth < maxDepth; depth++ {
		t = t.d().Elem
	}
	return t
}

func (t *Type) paramList(depth int) string {
	d := t.d()
	if len(d.Params) == 0 && !d.Variadic {
		return "(void)"
	}
	// Parameters that are functions of functions grow without bound in damaged types.
	if depth > 16 {
		return "(<...>)"
	}
	var parts []string
	for _, p := range d.Params {
		parts = append(parts, p.Type.declare("", depth+4))
	}
	if d.Variadic {
		parts = append(parts, "...")
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// qualifiers is a set of qualifier kinds: bit k-Const.
type qualifiers uint8

func (q qualifiers) String() string {
	var words []string
	for i, w := range [...]string{"const", "volatile", "restrict", "_Atomic"} {
		if q&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

func (q qualifiers) prefix() string {
	if q == 0 {
		return ""
	}
	return q.String() + " "
}

func (q *qualifiers) take() string {
	s := q.String()
	*q = 0
	return s
}

// baseName is the type's name with its keyword. Integers get the spelling that
// people write: "unsigned long" for what DWARF calls "long unsigned int".
func (t *Type) baseName() string {
	if t.kind == Int {
		if short, ok := shortSpelling[t.name]; ok {
			return short
		}
	}
	return t.keyword() + t.name
}

var shortSpelling = map[string]string{
	"short int":              "short",
	"short unsigned int":     "unsigned short",
	"long int":               "long",
	"long unsigned int":      "unsigned long",
	"long long int":          "long long",
	"long long unsigned int": "unsigned long long",
	"__int128 unsigned":      "unsigned __int128",
}

// keyword is the word that C puts before the tag.
func (t *Type) keyword() string {
	var k string
	switch t.kind {
	case Struct:
		k = "struct "
	case Union:
		k = "union "
	case Enum:
		k = "enum "
	case Unknown:
		if t.name == "" {
			return "<unknown type>"
		}
	}
	if k != "" && t.name == "" {
		return k + "{...}"
	}
	return k
}

func join(base, decl string) string {
	decl = strings.TrimPrefix(decl, " ")
	if decl == "" {
		return base
	}
	return base + " " + decl
}
