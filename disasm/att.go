package disasm

import "golang.org/x/arch/x86/x86asm"

// att prints an instruction in AT&T syntax.
func (p *printer) att() {
	in := p.in
	p.prefixNames(in.enc.nPrefix)
	alias := p.attMnemonic()
	n := in.NArg
	if alias {
		n-- // the last operand is part of the mnemonic
	}
	if in.hiddenOne() && !p.style.ShiftByOne {
		n--
	}
	if n == 0 {
		return
	}
	p.pad()
	if p.rounding() {
		p.byte(',')
	}
	for i := range n {
		if i > 0 {
			p.byte(',')
		}
		arg := n - 1 - i
		if in.sameOrder() {
			arg = i
		}
		p.attOperand(&in.Args[arg])
		if arg == 0 {
			p.mask()
		}
	}
	p.comment()
}

// attMnemonic prints the mnemonic with its suffix. It reports whether that says the last operand, a constant, too.
func (p *printer) attMnemonic() (alias bool) {
	in := p.in
	if in.side != nil {
		name := in.side.name(in.enc.w)
		if name[len(name)-1] != '%' {
			p.str(name)
			return false
		}
		p.str(name[:len(name)-1])
		p.dst = in.appendSuffix(p.dst, memSuffix)
		return false
	}
	if name, ok := in.pseudoOp(); ok {
		p.str(name)
		return true
	}
	info := infoOf(in.Op)
	p.str(in.variant(info.att, true))
	p.dst = in.appendSuffix(p.dst, info.suffix)
	if in.hinted() {
		p.str(branchHint(in.enc.raw[in.enc.hintAt]))
	}
	return false
}

// hinted reports whether a prefix says if a conditional jump is likely.
func (in *Inst) hinted() bool {
	return in.enc.hintAt >= 0 && in.Flow == CondJump && in.takesBound()
}

func branchHint(prefix byte) string {
	if prefix == 0x2e {
		return ",pn"
	}
	return ",pt"
}

// sameOrder reports whether AT&T syntax, too, has the operands in Intel's order.
func (in *Inst) sameOrder() bool {
	if in.Op == x86asm.ENTER {
		return true
	}
	e := &in.enc
	if in.side == nil || e.opmap != 1 || e.opcode != 1 {
		return false
	}
	switch e.modrm() { // monitor, mwait, monitorx, mwaitx
	case 0xc8, 0xc9, 0xfa, 0xfb:
		return true
	}
	return false
}

func (p *printer) attOperand(o *Operand) {
	switch o.Kind {
	case RegOperand:
		if p.in.isIndirect() {
			p.byte('*')
		}
		p.attReg(o)
	case ImmOperand:
		if p.in.hiddenOne() {
			p.str("$1")
			return
		}
		p.byte('$')
		p.hex(unsigned(o))
	case TargetOperand:
		p.target(uint64(o.Imm))
	case MemOperand:
		if p.in.isIndirect() || p.in.Op == x86asm.LJMP || p.in.Op == x86asm.LCALL {
			p.byte('*')
		}
		p.attMem(&o.Mem)
		p.broadcast(o)
	}
}

func (p *printer) attReg(o *Operand) {
	if p.in.isPort(o.Reg) {
		p.str("(%dx)")
		return
	}
	p.byte('%')
	p.str(p.regName(o))
}

// isPort reports whether the register holds the number of an I/O port.
func (in *Inst) isPort(r Reg) bool {
	if r != Reg(x86asm.DX) {
		return false
	}
	switch in.Op {
	case x86asm.IN, x86asm.OUT, x86asm.INSB, x86asm.INSW, x86asm.INSD, x86asm.OUTSB, x86asm.OUTSW, x86asm.OUTSD:
		return true
	}
	return false
}

// regName is a register's name as objdump has it.
func (p *printer) regName(o *Operand) string {
	switch {
	case o.Reg == Reg(x86asm.F0) && !p.in.isStackSlot(o):
		return "st"
	case o.Reg.between(x86asm.DR0, x86asm.DR15) && !p.style.Intel:
		return debugNames[o.Reg-Reg(x86asm.DR0)]
	}
	return regNames[o.Reg]
}

var debugNames = [16]string{"db0", "db1", "db2", "db3", "db4", "db5", "db6", "db7",
	"db8", "db9", "db10", "db11", "db12", "db13", "db14", "db15"}

// isStackSlot reports whether an x87 register operand is the one ModRM selects, which prints as st(0) even if it is the top.
func (in *Inst) isStackSlot(o *Operand) bool {
	if in.NArg == 1 {
		return true
	}
	switch in.enc.opcode {
	case 0xdc, 0xde:
		return o == &in.Args[0]
	}
	return o == &in.Args[1]
}

// attMem prints segment:disp(base,index,scale).
func (p *printer) attMem(m *Mem) {
	e := &p.in.enc
	index := p.shownIndex(m)
	if m.Segment != 0 {
		p.byte('%')
		p.str(regNames[m.Segment])
		p.byte(':')
	}
	if m.Base == 0 && index == 0 {
		p.address(m)
		return
	}
	if e.isMem() && e.dispLen > 0 {
		p.displacement(m, index)
	}
	p.byte('(')
	if m.Base != 0 {
		p.byte('%')
		p.str(regNames[m.Base])
	}
	if index != 0 {
		p.str(",%")
		p.str(regNames[index])
		p.byte(',')
		p.byte('0' + m.Scale)
	}
	p.byte(')')
}
