package symbolic

import (
	"slices"

	"github.com/kdive/kdive/disasm"
	"golang.org/x/arch/x86/x86asm"
)

// machine executes instructions on expressions.
type machine struct {
	*table
	fn   *Func
	s    *State
	in   *inst
	site int32

	trail *trail // nil unless one way is followed
	flags flags  // likewise
}

// step executes the instruction.
func (m *machine) step(i int32) {
	m.in, m.site = &m.fn.g.insts[i], i
	m.pc = m.in.PC
	if m.fn.g.blocks[m.fn.g.of[i]].loop {
		m.s.rename(m.table, i)
	}
	if m.in.Flow == disasm.Call || m.in.Writes()&disasm.Flags != 0 {
		m.flags = flags{}
	}
	switch {
	case m.in.Flow == disasm.Call:
		m.s.zero = Fact{}
		m.call()
	case m.arith(): // sets flags
	default:
		if m.s.zero.Expr != nil && m.in.Writes()&disasm.Flags != 0 {
			m.s.zero = Fact{}
		}
		if !m.move() && !m.stack() {
			m.other()
		}
	}
}

// branch is what the state learns on the way from the end of a block to an
// instruction.
func (m *machine) branch(s *State, to *inst) {
	target, direct := m.in.Target()
	if s.zero.Expr == nil || !direct || target == m.in.PC+uint64(m.in.Len) {
		return
	}
	if m.in.Op == x86asm.JE && to.PC == target || m.in.Op == x86asm.JNE && to.PC != target {
		s.learn(s.zero)
	}
}

// set changes a register; the value is capped in size.
func (m *machine) set(n int, e *Expr) {
	if e.nodes > maxNodes {
		e = m.opaque(m.site, placeReg(n))
	}
	old, _ := m.s.depth()
	m.s.Regs[n] = Held{e, m.pc}
	if n == rsp {
		if d, ok := m.s.depth(); !ok {
			m.s.Slots = nil
		} else if d > old {
			m.s.forget(-1<<40, d) // what lies below the stack pointer is lost to interrupts
		}
		return
	}
	if e.inFrame && !(n == rbp && m.setsFramePointer()) {
		m.fn.frame.taken(e)
	}
}

// setsFramePointer reports whether the instruction is mov %rsp,%rbp: no address is
// taken by that alone.
func (m *machine) setsFramePointer() bool {
	return m.in.Op == x86asm.MOV && m.in.NArg == 2 && m.in.Args[0].Reg == disasm.Reg(x86asm.RBP) && m.in.Args[1].Reg == disasm.Reg(x86asm.RSP)
}

// operand is an operand's value as it is read, zeros above its size.
func (m *machine) operand(n int) *Expr {
	o := &m.in.Args[n]
	switch o.Kind {
	case disasm.RegOperand:
		r, size, shift, ok := o.Reg.GPR()
		if !ok {
			return m.opaque(m.site, placeResult|uint64(n))
		}
		return m.zext(m.shift(OpShr, m.s.Regs[r].Expr, uint64(shift)), uint8(size))
	case disasm.ImmOperand:
		return m.constant(uint64(o.Imm) & sizeMask(uint8(min(o.Size, 8))))
	case disasm.MemOperand:
		return m.load(m.address(&o.Mem), uint8(min(o.Size, 255)))
	}
	return m.opaque(m.site, placeResult|uint64(n))
}

// assign writes an operand.
func (m *machine) assign(n int, e *Expr) {
	o := &m.in.Args[n]
	switch o.Kind {
	case disasm.RegOperand:
		r, size, shift, ok := o.Reg.GPR()
		switch {
		case !ok:
		case size == 8:
			m.set(r, e)
		case size == 4:
			m.set(r, m.zext(e, 4))
		default:
			mask := sizeMask(uint8(size)) << shift
			old := m.binary(OpAnd, m.s.Regs[r].Expr, m.constant(^mask))
			m.set(r, m.binary(OpOr, old, m.shift(OpShl, m.zext(e, uint8(size)), uint64(shift))))
		}
	case disasm.MemOperand:
		m.store(m.address(&o.Mem), uint16(o.Size), e)
	}
}

// address is the address of a memory operand.
func (m *machine) address(o *disasm.Mem) *Expr {
	var e *Expr
	if c, ok := m.in.MemConst(o); ok {
		e = m.constant(c)
	} else {
		e = m.constant(uint64(o.Disp))
		narrow := false
		for _, part := range []struct {
			reg   disasm.Reg
			scale uint8
		}{{o.Base, 1}, {o.Index, o.Scale}} {
			if part.reg == 0 {
				continue
			}
			n, size, _, ok := part.reg.GPR()
			if !ok {
				return m.opaque(m.site, placeResult|0x10)
			}
			narrow = narrow || size == 4
			shift := map[uint8]uint64{1: 0, 2: 1, 4: 2, 8: 3}[part.scale]
			e = m.add(e, m.shift(OpShl, m.s.Regs[n].Expr, shift))
		}
		if narrow {
			e = m.zext(e, 4)
		}
	}
	switch x86asm.Reg(o.Segment) {
	case x86asm.GS:
		return m.make(exprKey{op: OpGS, a: e})
	case x86asm.FS:
		return m.opaque(m.site, placeResult|0x11)
	}
	return e
}

