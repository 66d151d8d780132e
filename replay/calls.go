package replay

import (
	"encoding/binary"
	"strings"

	"github.com/kdive/kdive/disasm"
	"github.com/kdive/kdive/unwind"
	"golang.org/x/arch/x86/x86asm"
)

// calls reports whether the call that the frame stands at goes to the function at
// entry, by all that is known.
func (p *point) calls(entry uint64) bool {
	to, ok := p.target()
	return ok && p.s.m.through(to) == entry
}

// target is where the call instruction of the frame leads.
func (p *point) target() (uint64, bool) {
	if p.err != nil {
		return 0, false
	}
	in, ok := p.fn.Call(p.s.tr.Frames[p.i].PC)
	if !ok {
		return 0, false
	}
	return p.branch(in)
}

// branch is where a call or jump leads, in the state of the frame.
func (p *point) branch(in *disasm.Inst) (uint64, bool) {
	reg, indirect := -1, false
	if to, ok := in.Target(); ok {
		if reg, indirect = p.s.m.thunk(to); !indirect {
			return to, true
		}
	}
	if !indirect {
		if in.NArg == 0 {
			return 0, false
		}
		o := &in.Args[0]
		switch o.Kind {
		case disasm.RegOperand:
			n, size, _, ok := o.Reg.GPR()
			if !ok || size != 8 {
				return 0, false
			}
			reg = n
		case disasm.MemOperand:
			return p.pointer(in, &o.Mem)
		default:
			return 0, false
		}
	}
	v, err := p.value(p.facts.State.Regs[reg].Expr)
	return v.Bits, err == nil
}

// pointer reads the target of an indirect branch through memory.
func (p *point) pointer(in *disasm.Inst, mem *disasm.Mem) (uint64, bool) {
	if mem.Segment != 0 {
		return 0, false
	}
	addr, ok := in.MemConst(mem)
	if !ok {
		addr = uint64(mem.Disp)
		for _, part := range []struct {
			reg   disasm.Reg
			scale uint64
		}{{mem.Base, 1}, {mem.Index, uint64(mem.Scale)}} {
			if part.reg == 0 {
				continue
			}
			n, size, _, ok := part.reg.GPR()
			if !ok || size != 8 {
				return 0, false
			}
			v, err := p.value(p.facts.State.Regs[n].Expr)
			if err != nil {
				return 0, false
			}
			addr += v.Bits * part.scale
		}
	}
	to, _, err := p.s.m.read(addr, 8)
	return to, err == nil
}

// thunk reports whether code at an address stands for an indirect branch, and
// through which register: arch/x86/lib/retpoline.S.
func (m *Model) thunk(addr uint64) (reg int, ok bool) {
	name, _, ok := m.v.SymbolAt(addr)
	if !ok || !strings.Contains(name, "__x86_indirect_") { // also behind __pi_
		return 0, false
	}
	var code [48]byte
	if m.v.Read(code[:], addr) != nil {
		return 0, false
	}
	for off := 0; off < 32; {
		in, err := disasm.AMD64.Decode(code[off:], addr+uint64(off))
		if err != nil || in.Bad {
			return 0, false
		}
		switch {
		case in.Op == x86asm.JMP && in.Args[0].Kind == disasm.RegOperand:
			n, _, _, ok := in.Args[0].Reg.GPR()
			return n, ok
		case in.Op == x86asm.MOV && in.Args[0].Kind == disasm.MemOperand && in.Args[0].Mem.Base == disasm.Reg(x86asm.RSP) && in.Args[1].Kind == disasm.RegOperand:
			n, _, _, ok := in.Args[1].Reg.GPR()
			return n, ok
		}
		off += in.Len
	}
	return 0, false
}

// maxLinks bounds a chain of jumps.
const maxLinks = 4

// through follows trampolines: code that is a jump and nothing else, as static
// calls have it.
func (m *Model) through(addr uint64) uint64 {
	for range maxLinks {
		var b [8]byte
		if m.v.Read(b[:], addr) != nil {
			return addr
		}
		in, _ := disasm.AMD64.Decode(b[:], addr)
		name, off, ok := m.v.SymbolAt(addr)
		to, direct := in.Target()
		if in.Flow != disasm.Jump || !direct || !ok || off != 0 || !strings.HasPrefix(name, "__SCT__") {
			return addr
		}
		addr = to
	}
	return addr
}

// Extend is a trace with the functions that left by a tail call put in: those that
// a frame is proven to have called, and that jump to the function below it in one
// way only. The frames of tr are as they were, and in their order.
func (m *Model) Extend(tr *unwind.Trace) *unwind.Trace {
	s := m.stack(tr)
	s.mu.Lock()
	defer s.mu.Unlock()
	var out *unwind.Trace
	for i := range tr.Frames {
		if out != nil {
			out.Frames = append(out.Frames, tr.Frames[i])
		}
		tails := s.tails(i)
		if len(tails) > 0 && out == nil {
			x := *tr
			out = &x
			out.Frames = append([]unwind.Frame(nil), tr.Frames[:i+1]...)
		}
		if out != nil {
			out.Frames = append(out.Frames, tails...)
		}
	}
	if out == nil {
		return tr
	}
	return out
}

// tails are the frames between i and the one above it, the innermost first.
func (s *stack) tails(i int) []unwind.Frame {
	if i+1 >= len(s.tr.Frames) {
		return nil
	}
	f, above := &s.tr.Frames[i], &s.tr.Frames[i+1]
	if f.Source == unwind.FromTailCall || above.Source == unwind.FromTailCall || above.Exact || above.Interrupted != nil ||
		above.Source.Guess() || f.Source.Guess() || f.CFA == 0 {
		return nil
	}
	entry, ok := s.m.startOf(f.CallSite())
	if !ok {
		return nil
	}
	if to, ok := s.m.directTarget(above.PC); ok && to == entry {
		return nil // the usual case, without a look at the code
	}
	c := s.point(i + 1)
	to, ok := c.target()
	if !ok {
		return nil
	}
	if to = s.m.through(to); to == entry {
		return nil
	}
	jumps := s.m.chain(to, entry)
	var list []unwind.Frame
	for k := len(jumps) - 1; k >= 0; k-- {
		t := unwind.Frame{PC: jumps[k], Exact: true, SP: f.CFA - 8, CFA: f.CFA, Stack: f.Stack, Source: unwind.FromTailCall}
		for n := range dwarfNumber {
			if v, ok := above.Regs.Get(dwarfNumber[n]); ok && isCalleeSaved(n) {
				t.Regs.Set(dwarfNumber[n], v)
			}
		}
		t.Regs.Set(unwind.RSP, t.SP)
		t.Regs.Set(unwind.RIP, t.PC)
		list = append(list, t)
	}
	return list
}

// startOf is where the function that covers pc begins, by its symbol.
func (m *Model) startOf(pc uint64) (uint64, bool) {
	s, ok := m.v.FindSymbol(pc)
	if !ok {
		return 0, false
	}
	if strings.Contains(s.Name, ".cold") {
		f := m.function(pc)
		return f.entry, f.err == nil
	}
	return s.Addr, true
}

// directTarget is the target of a direct call in front of a return address.
func (m *Model) directTarget(ret uint64) (uint64, bool) {
	var b [5]byte
	if m.v.Read(b[:], ret-5) != nil || b[0] != 0xe8 {
		return 0, false
	}
	return ret + uint64(int64(int32(binary.LittleEndian.Uint32(b[1:])))), true
}
