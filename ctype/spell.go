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
	if depth > maxDepth {
		return join("<cyclic type>", decl)
	}
	if t == nil {
		return join("void", decl)
	}
	d := t.d()
	switch t.kind {
	case Pointer:
		star := "*" + decl
		if d.Elem != nil && (d.Elem.kind == Array || d.Elem.kind == Func) {
			star = "(" + star + ")"
		}
		return d.Elem.declare(star, depth+1)
	case Array:
		bound := "[]"
		if d.Count != Flexible {
			bound = "[" + strconv.FormatInt(d.Count, 10) + "]"
		}
		return d.Elem.declare(decl+bound, depth+1)
	case Func:
		return d.Elem.declare(decl+t.paramList(depth), depth+1)
	case Const, Volatile, Restrict, Atomic:
		return t.declareQualified(decl, depth)
	}
	return join(t.keyword()+t.name, decl)
}

func (t *Type) paramList(depth int) string {
	d := t.d()
	if len(d.Params) == 0 && !d.Variadic {
		return "(void)"
	}
	var parts []string
	for _, p := range d.Params {
		parts = append(parts, p.Type.declare("", depth+1))
	}
	if d.Variadic {
		parts = append(parts, "...")
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

var qualifier = map[Kind]string{Const: "const", Volatile: "volatile", Restrict: "restrict", Atomic: "_Atomic"}

func (t *Type) declareQualified(decl string, depth int) string {
	q := qualifier[t.kind]
	// A qualified pointer carries its qualifier behind the star.
	if e := t.def.Elem; e != nil && (e.kind == Pointer) {
		return e.declare(" "+join(q, decl), depth+1)
	}
	return q + " " + t.def.Elem.declare(decl, depth+1)
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
