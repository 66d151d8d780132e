package disasm

import op "golang.org/x/arch/x86/x86asm"

// suffixRule says when and which letters AT&T syntax adds to a mnemonic for the operand size.
type suffixRule uint8

const (
	noSuffix    suffixRule = iota
	sizeSuffix             // b, w, l, q unless a register says it
	shiftSuffix            // the same, but the register of the count says nothing
	wordSuffix             // w if the operand is memory or a constant and 16 bits wide
	memSuffix              // b, w, l, q if there is memory
	floatSuffix            // s, l, t by the size of memory
	intSuffix              // s, l, ll by the size of memory, which is an integer
	extend                 // movzbl: both sizes
	rexSuffix              // q with REX.W
)

var suffixRules = map[suffixRule][]op.Op{
	sizeSuffix: {op.MOV, op.ADD, op.ADC, op.AND, op.CMP, op.OR, op.SBB, op.SUB, op.XOR, op.TEST, op.INC, op.DEC, op.NEG, op.NOT, op.MUL, op.IMUL, op.DIV, op.IDIV, op.BT, op.BTC, op.BTR, op.BTS,
		op.NOP},
	shiftSuffix: {op.SHL, op.SHR, op.SAR, op.ROL, op.ROR, op.RCL, op.RCR},
	wordSuffix:  {op.PUSH, op.POP, op.CALL, op.JMP, op.RET, op.LEAVE, op.ENTER},
	memSuffix:   {op.CRC32, op.CVTSI2SD, op.CVTSI2SS, op.VCVTSI2SD, op.VCVTSI2SS, op.VCVTUSI2SD, op.VCVTUSI2SS},
	floatSuffix: {op.FADD, op.FSUB, op.FSUBR, op.FMUL, op.FDIV, op.FDIVR, op.FCOM, op.FCOMP, op.FLD, op.FST, op.FSTP},
	intSuffix:   {op.FIADD, op.FISUB, op.FISUBR, op.FIMUL, op.FIDIV, op.FIDIVR, op.FICOM, op.FICOMP, op.FILD, op.FIST, op.FISTP, op.FISTTP},
	extend:      {op.MOVZX, op.MOVSX},
	rexSuffix:   {op.LRET, op.LCALL, op.LJMP},
}

// appendSuffix appends what the operation size adds to an AT&T mnemonic.
func (in *Inst) appendSuffix(dst []byte, rule suffixRule) []byte {
	mem := in.MemArg()
	switch rule {
	case extend:
		return append(dst, sizeLetter(in.Args[1].Size), sizeLetter(in.Args[0].Size))
	case rexSuffix:
		switch {
		case in.Op != op.LRET:
		case in.enc.w:
			return append(dst, 'q')
		case in.enc.sizeAt >= 0:
			return append(dst, 'w')
		}
	case wordSuffix:
		first := &in.Args[0]
		if first.Kind == RegOperand && !isSegment(first.Reg) || in.enc.sizeAt < 0 || in.enc.w {
			return dst
		}
		return append(dst, 'w')
	}
	if mem == nil {
		return dst
	}
	switch rule {
	case memSuffix:
		return append(dst, sizeLetter(mem.Size))
	case sizeSuffix, shiftSuffix:
		for i := range in.Operands() {
			if in.Args[i].Kind == RegOperand && (rule == sizeSuffix || i == 0) {
				return dst
			}
		}
		return append(dst, sizeLetter(mem.Size))
	case floatSuffix:
		switch mem.Size {
		case 4:
			return append(dst, 's')
		case 8:
			return append(dst, 'l')
		}
		return append(dst, 't')
	case intSuffix:
		switch mem.Size {
		case 2:
			return append(dst, 's')
		case 4:
			return append(dst, 'l')
		}
		return append(dst, "ll"...)
	}
	return dst
}

// sizeLetter is AT&T's letter for an operand size in bytes.
func sizeLetter(size uint16) byte {
	switch size {
	case 1:
		return 'b'
	case 2:
		return 'w'
	case 4:
		return 'l'
	}
	return 'q'
}
