package expr

import (
	"strings"

	"github.com/kdive/kdive/ctype"
)

// The types that expressions have by themselves.
var (
	typeInt    = integer("int", 4, true)
	typeUint   = integer("unsigned int", 4, false)
	typeLong   = integer("long", 8, true)
	typeUlong  = integer("unsigned long", 8, false)
	typeInt128 = integer("__int128", 16, true)
	typeU128   = integer("unsigned __int128", 16, false)
	typeChar   = ctype.New(ctype.Int, "char", ctype.Def{Size: 1, Signed: true, Char: true})
	typeFloat  = ctype.New(ctype.Float, "float", ctype.Def{Size: 4})
	typeDouble = ctype.New(ctype.Float, "double", ctype.Def{Size: 8})
)

func integer(name string, size int64, signed bool) *ctype.Type {
	return ctype.New(ctype.Int, name, ctype.Def{Size: size, Signed: signed})
}

// builtin types, by the canonical spelling that typeWords makes.
var builtin = map[string]*ctype.Type{
	"char":               typeChar,
	"signed char":        ctype.New(ctype.Int, "signed char", ctype.Def{Size: 1, Signed: true, Char: true}),
	"unsigned char":      ctype.New(ctype.Int, "unsigned char", ctype.Def{Size: 1, Char: true}),
	"short":              integer("short", 2, true),
	"unsigned short":     integer("unsigned short", 2, false),
	"int":                typeInt,
	"unsigned int":       typeUint,
	"long":               typeLong,
	"unsigned long":      typeUlong,
	"long long":          integer("long long", 8, true),
	"unsigned long long": integer("unsigned long long", 8, false),
	"__int128":           typeInt128,
	"unsigned __int128":  typeU128,
	"_Bool":              ctype.New(ctype.Bool, "_Bool", ctype.Def{Size: 1}),
	"float":              typeFloat,
	"double":             typeDouble,
	"long double":        ctype.New(ctype.Float, "long double", ctype.Def{Size: 16}),
	"void":               ctype.VoidType(),
}

// startsType reports whether the next token begins the name of a type.
func (p *parser) startsType() bool {
	if p.tok.kind != tokName {
		return false
	}
	switch p.tok.text {
	case "struct", "union", "enum", "const", "volatile", "typeof", "__typeof__":
		return true
	}
	if isBaseWord(p.tok.text) {
		return true
	}
	return p.isTypedef(p.tok.text)
}

// isTypedef reports whether a name stands for a type. Variables come first, but
// what can only be a cast is one: the name is followed by stars and a parenthesis.
func (p *parser) isTypedef(name string) bool {
	rest := strings.TrimLeft(p.src[p.pos:], " \t\r\n")
	if strings.HasPrefix(rest, "::") || !strings.HasPrefix(rest, "*") && !strings.HasPrefix(rest, ")") &&
		!strings.HasPrefix(rest, "[") && !strings.HasPrefix(rest, "(") && !strings.HasPrefix(rest, "}") &&
		!strings.HasPrefix(rest, ",") && !strings.HasPrefix(rest, "const") && rest != "" {
		return false
	}
	stars := strings.TrimLeft(rest, "* \t\r\n")
	cast := strings.HasPrefix(rest, "*") && strings.HasPrefix(stars, ")")
	if !cast {
		if _, err := p.scope.Variable(name, ""); err == nil {
			return false
		}
	}
	_, err := p.scope.Type(name)
	return err == nil
}

func isBaseWord(w string) bool {
	switch w {
	case "unsigned", "signed", "long", "short", "int", "char", "void", "float", "double", "_Bool", "bool", "__int128":
		return true
	}
	return false
}

// typeName reads a type with its abstract declarator: "const struct foo *[4]".
func (p *parser) typeName() (*ctype.Type, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	base, err := p.baseType()
	if err != nil {
		return nil, err
	}
	return p.abstract(base)
}

func (p *parser) qualifier() (ctype.Kind, bool) {
	if p.tok.kind == tokName {
		switch p.tok.text {
		case "const":
			return ctype.Const, true
		case "volatile":
			return ctype.Volatile, true
		case "restrict":
			return ctype.Restrict, true
		}
	}
	return 0, false
}

