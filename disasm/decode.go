package disasm

import "golang.org/x/arch/x86/x86asm"

type amd64 struct{}

func (amd64) Name() string { return "x86_64" }
func (amd64) MaxLen() int  { return maxLen }

func (amd64) Decode(code []byte, pc uint64) (Inst, error) {
	in := Inst{PC: pc}
	if len(code) == 0 {
		return in, ErrTruncated
	}
	e := &in.enc
	result := e.parse(code)
	in.Len = int(e.length)
	switch result {
	case cut:
		in.Bad = true
		return in, ErrTruncated
	case lonePrefixes, notAnOpcode:
		in.Bad = true
		return in, nil
	}
	if row := findSide(e); row != nil {
		in.fromSide(row)
	} else {
		in.fromX86asm()
	}
	in.finish()
	return in, nil
}

// finish settles what is common to all sources of an instruction.
func (in *Inst) finish() {
	e := &in.enc
	if in.Bad {
		return
	}
	for i := range in.Operands() {
		if o := &in.Args[i]; o.Kind == MemOperand {
			if !in.isString() {
				e.use(e.segAt)
			}
			if e.modAt != 0 || in.isString() {
				e.use(e.addrAt)
			}
		}
	}
}

// fromX86asm has x86asm decode the instruction, and corrects what it says.
func (in *Inst) fromX86asm() {
	e := &in.enc
	if e.kind == evex && e.opmap > 3 { // x86asm takes AVX512-FP16's maps 5 and 6 for 1 and 2
		in.Bad = true
		return
	}
	var buf [maxLen + 1]byte
	code, moved := e.forX86asm(&buf)
	inst, err := x86asm.Decode(code, 64)
	if err != nil || inst.Op == 0 {
		in.markBad()
		return
	}
	info := infoOf(inst.Op)
	in.Op, in.Flow = inst.Op, info.flow
	if !moved {
		for i := range e.nPrefix {
			if inst.Prefix[i]&x86asm.PrefixImplicit != 0 {
				e.used |= 1 << i
			}
		}
	}
	for i, arg := range inst.Args {
		if arg == nil || in.NArg == MaxArgs {
			break
		}
		if e.isMask(i, arg) {
			continue
		}
		in.Args[in.NArg] = in.operand(arg, uint16(inst.MemBytes))
		in.NArg++
	}
	in.fix()
	access := infoOf(in.Op).access
	if in.Op == x86asm.IMUL && in.NArg != 2 {
		access = [4]accessClass{1: readsAll, 3: overwrite}[in.NArg&3]
	}
	for i := range in.Operands() {
		in.Args[i].Access = access.of(i)
	}
	in.constants()
}

// forX86asm returns the bytes to give to x86asm. They are those of the instruction, less what it is known to stumble over:
// it expects nothing in front of VEX and EVEX, and knows neither branches with 16-bit displacements nor second
// encodings. moved tells that the prefixes are not where they were.
func (e *encoding) forX86asm(buf *[maxLen + 1]byte) (code []byte, moved bool) {
	if e.kind != legacy || e.fwait {
		return e.raw[e.nPrefix:e.length], true
	}
	if e.branch16() {
		code = append(buf[:0], e.raw[e.nPrefix:e.length]...)
		fill := byte(e.signed(e.immAt, 2) >> 15)
		return append(code, fill, fill), true
	}
	if modrm := e.plainModRM(); modrm != e.modrm() {
		code = append(buf[:0], e.raw[:e.length]...)
		code[e.modAt] = modrm
		return code, false
	}
	return e.raw[:e.length], false
}

// plainModRM returns ModRM as the manuals have it where processors, and objdump, take others for the same.
func (e *encoding) plainModRM() byte {
	modrm, digit := e.modrm(), e.digit()
	switch {
	case e.opmap == 0 && digit == 6 && (e.opcode&0xfe == 0xc0 || e.opcode&0xfc == 0xd0): // sal is shl
		return modrm&^0x38 | 4<<3
	case e.opmap == 0 && digit == 1 && e.opcode&0xfe == 0xf6: // test
		return modrm &^ 0x38
	case e.opmap == 1 && e.opcode&^3 == 0x20: // mov to and from control and debug registers
		return modrm | 0xc0
	case e.opmap == 1 && e.opcode == 0xae && modrm >= 0xe8 && e.mandatory() == 0: // fences
		return modrm &^ 7
	}
	return modrm
}

