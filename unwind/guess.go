package unwind

import "fmt"

// guess finds the frame above code that no table describes: a call through a bad
// pointer, code that the kernel generated, assembly without annotations.
func (u *Unwinder) guess(t *Thread, f *Frame, m memory) (*Frame, error) {
	if f.Stack == nil {
		return nil, fmt.Errorf("stack pointer %#x is on no stack of the task or a CPU", f.SP)
	}
	if f.Exact && !u.text.has(u.v, f.PC) {
		if next := u.onTop(t, f, m); next != nil {
			return next, nil
		}
	}
	if next := u.framePointer(t, f, m); next != nil {
		return next, nil
	}
	if next := u.scan(f, m); next != nil {
		return next, nil
	}
	return nil, fmt.Errorf("nothing describes the frame of %s, and no return address follows on its stack", u.where(f))
}

// onTop is the caller of code that never ran: its return address is on top.
func (u *Unwinder) onTop(t *Thread, f *Frame, m memory) *Frame {
	pc, err := m.word(f.SP)
	if err != nil || !f.Stack.Has(f.SP, 8) || !u.returnAddress(pc) {
		return nil
	}
	f.CFA = f.SP + 8
	next := &Frame{PC: pc, SP: f.CFA, Slot: f.SP, Regs: f.Regs, Stack: f.Stack, Source: FromNullCall}
	next.Regs.Set(RSP, next.SP)
	next.Regs.Set(RIP, pc)
	return next
}

// framePointer takes rbp for the head of a chain of saved rbp and return address.
func (u *Unwinder) framePointer(t *Thread, f *Frame, m memory) *Frame {
	bp, ok := f.Regs.Get(RBP)
	if !ok || bp&7 != 0 || bp < f.SP || !f.Stack.Has(bp, 16) {
		return nil
	}
	pc, err := m.word(bp + 8)
	if err != nil || !u.returnAddress(pc) {
		return nil
	}
	saved, err := m.word(bp)
	if err != nil {
		return nil
	}
	f.CFA = bp + 16
	next := &Frame{PC: pc, SP: f.CFA, Slot: bp + 8, Stack: f.Stack, Source: FromFramePointer}
	next.Regs.Set(RBP, saved)
	next.Regs.Set(RSP, next.SP)
	next.Regs.Set(RIP, pc)
	return next
}

// scan takes the next word on the stack that can be a return address.
func (u *Unwinder) scan(f *Frame, m memory) *Frame {
	for at := (f.SP + 7) &^ 7; f.Stack.Has(at, 8); at += 8 {
		pc, err := m.word(at)
		if err != nil {
			return nil
		}
		if !u.returnAddress(pc) {
			continue
		}
		next := &Frame{PC: pc, SP: at + 8, Slot: at, Stack: f.Stack, Source: FromScan}
		next.Regs.Set(RSP, next.SP)
		next.Regs.Set(RIP, pc)
		return next
	}
	return nil
}

// returnAddress reports whether pc is code behind a call.
func (u *Unwinder) returnAddress(pc uint64) bool {
	if !u.plausible(pc) || !u.text.has(u.v, pc-1) {
		return false
	}
	var b [7]byte
	if u.v.Read(b[:], pc-7) != nil {
		return false
	}
	if b[2] == 0xe8 { // call rel32
		return true
	}
	for n := 2; n <= 7; n++ { // call r/m, of any length
		if b[7-n] == 0xff && b[8-n]>>3&7 == 2 {
			return true
		}
	}
	return false
}
