package frame

import (
	"debug/dwarf"
	"fmt"

	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/location"
	"github.com/kdive/kdive/disasm"
	"github.com/kdive/kdive/unwind"
	"github.com/kdive/kdive/value"
)

// maxSiteEntries bounds the entries of a function that are looked through for a
// call site.
const maxSiteEntries = 1 << 16

// callSite is the entry of the call that returns to a run-time address.
func (m *Model) callSite(c *Code, ret uint64) (die.Entry, bool) {
	link := c.Link + (ret - c.at)
	key := siteKey{c, ret}
	if e, ok := m.sites[key]; ok {
		return e, e.Valid()
	}
	var found die.Entry
	budget := maxSiteEntries
	for i := len(c.Scopes) - 1; i >= 0 && !found.Valid(); i-- {
		found = findSite(&c.Scopes[i].Entry, link, 1, &budget)
	}
	if !found.Valid() {
		// The compiler may put it into a block that covers another part.
		found = findSite(&c.Scopes[0].Entry, link, maxScopeDepth, &budget)
	}
	if len(m.sites) >= maxCode {
		clear(m.sites)
	}
	m.sites[key] = found
	return found, found.Valid()
}

type siteKey struct {
	code *Code
	ret  uint64
}

const maxScopeDepth = 64

func findSite(e *die.Entry, link uint64, depth int, budget *int) die.Entry {
	for c, err := range e.Kids() {
		if *budget--; err != nil || *budget < 0 {
			break
		}
		switch c.Tag {
		case tagCallSite, tagGNUCallSite:
			if returnsTo(&c) == link {
				return c
			}
		case dwarf.TagLexDwarfBlock, dwarf.TagInlinedSubroutine:
			if depth > 1 {
				if s := findSite(&c, link, depth-1, budget); s.Valid() {
					return s
				}
			}
		}
	}
	return die.Entry{}
}

// returnsTo is the address behind the call: DW_AT_call_return_pc, in DWARF 4
// DW_AT_low_pc.
func returnsTo(c *die.Entry) uint64 {
	a := attrCallReturn
	if c.Tag == tagGNUCallSite {
		a = dwarf.AttrLowpc
	}
	v, ok := c.Attr(a)
	if !ok {
		return 0
	}
	addr, _ := v.Addr()
	return addr
}

// call is the instruction by which the frame called the one below it, and the
// address behind it: a call, or the jump of a frame that left by one.
func (x *machine) call() (in disasm.Inst, ret uint64, ok bool) {
	f := x.frame()
	if f.Source != unwind.FromTailCall {
		in, ok = x.m.callBefore(x.code, f.PC)
		return in, f.PC, ok
	}
	b := make([]byte, disasm.AMD64.MaxLen())
	if x.m.v.Read(b, f.PC) != nil {
		return in, 0, false
	}
	in, err := disasm.AMD64.Decode(b, f.PC)
	return in, f.PC + uint64(in.Len), err == nil && !in.Bad && (in.Flow == disasm.Jump || in.Flow == disasm.CondJump)
}

// reached is why the call in the caller's frame c may not lead to the frame's
// function at once; empty if it does. A function that the caller called may have
// left by a jump to this one, and then passed something else.
func (x *machine) reached(c *machine, in *disasm.Inst, site *die.Entry) string {
	if x.code == nil {
		return "the function has no debug info"
	}
	entry, ok := x.code.Entry()
	if !ok {
		return "where the function begins is not known"
	}
	target, known := in.Target()
	if known && x.m.isThunk(target) {
		known = false
	} else if !known {
		target, known = c.indirect(in)
	}
	if !known {
		if v, p := x.evaluate(c, site, [2]dwarf.Attr{attrCallTarget, attrGNUTarget}); p.Class != location.Lost {
			target, known = v, true
		}
	}
	switch {
	case !known:
		return fmt.Sprintf("%s called through a pointer that is not known any more", c.name())
	case x.m.through(target) != entry:
		if name, off, ok := x.m.v.SymbolAt(target); ok && off == 0 {
			return fmt.Sprintf("%s called %s, which left by a jump", c.name(), name)
		}
		return fmt.Sprintf("%s called another function, which left by a jump", c.name())
	}
	return ""
}

// indirect is where a call through a register or memory leads, if its operands
// are known at the call.
func (x *machine) indirect(in *disasm.Inst) (uint64, bool) {
	if in.NArg == 0 {
		return 0, false
	}
	switch o := &in.Args[0]; o.Kind {
	case disasm.RegOperand:
		return x.general(o.Reg)
	case disasm.MemOperand:
		addr, ok := in.MemConst(&o.Mem)
		if !ok {
			base, known := x.general(o.Mem.Base)
			if !known || o.Mem.Index != 0 || o.Mem.Segment != 0 {
				return 0, false
			}
			addr = base + uint64(o.Mem.Disp)
		}
		target, err := value.Word(x, addr)
		return target, err == nil
	}
	return 0, false
}

// general is the value of a 64-bit register of the machine code.
func (x *machine) general(r disasm.Reg) (uint64, bool) {
	n, size, _, ok := r.GPR()
	if !ok || size != 8 {
		return 0, false
	}
	// The processor's numbers, with DWARF's.
	order := [16]unwind.Reg{unwind.RAX, unwind.RCX, unwind.RDX, unwind.RBX, unwind.RSP, unwind.RBP, unwind.RSI, unwind.RDI,
		unwind.R8, unwind.R9, unwind.R10, unwind.R11, unwind.R12, unwind.R13, unwind.R14, unwind.R15}
	v, p := x.Register(uint64(order[n&15]))
	return v, p.Class != location.Lost
}
