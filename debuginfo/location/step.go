package location

import (
	"fmt"

	"github.com/kdive/kdive/debuginfo/die"
)

// step executes one instruction that is no end of a piece.
func (e *evaluator) step(in *instruction) error {
	op := in.op
	switch {
	case op >= die.OpLit0 && op <= die.OpLit31:
		e.push(uint64(op - die.OpLit0))
	case op >= die.OpConst1u && op <= die.OpConsts:
		e.push(in.a)
	case op >= die.OpReg0 && op <= die.OpReg31:
		return e.inRegister(uint64(op - die.OpReg0))
	case op >= die.OpBreg0 && op <= die.OpBreg31:
		return e.based(uint64(op-die.OpBreg0), in.a)
	case op >= die.OpDup && op <= die.OpRot:
		return e.shuffle(in)
	case op == die.OpAbs, op == die.OpNeg, op == die.OpNot:
		x, err := e.pop()
		e.stack = append(e.stack, entry{unaryOp(op, x.t, x.v), x.t})
		return err
	case op == die.OpPlusUconst:
		x, err := e.pop()
		e.stack = append(e.stack, entry{x.t.normal(x.v + in.a), x.t})
		return err
	case op == die.OpBra, op == die.OpSkip:
		return e.branch(in)
	case op >= die.OpAnd && op <= die.OpNe:
		return e.binary(op)
	default:
		return e.special(in)
	}
	return nil
}

// special are the operators that ask for something outside of the stack, and
// those that are no addresses.
func (e *evaluator) special(in *instruction) error {
	switch in.op {
	case die.OpNop:
	case die.OpGNUUninit:
		e.uninit = true
	case die.OpAddr:
		return e.address(in.a)
	case die.OpAddrx, die.OpConstx:
		return e.indexed(in)
	case die.OpRegx:
		return e.inRegister(in.a)
	case die.OpBregx:
		return e.based(in.a, in.b)
	case die.OpFbreg:
		v, p := e.m.FrameBase()
		e.push(v + in.a)
		return e.known(p)
	case die.OpCallFrameCFA:
		v, p := e.m.CFA()
		e.push(v)
		return e.known(p)
	case die.OpDeref, die.OpDerefSize, die.OpDerefType:
		return e.deref(in)
	case die.OpConvert, die.OpReinterpret, die.OpConstType, die.OpRegvalType:
		return e.typed(in)
	case die.OpEntryValue:
		v, p := e.m.Entry(in.block)
		e.push(v)
		return e.known(p)
	case die.OpGNUParameterRef:
		v, p := e.m.EntryParameter(e.offset(in.a))
		e.push(v)
		return e.known(p)
	case die.OpImplicitValue:
		e.place = &Piece{Kind: Computed, Data: in.block}
	case die.OpStackValue:
		x, err := e.pop()
		e.place = &Piece{Kind: Computed, Data: little(x.v)}
		return err
	case die.OpImplicitPointer:
		e.place = &Piece{Kind: Implicit, Target: int(in.a), Offset: int64(in.b)}
	case die.OpFormTLSAddress:
		return lostError{NoOperator, "operator form_tls_address: a kernel has no thread-local storage"}
	case die.OpPushObjectAddress:
		return lostError{NoOperator, "operator push_object_address: there is no object"}
	default:
		return errOperator(in.op)
	}
	return nil
}

// offset is the offset in .debug_info of an entry given by its offset in the unit.
func (e *evaluator) offset(off uint64) int {
	if e.unit == nil || off >= uint64(e.unit.End-e.unit.Off) {
		return -1
	}
	return e.unit.Off + int(off)
}

func (e *evaluator) inRegister(n uint64) error {
	if len(e.stack) > 0 {
		return lostError{Damaged, "an expression that computes a register"}
	}
	v, p := e.m.Register(n)
	e.place = &Piece{Kind: InRegister, Reg: n, Data: little(v)}
	return e.known(p)
}

func (e *evaluator) based(n, off uint64) error {
	v, p := e.m.Register(n)
	e.push(v + off)
	return e.known(p)
}

