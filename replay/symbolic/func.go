package symbolic

import (
	"errors"
	"fmt"
	"sort"
	"sync"

	"github.com/kdive/kdive/disasm"
)

// Func is an analyzed function. It is safe for concurrent use.
type Func struct {
	code  *Code
	g     *graph
	exits []Exit
	byPC  []int32 // instructions by address
	frame frame

	mu   sync.Mutex
	t    *table
	ins  []State // at the start of each block
	have []bool
}

// frame is what a function does with its frame at all, learned while it is
// analyzed.
type frame struct {
	objects []Extent
	read    map[int64]bool // offsets that it reads
	escaped []Extent       // others may know their address
	all     bool           // others may know of any part
	grew    bool
	stored  []stored
	frozen  bool // the analysis is done
}

// stored is memory that the function changes.
type stored struct {
	addr *Expr
	size uint16
	site int32
}

// taken notes that the address of a part of the frame leaves the stack pointer.
func (f *frame) taken(e *Expr) {
	if f.all {
		return
	}
	off, ok := e.frameOffset()
	if !ok && e.Op == OpAdd && e.B.isConst() && e.A.Op == OpAdd { // an element of an array
		off, ok = int64(e.B.C), true
	}
	before := len(f.escaped)
	found := false
	for _, x := range f.objects {
		if ok && off >= x.Low && off <= x.High {
			found = true
			f.escape(x)
		}
	}
	if !found {
		f.all = true
	}
	f.grew = f.grew || f.all || len(f.escaped) > before
}

func (f *frame) escape(x Extent) {
	for _, y := range f.escaped {
		if x == y {
			return
		}
	}
	f.escaped = append(f.escaped, x)
}

// maxStored bounds what is kept of stores; the rest counts as changing anything.
const maxStored = 1 << 12

func (f *frame) stores(addr *Expr, size uint16, site int32) {
	if len(f.stored) < maxStored && !f.frozen {
		f.stored = append(f.stored, stored{addr, size, site})
	}
}

// reads notes that the function itself reads a place of the frame.
func (f *frame) reads(off int64) {
	if !f.frozen {
		f.read[off] = true
	}
}

var errWork = errors.New("the function takes too much work to follow")

// Analyze follows all paths through a function.
func Analyze(c Code) (*Func, error) {
	d, err := c.decode()
	if err != nil {
		return nil, err
	}
	g, err := d.graph()
	if err != nil {
		return nil, err
	}
	f := &Func{code: &c, g: g, exits: d.exits, byPC: make([]int32, len(g.insts))}
	for i := range f.byPC {
		f.byPC[i] = int32(i)
	}
	sort.Slice(f.byPC, func(i, j int) bool { return g.insts[f.byPC[i]].PC < g.insts[f.byPC[j]].PC })
	f.frame = frame{objects: c.Objects, read: map[int64]bool{}}
	const passes = 6
	for range passes {
		f.frame.grew, f.frame.stored = false, nil
		reads := len(f.frame.read)
		f.t = &table{byKey: map[exprKey]*Expr{}}
		if err := f.fixpoint(); err != nil {
			return nil, err
		}
		if !f.frame.grew && len(f.frame.read) == reads {
			f.frame.frozen = true
			return f, f.checkExits()
		}
	}
	return nil, errWork
}

// fixpoint executes blocks until the states at their starts stay as they are.
func (f *Func) fixpoint() error {
	n := len(f.g.blocks)
	f.ins, f.have = make([]State, n), make([]bool, n)
	outs := make([]map[int32]*State, n) // of each block, by successor
	stuck := make([]map[uint64]bool, n)
	entry := f.g.order[0]
	initial := f.initial()
	pending := make([]bool, n)
	pending[entry] = true
	budget := 24*len(f.g.order) + 64
	for at := 0; at < len(f.g.order); {
		b := f.g.order[at]
		at++
		if !pending[b] {
			continue
		}
		pending[b] = false
		if budget--; budget < 0 || f.t.full {
			return errWork
		}
		in, ok := f.enter(b, entry, &initial, outs, stuck)
		if !ok || f.have[b] && sameState(&in, &f.ins[b]) {
			continue
		}
		f.ins[b], f.have[b] = in, true
		outs[b] = f.leave(b, in.clone())
		for _, s := range f.g.blocks[b].succ {
			pending[s] = true
			at = min(at, int(f.g.rank[s]))
		}
	}
	if f.t.full {
		return errWork
	}
	return nil
}

func (f *Func) initial() State {
	var s State
	for i := range s.Regs {
		s.Regs[i].Expr = f.t.entry(i)
	}
	return s
}

// enter is the state at the start of a block.
func (f *Func) enter(b, entry int32, initial *State, outs []map[int32]*State, stuck []map[uint64]bool) (State, bool) {
	var ins []*State
	if b == entry {
		ins = append(ins, initial)
	}
	for _, p := range f.g.blocks[b].pred {
		if s := outs[p][b]; s != nil {
			ins = append(ins, s)
		}
	}
	switch {
	case len(ins) == 0:
		return State{}, false
	case len(ins) == 1 && len(f.g.blocks[b].pred) <= 1 && b != entry:
		return ins[0].clone(), true
	}
	if stuck[b] == nil {
		stuck[b] = map[uint64]bool{}
	}
	return f.join(int(b), ins, stuck[b]), true
}

