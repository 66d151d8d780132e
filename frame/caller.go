package frame

import (
	"bytes"
	"debug/dwarf"
	"fmt"

	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/location"
	"github.com/kdive/kdive/unwind"
)

// Tags and attributes of call sites (DWARF 5, section 3.4.1; in DWARF 4 those of
// GNU).
const (
	tagCallSite     = dwarf.TagCallSite
	tagCallParam    = dwarf.TagCallSiteParameter
	tagGNUCallSite  = dwarf.Tag(0x4109)
	tagGNUCallParam = dwarf.Tag(0x410a)

	attrCallReturn    = dwarf.AttrCallReturnPC
	attrCallValue     = dwarf.AttrCallValue
	attrCallParameter = dwarf.AttrCallParameter
	attrCallTarget    = dwarf.AttrCallTarget
	attrCallDataValue = dwarf.AttrCallDataValue
	attrGNUValue      = dwarf.Attr(0x2111)
	attrGNUDataValue  = dwarf.Attr(0x2112)
	attrGNUTarget     = dwarf.Attr(0x2113)
)

// maxCallers bounds how many callers are asked one after the other, maxAsked how
// often callers are asked for one variable: an expression may name many values at
// the function's entry, and each of these may again.
const (
	maxCallers = 16
	maxAsked   = 1 << 10
)

// Entry implements location.Machine: the caller's debug info may say what it
// passed.
func (x *machine) Entry(expr []byte) (uint64, location.Provenance) {
	reg, deref, ok := entryRegister(expr)
	if !ok {
		return 0, location.LostFor(location.NoOperator, "operator entry_value of an expression")
	}
	if v, p := x.atEntry(reg); p.Class != location.Lost && !deref {
		return v, p
	}
	v, p := x.passed(func(c *die.Entry) bool {
		at, ok := c.Attr(dwarf.AttrLocation)
		if !ok || !at.IsBlock() {
			return false
		}
		if deref {
			// Of what a register points to, the parameter names the register.
			r, memory, ok := entryRegister(at.Block)
			return ok && !memory && r == reg
		}
		return bytes.Equal(at.Block, expr)
	}, deref)
	if p.Class != location.Lost {
		p.How = fmt.Sprintf("%s at the function's entry: %s", reg, p.How)
		return v, p
	}
	if !deref && !x.bare && x.m.Recover != nil {
		if v, q := x.m.ask(x.tr, x.i, reg, true); q.Class != location.Lost {
			*x.recovered = location.NoEntry
			return v, q
		}
	}
	return 0, location.LostFor(location.NoEntry, fmt.Sprintf("%s at the function's entry: %s", reg, p.How))
}

// entryRegister decodes the expression of an entry value: a register, or what
// memory a register points to.
func entryRegister(expr []byte) (r unwind.Reg, deref, ok bool) {
	switch {
	case len(expr) == 1 && expr[0] >= die.OpReg0 && expr[0] < die.OpReg0+byte(unwind.RIP):
		return unwind.Reg(expr[0] - die.OpReg0), false, true
	case len(expr) == 3 && expr[0] >= die.OpBreg0 && expr[0] < die.OpBreg0+byte(unwind.RIP) && expr[1] == 0 && expr[2] == die.OpDeref:
		return unwind.Reg(expr[0] - die.OpBreg0), true, true
	}
	return 0, false, false
}

// EntryParameter implements location.Machine.
func (x *machine) EntryParameter(off int) (uint64, location.Provenance) {
	v, p := x.passed(func(c *die.Entry) bool {
		to, ok, err := c.Ref(attrCallParameter)
		return ok && err == nil && to.Off == off
	}, false)
	if p.Class == location.Lost {
		return 0, location.LostFor(location.NoEntry, "a parameter that is not passed any more: "+p.How)
	}
	return v, p
}

// atEntry is a register of a frame that stands at its function's first
// instruction.
func (x *machine) atEntry(r unwind.Reg) (uint64, location.Provenance) {
	f := x.frame()
	if x.code == nil || !f.Exact {
		return 0, location.Provenance{}
	}
	if entry, ok := x.code.Entry(); !ok || entry != f.PC {
		return 0, location.Provenance{}
	}
	return x.Register(uint64(r))
}

// noEntry is an entry value that is lost, with the reason.
func noEntry(format string, args ...any) (uint64, location.Provenance) {
	return 0, location.LostFor(location.NoEntry, fmt.Sprintf(format, args...))
}

// passed is what the caller passed in the parameter that match finds, if the
// caller's call leads to the frame's function.
func (x *machine) passed(match func(*die.Entry) bool, data bool) (uint64, location.Provenance) {
	if x.m.asked++; x.depth >= maxCallers || x.m.asked > maxAsked {
		return noEntry("too many callers to ask")
	}
	if why := x.noCaller(); why != "" {
		return noEntry("%s", why)
	}
	c := &machine{m: x.m, tr: x.tr, i: x.i + 1, bare: x.bare, depth: x.depth + 1, recovered: x.recovered}
	var err error
	if c.code, err = x.m.CodeAt(x.tr, c.i); err != nil {
		return noEntry("the caller has no debug info")
	}
	in, ret, ok := c.call()
	if !ok {
		return noEntry("no call stands before %x", x.tr.Frames[c.i].PC)
	}
	site, ok := x.m.callSite(c.code, ret)
	if !ok {
		return noEntry("%s does not describe the call", c.name())
	}
	if why := x.reached(c, &in, &site); why != "" {
		return noEntry("%s", why)
	}
	for p, err := range site.Kids() {
		if err != nil {
			return noEntry("%v", err)
		}
		if p.Tag != tagCallParam && p.Tag != tagGNUCallParam || !match(&p) {
			continue
		}
		attrs := [2]dwarf.Attr{attrCallValue, attrGNUValue}
		if data {
			attrs = [2]dwarf.Attr{attrCallDataValue, attrGNUDataValue}
		}
		return x.evaluate(c, &p, attrs)
	}
	return noEntry("%s does not say what it passed", c.name())
}

// evaluate computes one of two attributes of a call site in the caller's frame.
func (x *machine) evaluate(c *machine, p *die.Entry, attrs [2]dwarf.Attr) (uint64, location.Provenance) {
	for _, a := range attrs {
		v, ok := p.Attr(a)
		if !ok {
			continue
		}
		list, err := p.Unit.Locations(v)
		expr, ok := location.Select(list, c.code.Link)
		if !ok {
			return noEntry("%s does not say what it passed here (%v)", c.name(), err)
		}
		n, from := location.Number(expr, p.Unit, c)
		if from.Class == location.Lost {
			return noEntry("in %s %s", c.name(), from.How)
		}
		from.Class = location.Derived
		from.How = fmt.Sprintf("passed by %s: %s", c.name(), from.How)
		return n, from
	}
	return noEntry("%s does not say what it passed", c.name())
}

// noCaller is why the frame above is not the one that called the function.
func (x *machine) noCaller() string {
	if x.i+1 >= len(x.tr.Frames) {
		return "there is no caller on the stack"
	}
	c := &x.tr.Frames[x.i+1]
	switch {
	case c.Source == unwind.FromTailCall:
	case c.Interrupted != nil || c.Exact:
		return "the frame above was interrupted"
	case c.Source.Guess():
		return "the caller is a guess"
	}
	return ""
}

func (x *machine) name() string {
	if x.code != nil && x.code.Scopes[0].Name != "" {
		return x.code.Scopes[0].Name
	}
	return "the caller"
}
