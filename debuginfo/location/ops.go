package location

import (
	"fmt"

	"github.com/kdive/kdive/debuginfo/die"
)

// Operators (DWARF 5, section 7.7.1, and GNU's extensions of DWARF 4).
const (
	opAddr            = 0x03
	opDeref           = 0x06
	opConst1u         = 0x08
	opConst8s         = 0x0f
	opConstu          = 0x10
	opConsts          = 0x11
	opDup             = 0x12
	opDrop            = 0x13
	opOver            = 0x14
	opPick            = 0x15
	opSwap            = 0x16
	opRot             = 0x17
	opXderef          = 0x18
	opAbs             = 0x19
	opAnd             = 0x1a
	opDiv             = 0x1b
	opMinus           = 0x1c
	opMod             = 0x1d
	opMul             = 0x1e
	opNeg             = 0x1f
	opNot             = 0x20
	opOr              = 0x21
	opPlus            = 0x22
	opPlusUconst      = 0x23
	opShl             = 0x24
	opShr             = 0x25
	opShra            = 0x26
	opXor             = 0x27
	opBra             = 0x28
	opEq              = 0x29
	opGe              = 0x2a
	opGt              = 0x2b
	opLe              = 0x2c
	opLt              = 0x2d
	opNe              = 0x2e
	opSkip            = 0x2f
	opLit0            = 0x30
	opLit31           = 0x4f
	opReg0            = 0x50
	opReg31           = 0x6f
	opBreg0           = 0x70
	opBreg31          = 0x8f
	opRegx            = 0x90
	opFbreg           = 0x91
	opBregx           = 0x92
	opPiece           = 0x93
	opDerefSize       = 0x94
	opXderefSize      = 0x95
	opNop             = 0x96
	opObject          = 0x97
	opCall2           = 0x98
	opCall4           = 0x99
	opCallRef         = 0x9a
	opTLS             = 0x9b
	opCFA             = 0x9c
	opBitPiece        = 0x9d
	opImplicitValue   = 0x9e
	opStackValue      = 0x9f
	opImplicitPointer = 0xa0
	opAddrx           = 0xa1
	opConstx          = 0xa2
	opEntryValue      = 0xa3
	opConstType       = 0xa4
	opRegvalType      = 0xa5
	opDerefType       = 0xa6
	opXderefType      = 0xa7
	opConvert         = 0xa8
	opReinterpret     = 0xa9
	opGNUTLS          = 0xe0
	opGNUUninit       = 0xf0
	opGNUImplicit     = 0xf2
	opGNUEntryValue   = 0xf3
	opGNUConstType    = 0xf4
	opGNURegvalType   = 0xf5
	opGNUDerefType    = 0xf6
	opGNUConvert      = 0xf7
	opGNUReinterpret  = 0xf9
	opGNUParameterRef = 0xfa
	opGNUAddrIndex    = 0xfb
	opGNUConstIndex   = 0xfc
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
	opGNUTLS: opTLS, opGNUImplicit: opImplicitPointer, opGNUEntryValue: opEntryValue, opGNUConstType: opConstType,
	opGNURegvalType: opRegvalType, opGNUDerefType: opDerefType, opGNUConvert: opConvert, opGNUReinterpret: opReinterpret,
	opGNUAddrIndex: opAddrx, opGNUConstIndex: opConstx,
}

// fixed are the sizes of operands of fixed size; negative ones are signed.
var fixed = map[uint8]int{
	opConst1u: 1, opConst1u + 1: -1, opConst1u + 2: 2, opConst1u + 3: -2, opConst1u + 4: 4, opConst1u + 5: -4, opConst1u + 6: 8, opConst8s: 8,
	opAddr: 8, opPick: 1, opBra: -2, opSkip: -2, opDerefSize: 1, opXderefSize: 1, opCall2: 2, opCall4: 4, opCallRef: 4, opGNUParameterRef: 4,
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
	case fixed[op] < 0:
		n := -fixed[op]
		shift := 64 - 8*n
		in.a = uint64(int64(b.Uint(n)<<shift) >> shift)
	case fixed[op] > 0:
		in.a = b.Uint(fixed[op])
	case op >= opBreg0 && op <= opBreg31, op == opConsts, op == opFbreg:
		in.a = uint64(b.Sleb())
	case op >= opLit0 && op <= opReg31:
	case op >= opAbs && op <= opNe && op != opPlusUconst, op >= opDup && op <= opXderef, op == opDeref:
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
	case opConstu, opPlusUconst, opRegx, opPiece, opAddrx, opConstx, opConvert, opReinterpret:
		in.a = b.Uleb()
	case opBregx:
		in.a, in.b = b.Uleb(), uint64(b.Sleb())
	case opBitPiece, opRegvalType:
		in.a, in.b = b.Uleb(), b.Uleb()
	case opImplicitValue, opEntryValue:
		in.block = take(b, b.Uleb())
	case opConstType:
		in.a = b.Uleb()
		in.block = take(b, uint64(b.U8()))
	case opDerefType, opXderefType:
		in.a, in.b = uint64(b.U8()), b.Uleb()
	case opImplicitPointer:
		in.a, in.b = uint64(b.U32()), uint64(b.Sleb())
	case opNop, opObject, opTLS, opCFA, opStackValue, opGNUUninit:
	default:
		return errOperator(in.op)
	}
	return nil
}

func take(b *die.Buf, n uint64) []byte {
	if n > uint64(b.Len()) {
		b.Skip(n)
		return nil
	}
	return b.Bytes(int(n))
}
