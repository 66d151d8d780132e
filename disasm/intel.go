package disasm

import "golang.org/x/arch/x86/x86asm"

// intel prints an instruction in Intel syntax, as "objdump -M intel" does.
func (p *printer) intel() {
	in := p.in
	p.prefixNames(in.enc.nPrefix)
	n := in.NArg
	if p.intelMnemonic() {
		n-- // the last operand is part of the mnemonic
	}
	if n == 0 || in.side != nil && in.sameOrder() { // of monitor and the like it shows no operands
		return
	}
	p.pad()
	for i := range n {
		if i > 0 {
			p.byte(',')
		}
		p.intelOperand(&in.Args[i])
		if i == 0 {
			p.mask()
		}
	}
	if in.enc.kind == evex && in.enc.p2&0x10 != 0 && !in.enc.isMem() {
		p.byte(',')
		p.rounding()
	}
	p.comment()
}

// intelMnemonic prints the mnemonic. It reports whether that says the last operand, a constant, too.
func (p *printer) intelMnemonic() (alias bool) {
	in := p.in
	if in.side != nil {
		p.str(in.side.intelName(in.enc.w))
		return false
	}
	if name, ok := in.pseudoOp(); ok {
		p.str(name)
		return true
	}
	info := infoOf(in.Op)
	p.str(in.variant(info.intel, false))
	switch info.suffix {
	case wordSuffix, rexSuffix:
		if in.MemArg() == nil {
			p.dst = in.appendSuffix(p.dst, info.suffix)
		}
	}
	return false
}

func (p *printer) intelOperand(o *Operand) {
	switch o.Kind {
	case RegOperand:
		p.str(p.regName(o))
	case ImmOperand:
		if p.in.hiddenOne() {
			p.byte('1')
			return
		}
		p.hex(unsigned(o))
	case TargetOperand:
		p.target(uint64(o.Imm))
	case MemOperand:
		p.str(p.pointerName(o))
		p.intelMem(&o.Mem)
	}
}

// pointerName is what Intel syntax says about the size of memory, with a blank behind it. objdump does so with gaps.
func (p *printer) pointerName(o *Operand) string {
	in := p.in
	e := &in.enc
	switch {
	case in.side != nil:
		return in.side.pointerName(o)
	case e.modAt == 0 && in.Op == x86asm.MOV:
		return ""
	case e.kind == evex && e.p2&0x10 != 0:
		return map[uint16]string{2: "WORD BCST ", 4: "DWORD BCST ", 8: "QWORD BCST "}[o.Size]
	case o.Mem.Index.between(x86asm.X0, x86asm.X0+95): // a gather: the size of one element
		if e.w {
			return "QWORD PTR "
		}
		return "DWORD PTR "
	}
	switch in.Op {
	case x86asm.CMPXCHG16B:
		return "OWORD PTR "
	case x86asm.LEA, x86asm.LGDT, x86asm.LIDT, x86asm.SGDT, x86asm.SIDT, x86asm.FXSAVE, x86asm.FXSAVE64, x86asm.FXRSTOR,
		x86asm.FXRSTOR64, x86asm.XSAVE, x86asm.XSAVE64, x86asm.XSAVEC, x86asm.XSAVEC64, x86asm.XSAVES, x86asm.XSAVES64,
		x86asm.XSAVEOPT, x86asm.XSAVEOPT64, x86asm.XRSTOR, x86asm.XRSTOR64, x86asm.XRSTORS, x86asm.XRSTORS64,
		x86asm.FNSTENV, x86asm.FLDENV, x86asm.FNSAVE, x86asm.FRSTOR, x86asm.VLDDQU, x86asm.LDDQU:
		return ""
	case x86asm.LJMP, x86asm.LCALL:
		return "FWORD PTR "
	case x86asm.INVLPG, x86asm.CLFLUSH, x86asm.PREFETCHNTA, x86asm.PREFETCHT0, x86asm.PREFETCHT1, x86asm.PREFETCHT2,
		x86asm.PREFETCHW:
		return "BYTE PTR "
	}
	return pointerNames[o.Size]
}

var pointerNames = map[uint16]string{1: "BYTE PTR ", 2: "WORD PTR ", 4: "DWORD PTR ", 8: "QWORD PTR ", 10: "TBYTE PTR ",
	16: "XMMWORD PTR ", 32: "YMMWORD PTR ", 64: "ZMMWORD PTR "}

// pointerName is the same for an instruction of the side table.
func (row *sideRow) pointerName(o *Operand) string {
	switch {
	case row.opmap == 2 && (row.op == 0x82 || row.op == 0xf5 || row.op == 0xf6 && row.memory == 1 || row.op == 0xf8):
		return "" // invpcid, stores to shadow stacks, movdir64b, enqcmd
	case o.Size == 16 && row.operand[0].kind[0] == 'G':
		return "OWORD PTR "
	}
	return pointerNames[o.Size]
}

// intelMem prints segment:[base+index*scale+disp].
func (p *printer) intelMem(m *Mem) {
	e := &p.in.enc
	index := p.shownIndex(m)
	if m.Segment != 0 {
		p.str(regNames[m.Segment])
		p.byte(':')
	}
	if m.Base == 0 && index == 0 {
		if m.Segment == 0 {
			p.str("ds:")
		}
		p.address(m)
		return
	}
	p.byte('[')
	if m.Base != 0 {
		p.str(regNames[m.Base])
	}
	if index != 0 {
		if m.Base != 0 {
			p.byte('+')
		}
		p.str(regNames[index])
		p.byte('*')
		p.byte('0' + m.Scale)
	}
	switch {
	case !e.isMem() || e.dispLen == 0:
	case isIP(m.Base):
		p.byte('+')
		p.hex(uint64(m.Disp))
	default:
		if m.Disp >= 0 || index == eiz {
			p.byte('+')
		}
		p.displacement(m, index)
	}
	p.byte(']')
}
