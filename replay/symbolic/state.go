package symbolic

import "slices"

// General registers in the order of their encoding; see disasm.Reg.GPR.
const (
	rax = iota
	rcx
	rdx
	rbx
	rsp
	rbp
	rsi
	rdi
	r8
	r9
	r10
	r11
	numRegs = 16
)

// callerSaved are the registers that a called function need not keep.
var callerSaved = [...]int{rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11}

// Held is what a place holds.
type Held struct {
	Expr *Expr
	By   uint64 // the instruction that put it there, 0 if several may have, or none
}

// Slot is a piece of the frame whose content is known as an expression.
type Slot struct {
	Off  int64 // from the stack pointer that the function was called with
	Size uint8
	Held
}

// Fact is a value that the way to an instruction proves: a branch was taken.
type Fact struct {
	Expr *Expr
	C    uint64
	By   uint64 // the comparison
}

// maxFacts bounds the facts of one state; the oldest go.
const maxFacts = 8

// State is what registers and stack hold in front of an instruction.
type State struct {
	Regs  [numRegs]Held
	Slots []Slot // by Off; none overlap
	Facts []Fact
	zero  Fact // holds if the zero flag is set; Expr is nil if that says nothing
	kind  pointKind
}

func (s *State) clone() State {
	c := *s
	c.Slots = slices.Clone(s.Slots)
	c.Facts = slices.Clone(s.Facts)
	return c
}

// depth is the offset of the stack pointer from where it was at the start.
func (s *State) depth() (int64, bool) { return s.Regs[rsp].Expr.frameOffset() }

// Depth is the offset of the stack pointer from where it was when the function was
// called; false if it is not known.
func (s *State) Depth() (int64, bool) {
	if s.Regs[rsp].Expr == nil {
		return 0, false
	}
	return s.depth()
}

// slotAt is the index of the first slot that ends behind an offset.
func (s *State) slotAt(off int64) int {
	i, _ := slices.BinarySearchFunc(s.Slots, off, func(x Slot, off int64) int {
		if x.Off+int64(x.Size) <= off {
			return -1
		}
		return 1
	})
	return i
}

// forget drops what lies in [low, high) of the frame, in part or in whole.
func (s *State) forget(low, high int64) {
	i := s.slotAt(low)
	j := i
	for j < len(s.Slots) && s.Slots[j].Off < high {
		j++
	}
	s.Slots = slices.Delete(s.Slots, i, j)
}

const (
	maxSlots  = 512
	frameSpan = 1 << 16 // bytes of a frame that are followed
)

func (s *State) put(off int64, size uint8, h Held) {
	s.forget(off, off+int64(size))
	if len(s.Slots) >= maxSlots || off < -frameSpan || off > frameSpan {
		return
	}
	s.Slots = slices.Insert(s.Slots, s.slotAt(off), Slot{Off: off, Size: size, Held: h})
}

// get is the content of a piece of the frame, nil if it is not known.
func (s *State) get(t *table, off int64, size uint8) *Expr {
	i := s.slotAt(off)
	if i == len(s.Slots) {
		return nil
	}
	x := &s.Slots[i]
	if off < x.Off || off+int64(size) > x.Off+int64(x.Size) {
		return nil
	}
	return t.zext(t.shift(OpShr, x.Expr, uint64(off-x.Off)*8), size)
}

func (s *State) mentions(site int32) bool {
	for i := range s.Regs {
		if s.Regs[i].Expr.mentions(site) {
			return true
		}
	}
	for i := range s.Slots {
		if s.Slots[i].Expr.mentions(site) {
			return true
		}
	}
	for i := range s.Facts {
		if s.Facts[i].Expr.mentions(site) {
			return true
		}
	}
	return s.zero.Expr.mentions(site)
}

// forgetFacts drops what is known of a site's last run.
func (s *State) forgetFacts(site int32) {
	s.Facts = slices.DeleteFunc(s.Facts, func(f Fact) bool { return f.Expr.mentions(site) })
	if s.zero.Expr.mentions(site) {
		s.zero = Fact{}
	}
}

