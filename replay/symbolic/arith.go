package symbolic

import (
	"github.com/kdive/kdive/disasm"
	"golang.org/x/arch/x86/x86asm"
)

// move executes instructions that copy a value; false if it is none.
func (m *machine) move() bool {
	switch m.in.Op {
	case x86asm.MOV:
		if !m.general(0) || !m.general(1) {
			return false
		}
		m.assign(0, m.operand(1))
	case x86asm.MOVZX:
		m.assign(0, m.operand(1))
	case x86asm.MOVSX, x86asm.MOVSXD:
		m.assign(0, m.sext(m.operand(1), uint8(m.in.Args[1].Size)))
	case x86asm.CDQE:
		m.set(rax, m.sext(m.s.Regs[rax].Expr, 4))
	case x86asm.CWDE:
		m.set(rax, m.zext(m.sext(m.s.Regs[rax].Expr, 2), 4))
	case x86asm.LEA:
		m.assign(0, m.address(&m.in.Args[1].Mem))
	case x86asm.XCHG:
		if m.in.Args[0].Kind != disasm.RegOperand || m.in.Args[1].Kind != disasm.RegOperand {
			return false
		}
		a, b := m.operand(0), m.operand(1)
		m.assign(0, b)
		m.assign(1, a)
	case x86asm.NOP:
	default:
		return false
	}
	return true
}

// general reports whether an operand is a general register, memory of such a size
// or a constant.
func (m *machine) general(n int) bool {
	if n >= m.in.NArg {
		return false
	}
	switch o := &m.in.Args[n]; o.Kind {
	case disasm.RegOperand:
		_, _, _, ok := o.Reg.GPR()
		return ok
	case disasm.MemOperand:
		return o.Size >= 1 && o.Size <= 8
	case disasm.ImmOperand:
		return true
	}
	return false
}

// stack executes push, pop and leave.
func (m *machine) stack() bool {
	switch m.in.Op {
	case x86asm.PUSH:
		if m.in.Args[0].Size != 8 {
			return false
		}
		e := m.operand(0)
		m.set(rsp, m.add(m.s.Regs[rsp].Expr, m.constant(^uint64(7))))
		m.store(m.s.Regs[rsp].Expr, 8, e)
	case x86asm.PUSHFQ, x86asm.PUSHF:
		m.set(rsp, m.add(m.s.Regs[rsp].Expr, m.constant(^uint64(7))))
		m.store(m.s.Regs[rsp].Expr, 8, m.opaque(m.site, placeResult))
	case x86asm.POP:
		if m.in.Args[0].Size != 8 {
			return false
		}
		e := m.load(m.s.Regs[rsp].Expr, 8)
		m.set(rsp, m.add(m.s.Regs[rsp].Expr, m.constant(8)))
		m.assign(0, e)
	case x86asm.POPFQ, x86asm.POPF:
		m.set(rsp, m.add(m.s.Regs[rsp].Expr, m.constant(8)))
	case x86asm.LEAVE:
		m.set(rsp, m.s.Regs[rbp].Expr)
		e := m.load(m.s.Regs[rsp].Expr, 8)
		m.set(rsp, m.add(m.s.Regs[rsp].Expr, m.constant(8)))
		m.set(rbp, e)
	default:
		return false
	}
	return true
}

var arithOps = map[x86asm.Op]Op{x86asm.ADD: OpAdd, x86asm.SUB: OpSub, x86asm.AND: OpAnd, x86asm.OR: OpOr, x86asm.XOR: OpXor,
	x86asm.SHL: OpShl, x86asm.SHR: OpShr, x86asm.SAR: OpSar, x86asm.INC: OpAdd, x86asm.DEC: OpSub, x86asm.NEG: OpSub, x86asm.NOT: OpXor, x86asm.IMUL: OpMul}

// arith executes arithmetic on general registers and memory.
func (m *machine) arith() bool {
	if m.in.Op == x86asm.CMP || m.in.Op == x86asm.TEST {
		return m.compare()
	}
	op, ok := arithOps[m.in.Op]
	if !ok || !m.general(0) || m.in.locked() {
		return false
	}
	size := uint8(m.in.Args[0].Size)
	a := m.operand(0)
	var b *Expr
	switch m.in.Op {
	case x86asm.INC, x86asm.DEC:
		b = m.constant(1)
	case x86asm.NOT:
		b = m.constant(^uint64(0))
	case x86asm.NEG:
		a, b = m.constant(0), a
	case x86asm.SHL, x86asm.SHR, x86asm.SAR:
		return m.shifted(op, a, size)
	case x86asm.IMUL:
		switch m.in.NArg {
		case 2:
			b = m.operand(1)
		case 3:
			a, b = m.operand(1), m.operand(2)
		default:
			return false
		}
	default:
		if !m.general(1) {
			return false
		}
		b = m.operand(1)
	}
	e := m.zext(m.binary(op, a, b), size)
	m.assign(0, e)
	if m.in.Op != x86asm.NOT && m.in.Op != x86asm.IMUL { // those say nothing of zero
		m.setZero(e, 0)
		m.flags = flags{a: e, b: m.constant(0), size: size, zeroOnly: true, pc: m.pc}
	} else if m.in.Op == x86asm.IMUL {
		m.s.zero = Fact{}
	}
	return true
}

// setZero notes what it means if the zero flag is set.
func (m *machine) setZero(e *Expr, c uint64) {
	m.s.zero = Fact{}
	if e.nodes <= maxNodes {
		m.s.zero = Fact{e, c, m.pc}
	}
}

// compare executes cmp and test: equal to a constant, or zero.
func (m *machine) compare() bool {
	if !m.general(0) || !m.general(1) {
		return false
	}
	a, b := m.operand(0), m.operand(1)
	m.s.zero = Fact{}
	m.compared(a, b)
	switch {
	case m.in.Op == x86asm.CMP && b.isConst():
		m.setZero(a, b.C)
	case m.in.Op == x86asm.TEST && a == b:
		m.setZero(a, 0)
	}
	return true
}

func (m *machine) shifted(op Op, a *Expr, size uint8) bool {
	n := uint64(1)
	if m.in.NArg > 1 {
		o := &m.in.Args[1]
		if o.Kind != disasm.ImmOperand {
			return false
		}
		n = uint64(o.Imm) & 31
		if size == 8 {
			n = uint64(o.Imm) & 63
		}
	}
	if op == OpSar {
		a = m.sext(a, size)
	}
	m.assign(0, m.zext(m.shift(op, a, n), size))
	m.s.zero = Fact{}
	return true
}

// locked reports whether the instruction has a lock prefix: another CPU may
// change the memory at once.
func (in *inst) locked() bool {
	for _, b := range in.Bytes() {
		switch b {
		case 0xf0:
			return true
		case 0x66, 0x67, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65:
			continue
		}
		return false
	}
	return false
}
