package symbolic

import (
	"errors"
	"slices"

	"golang.org/x/arch/x86/x86asm"
)

func (f *Func) evaluator(facts *Facts, t *trail) *evaluator {
	return &evaluator{f: f, facts: facts, memo: map[*Expr]*result{}, extra: t.stored}
}

// contradicts reports whether a run cannot have come by a way, and at which
// instruction that shows: a place would hold another number than it does, or a
// branch would have gone elsewhere. Memory that may have changed proves nothing.
func (f *Func) contradicts(t *trail, facts *Facts) (by uint64, no bool) {
	differs := func(ev *evaluator, e *Expr, actual uint64) bool {
		v, err := ev.value(e)
		return errors.Is(err, ErrContradiction) || err == nil && !v.Changed && v.Bits != actual
	}
	s := &facts.State
	for n := range s.Regs {
		if n == rsp || n+1 == facts.HideReg || facts.Reg == nil {
			continue
		}
		actual, known := facts.Reg(n)
		if !known || actual.Changed {
			continue
		}
		ev := f.evaluator(facts, t)
		ev.noReg = n + 1
		if differs(ev, s.Regs[n].Expr, actual.Bits) {
			return s.Regs[n].By, true
		}
	}
	for i := range s.Slots {
		x := &s.Slots[i]
		if !facts.StackKnown || facts.Loose || facts.hides(x) {
			continue
		}
		actual, _, err := facts.Read(facts.Stack+uint64(x.Off), x.Size)
		if err != nil {
			continue
		}
		ev := f.evaluator(facts, t)
		ev.noSlot = x
		if differs(ev, x.Expr, actual) {
			return x.By, true
		}
	}
	for _, x := range s.Facts {
		ev := f.evaluator(facts, t)
		ev.noFact = x.By
		if differs(ev, x.Expr, x.C) {
			return x.By, true
		}
	}
	for _, c := range t.conds {
		ev := f.evaluator(facts, t)
		ev.noFact = c.pc
		a, errA := ev.value(c.a)
		b, errB := ev.value(c.b)
		if errA != nil || errB != nil || a.Changed || b.Changed {
			continue
		}
		if goes, ok := c.goes(a.Bits, b.Bits); ok && goes != c.taken {
			return c.by, true
		}
	}
	return 0, false
}

// notStored reports whether memory does not hold what a way stored last, right in
// front of a point that was interrupted.
func (f *Func) notStored(t *trail, facts *Facts) (by uint64, no bool) {
	if facts.State.kind == during || facts.Read == nil {
		return 0, false
	}
	ev := f.evaluator(facts, t)
	type extent struct{ low, high uint64 }
	var later []extent
	for _, x := range slices.Backward(t.last) {
		addr, err := ev.value(x.addr)
		if err != nil || addr.Changed || x.size == 0 || x.size > 8 {
			return 0, false // it may be where the earlier ones are
		}
		at := extent{addr.Bits, addr.Bits + uint64(x.size)}
		again := slices.ContainsFunc(later, func(y extent) bool { return at.low < y.high && y.low < at.high })
		later = append(later, at)
		v, err := ev.value(x.e)
		if again || err != nil || v.Changed {
			continue
		}
		if now, _, err := facts.Read(at.low, uint8(x.size)); err == nil && now != v.Bits&sizeMask(uint8(x.size)) {
			return x.by, true
		}
	}
	return 0, false
}

// goes reports whether the branch is taken with these operands; false if that is
// not known of it.
func (c *condition) goes(a, b uint64) (taken, ok bool) {
	a, b = a&sizeMask(c.size), b&sizeMask(c.size)
	x, y := int64(signed(a, c.size)), int64(signed(b, c.size))
	result := signed(a-b, c.size)
	if c.test {
		a, b, result = a&b, 0, signed(a&b, c.size)
		x, y = int64(result), 0
	}
	switch c.op {
	case x86asm.JE:
		return result == 0, true
	case x86asm.JNE:
		return result != 0, true
	case x86asm.JS:
		return int64(result) < 0, true
	case x86asm.JNS:
		return int64(result) >= 0, true
	}
	if c.zeroOnly {
		return false, false
	}
	switch c.op {
	case x86asm.JA:
		return a > b, true
	case x86asm.JAE:
		return a >= b, true
	case x86asm.JB:
		return a < b, true
	case x86asm.JBE:
		return a <= b, true
	case x86asm.JG:
		return x > y, true
	case x86asm.JGE:
		return x >= y, true
	case x86asm.JL:
		return x < y, true
	case x86asm.JLE:
		return x <= y, true
	}
	return false, false
}