// learn adds a fact.
func (s *State) learn(f Fact) {
	if f.Expr == nil || f.Expr.isConst() || slices.ContainsFunc(s.Facts, func(g Fact) bool { return g.Expr == f.Expr }) {
		return
	}
	if len(s.Facts) >= maxFacts {
		s.Facts = slices.Delete(s.Facts, 0, 1)
	}
	s.Facts = append(s.Facts, f)
}

// rename gives all places that hold something of a site's last run a new name,
// before the site runs again.
func (s *State) rename(t *table, site int32) {
	if !s.mentions(site) {
		return
	}
	s.forgetFacts(site)
	for i := range s.Regs {
		if s.Regs[i].Expr.mentions(site) {
			s.Regs[i].Expr = t.opaque(site, placeReg(i))
		}
	}
	for i := range s.Slots {
		if x := &s.Slots[i]; x.Expr.mentions(site) {
			x.Expr = t.zext(t.opaque(site, placeSlot(x.Off)), x.Size)
		}
	}
}

// Places tell the names apart that one site defines.
const (
	placeResult = 0x100 << 32 // what the instruction itself makes
	placeGhost  = 0x200 << 32 // a variable; see Func.Follow
)

func placeReg(n int) uint64      { return uint64(n) }
func placeSlot(off int64) uint64 { return 1<<32 | uint64(uint32(int32(off))) }

func sameState(a, b *State) bool {
	return a.Regs == b.Regs && a.zero == b.zero && slices.Equal(a.Slots, b.Slots) && slices.Equal(a.Facts, b.Facts)
}

func sameWriter(a, b uint64) uint64 {
	if a == b {
		return a
	}
	return 0
}

// phi is the name of what a place holds where the paths into a block differ.
func phi(t *table, block int, place uint64) *Expr { return t.opaque(^int32(block), place) }

// join makes the state at the start of a block of those at the ends of the blocks
// before it. stuck has the places where paths differed once; it only grows, so that
// the analysis comes to an end.
func (f *Func) join(block int, ins []*State, stuck map[uint64]bool) State {
	t := f.t
	t.pc = 0
	s := ins[0].clone()
	for i := range s.Regs {
		h := &s.Regs[i]
		differ := stuck[placeReg(i)]
		for _, in := range ins[1:] {
			differ = differ || in.Regs[i].Expr != h.Expr
			h.By = sameWriter(h.By, in.Regs[i].By)
		}
		if differ || h.Expr.mentions(^int32(block)) {
			stuck[placeReg(i)] = true
			for _, in := range ins {
				if x := in.Regs[i].Expr; x.inFrame && i != rsp {
					f.frame.taken(x)
				}
			}
			h.Expr = phi(t, block, placeReg(i))
		}
	}
	if _, ok := s.depth(); !ok {
		s.Slots = nil
	}
	s.Slots = slices.DeleteFunc(s.Slots, func(x Slot) bool { return !inAll(ins[1:], x) })
	for k := range s.Slots {
		x := &s.Slots[k]
		differ := stuck[placeSlot(x.Off)]
		for _, in := range ins[1:] {
			o := in.Slots[in.slotAt(x.Off)]
			differ = differ || o.Expr != x.Expr
			x.By = sameWriter(x.By, o.By)
		}
		if differ || x.Expr.mentions(^int32(block)) {
			stuck[placeSlot(x.Off)] = true
			x.Expr = t.zext(phi(t, block, placeSlot(x.Off)), x.Size)
		}
	}
	s.zero = Fact{}
	s.Facts = slices.DeleteFunc(s.Facts, func(f Fact) bool {
		return f.Expr.mentions(^int32(block)) || slices.ContainsFunc(ins[1:], func(in *State) bool { return !slices.Contains(in.Facts, f) })
	})
	return s
}

// inAll reports whether all states know the same piece of the frame.
func inAll(states []*State, x Slot) bool {
	for _, s := range states {
		i := s.slotAt(x.Off)
		if i == len(s.Slots) || s.Slots[i].Off != x.Off || s.Slots[i].Size != x.Size {
			return false
		}
	}
	return true
}