// qualified consumes qualifiers and applies them to t.
func (p *parser) qualified(t *ctype.Type) (*ctype.Type, error) {
	for {
		k, ok := p.qualifier()
		if !ok {
			return t, nil
		}
		t = ctype.New(k, "", ctype.Def{Elem: t})
		if err := p.next(); err != nil {
			return nil, err
		}
	}
}

func (p *parser) baseType() (*ctype.Type, error) {
	var quals []ctype.Kind
	for k, ok := p.qualifier(); ok && len(quals) < 8; k, ok = p.qualifier() {
		quals = append(quals, k)
		if err := p.next(); err != nil {
			return nil, err
		}
	}
	t, err := p.unqualifiedType()
	if err != nil {
		return nil, err
	}
	for _, k := range quals {
		t = ctype.New(k, "", ctype.Def{Elem: t})
	}
	return p.qualified(t)
}

func (p *parser) unqualifiedType() (*ctype.Type, error) {
	start := p.tok
	if start.kind != tokName {
		return nil, p.errorf(start, "a type was expected")
	}
	switch start.text {
	case "struct", "union", "enum":
		return p.tagged()
	case "typeof", "__typeof__":
		if err := p.next(); err != nil {
			return nil, err
		}
		v, t, err := p.typeOrExpr()
		if t == nil {
			t = v.Type()
		}
		return t, err
	}
	if isBaseWord(start.text) {
		return p.baseWords()
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	t, err := p.scope.Type(start.text)
	return t, p.fail(start, err)
}

// tagged reads "struct foo", also "struct foo@file.c".
func (p *parser) tagged() (*ctype.Type, error) {
	keyword := p.tok
	if err := p.next(); err != nil {
		return nil, err
	}
	tag := p.tok
	if tag.kind != tokName {
		return nil, p.errorf(tag, "the name of a %s was expected", keyword.text)
	}
	spec := keyword.text + " " + tag.text
	if n := fileLen(p.src[p.pos:], "@"); n > 0 {
		spec += p.src[p.pos : p.pos+n]
		p.pos += n
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	t, err := p.scope.Type(spec)
	return t, p.fail(tag, err)
}

// maxFile bounds the names of source files.
const maxFile = 256

// fileLen is the length of the file name that follows mark at the start of s,
// with mark; 0 if there is none. A file name holds a dot or a slash.
func fileLen(s, mark string) int {
	if !strings.HasPrefix(s, mark) {
		return 0
	}
	n := len(mark)
	for n < len(s) && n < maxFile && (isName(s[n]) || isDigit(s[n]) || strings.IndexByte("./-+", s[n]) >= 0) {
		n++
	}
	if !strings.ContainsAny(s[len(mark):n], "./") {
		return 0
	}
	return n
}

// baseWords reads the words of a base type in any order.
func (p *parser) baseWords() (*ctype.Type, error) {
	start := p.tok
	count := map[string]int{}
	for p.tok.kind == tokName && isBaseWord(p.tok.text) && count["long"] <= 2 {
		count[p.tok.text]++
		if err := p.next(); err != nil {
			return nil, err
		}
	}
	var words []string
	if count["unsigned"] > 0 {
		words = append(words, "unsigned")
	} else if count["signed"] > 0 && count["char"] > 0 {
		words = append(words, "signed")
	}
	n := len(words)
	for _, w := range []string{"void", "char", "float", "double", "__int128", "_Bool", "short"} {
		if count[w] > 0 {
			words = append(words, w)
		}
	}
	if count["bool"] > 0 {
		words = append(words, "_Bool")
	}
	for range count["long"] {
		words = append(words, "long")
	}
	if count["long"] == 1 && count["double"] == 1 {
		words = []string{"long", "double"}
	}
	if len(words) == n {
		words = append(words, "int")
	}
	t := builtin[strings.Join(words, " ")]
	if t == nil {
		return nil, p.errorf(start, "not a type")
	}
	return t, nil
}
