package symbolic

import (
	"errors"
	"slices"

	"github.com/kdive/kdive/disasm"
	"golang.org/x/arch/x86/x86asm"
)

// Limits of what is followed way by way.
const (
	maxWays      = 96   // of one question
	maxWayLength = 40   // blocks of one way
	maxWaySteps  = 6000 // instructions of one question
)

// way is the last blocks that were run before a point: every run that came to the
// point came by exactly one of those with the same first block's predecessors, so
// that ways are split at their first block until each tells the value or cannot
// have been.
type way []int32

// trail is what a way proves, beside the state at its end.
type trail struct {
	s       State
	conds   []condition
	stored  []stored
	last    []written       // since the last call
	defined map[*Expr]*Expr // what the names of its joins stand for
}

// written is what a way stores, outside of the frame.
type written struct {
	stored
	e  *Expr
	by uint64
}

// condition is a branch that was taken, or was not.
type condition struct {
	flags
	op    x86asm.Op
	taken bool
	by    uint64
}

// flags is the comparison that the flags are from; a is nil if none is.
type flags struct {
	a, b *Expr
	size uint8
	test bool
	// zeroOnly: a is the result of arithmetic, of which only zero and sign are told.
	zeroOnly bool
	pc       uint64
}

func (x flags) mentions(site int32) bool { return x.a.mentions(site) || x.b.mentions(site) }

// byWays asks each way to the point for the value. Those that contradict what is
// known are left out; all others must tell the same. It fails with ErrUnknown, or with
// ErrContradiction if no way is left.
func (f *Func) byWays(e *Expr, facts *Facts) (Value, error) {
	i, ok := f.find(facts.PC)
	if !ok || !f.have[f.g.of[i]] {
		return Value{}, ErrUnknown
	}
	var found *Value
	var against []uint64
	var left []way // that tell the value
	byMemory := false
	todo := []way{{f.g.of[i]}}
	steps := 0
	for n := 0; len(todo) > 0; n++ {
		w := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if n >= maxWays || steps > maxWaySteps {
			return Value{}, ErrUnknown
		}
		t, want, ok := f.walk(w, i, e, facts.State.kind, &steps)
		if !ok {
			return Value{}, ErrUnknown
		}
		if t == nil {
			continue // no way
		}
		local := *facts
		local.State = t.s
		if by, no := f.contradicts(t, &local); no {
			against = append(against, by)
			continue
		}
		if by, no := f.notStored(t, &local); no {
			against, byMemory = append(against, by), true
			continue
		}
		v, err := f.evaluator(&local, t).value(want)
		switch {
		case errors.Is(err, ErrContradiction):
			against = append(against, f.g.insts[f.g.blocks[w[0]].insts[0]].PC)
		case err != nil || v.Changed:
			more, ok := f.extend(w)
			if !ok {
				return Value{}, ErrUnknown
			}
			todo = append(todo, more...)
		case found != nil && found.Bits != v.Bits:
			return Value{}, ErrUnknown
		default:
			found = &v
			left = append(left, w)
		}
	}
	if found == nil && byMemory {
		return Value{}, ErrUnknown // it may only be that memory has changed
	}
	if found == nil || len(against) > 0 && !f.passable(left, i, e, facts, steps) {
		return Value{}, ErrContradiction
	}
	found.Against = unique(append(found.Against, against...))
	found.ByMemory, found.Changed = byMemory, byMemory
	return *found, nil
}

// passable reports whether one of the ways can have been, as far as they are followed:
// if what is known contradicts all of them, it is not understood.
func (f *Func) passable(todo []way, target int32, e *Expr, facts *Facts, steps int) bool {
	for n := 0; len(todo) > 0; n++ {
		w := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		t, _, ok := f.walk(w, target, e, facts.State.kind, &steps)
		if !ok || n >= maxWays || steps > maxWaySteps {
			return true
		}
		if t == nil {
			continue
		}
		local := *facts
		local.State = t.s
		if _, no := f.contradicts(t, &local); no {
			continue
		}
		more, ok := f.extend(w)
		if !ok {
			return true
		}
		todo = append(todo, more...)
	}
	return false
}

// extend is the ways with one more block in front; false at the function's start,
// where there is nothing left to tell apart.
func (f *Func) extend(w way) ([]way, bool) {
	if w[0] == f.g.order[0] || len(w) >= maxWayLength {
		return nil, false
	}
	var list []way
	for _, p := range f.g.blocks[w[0]].pred {
		if f.have[p] {
			list = append(list, append(way{p}, w...))
		}
	}
	return list, len(list) > 0
}

// walk executes a way up to an instruction. The trail is nil if control cannot go
// that way.
func (f *Func) walk(w way, target int32, e *Expr, kind pointKind, steps *int) (*trail, *Expr, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	escaped, all := f.frame.escaped, f.frame.all
	f.frame.escaped, f.frame.grew = slices.Clone(escaped), false
	defer func() { f.frame.escaped, f.frame.all = escaped, all }()
	t := &trail{s: f.ins[w[0]].clone(), defined: map[*Expr]*Expr{}}
	m := &machine{table: f.t, fn: f, s: &t.s, trail: t}
	for k, b := range w {
		if k > 0 {
			t.enter(f, m, b)
		}
		if k+1 == len(w) {
			break
		}
		*steps += len(f.g.blocks[b].insts)
		if !t.cross(f, m, b, w[k+1]) {
			return nil, nil, true
		}
	}
	for _, i := range f.g.blocks[w[len(w)-1]].insts {
		if i == target {
			break
		}
		*steps++
		t.step(f, m, i)
	}
	f.finish(&t.s, target, kind)
	want := t.resolve(f.t, e, 0)
	// A frame that others know more of than the analysis saw is not understood.
	return t, want, !f.frame.grew && !f.t.full && want != nil
}

