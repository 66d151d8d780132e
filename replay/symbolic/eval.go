package symbolic

import (
	"errors"
	"slices"
)

// Facts are what is known at one point of a function.
type Facts struct {
	PC    uint64 // of the instruction in front of which that is
	State State  // the expressions that hold there
	// Reg is a register's value there, Entry one's when the function was called.
	// Each may be nil.
	Reg, Entry func(n int) (Value, bool)
	// Stack is the stack pointer that the function was called with.
	Stack      uint64
	StackKnown bool
	// Loose: the stack is known to others, who may have changed it.
	Loose bool
	// Read reads memory as it is now: constant says that it never changes.
	Read func(addr uint64, size uint8) (v uint64, constant bool, err error)
	// Freed reports whether memory was freed, so that what it holds now is not what
	// was read. May be nil.
	Freed func(addr uint64) bool
	// GS reads memory relative to the base of segment GS, if it cannot have changed.
	GS func(off uint64, size uint8) (uint64, bool)
	// Hide, for tests: a place of the state that must not be used.
	HideReg  int // register + 1
	HideSlot *Slot
}

// Value is a number and where it comes from.
type Value struct {
	Bits uint64
	Via  []uint64 // instructions that carry it
	// Changed: memory was read that may have been written since.
	Changed bool
	// Against are the instructions at which other ways to the point contradict what
	// is known; none if no way was left out.
	Against []uint64
	// ByMemory: what they contradict is memory that may have been written since;
	// Changed is set, too.
	ByMemory bool
}

// Why a value cannot be told.
var (
	ErrUnknown       = errors.New("the paths that lead here do not agree on it, or nothing holds it any more")
	ErrOverwritten   = errors.New("it was read from memory that the function changes")
	ErrFreed         = errors.New("it was read from memory that was freed since")
	ErrContradiction = errors.New("what is known contradicts the code")
)

// evaluator turns expressions into numbers.
type evaluator struct {
	f     *Func
	facts *Facts
	memo  map[*Expr]*result
	work  int
	extra []stored // of the way that is asked

	// What must not be used: a register + 1, a slot of the state, a fact.
	noReg  int
	noSlot *Slot
	noFact uint64
}

type result struct {
	v   Value
	err error
}

const maxWork = 1 << 12

// Value is what an expression was, by what is known at a point. It takes no lock:
// Facts may ask for values of the same function, called from itself.
func (f *Func) Value(e *Expr, facts *Facts) (Value, error) {
	ev := &evaluator{f: f, facts: facts, memo: map[*Expr]*result{}}
	v, err := ev.value(e)
	if errors.Is(err, ErrUnknown) || errors.Is(err, ErrOverwritten) || errors.Is(err, ErrFreed) || err == nil && v.Changed {
		switch w, e := f.byWays(e, facts); {
		case e == nil && w.ByMemory && err == nil && v.Bits != w.Bits:
			err = ErrContradiction
		case e == nil:
			v, err = w, nil
		case errors.Is(e, ErrContradiction):
			err = e
		}
	}
	v.Via = unique(v.Via)
	return v, err
}

