package location

import (
	"fmt"

	"github.com/kdive/kdive/debuginfo/die"
)

// instruction is one operator with its operands.
type instruction struct {
	op    uint8
	a, b  uint64 // signed operands are sign-extended
	block []byte
	next  int // offset of what follows it
}

// dwarf5 is the operator of DWARF 5 that a GNU operator became.
var dwarf5 = map[uint8]uint8{
	die.OpGNUPushTLSAddress: die.OpFormTLSAddress, die.OpGNUImplicitPointer: die.OpImplicitPointer, die.OpGNUEntryValue: die.OpEntryValue,
	die.OpGNUConstType: die.OpConstType, die.OpGNURegvalType: die.OpRegvalType, die.OpGNUDerefType: die.OpDerefType, die.OpGNUConvert: die.OpConvert,
	die.OpGNUReinterpret: die.OpReinterpret, die.OpGNUAddrIndex: die.OpAddrx, die.OpGNUConstIndex: die.OpConstx,
}

// fixed are the sizes of operands of fixed size; negative ones are signed.
var fixed = map[uint8]int{
	die.OpAddr: 8, die.OpPick: 1, die.OpBra: -2, die.OpSkip: -2, die.OpDerefSize: 1, die.OpXderefSize: 1, die.OpCall2: 2, die.OpCall4: 4, die.OpCallRef: 4,
	die.OpGNUParameterRef: 4,
}

// errOperator is an operator that this package does not know.
type errOperator uint8

func (e errOperator) Error() string { return fmt.Sprintf("operator %#x", uint8(e)) }

// decode reads the instruction at offset at, which is below len(expr). An error
// other than errOperator means that the expression is damaged.
func decode(expr []byte, at int) (instruction, error) {
	b := die.At(expr, at)
	in := instruction{op: b.U8()}
	if op, ok := dwarf5[in.op]; ok {
		in.op = op
	}
	op := in.op
	switch {
	case op >= die.OpConst1u && op <= die.OpConst8s:
		in.a = b.OpConst(op)
	case fixed[op] < 0:
		in.a = uint64(b.Int(-fixed[op]))
	case fixed[op] > 0:
		in.a = b.Uint(fixed[op])
	case op >= die.OpBreg0 && op <= die.OpBreg31, op == die.OpConsts, op == die.OpFbreg:
		in.a = uint64(b.Sleb())
	case op >= die.OpLit0 && op <= die.OpReg31:
	case op >= die.OpAbs && op <= die.OpNe && op != die.OpPlusUconst, op >= die.OpDup && op <= die.OpXderef, op == die.OpDeref:
	default:
		if err := in.decodeRare(&b); err != nil {
			return in, err
		}
	}
	if b.Bad {
		return in, fmt.Errorf("expression ends within operator %#x", op)
	}
	in.next = b.Pos
	return in, nil
}

func (in *instruction) decodeRare(b *die.Buf) error {
	switch in.op {
	case die.OpConstu, die.OpPlusUconst, die.OpRegx, die.OpPiece, die.OpAddrx, die.OpConstx, die.OpConvert, die.OpReinterpret:
		in.a = b.Uleb()
	case die.OpBregx:
		in.a, in.b = b.Uleb(), uint64(b.Sleb())
	case die.OpBitPiece, die.OpRegvalType:
		in.a, in.b = b.Uleb(), b.Uleb()
	case die.OpImplicitValue, die.OpEntryValue:
		in.block = b.Block(b.Uleb())
	case die.OpConstType:
		in.a = b.Uleb()
		in.block = b.Block(uint64(b.U8()))
	case die.OpDerefType, die.OpXderefType:
		in.a, in.b = uint64(b.U8()), b.Uleb()
	case die.OpImplicitPointer:
		in.a, in.b = uint64(b.U32()), uint64(b.Sleb())
	case die.OpNop, die.OpPushObjectAddress, die.OpFormTLSAddress, die.OpCallFrameCFA, die.OpStackValue, die.OpGNUUninit:
	default:
		return errOperator(in.op)
	}
	return nil
}
