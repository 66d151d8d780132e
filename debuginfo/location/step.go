package location

import (
	"fmt"
)

// step executes one instruction that is no end of a piece.
func (e *evaluator) step(in *instruction) error {
	op := in.op
	switch {
	case op >= opLit0 && op <= opLit31:
		e.push(uint64(op - opLit0))
	case op >= opConst1u && op <= opConsts:
		e.push(in.a)
	case op >= opReg0 && op <= opReg31:
		return e.inRegister(uint64(op - opReg0))
	case op >= opBreg0 && op <= opBreg31:
		return e.based(uint64(op-opBreg0), in.a)
	case op >= opDup && op <= opRot:
		return e.shuffle(in)
	case op == opAbs, op == opNeg, op == opNot:
		x, err := e.pop()
		e.stack = append(e.stack, entry{unaryOp(op, x.t, x.v), x.t})
		return err
	case op == opPlusUconst:
		x, err := e.pop()
		e.stack = append(e.stack, entry{x.t.normal(x.v + in.a), x.t})
		return err
	case op == opBra, op == opSkip:
		return e.branch(in)
	case op >= opAnd && op <= opNe:
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
	case opNop:
	case opGNUUninit:
		e.uninit = true
	case opAddr:
		return e.address(in.a)
	case opAddrx, opConstx:
		return e.indexed(in)
	case opRegx:
		return e.inRegister(in.a)
	case opBregx:
		return e.based(in.a, in.b)
	case opFbreg:
		v, p := e.m.FrameBase()
		e.push(v + in.a)
		return e.known(p)
	case opCFA:
		v, p := e.m.CFA()
		e.push(v)
		return e.known(p)
	case opDeref, opDerefSize, opDerefType:
		return e.deref(in)
	case opConvert, opReinterpret, opConstType, opRegvalType:
		return e.typed(in)
	case opEntryValue:
		v, p := e.m.Entry(in.block)
		e.push(v)
		return e.known(p)
	case opGNUParameterRef:
		v, p := e.m.EntryParameter(e.offset(in.a))
		e.push(v)
		return e.known(p)
	case opImplicitValue:
		e.place = &Piece{Kind: Computed, Data: in.block}
	case opStackValue:
		x, err := e.pop()
		e.place = &Piece{Kind: Computed, Data: little(x.v)}
		return err
	case opImplicitPointer:
		e.place = &Piece{Kind: Implicit, Target: int(in.a), Offset: int64(in.b)}
	case opTLS:
		return lostError{NoOperator, "operator form_tls_address: a kernel has no thread-local storage"}
	case opObject:
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
	case in.op == opAddrx:
		return e.address(v)
	}
	e.push(v)
	return nil
}

func (e *evaluator) shuffle(in *instruction) error {
	n := len(e.stack)
	need := map[uint8]int{opDup: 1, opDrop: 1, opOver: 2, opPick: int(in.a&0xff) + 1, opSwap: 2, opRot: 3}[in.op]
	if n < need {
		return lostError{Damaged, "an expression that takes from an empty stack"}
	}
	switch in.op {
	case opDrop:
		e.stack = e.stack[:n-1]
	case opSwap:
		e.stack[n-1], e.stack[n-2] = e.stack[n-2], e.stack[n-1]
	case opRot:
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
	if op != opShl && op != opShr && op != opShra && x.t != y.t {
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
	if in.op == opBra {
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
	if in.op != opDeref {
		size = int(in.a)
	}
	if in.op == opDerefType {
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
	if in.op == opRegvalType {
		off = in.b
	}
	t, err := e.baseType(off)
	if err != nil {
		return err
	}
	switch in.op {
	case opConstType:
		if len(in.block) != max(t.size, 1) && !t.generic() || len(in.block) > 8 {
			return lostError{Damaged, "a constant of another size than its type"}
		}
		e.stack = append(e.stack, entry{t.normal(number(in.block)), t})
		return nil
	case opRegvalType:
		v, p := e.m.Register(in.a)
		e.stack = append(e.stack, entry{t.normal(v), t})
		return e.known(p)
	}
	x, err := e.pop()
	if err != nil {
		return err
	}
	if in.op == opReinterpret && max(t.size, 8*btoi(t.generic())) != max(x.t.size, 8*btoi(x.t.generic())) {
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
