package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/expr"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// declaration is a name that is no type, as C declares it.
type declaration struct {
	name    string // "" for an expression
	typ     *ctype.Type
	addr    uint64
	hasAddr bool
	file    string
	line    int
	module  string
	value   *int64 // of an enumerator
}

var declarationRecord = &output.Record[declaration]{
	Type: "declaration",
	Help: "the type of a variable, function, enumerator or expression",
	Columns: []output.Column[declaration]{
		{Name: "name", Help: "its name, null for an expression", Get: func(d *declaration) output.Value { return optional(d.name) }},
		{Name: "ctype", Help: "its C type", Get: func(d *declaration) output.Value { return output.String(d.typ.String()) }},
		{Name: "size", Help: "bytes", Get: func(d *declaration) output.Value { return output.Int(d.typ.Size()) }},
		{Name: "value", Help: "of an enumerator", Get: func(d *declaration) output.Value {
			if d.value == nil {
				return output.Null()
			}
			return output.Int(*d.value)
		}},
		{Name: "address", Help: "where it is; the offset of a per-CPU variable", Get: func(d *declaration) output.Value { return onlyIf(d.hasAddr, output.Addr(d.addr)) }},
		{Name: "file", Help: "where it is declared", Get: func(d *declaration) output.Value { return optional(d.file) }},
		{Name: "line", Help: "line in file, 0 if not known", Get: func(d *declaration) output.Value { return output.Int(d.line) }},
		{Name: "module", Help: "module it belongs to, null for the kernel image", Get: func(d *declaration) output.Value { return optional(d.module) }},
	},
	Text: func(b []byte, d *declaration) []byte { return append(append(b, d.text()...), '\n') },
}

func (d *declaration) text() string {
	switch {
	case d.value != nil:
		name := d.typ.Name()
		if name == "" {
			name = "(unknown)"
		}
		return fmt.Sprintf("enum %s = %d", name, *d.value)
	case d.name == "":
		return d.typ.String()
	}
	return d.typ.Declare(d.name) + ";"
}

// whatis tells what a name is.
func whatis(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "whatis",
		Synopsis: "[-o] [struct|union|enum] name[.member,...] | expression | address\n[-r size[-size]] [-m member]",
		Summary:  "show the type of a name or expression, or find types",
		Detail: `
A variable or function is shown as C declares it, a type with its definition and size, an
expression by its type. With -r and -m all types are searched.

Of a kernel address all is told that is known of what is there: the symbol, or the object
with its cache and state, or the stack and frame, or the page with its user; the structure
and member, and how that is known; the word there, and what that points to; and, of an
object, which words of memory point to it. For that memory is searched; not with -q.`,
		Options: []repl.Option{
			{Name: "o", Help: "show the offset of each member"},
			{Name: "r", Arg: "size", Help: "list the types of this size, or of sizes in a range: 100-200"},
			{Name: "m", Arg: "member", Help: "list the structures with a member whose name or type contains this"},
			{Name: "x", Help: "numbers in hexadecimal"},
			{Name: "q", Help: "of an address: do not search memory for who points there"},
		},
		Examples: []repl.Example{
			{Line: "whatis ffff9b6d00a38d10", Help: "What is at this address, and who points there?"},
			{Line: "whatis schedule", Help: "The type of a function."},
			{Line: "whatis init_task.comm", Help: "The type of an expression."},
			{Line: "whatis -r 192 -m rb_node", Help: "Which structures of 192 bytes are in a tree?"},
		},
		Records: []output.Describer{declarationRecord, definitionRecord, typeSizeRecord, placeRecord},
		Complete: func(_ *repl.Shell, args []string, prefix string) []string {
			if words := t.completeWord(args, prefix); len(args) > 0 || strings.ContainsAny(prefix, ".>") {
				return words
			}
			return append(t.completeStruct(prefix), t.completeSymbols(prefix)...)
		},
		Run: func(ctx context.Context, c *repl.Call) error { return runWhatis(ctx, t, c) },
	}
}

func runWhatis(ctx context.Context, t *Target, c *repl.Call) error {
	k, _, err := t.info()
	if err != nil {
		return err
	}
	if c.Has("r") || c.Has("m") {
		return findTypes(ctx, t, c)
	}
	text := strings.Join(c.Args, " ")
	if text == "" {
		return c.Usage("a name or an expression is missing")
	}
	if ok := t.declared(c, k, text); ok {
		return nil
	}
	d, err := t.defined(c, text)
	if d != nil || err != nil {
		if err == nil {
			definitionRecord.Emit(c.Out, d)
			t.otherDefinitions(c, d.typ)
		}
		return err
	}
	return t.typeOf(ctx, c, k, text)
}