// enter comes to the start of a block: the names of its joins get a meaning.
func (t *trail) enter(f *Func, m *machine, b int32) {
	site := ^b
	in := &f.ins[b]
	fresh := map[*Expr]*Expr{}
	for i := range in.Regs {
		if name := phi(f.t, int(b), placeReg(i)); in.Regs[i].Expr == name {
			fresh[name] = t.s.Regs[i].Expr
		}
	}
	for i := range in.Slots {
		x := &in.Slots[i]
		if name := phi(f.t, int(b), placeSlot(x.Off)); x.Size == 8 && x.Expr == name {
			if v := t.s.get(f.t, x.Off, x.Size); v != nil {
				fresh[name] = v
			}
		}
	}
	t.again(m, site)
	for name, v := range fresh {
		if !v.mentions(site) {
			t.defined[name] = v
		}
	}
	t.s.rename(f.t, site)
}

// again forgets what is said of a site's last run: it runs again.
func (t *trail) again(m *machine, site int32) {
	for name, v := range t.defined {
		if name.Site == site || v.mentions(site) {
			delete(t.defined, name)
		}
	}
	t.conds = slices.DeleteFunc(t.conds, func(c condition) bool { return c.mentions(site) })
	t.stored = slices.DeleteFunc(t.stored, func(x stored) bool { return x.addr.mentions(site) })
	t.last = slices.DeleteFunc(t.last, func(x written) bool { return x.addr.mentions(site) || x.e.mentions(site) })
	if m.flags.mentions(site) {
		m.flags = flags{}
	}
}

// step executes an instruction of the way.
func (t *trail) step(f *Func, m *machine, i int32) {
	if f.g.blocks[f.g.of[i]].loop {
		t.again(m, i)
	}
	m.step(i)
}

// cross executes a block and goes on to another; false if control cannot go there.
func (t *trail) cross(f *Func, m *machine, b, to int32) bool {
	blk := &f.g.blocks[b]
	first := blk.insts[0]
	side := f.side(b, &t.s)[to]
	if side != nil && blk.loop {
		t.again(m, first)
	}
	for _, i := range blk.insts {
		t.step(f, m, i)
	}
	last := &f.g.insts[blk.insts[len(blk.insts)-1]]
	k := slices.IndexFunc(last.succ, func(j int32) bool { return f.g.of[j] == to })
	switch {
	case k < 0 && side == nil:
		return false
	case k < 0:
		t.s = *side
	default:
		next := &f.g.insts[last.succ[k]]
		m.branch(&t.s, next)
		if side == nil {
			t.branch(m, last, next)
			return true
		}
		t.s = *f.merge(&t.s, side, first)
	}
	m.flags = flags{}
	t.called()
	return true
}

// branch notes what the way at the end of a block proves.
func (t *trail) branch(m *machine, last, next *inst) {
	target, direct := last.Target()
	if last.Flow != disasm.CondJump || !direct || m.flags.a == nil || target == last.PC+uint64(last.Len) {
		return
	}
	t.conds = append(t.conds, condition{flags: m.flags, op: last.Op, taken: next.PC == target, by: last.PC})
}

func (t *trail) stores(m *machine, addr *Expr, size uint16, e *Expr) {
	if t == nil || len(t.stored) >= maxStored {
		return
	}
	t.stored = append(t.stored, stored{addr, size, m.site})
	t.last = append(t.last, written{t.stored[len(t.stored)-1], e, m.pc})
}

// called forgets what was stored last: others may have written there.
func (t *trail) called() {
	if t != nil {
		t.last = nil
	}
}

// compared notes the operands of cmp and test.
func (m *machine) compared(a, b *Expr) {
	size := uint8(m.in.Args[0].Size)
	if o := &m.in.Args[1]; o.Kind == disasm.ImmOperand {
		b = m.constant(uint64(o.Imm) & sizeMask(size))
	}
	m.flags = flags{a: a, b: b, size: size, test: m.in.Op == x86asm.TEST, pc: m.pc}
}

// resolve puts what the way's joins stand for in their place; nil if that becomes
// too large.
func (t *trail) resolve(tab *table, e *Expr, depth int) *Expr {
	if e == nil || len(t.defined) == 0 || depth > maxNodes || e.nodes > maxNodes {
		return e
	}
	if v, ok := t.defined[e]; ok {
		return t.resolve(tab, v, depth+1)
	}
	a, b := t.resolve(tab, e.A, depth+1), t.resolve(tab, e.B, depth+1)
	if a == e.A && b == e.B {
		return e
	}
	tab.pc = e.PC
	var r *Expr
	switch e.Op {
	case OpZext:
		r = tab.zext(a, e.Size)
	case OpSext:
		r = tab.sext(a, e.Size)
	case OpShl, OpShr, OpSar:
		r = tab.shift(e.Op, a, e.C)
	case OpLoad, OpGS:
		r = tab.make(exprKey{op: e.Op, size: e.Size, a: a, c: e.C, site: e.Site})
	default:
		r = tab.binary(e.Op, a, b)
	}
	if r.nodes > maxNodes {
		return e
	}
	return r
}
