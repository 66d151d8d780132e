package command

import (
	"context"
	"fmt"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/value"
)

// cpuObjectRecord heads the objects of one CPU.
var cpuObjectRecord = &output.Record[cpuPlace]{
	Type: "cpu",
	Help: "the CPU that the next object belongs to",
	Columns: []output.Column[cpuPlace]{
		{Name: "cpu", Verb: "[%d]", Help: "number of the CPU", Get: func(p *cpuPlace) output.Value { return output.Int(p.cpu) }},
		{Name: "address", Verb: ": %x", Help: "address of its copy", Get: func(p *cpuPlace) output.Value { return output.Addr(p.addr) }},
	},
}

// define shows the type itself.
func (p *structPlan) define(t *Target, c *repl.Call) error {
	d := &definition{typ: p.typ, name: p.name, members: p.members, offsets: c.Has("o"), radix: p.style.Radix, bare: p.members != nil}
	definitionRecord.Emit(c.Out, d)
	if p.members == nil {
		t.otherDefinitions(c, p.typ)
	}
	return nil
}

// otherDefinitions says which source files define the type differently.
func (t *Target) otherDefinitions(c *repl.Call, typ *ctype.Type) {
	_, info, err := t.info()
	if err != nil {
		return
	}
	list, err := info.Types(typ.Kind(), typ.Name())
	if err != nil || len(list) < 2 {
		return
	}
	for _, other := range list {
		if o := other.Origin(); other != typ && !other.Underlying().Incomplete() {
			c.Out.Note("defined differently, too: %s@%s (size %d)", other.Name(), o.File, other.Size())
		}
	}
}

// warnAmbiguous says that the objects that follow could be of another
// definition.
func (t *Target) warnAmbiguous(c *repl.Call, typ *ctype.Type, spec typeSpec) {
	_, info, err := t.info()
	if err != nil || spec.file != "" {
		return
	}
	n := 0
	list, _ := info.Types(typ.Kind(), typ.Name())
	for _, other := range list {
		if !other.Underlying().Incomplete() {
			n++
		}
	}
	if n > 1 {
		c.Warn("%s has %d definitions; this is the one of %s, struct %s lists all", typ, n, typ.Origin().File, spec.name)
	}
}

// show prints the objects from addr on, or those that end with it.
func (p *structPlan) show(ctx context.Context, c *repl.Call, addr uint64) error {
	size := uint64(p.typ.Size())
	n := p.count
	if n < 0 {
		n = -n
		addr -= uint64(n-1) * size
	}
	for i := range n {
		if err := ctx.Err(); err != nil {
			return err
		}
		if i > 0 {
			c.Out.Print("\n")
		}
		if err := p.one(ctx, c, addr); err != nil {
			return err
		}
		addr += size
		c.Progress(uint64(i), uint64(n))
	}
	return nil
}

// one prints the object at addr in the form asked for.
func (p *structPlan) one(ctx context.Context, c *repl.Call, addr uint64) error {
	switch {
	case c.Has("o"):
		d := &definition{typ: p.typ, name: p.name, members: p.members, offsets: true, base: addr, radix: p.style.Radix, bare: p.members != nil}
		definitionRecord.Emit(c.Out, d)
		return nil
	case c.Has("r"):
		return p.raw(ctx, c, addr)
	}
	if p.members == nil {
		if err := readable(p.mem, addr, p.typ.Size()); err != nil {
			return fmt.Errorf("%s at %x: %w", p.name, addr, err)
		}
	}
	objectRecord.Emit(c.Out, &object{name: p.name, addr: addr, val: value.New(p.mem, p.typ, addr), members: p.members,
		style: p.style, follow: c.Has("p")})
	return nil
}

// raw prints the bytes of the object, or of its members one after the other.
func (p *structPlan) raw(ctx context.Context, c *repl.Call, addr uint64) error {
	if p.members == nil {
		return p.rawRange(ctx, c, addr, p.typ.Size())
	}
	for _, m := range p.members {
		v, err := value.New(p.mem, p.typ, addr).Follow(m.steps)
		if err != nil {
			return err
		}
		at, _ := v.Addr()
		if err := p.rawRange(ctx, c, at, v.Type().Size()); err != nil {
			return err
		}
	}
	return nil
}

func (p *structPlan) rawRange(ctx context.Context, c *repl.Call, addr uint64, size int64) error {
	width := int64(8)
	for width > 1 && size%width != 0 {
		width /= 2
	}
	if size <= 0 {
		return fmt.Errorf("%s at %x has no bytes", p.name, addr)
	}
	plan := rdPlan{mem: p.mem, addr: addr, count: uint64(size / width), form: rdForm{width: int(width), ascii: !c.Has("v")}}
	return plan.dump(ctx, c)
}