// declared shows the variables and functions of a name, one line for each
// different declaration, or the enumerator.
func (t *Target) declared(c *repl.Call, k *kernel.Kernel, name string) bool {
	if !isPlain(name) {
		return false
	}
	list := t.declarations(k, name)
	if len(list) == 0 && len(k.Symbols(name)) > 0 && t.useModules() {
		list = t.declarations(k, name)
	}
	var seen []string
	for i := range list {
		if text := list[i].text(); !slices.Contains(seen, text) {
			seen = append(seen, text)
			declarationRecord.Emit(c.Out, &list[i])
		}
	}
	if seen != nil {
		return true
	}
	s, err := t.scope()
	if err != nil {
		return false
	}
	v, enum, ok := s.Enumerator(name)
	if !ok {
		return false
	}
	declarationRecord.Emit(c.Out, &declaration{name: name, typ: enum, value: &v})
	if enum.Name() != "" {
		definitionRecord.Emit(c.Out, &definition{typ: enum, name: enum.String(), radix: 10, bare: true})
	}
	return true
}

// declarations are the variables of file scope and the functions with that
// name.
func (t *Target) declarations(k *kernel.Kernel, name string) []declaration {
	var out []declaration
	vars, _ := k.Variables(name)
	for _, v := range vars {
		if v.Type == nil || !v.HasAddr {
			continue
		}
		d := declaration{name: name, typ: v.Type, addr: v.Addr, hasAddr: true, file: v.File, line: v.Line}
		if v.Module != nil {
			d.module = v.Module.Name
		}
		out = append(out, d)
	}
	for _, sym := range k.Symbols(name) {
		info, link, err := k.InfoAt(sym.Addr)
		if err != nil {
			continue
		}
		funcs, _ := info.Functions(name)
		for _, f := range funcs {
			if f.Type == nil || f.High != 0 && f.Low != link {
				continue
			}
			d := declaration{name: name, typ: f.Type, addr: sym.Addr, hasAddr: true, file: f.File, line: f.Line}
			if sym.Module != nil {
				d.module = sym.Module.Name
			}
			out = append(out, d)
		}
	}
	return out
}

// defined is the type that text names, nil if it names none.
func (t *Target) defined(c *repl.Call, text string) (*definition, error) {
	keyword, name, ok := strings.Cut(text, " ")
	if !ok || keyword != "struct" && keyword != "union" && keyword != "enum" {
		keyword, name = "", text
	}
	if strings.ContainsAny(name, "*()[]&+-") {
		return nil, nil // an expression, or a derived type
	}
	spec, err := parseTypeSpec(strings.TrimSpace(name))
	if err != nil {
		return nil, nil
	}
	d := &definition{offsets: c.Has("o"), radix: c.Radix()}
	if keyword != "enum" {
		first := keyword
		if first == "" {
			first = "struct"
		}
		if typ, err := t.aggregate(first, spec); err == nil {
			d.typ, d.name = typ, structName(typ, first, spec)
			if d.members, err = memberPaths(typ, spec); err != nil {
				return nil, t.notVariable(spec.name, err)
			}
			d.bare = d.members != nil
			return d, nil
		} else if keyword != "" {
			return nil, err
		}
	}
	k, _, err := t.info()
	if err != nil || spec.members != nil {
		return nil, err
	}
	for _, full := range [...]string{strings.TrimSpace(keyword + " " + spec.String()), "enum " + spec.String()} {
		if typ, err := k.Type(full); err == nil {
			d.typ, d.name, d.offsets = typ, full, false
			d.bare = typ.Kind() == ctype.Enum || typ.Kind() == ctype.Void
			return d, nil
		}
	}
	return nil, nil
}

// notVariable is err unless name is that of a variable, too: then the text is
// an expression.
func (t *Target) notVariable(name string, err error) error {
	if s, serr := t.scope(); serr == nil {
		if _, verr := s.Variable(name, ""); verr == nil {
			return nil
		}
	}
	return err
}

// typeOf shows the type of an expression, or what is at an address.
func (t *Target) typeOf(ctx context.Context, c *repl.Call, k *kernel.Kernel, text string) error {
	if addr, err := repl.ParseAddress(text); err == nil && k.IsKernelAddress(addr) {
		return t.whatIsAt(ctx, c, addr)
	}
	s, err := t.scope()
	if err != nil {
		return err
	}
	typ, err := expr.Type(s, text)
	if err != nil {
		if len(text) > 0 && isPlain(text) {
			return fmt.Errorf("%s is no variable, function, enumerator or type", text)
		}
		return err
	}
	declarationRecord.Emit(c.Out, &declaration{typ: typ})
	return nil
}
