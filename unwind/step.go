package unwind

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// errEnd ends a walk where it should end.
var errEnd = errors.New("end of the stack")

// step finds the frame above f, or what user space had in the registers.
func (u *Unwinder) step(t *Thread, f *Frame, m memory) (next *Frame, user *PtRegs, err error) {
	row := u.rowAt(f.PC, f.Exact)
	if row == nil {
		next, err = u.guess(t, f, m)
		return next, nil, err
	}
	if row.Kind == KindEnd {
		if p := u.newborn(f, m); p != nil {
			return nil, p, nil
		}
		return nil, nil, errEnd
	}
	cfa, err := row.cfa.eval(RSP, &f.Regs, 0, m)
	if err != nil {
		return nil, nil, fmt.Errorf("frame of %s: %w", u.where(f), err)
	}
	f.CFA = cfa
	if row.Kind == KindCall {
		next, err = u.caller(t, f, row, m)
		return next, nil, err
	}
	return u.interrupted(t, f, row, m)
}

// caller is the frame that called f.
func (u *Unwinder) caller(t *Thread, f *Frame, row *Row, m memory) (*Frame, error) {
	slot := f.CFA - 8
	s := u.stackAt(t, slot, 8)
	if s == nil {
		return nil, fmt.Errorf("frame of %s: its end %#x is on no stack of the task or a CPU", u.where(f), f.CFA)
	}
	next := &Frame{Slot: slot, SP: f.CFA, Stack: s, Source: row.Source, Exact: row.Exact}
	pc, err := row.regs[RIP].eval(RIP, &f.Regs, f.CFA, m)
	if err != nil {
		return nil, fmt.Errorf("return address of %s: %w", u.where(f), err)
	}
	if !u.plausible(pc) {
		if pc == 0 && s.Kind == TaskStack && s.High-slot <= ptRegsSize+64 {
			return nil, errEnd // the outermost function of a thread has nowhere to return to
		}
		return nil, fmt.Errorf("return address of %s: %#x at %#x is no kernel code", u.where(f), pc, slot)
	}
	next.PC = pc
	for _, r := range calleeSaved {
		if v, err := row.regs[r].eval(r, &f.Regs, f.CFA, m); err == nil {
			next.Regs.setSaved(r, v, row.regs[r].slot(r, &f.Regs, f.CFA))
		}
	}
	next.Regs.Set(RSP, f.CFA)
	next.Regs.Set(RIP, pc)
	return next, nil
}

// plausible reports whether an address may be code: that of the kernel and its
// modules, or what the kernel generates between them (BPF, trampolines).
func (u *Unwinder) plausible(pc uint64) bool {
	const low, high = 0xffffffff80000000, 0xffffffffff000000 // image and module area
	return pc >= low && pc < high
}

// interrupted is the frame that an exception interrupted.
func (u *Unwinder) interrupted(t *Thread, f *Frame, row *Row, m memory) (*Frame, *PtRegs, error) {
	at, size := f.CFA, uint64(ptRegsSize)
	if row.Kind == KindIret {
		size = iretSize
	}
	s := u.stackAt(t, at, size)
	if s == nil {
		return nil, nil, fmt.Errorf("registers saved for %s: %#x is on no stack of the task or a CPU", u.where(f), at)
	}
	p, err := savedRegs(m, at, size)
	if err != nil {
		return nil, nil, fmt.Errorf("registers saved for %s: %w", u.where(f), err)
	}
	if row.Kind == KindIret {
		p.Addr, p.Partial = at-iretOffset, true
		mergePartial(p, f)
	}
	if p.User() {
		return nil, p, nil
	}
	if p.CS == 0 && s.Kind == TaskStack && s.High-at <= ptRegsSize+64 {
		return nil, nil, errEnd // what a kernel thread has in place of user registers
	}
	next := u.fromRegs(t, p)
	next.Exact, next.Interrupted, next.Source = row.Exact, p, row.Source
	if next.Stack != nil && f.Stack != nil && next.Stack.Low == s.Low && next.SP < at+size {
		return nil, nil, fmt.Errorf("registers saved at %#x: their stack pointer %#x is below", p.Addr, next.SP)
	}
	return &next, nil, nil
}

// savedRegs reads the last size bytes of a struct pt_regs, which are at an address.
func savedRegs(m memory, at, size uint64) (*PtRegs, error) {
	b := make([]byte, ptRegsSize-size, ptRegsSize)
	for ; len(b) < ptRegsSize; at += 8 {
		w, err := m.word(at)
		if err != nil {
			return nil, err
		}
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	p := decodeRegs(b)
	p.Addr = at - size
	return p, nil
}

// newborn is what user space will have in the registers when a task that f is the
// outermost frame of leaves the kernel for the first time: the tables end the stack
// there, as the same code starts kernel threads, which have no such registers.
func (u *Unwinder) newborn(f *Frame, m memory) *PtRegs {
	if s := f.Stack; s == nil || s.Kind != TaskStack || s.High < f.SP+ptRegsSize || s.High-f.SP > ptRegsSize+64 {
		return nil
	}
	p, err := savedRegs(m, f.SP, ptRegsSize)
	if err != nil || !p.User() {
		return nil
	}
	if rip, _ := p.Get(RIP); rip>>56 != 0 {
		return nil
	}
	return p
}

// mergePartial takes the registers that were not saved yet from the frame.
func mergePartial(p *PtRegs, f *Frame) {
	saved := *p
	p.Registers = f.Regs
	for _, r := range [...]Reg{RIP, RSP} {
		v, _ := saved.Get(r)
		p.Set(r, v)
	}
	p.OrigRAX = 0
}

func (u *Unwinder) where(f *Frame) string {
	if name, off, ok := u.v.SymbolAt(f.CallSite()); ok {
		return fmt.Sprintf("%s+%d", name, off+(f.PC-f.CallSite()))
	}
	return fmt.Sprintf("%#x", f.PC)
}