// branch16 reports whether the instruction is a direct branch with a displacement of 16 bits.
func (e *encoding) branch16() bool {
	if e.kind != legacy || e.immLen != 2 {
		return false
	}
	return e.opmap == 0 && e.opcode&0xfe == 0xe8 || e.opmap == 1 && e.opcode&0xf0 == 0x80
}

// isMask reports whether an operand of x86asm's is the mask of EVEX, which prints behind the destination.
func (e *encoding) isMask(i int, arg x86asm.Arg) bool {
	r, ok := arg.(x86asm.Reg)
	return e.kind == evex && i == 1 && ok && e.p2&7 != 0 && r == x86asm.K0+x86asm.Reg(e.p2&7)
}

// markBad steps over the prefixes and the opcode, as objdump does; over all of the instruction where objdump knows the
// operands but not the name.
func (in *Inst) markBad() {
	e := &in.enc
	*in = Inst{PC: in.PC, Bad: true, enc: in.enc}
	n := e.length
	switch x87 := e.opcode&0xf8 == 0xd8; {
	case e.kind == xop:
	case e.kind != legacy:
		n = e.nPrefix + 1
	case e.opmap > 0:
		n = e.nPrefix + min(e.opmap, 2) + 1
	case e.opcode == 0x8c, e.opcode == 0x8e, x87 && e.isMem():
	case x87:
		n = e.nPrefix + 2
	default:
		n = e.nPrefix + 1
	}
	e.length = min(n, e.length)
	in.Len = int(e.length)
}

// operand translates an operand of x86asm. The address of memory comes from the encoding.
func (in *Inst) operand(arg x86asm.Arg, memBytes uint16) Operand {
	e := &in.enc
	switch arg := arg.(type) {
	case x86asm.Reg:
		return regOperand(Reg(arg))
	case x86asm.Imm:
		return Operand{Kind: ImmOperand, Imm: int64(arg)}
	case x86asm.Rel:
		target := in.PC + uint64(e.length) + uint64(int64(arg))
		if e.branch16() {
			target &= 0xffff
		}
		return Operand{Kind: TargetOperand, Imm: int64(target), Size: 8}
	case x86asm.Mem:
		o := Operand{Kind: MemOperand, Size: memBytes}
		switch {
		case e.isMem():
			o.Mem = e.memory()
			if e.kind == evex && e.dispLen == 1 {
				o.Mem.Disp = arg.Disp // scaled by the size of the element or the vector
			}
			if arg.Index >= x86asm.X0 { // VSIB: a vector register as index
				o.Mem.Index = Reg(arg.Index)
			}
		case e.immLen > 1:
			o.Mem = Mem{Segment: e.segment(), Disp: e.signed(e.immAt, e.immLen)}
			if e.immLen == 4 {
				o.Mem.Disp = int64(uint32(o.Mem.Disp))
			}
		default: // of string instructions
			o.Mem = Mem{Segment: Reg(arg.Segment), Base: Reg(arg.Base), Scale: 1}
		}
		return o
	}
	return Operand{}
}

// constants gives constants the width of the operation, which is that of the first other operand.
func (in *Inst) constants() {
	width := uint16(0)
	for i := range in.Operands() {
		switch o := &in.Args[i]; o.Kind {
		case RegOperand, MemOperand:
			if width == 0 {
				width = o.Size
			}
		case ImmOperand:
			o.Size = width
			if in.Op == x86asm.PUSH {
				o.Size = 8
				if in.enc.word() {
					o.Size = 2
				}
			}
		}
	}
}

// word reports whether prefix 66 makes the operation 16 bits wide.
func (e *encoding) word() bool { return e.sizeAt >= 0 && !e.w }
