package symbolic

import "slices"

// Binding says that in front of the instructions in [Low, High) a variable has the
// value that Term gives; nil if that cannot be told.
type Binding struct {
	Low, High uint64
	Term      func(b *Builder) *Expr
}

// Builder makes expressions over the state in front of an instruction.
type Builder struct {
	t    *table
	s    *State
	site int32
}

// Const is a number.
func (b *Builder) Const(v uint64) *Expr { return b.t.constant(v) }

// Reg is what a register holds.
func (b *Builder) Reg(n int) *Expr { return b.s.Regs[n].Expr }

// Entry is what a register held when the function was called.
func (b *Builder) Entry(n int) *Expr { return b.t.entry(n) }

// Binary combines two values.
func (b *Builder) Binary(op Op, x, y *Expr) *Expr {
	switch op {
	case OpShl, OpShr, OpSar:
		if !y.isConst() || y.C > 63 {
			return nil
		}
		return b.limit(b.t.shift(op, x, y.C))
	}
	return b.limit(b.t.binary(op, x, y))
}

// Low is the low bytes of a value.
func (b *Builder) Low(x *Expr, size uint8) *Expr { return b.t.zext(x, size) }

// Memory is what memory at an address holds; nil if that is a part of the frame of
// which it is not known.
func (b *Builder) Memory(addr *Expr, size uint8) *Expr {
	if b.site < 0 {
		return nil // it is not known when
	}
	if size != 1 && size != 2 && size != 4 && size != 8 {
		return nil
	}
	if off, ok := addr.frameOffset(); ok {
		return b.s.get(b.t, off, size)
	}
	return b.limit(b.t.make(exprKey{op: OpLoad, size: size, a: addr, c: 1, site: b.site}))
}

func (b *Builder) limit(e *Expr) *Expr {
	if e.nodes > maxNodes {
		return nil
	}
	return e
}

// Build makes an expression over a state of the function.
func (f *Func) Build(s *State, term func(b *Builder) *Expr) *Expr {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.t.pc = 0
	return term(&Builder{f.t, s, -1})
}

// ghost is a variable that is followed beside the state.
type ghost struct {
	expr  *Expr
	bound int    // index of the binding that holds, -1 if none does
	at    uint64 // the last instruction that one held for
	wrote bool   // the instruction before changed memory
}

// follower carries a variable along all paths.
type follower struct {
	f    *Func
	list []Binding
	in   []*ghost
}

// Follow is the value that a variable was last said to have, on all paths that lead
// to the instruction at pc, and up to which instruction that was said. The variable
// counts as lost where it is no longer said to be in a place that still holds it: it
// may have been assigned; and where a path goes round a loop.
func (f *Func) Follow(list []Binding, pc uint64) (e *Expr, asOf uint64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	target, ok := f.find(pc)
	if !ok || !f.have[f.g.of[target]] || len(list) == 0 {
		return nil, 0, false
	}
	w := &follower{f: f, list: list, in: make([]*ghost, len(f.g.blocks))}
	// A path goes round a loop only to what is not known, so that one pass over the
	// blocks in their order is enough.
	for _, b := range f.g.order {
		if !f.have[b] {
			continue
		}
		if w.in[b] == nil || b == f.g.order[0] {
			w.in[b] = w.unknown(b)
		}
		g := *w.in[b]
		if w.block(b, &g, target) {
			if g.expr.Op == OpOpaque && g.expr.C&placeGhost != 0 {
				return nil, 0, false
			}
			return g.expr, g.at, true
		}
	}
	return nil, 0, false
}

func (w *follower) unknown(b int32) *ghost {
	return &ghost{expr: w.f.t.opaque(^b, placeGhost), bound: -1}
}

// covering is the binding that holds in front of an instruction.
func (w *follower) covering(pc uint64) int {
	return slices.IndexFunc(w.list, func(b Binding) bool { return pc >= b.Low && pc < b.High })
}

// arrive is what happens to the variable in front of an instruction.
func (w *follower) arrive(g *ghost, s *State, i int32, block int32) {
	pc := w.f.g.insts[i].PC
	w.f.t.pc = 0 // no instruction carries what is said of the variable
	b := &Builder{w.f.t, s, i}
	if n := w.covering(pc); n >= 0 {
		e := w.list[n].Term(b)
		if e == nil || e.nodes > maxNodes {
			e = w.unknown(block).expr
		}
		*g = ghost{expr: e, bound: n, at: pc}
		return
	}
	if g.bound >= 0 {
		if g.stands(w.list[g.bound].Term(b)) {
			g.expr = w.unknown(block).expr
		}
		g.bound = -1
	}
}

// stands reports whether the place that the variable was last said to be in still
// has its value: then it is the variable that changed. Of memory that is not known
// once something was stored.
func (g *ghost) stands(now *Expr) bool {
	if now != nil && now.Op == OpLoad && now.C == 1 && g.expr.Op == OpLoad && g.expr.C == 1 {
		return !g.wrote && now.A == g.expr.A
	}
	return now == g.expr
}

// block carries the variable through a block; true if it came to the target.
func (w *follower) block(b int32, g *ghost, target int32) bool {
	blk := &w.f.g.blocks[b]
	s := w.f.ins[b].clone()
	m := &machine{table: w.f.t, fn: w.f, s: &s}
	first := *g
	for k, i := range blk.insts {
		in := &w.f.g.insts[i]
		w.arrive(g, &s, i, b)
		if k == 0 {
			first = *g
		}
		if i == target {
			return true
		}
		if blk.loop && g.expr.mentions(i) {
			g.expr, g.bound = w.unknown(b).expr, -1
		}
		m.step(i)
		g.wrote = in.WritesMem()
	}
	for _, to := range blk.succ {
		x := *g
		w.arrive(&x, &s, w.f.g.blocks[to].insts[0], b)
		if len(w.f.g.insts[blk.insts[0]].edges) > 0 && (first.expr != g.expr || first.bound >= 0) {
			x = *w.unknown(to) // the way may leave in front of the first instruction
		}
		if w.f.g.rank[to] > w.f.g.rank[b] {
			w.meet(to, &x)
		}
	}
	return false
}

// meet joins what a path brings to the start of a block.
func (w *follower) meet(to int32, g *ghost) {
	old := w.in[to]
	switch {
	case old == nil:
		w.in[to] = g
	case old.expr != g.expr:
		w.in[to] = w.unknown(to)
	default:
		old.at = min(old.at, g.at)
		if old.bound != g.bound {
			old.bound = -1
		}
	}
	if w.loopHead(to) {
		w.in[to] = w.unknown(to)
	}
}

// loopHead reports whether a path comes back to the block from behind.
func (w *follower) loopHead(b int32) bool {
	return slices.ContainsFunc(w.f.g.blocks[b].pred, func(p int32) bool { return w.f.g.rank[p] >= w.f.g.rank[b] })
}
