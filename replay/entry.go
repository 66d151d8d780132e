package replay

import (
	"github.com/kdive/kdive/replay/symbolic"
	"github.com/kdive/kdive/unwind"
)

const (
	maxEntryCode = 512    // bytes of a system call's entry in front of its call
	pushedRegs   = 16 * 8 // of struct pt_regs, that the entry pushes below what the processor saved
)

// systemCall is the place of a frame in the assembly by which user space enters the
// kernel. Debug info says nothing of it, but the registers that it saved are known to
// lie behind the frame, and it is a straight line up to the call.
func (p *point) systemCall(f *unwind.Frame) error {
	tr, m := p.s.tr, p.s.m
	if f.Exact || p.i != len(tr.Frames)-1 || tr.User == nil || tr.User.Addr == 0 || tr.User.Addr != f.CFA {
		return p.fn.err
	}
	s, ok := m.v.FindSymbol(f.CallSite())
	if !ok || f.PC-s.Addr > maxEntryCode {
		return p.fn.err
	}
	if p.fn = m.entryCode(s.Addr, f.PC); p.fn.err != nil {
		return p.fn.err
	}
	in, ok := p.fn.Call(f.PC)
	if !ok {
		return errNotThere
	}
	p.pc = in.PC
	st, ok := p.fn.At(in.PC)
	if !ok {
		return errNotThere
	}
	// All of the kernel knows where the registers are.
	p.facts = symbolic.Facts{PC: p.pc, State: st, Read: m.read, Freed: m.freed, Reg: p.register, Stack: f.CFA + pushedRegs, StackKnown: true, Loose: true}
	if d, ok := p.depth(); !ok || p.facts.Stack+uint64(d) != f.SP {
		return errFrame
	}
	return nil
}

// entryCode is the code from a label up to the call in front of a return address.
func (m *Model) entryCode(start, ret uint64) *function {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f, ok := m.entries[ret]; ok {
		return f
	}
	f := &function{entry: start}
	f.Func, f.err = m.analyze(&extent{entry: start, pieces: []symbolic.Piece{{Start: start, Bytes: make([]byte, ret-start)}}})
	if len(m.entries) < maxFuncs {
		m.entries[ret] = f
	}
	return f
}