// leave executes a block and returns the states on the ways out of it.
func (f *Func) leave(b int32, s State) map[int32]*State {
	out := map[int32]*State{}
	m := &machine{table: f.t, fn: f, s: &s}
	blk := &f.g.blocks[b]
	first := blk.insts[0]
	side := f.side(b, &s)
	for _, i := range blk.insts {
		m.step(i)
	}
	last := &f.g.insts[blk.insts[len(blk.insts)-1]]
	for _, j := range last.succ {
		c := s.clone()
		m.branch(&c, &f.g.insts[j])
		out[f.g.of[j]] = &c
	}
	for t, c := range side {
		if out[t] != nil { // both ways lead to the same block
			out[t] = f.merge(out[t], c, first)
		} else {
			out[t] = c
		}
	}
	return out
}

// side is the states on the ways that leave in front of a block's first instruction,
// by block.
func (f *Func) side(b int32, s *State) map[int32]*State {
	side := map[int32]*State{}
	blk := &f.g.blocks[b]
	first := blk.insts[0]
	for _, e := range f.g.insts[first].edges {
		j, ok := f.find(e.To)
		if !ok {
			continue
		}
		c := s.clone()
		sm := &machine{table: f.t, fn: f, s: &c, in: &f.g.insts[first], site: first}
		sm.pc = f.g.insts[first].PC
		if blk.loop {
			c.rename(f.t, first)
		}
		sm.take(first, e)
		side[f.g.of[j]] = &c
	}
	return side
}

// merge makes one state of two that leave a block for the same successor.
func (f *Func) merge(a, b *State, site int32) *State {
	c := a.clone()
	for i := range c.Regs {
		if c.Regs[i].Expr != b.Regs[i].Expr {
			c.Regs[i] = Held{f.t.opaque(site, placeResult|0x2000|uint64(i)), 0}
		}
	}
	c.Slots, c.Facts, c.zero = nil, nil, Fact{}
	return &c
}

// checkExits makes sure that the frame is gone where the function is left by a
// jump: else what follows is a part of it that is not known.
func (f *Func) checkExits() error {
	for _, x := range f.exits {
		if x.Kind != ExitJump && x.Kind != ExitIndirect {
			continue
		}
		s, ok := f.At(x.PC)
		if !ok {
			continue
		}
		if d, ok := s.depth(); !ok || d != 0 {
			return fmt.Errorf("the jump at %#x leads to code of the function that is not known", x.PC)
		}
	}
	return nil
}

// find is the instruction at pc.
func (f *Func) find(pc uint64) (int32, bool) {
	n := sort.Search(len(f.byPC), func(i int) bool { return f.g.insts[f.byPC[i]].PC >= pc })
	if n < len(f.byPC) && f.g.insts[f.byPC[n]].PC == pc {
		return f.byPC[n], true
	}
	return 0, false
}

// At is the state in front of the instruction at pc; false if no path leads there.
func (f *Func) At(pc uint64) (State, bool) { return f.state(pc, inFront) }

// Interrupted is the state where an exception came in front of the instruction at
// pc, or in the middle of it if it is one that repeats.
func (f *Func) Interrupted(pc uint64) (State, bool) { return f.state(pc, interrupted) }

// During is the state while the call at pc runs: registers as they were in front of
// it, and of the stack what the called function cannot change.
func (f *Func) During(pc uint64) (State, bool) { return f.state(pc, during) }

func (f *Func) state(pc uint64, kind pointKind) (State, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i, ok := f.find(pc)
	if !ok {
		return State{}, false
	}
	s, ok := f.before(i)
	if ok {
		f.finish(&s, i, kind)
	}
	return s, ok
}

func (f *Func) before(i int32) (State, bool) {
	b := f.g.of[i]
	if !f.have[b] {
		return State{}, false
	}
	s := f.ins[b].clone()
	m := &machine{table: f.t, fn: f, s: &s}
	for _, j := range f.g.blocks[b].insts {
		if j == i {
			break
		}
		m.step(j)
	}
	return s, true
}

// Call is the call instruction in front of a return address.
func (f *Func) Call(ret uint64) (*disasm.Inst, bool) {
	n := sort.Search(len(f.byPC), func(i int) bool { return f.g.insts[f.byPC[i]].PC >= ret })
	if n == 0 {
		return nil, false
	}
	in := &f.g.insts[f.byPC[n-1]]
	if in.Flow != disasm.Call || in.PC+uint64(in.Len) != ret {
		return nil, false
	}
	return &in.Inst, true
}

// pointKind tells apart what is asked of an instruction.
type pointKind uint8

const (
	inFront pointKind = iota
	interrupted
	during
)

// finish makes of the state in front of an instruction the one that is asked for.
func (f *Func) finish(s *State, i int32, kind pointKind) {
	s.kind = kind
	in := &f.g.insts[i]
	m := &machine{table: f.t, fn: f, s: s, in: in, site: i}
	switch {
	case kind == interrupted && in.repeats():
		m.take(i, Edge{Fault: true})
	case kind == during:
		m.arguments()
		m.escaped()
	}
}

// repeats reports whether the instruction has a rep prefix.
func (in *inst) repeats() bool {
	b := in.Bytes()
	for len(b) > 1 && b[0] == 0x66 {
		b = b[1:]
	}
	return b[0] == 0xf2 || b[0] == 0xf3
}

// Exits are the ways out of the function.
func (f *Func) Exits() []Exit { return f.exits }

// Entry is the address of the function's first instruction.
func (f *Func) Entry() uint64 { return f.code.Entry }

// EntryOf is what a register held when the function was called.
func (f *Func) EntryOf(n int) *Expr {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.t.entry(n)
}