func (e *evaluator) address(link uint64) error {
	v, ok := e.m.Runtime(link)
	if !ok {
		return lostError{NoLocation, fmt.Sprintf("address %#x of the file was not loaded", link)}
	}
	e.push(v)
	return nil
}

func (e *evaluator) indexed(in *instruction) error {
	if e.unit == nil {
		return lostError{Damaged, "an indexed address without a unit"}
	}
	v, err := e.unit.AddrX(in.a)
	switch {
	case err != nil:
		return err
	case in.op == die.OpAddrx:
		return e.address(v)
	}
	e.push(v)
	return nil
}

func (e *evaluator) shuffle(in *instruction) error {
	n := len(e.stack)
	need := map[uint8]int{die.OpDup: 1, die.OpDrop: 1, die.OpOver: 2, die.OpPick: int(in.a&0xff) + 1, die.OpSwap: 2, die.OpRot: 3}[in.op]
	if n < need {
		return lostError{Damaged, "an expression that takes from an empty stack"}
	}
	switch in.op {
	case die.OpDrop:
		e.stack = e.stack[:n-1]
	case die.OpSwap:
		e.stack[n-1], e.stack[n-2] = e.stack[n-2], e.stack[n-1]
	case die.OpRot:
		e.stack[n-1], e.stack[n-2], e.stack[n-3] = e.stack[n-2], e.stack[n-3], e.stack[n-1]
	default: // dup, over, pick
		e.stack = append(e.stack, e.stack[n-need])
	}
	return nil
}

func (e *evaluator) binary(op uint8) error {
	y, err := e.pop()
	if err != nil {
		return err
	}
	x, err := e.pop()
	if err != nil {
		return err
	}
	t := x.t
	if op != die.OpShl && op != die.OpShr && op != die.OpShra && x.t != y.t {
		// Unsigned numbers of 64 bits are as good as generic ones.
		long := base{8, false}
		switch {
		case x.t.generic() && y.t == long:
		case y.t.generic() && x.t == long:
			t = y.t
		default:
			return lostError{Damaged, "an operator on two types"}
		}
	}
	v, t, err := binaryOp(op, t, x.v, y.v)
	e.stack = append(e.stack, entry{v, t})
	return err
}

func (e *evaluator) branch(in *instruction) error {
	if in.op == die.OpBra {
		x, err := e.pop()
		if err != nil || x.v == 0 {
			return err
		}
	}
	to := in.next + int(int16(in.a))
	if to < 0 || to > len(e.expr) {
		return lostError{Damaged, "an expression that jumps out of itself"}
	}
	e.at = to
	return nil
}

func (e *evaluator) deref(in *instruction) error {
	x, err := e.pop()
	if err != nil {
		return err
	}
	size, t := 8, base{}
	if in.op != die.OpDeref {
		size = int(in.a)
	}
	if in.op == die.OpDerefType {
		if t, err = e.baseType(in.b); err != nil {
			return err
		}
	}
	v, err := e.read(x.v, size)
	e.stack = append(e.stack, entry{t.normal(v), t})
	return err
}

// typed are the operators on other types than the generic one.
func (e *evaluator) typed(in *instruction) error {
	off := in.a
	if in.op == die.OpRegvalType {
		off = in.b
	}
	t, err := e.baseType(off)
	if err != nil {
		return err
	}
	switch in.op {
	case die.OpConstType:
		if len(in.block) != max(t.size, 1) && !t.generic() || len(in.block) > 8 {
			return lostError{Damaged, "a constant of another size than its type"}
		}
		e.stack = append(e.stack, entry{t.normal(number(in.block)), t})
		return nil
	case die.OpRegvalType:
		v, p := e.m.Register(in.a)
		e.stack = append(e.stack, entry{t.normal(v), t})
		return e.known(p)
	}
	x, err := e.pop()
	if err != nil {
		return err
	}
	if in.op == die.OpReinterpret && max(t.size, 8*btoi(t.generic())) != max(x.t.size, 8*btoi(x.t.generic())) {
		return lostError{Damaged, "a value reinterpreted as one of another size"}
	}
	e.stack = append(e.stack, entry{t.normal(x.v), t})
	return nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (e *evaluator) baseType(off uint64) (base, error) { return baseType(e.unit, off) }