// unique drops what comes again.
func unique(list []uint64) []uint64 {
	var out []uint64
	for _, x := range list {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// Low is the expression of the low bytes of another.
func (f *Func) Low(e *Expr, size uint8) *Expr {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.t.zext(e, size)
}

func (ev *evaluator) value(e *Expr) (Value, error) {
	if r, ok := ev.memo[e]; ok {
		if r == nil {
			return Value{}, ErrUnknown // of itself
		}
		return r.v, r.err
	}
	if ev.work++; ev.work > maxWork {
		return Value{}, errWork
	}
	ev.memo[e] = nil
	v, err := ev.find(e)
	ev.memo[e] = &result{v, err}
	return v, err
}

// find tries what is certain first: what holds the value still, then what it is
// computed of, then memory.
func (ev *evaluator) find(e *Expr) (Value, error) {
	if e.isConst() {
		return Value{Bits: e.C}, nil // it has many origins
	}
	for _, f := range ev.facts.State.Facts {
		if f.Expr == e && (ev.noFact == 0 || f.By != ev.noFact) {
			return Value{Bits: f.C, Via: via(f.By)}, nil
		}
	}
	if v, ok, err := ev.held(e); ok || err != nil {
		return v, err
	}
	switch e.Op {
	case OpEntry:
		return ev.entry(int(e.C))
	case OpOpaque:
		return Value{}, ErrUnknown
	case OpLoad:
		return ev.load(e)
	case OpGS:
		return Value{}, ErrUnknown
	}
	a, err := ev.value(e.A)
	if err != nil {
		return Value{}, err
	}
	switch e.Op {
	case OpZext:
		return a.with(a.Bits&sizeMask(e.Size), e.PC), nil
	case OpSext:
		return a.with(signed(a.Bits, e.Size), e.PC), nil
	case OpShl, OpShr, OpSar:
		return a.with(apply(e.Op, a.Bits, e.C), e.PC), nil
	}
	b, err := ev.value(e.B)
	if err != nil {
		return Value{}, err
	}
	r := a.with(apply(e.Op, a.Bits, b.Bits), e.PC)
	r.Via = append(r.Via, b.Via...)
	r.Against = append(slices.Clone(r.Against), b.Against...)
	r.ByMemory = r.ByMemory || b.ByMemory
	r.Changed = r.Changed || b.Changed
	return r, nil
}

func via(pc uint64) []uint64 {
	if pc == 0 {
		return nil
	}
	return []uint64{pc}
}

func (v Value) with(bits, pc uint64) Value {
	v.Bits = bits
	v.Via = append(slices.Clone(v.Via), via(pc)...)
	return v
}

func (ev *evaluator) entry(n int) (Value, error) {
	if n == rsp && ev.facts.StackKnown {
		return Value{Bits: ev.facts.Stack}, nil
	}
	if ev.facts.Entry != nil {
		if v, ok := ev.facts.Entry(n); ok {
			return v, nil
		}
	}
	return Value{}, ErrUnknown
}

// held looks for a register or a piece of the stack that holds an expression, or
// another from which it follows. All that do must agree.
func (ev *evaluator) held(e *Expr) (Value, bool, error) {
	var found Value
	var ok bool
	try := func(h Held, v Value) error {
		bits, exact := invert(h.Expr, v.Bits, e)
		if !exact {
			return nil
		}
		v = v.with(bits, h.By)
		if ok && found.Bits != v.Bits && found.Changed == v.Changed {
			return ErrContradiction
		}
		if !ok || found.Changed && !v.Changed {
			found, ok = v, true
		}
		return nil
	}
	s := &ev.facts.State
	for n := range s.Regs {
		if n == rsp || n+1 == ev.facts.HideReg || n+1 == ev.noReg || ev.facts.Reg == nil || !related(s.Regs[n].Expr, e) {
			continue
		}
		if v, known := ev.facts.Reg(n); known {
			if err := try(s.Regs[n], v); err != nil {
				return Value{}, false, err
			}
		}
	}
	for i := range s.Slots {
		x := &s.Slots[i]
		if !ev.facts.StackKnown || x == ev.noSlot || !related(x.Expr, e) || ev.facts.hides(x) {
			continue
		}
		if bits, _, err := ev.facts.Read(ev.facts.Stack+uint64(x.Off), x.Size); err == nil {
			if err := try(x.Held, Value{Bits: bits, Changed: ev.facts.Loose}); err != nil {
				return Value{}, false, err
			}
		}
	}
	return found, ok, nil
}

// hides reports whether a slot is one that must not be used.
func (f *Facts) hides(x *Slot) bool {
	h := f.HideSlot
	return h != nil && x.Off < h.Off+int64(h.Size) && h.Off < x.Off+int64(x.Size)
}

// related is a cheap first look whether invert may succeed.
func related(held, e *Expr) bool {
	return held == e || held.Op == OpAdd || held.Op == OpXor || held.Op == OpSub || held.Op == OpZext || held.Op == OpSext || e.Op == OpZext || e.Op == OpSext
}

// invert finds the value of e if held has the value v: held is e itself, or e with
// a constant added, or e is the low part of held.
func invert(held *Expr, v uint64, e *Expr) (uint64, bool) {
	mask := ^uint64(0)
	want := e
	if e.Op == OpZext {
		mask, want = sizeMask(e.Size), e.A
	}
	for range 4 {
		switch {
		case held == e || held == want:
			return v & mask, true
		case mask != ^uint64(0) && (held.Op == OpZext || held.Op == OpSext) && sizeMask(held.Size) >= mask:
			held = held.A
		case held.Op == OpAdd && held.B.isConst():
			v, held = v-held.B.C, held.A
		case held.Op == OpXor && held.B.isConst():
			v, held = v^held.B.C, held.A
		case held.Op == OpSub && held.A.isConst():
			v, held = held.A.C-v, held.B
		case held.Op == OpSext && e.Op != OpZext && held.A == e:
			return v & sizeMask(held.Size), e.width() <= held.Size
		default:
			return 0, false
		}
	}
	return 0, false
}

// load reads memory again, unless the function itself has written there.
func (ev *evaluator) load(e *Expr) (Value, error) {
	if e.A.Op == OpGS {
		off, err := ev.value(e.A.A)
		if err != nil {
			return Value{}, err
		}
		if ev.facts.GS != nil {
			if bits, ok := ev.facts.GS(off.Bits, e.Size); ok {
				return off.with(bits, e.PC), nil
			}
		}
		return Value{}, ErrUnknown
	}
	addr, err := ev.value(e.A)
	if err != nil {
		return Value{}, err
	}
	bits, constant, err := ev.facts.Read(addr.Bits, e.Size)
	if err != nil {
		return Value{}, err
	}
	if !constant && ev.overwrites(e) {
		return Value{}, ErrOverwritten
	}
	if !constant && ev.facts.Freed != nil && ev.facts.Freed(addr.Bits) {
		return Value{}, ErrFreed
	}
	v := addr.with(bits, e.PC)
	v.Changed = v.Changed || !constant
	return v, nil
}

// overwrites reports whether a store of the function goes to this very memory on a
// way from where it was read to the point.
func (ev *evaluator) overwrites(e *Expr) bool {
	f := ev.f
	p, ok := f.find(ev.facts.PC)
	if !ok || len(f.frame.stored) >= maxStored {
		return true
	}
	base, off := split(e.A)
	for i := range len(f.frame.stored) + len(ev.extra) {
		x := &stored{}
		if i < len(f.frame.stored) {
			x = &f.frame.stored[i]
		} else {
			x = &ev.extra[i-len(f.frame.stored)]
		}
		b, o := split(x.addr)
		if b != base || o >= off+int64(e.Size) || x.size != 0 && off >= o+int64(x.size) {
			continue
		}
		if f.g.reaches(e.Site, x.site) && f.g.reaches(x.site, p) {
			return true
		}
	}
	return false
}

func split(e *Expr) (*Expr, int64) {
	switch {
	case e.Op == OpAdd && e.B.isConst():
		return e.A, int64(e.B.C)
	case e.isConst():
		return nil, int64(e.C)
	}
	return e, 0
}
