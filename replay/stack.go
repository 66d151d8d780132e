package replay

import (
	"errors"
	"slices"
	"sync"

	"github.com/kdive/kdive/replay/symbolic"
	"github.com/kdive/kdive/unwind"
)

// stack is one trace with what was derived of its frames.
type stack struct {
	m  *Model
	tr *unwind.Trace

	mu     sync.Mutex
	points []*point
	up     int // how many callers up a question has come
}

// point is where one frame stands in its function.
type point struct {
	s     *stack
	i     int
	fn    *function
	pc    uint64 // of the instruction: that which is next, the call that runs, or the jump that left
	facts symbolic.Facts
	err   error

	entry map[unwind.Reg]answer
}

type answer struct {
	v   symbolic.Value
	err error
}

// hardware are the numbers that instructions have for registers, by DWARF number.
var hardware = [...]int{unwind.RAX: 0, unwind.RCX: 1, unwind.RDX: 2, unwind.RBX: 3, unwind.RSP: 4, unwind.RBP: 5, unwind.RSI: 6, unwind.RDI: 7,
	unwind.R8: 8, unwind.R9: 9, unwind.R10: 10, unwind.R11: 11, unwind.R12: 12, unwind.R13: 13, unwind.R14: 14, unwind.R15: 15}

// dwarfNumber is the inverse of hardware.
var dwarfNumber = func() (list [16]unwind.Reg) {
	for d, h := range hardware {
		list[h] = unwind.Reg(d)
	}
	return list
}()

// maxStacks bounds what is kept of traces.
const maxStacks = 8

// maxCallers bounds how many frames up arguments are looked for.
const maxCallers = 8

func (m *Model) stack(tr *unwind.Trace) *stack {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stacks[tr]
	if s == nil {
		if len(m.stacks) >= maxStacks {
			clear(m.stacks)
		}
		s = &stack{m: m, tr: tr, points: make([]*point, len(tr.Frames))}
		m.stacks[tr] = s
	}
	return s
}

var (
	errGuessed   = errors.New("the frame, or the one above it, is a guess")
	errNotCalled = errors.New("the frame above is not that of a call")
	errNotThere  = errors.New("the code does not lead there")
	errFrame     = errors.New("the code and the unwind tables do not agree on where the frame is")
	errNoCaller  = errors.New("there is no caller")
	errTarget    = errors.New("what the frame above called is not known to be this function")
)

// point is the place of a frame; its err is why nothing can be derived.
func (s *stack) point(i int) *point {
	if i < 0 || i >= len(s.points) {
		return &point{s: s, i: i, err: errNoCaller}
	}
	if s.points[i] == nil {
		p := &point{s: s, i: i, entry: map[unwind.Reg]answer{}}
		s.points[i] = p
		p.err = p.locate()
	}
	return s.points[i]
}

func (p *point) locate() error {
	f := &p.s.tr.Frames[p.i]
	if f.Source.Guess() {
		return errGuessed
	}
	p.fn = p.s.m.function(f.CallSite())
	if p.fn.err != nil {
		return p.systemCall(f)
	}
	st, ok := symbolic.State{}, false
	switch {
	case f.Source == unwind.FromTailCall:
		p.pc = f.PC
		st, ok = p.fn.At(f.PC)
	case f.Exact:
		p.pc = f.PC
		st, ok = p.fn.Interrupted(f.PC)
	default:
		in, found := p.fn.Call(f.PC)
		if !found {
			return errNotThere
		}
		p.pc = in.PC
		st, ok = p.fn.During(in.PC)
	}
	if !ok {
		return errNotThere
	}
	p.facts = symbolic.Facts{PC: p.pc, State: st, Read: p.s.m.read, Freed: p.s.m.freed, GS: p.s.m.current(&p.s.tr.Thread), Reg: p.register, Entry: p.entered}
	if f.CFA != 0 && !(p.i+1 < len(p.s.tr.Frames) && p.s.tr.Frames[p.i+1].Source.Guess()) {
		p.facts.Stack, p.facts.StackKnown = f.CFA-8, true
		if d, ok := p.depth(); ok && p.facts.Stack+uint64(d) != f.SP {
			return errFrame
		}
	}
	return nil
}

// depth is how far the stack pointer is from where it was when the function was
// called.
func (p *point) depth() (int64, bool) {
	return p.facts.State.Depth()
}

// register is what the tables know of the frame.
func (p *point) register(n int) (symbolic.Value, bool) {
	v, ok := p.s.tr.Frames[p.i].Regs.Get(dwarfNumber[n])
	return symbolic.Value{Bits: v}, ok
}

// entered is what a register held when the frame's function was called.
func (p *point) entered(n int) (symbolic.Value, bool) {
	r := dwarfNumber[n]
	a, ok := p.entry[r]
	if !ok {
		p.entry[r] = answer{err: errNoCaller} // of itself
		a.v, a.err = p.fromCaller(n)
		p.entry[r] = a
	}
	return a.v, a.err == nil
}

// fromCaller derives it in the frame above.
func (p *point) fromCaller(n int) (symbolic.Value, error) {
	if p.i+1 >= len(p.s.tr.Frames) {
		return symbolic.Value{}, errNoCaller
	}
	above := &p.s.tr.Frames[p.i+1]
	tail := above.Source == unwind.FromTailCall
	if above.Source.Guess() {
		return symbolic.Value{}, errGuessed
	}
	if above.Interrupted != nil || above.Exact && !tail {
		return symbolic.Value{}, errNotCalled
	}
	if isCalleeSaved(n) {
		if v, ok := above.Regs.Get(dwarfNumber[n]); ok {
			return symbolic.Value{Bits: v}, nil
		}
	}
	c := p.s.point(p.i + 1)
	if c.err != nil {
		return symbolic.Value{}, c.err
	}
	if p.fn == nil || p.fn.entry == 0 {
		return symbolic.Value{}, errNotThere
	}
	if !tail && !c.calls(p.fn.entry) {
		return symbolic.Value{}, errTarget
	}
	if p.s.up >= maxCallers {
		return symbolic.Value{}, errNoCaller
	}
	p.s.up++
	defer func() { p.s.up-- }()
	v, err := c.held(n)
	if err == nil {
		v.Via = append(slices.Clone(v.Via), c.pc)
	}
	return v, err
}

func isCalleeSaved(n int) bool {
	switch unwind.Reg(dwarfNumber[n]) {
	case unwind.RBX, unwind.RBP, unwind.R12, unwind.R13, unwind.R14, unwind.R15:
		return true
	}
	return false
}

// value is what an expression of the frame's function was.
func (p *point) value(e *symbolic.Expr) (symbolic.Value, error) {
	if p.err != nil {
		return symbolic.Value{}, p.err
	}
	return p.fn.Value(e, &p.facts)
}