// load is the value of memory.
func (m *machine) load(addr *Expr, size uint8) *Expr {
	if size != 1 && size != 2 && size != 4 && size != 8 {
		return m.opaque(m.site, placeResult|0x12)
	}
	off, ok := addr.frameOffset()
	if !ok {
		if addr.nodes >= maxNodes {
			addr = m.opaque(m.site, placeResult|0x13)
		}
		return m.make(exprKey{op: OpLoad, size: size, a: addr, site: m.site})
	}
	if m.in.Op != x86asm.POP || !isCallerSaved(m.in.Args[0].Reg) { // those only clean up
		m.fn.frame.reads(off)
	}
	if e := m.s.get(m.table, off, size); e != nil {
		return e
	}
	// Not known, but the same from now on until somebody writes there.
	e := m.zext(m.opaque(m.site, placeSlot(off)), size)
	if d, ok := m.s.depth(); ok && off >= d {
		m.s.put(off, size, Held{e, 0})
	}
	return e
}

// store changes memory.
func (m *machine) store(addr *Expr, size uint16, e *Expr) {
	off, ok := addr.frameOffset()
	if e.inFrame {
		m.fn.frame.taken(e)
	}
	if !ok {
		if addr.inFrame {
			m.fn.frame.taken(addr)
			m.trail.called()
		} else {
			m.fn.frame.stores(addr, size, m.site)
			m.trail.stores(m, addr, size, e)
		}
		m.escaped()
		return
	}
	switch size {
	case 1, 2, 4, 8:
		if e.nodes > maxNodes {
			e = m.opaque(m.site, placeSlot(off))
		}
		m.s.put(off, uint8(size), Held{m.zext(e, uint8(size)), m.pc})
	case 0:
		m.s.forget(off, off+1<<13) // state areas are no larger
	default:
		m.s.forget(off, off+int64(size))
	}
}

// escaped forgets what others than the function itself may change.
func (m *machine) escaped() {
	if m.fn.frame.all {
		m.s.Slots = nil
	}
	for _, x := range m.fn.frame.escaped {
		m.s.forget(x.Low, x.High)
	}
}

// call executes a call: what the calling convention keeps stays.
func (m *machine) call() {
	if len(m.in.Args) > 0 && m.in.NArg > 0 && m.in.Args[0].Kind == disasm.MemOperand {
		m.operand(0) // it is read
	}
	to, direct := m.in.Target()
	if direct && m.fn.code.Keeps != nil && m.fn.code.Keeps(to) {
		return
	}
	for _, r := range callerSaved {
		m.s.Regs[r] = Held{m.opaque(m.site, placeReg(r)), m.pc}
	}
	m.trail.called()
	m.arguments()
	m.escaped()
}

// arguments forgets what a callee may own of the stack: what was pushed for it, and
// what nobody here reads.
func (m *machine) arguments() {
	if _, ok := m.s.depth(); !ok {
		m.s.Slots = nil
		return
	}
	m.s.Slots = slices.DeleteFunc(m.s.Slots, func(x Slot) bool {
		if i, ok := m.fn.find(x.By); ok && m.fn.g.insts[i].Op == x86asm.PUSH && x.Expr.Op != OpEntry {
			return true
		}
		return !m.fn.frame.read[x.Off]
	})
}

// other executes an instruction of which only the effects are known.
func (m *machine) other() {
	for i := range m.in.Operands() {
		if m.in.Args[i].Kind == disasm.MemOperand && m.in.Args[i].Access&disasm.Read != 0 {
			m.load(m.address(&m.in.Args[i].Mem), uint8(min(m.in.Args[i].Size, 255)))
		}
	}
	for i := range m.in.Operands() {
		if o := &m.in.Args[i]; o.Kind == disasm.MemOperand && o.Access&disasm.Write != 0 {
			m.store(m.address(&o.Mem), o.Size, m.opaque(m.site, placeResult|0x20|uint64(i)))
			if isBitTest(m.in.Op) {
				m.s.Slots = nil // the bit may lie far away
			}
		}
	}
	writes := m.in.Writes()
	for n := range numRegs {
		if writes.Has(n) {
			m.set(n, m.opaque(m.site, placeReg(n)))
		}
	}
	if m.in.WritesMem() {
		m.escaped()
	}
	if m.in.Bad {
		m.s.Slots = nil
	}
}

func isCallerSaved(r disasm.Reg) bool {
	n, _, _, ok := r.GPR()
	return ok && slices.Contains(callerSaved[:], n)
}

func isBitTest(op x86asm.Op) bool {
	return op == x86asm.BTS || op == x86asm.BTR || op == x86asm.BTC
}

// take follows an edge that leaves in front of the instruction.
func (m *machine) take(i int32, e Edge) {
	regs := e.Clobbers
	if e.Fault { // it may have got half way
		regs |= m.in.Writes()
		for k := range m.in.Operands() {
			if o := &m.in.Args[k]; o.Kind == disasm.MemOperand && o.Access&disasm.Write != 0 {
				m.store(m.address(&o.Mem), o.Size, m.opaque(i, placeResult|0x40|uint64(k)))
			}
		}
		m.escaped()
	}
	for n := range numRegs {
		if regs.Has(n) && n != rsp {
			m.s.Regs[n] = Held{m.opaque(i, placeResult|0x1000|uint64(n)), 0}
		}
	}
}
