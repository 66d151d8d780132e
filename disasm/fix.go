package disasm

import "golang.org/x/arch/x86/x86asm"

// fix corrects what x86asm says about single instructions: operands, and which prefixes are part of them.
func (in *Inst) fix() {
	e := &in.enc
	if e.kind != legacy {
		return
	}
	switch {
	case e.opmap == 0:
		in.fixOneByte()
	case e.opmap == 1 && e.opcode&0xf0 == 0x80: // jumps
		e.unuse(e.rexAt)
	}
	switch in.Op {
	case x86asm.CALL, x86asm.JMP, x86asm.RET, x86asm.PUSH, x86asm.POP, x86asm.LRET, x86asm.LEAVE,
		x86asm.ENTER:
		if e.word() {
			e.use(e.sizeAt)
		}
	}
	if (in.Op == x86asm.LSL || in.Op == x86asm.LAR) && in.Args[1].Kind == RegOperand {
		in.Args[1] = regOperand(gprOf(e.rmField(), int(in.Args[0].Size), true)) // objdump shows the selector at full width
	}
	if e.fwait {
		if _, named := waits[in.Op]; named {
			e.use(0)
			if e.raw[1] == 0x9b {
				e.use(1)
			}
		}
	}
}

// fixOneByte corrects instructions of the one-byte opcode map.
func (in *Inst) fixOneByte() {
	e := &in.enc
	switch {
	case e.opcode == 0xcc || e.opcode == 0xf1: // int3, int1
		in.NArg, in.Flow = 0, Trap
	case e.opcode == 0x90:
		in.fixNop()
	case e.opcode&0xf0 == 0x50: // push and pop of a register are 64 bits wide without REX.W
		e.rexHas(1)
		if e.w {
			e.unuse(e.sizeAt)
		}
	case in.isString():
		in.fixString()
	case e.opcode == 0xdb && (in.Op == x86asm.FLD || in.Op == x86asm.FSTP):
		in.Args[0].Size = 10
	case e.opcode == 0xd7: // xlat
		in.Args[0].Size = 1
		e.use(e.anyAt)
		e.unuse(e.sizeAt)
		e.unuse(e.rexAt)
	case e.opcode&^2 == 0xa0: // mov of al from and to an address
		e.unuse(e.sizeAt)
	case e.opcode&0xf0 == 0xe0, e.opcode&^2 == 0x68, e.opcode&^1 == 0x9c, e.opcode&^1 == 0xc2:
		e.unuse(e.rexAt) // branches, in, out, push of a constant, pushf, popf, ret
	case e.opcode&0xf6 == 0xc2 && e.opcode != 0xc3: // lret
		e.rexHas(8)
	case e.opcode == 0xff && e.word() && (e.digit() == 2 || e.digit() == 4):
		if n, _, _, ok := in.Args[0].Reg.GPR(); ok {
			in.Args[0] = regOperand(gprOf(byte(n), 2, true))
		}
		in.Args[0].Size = 2
	case e.opcode == 0xff && (e.digit() == 3 || e.digit() == 5): // far branches: objdump ignores REX.W
		e.rexHas(3)
	}
}

// fixString settles which prefixes a string instruction has a use for: segments only if it reads through rsi.
func (in *Inst) fixString() {
	e := &in.enc
	switch e.opcode &^ 1 {
	case 0x6e, 0xa4, 0xa6, 0xac:
		e.use(e.anyAt)
	default:
		e.unuse(e.segAt)
	}
	size := uint16(4)
	switch {
	case e.opcode&1 == 0:
		size = 1
	case e.w && e.opcode&^3 != 0x6c:
		size = 8
	case e.sizeAt >= 0:
		size = 2
	}
	for i := range in.Operands() {
		if in.Args[i].Kind == MemOperand {
			in.Args[i].Size = size
		}
	}
	if e.opcode&^3 == 0x6c { // ins, outs
		e.unuse(e.rexAt)
	}
}

// fixNop tells the relatives of opcode 90 apart: nop, pause, and xchg with rax.
func (in *Inst) fixNop() {
	e := &in.enc
	if in.Op == x86asm.NOP && e.sizeAt >= 0 {
		in.Op, in.NArg = x86asm.XCHG, 2
		ax := regOperand(gprOf(0, 2, true))
		if e.w {
			ax = regOperand(gprOf(0, 8, true))
			e.use(e.rexAt)
		}
		in.Args[0], in.Args[1] = ax, ax
		e.use(e.sizeAt)
	}
	if in.Op == x86asm.NOP || in.Op == x86asm.PAUSE {
		e.unuse(e.rexAt)
	}
}

// rexHas marks REX as part of the instruction exactly if its bits are among those that have a meaning there.
func (e *encoding) rexHas(bits byte) {
	if e.rexAt < 0 {
		return
	}
	e.unuse(e.rexAt)
	if b := e.raw[e.rexAt] & 15; b != 0 && b&^bits == 0 {
		e.use(e.rexAt)
	}
}

// unuse undoes use.
func (e *encoding) unuse(at int8) {
	if at >= 0 {
		e.used &^= 1 << at
	}
}

// waits are the x87 instructions that have another name with the prefix 9B.
var waits = map[x86asm.Op]string{x86asm.FNSTCW: "fstcw", x86asm.FNSTSW: "fstsw", x86asm.FNSTENV: "fstenv",
	x86asm.FNSAVE: "fsave", x86asm.FNCLEX: "fclex", x86asm.FNINIT: "finit"}

// reversed are the x87 instructions whose names AT&T syntax exchanges if the destination is not the top of the stack.
var reversed = map[x86asm.Op]string{x86asm.FSUB: "fsubr", x86asm.FSUBR: "fsub", x86asm.FDIV: "fdivr", x86asm.FDIVR: "fdiv",
	x86asm.FSUBP: "fsubrp", x86asm.FSUBRP: "fsubp", x86asm.FDIVP: "fdivrp", x86asm.FDIVRP: "fdivp"}
