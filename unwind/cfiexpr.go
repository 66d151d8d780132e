package unwind

import (
	"fmt"

	"github.com/kdive/kdive/debuginfo/die"
)

// expression turns an expression into a rule: into a plain one where it is no
// more than a register and an offset, which realigned stacks have.
func expression(b []byte, deref bool) rule {
	plain, saved := opReg, opAtReg
	r := die.At(b, 0)
	if o := r.U8(); o >= die.OpBreg0 && o < die.OpBreg0+uint8(RIP) {
		off := r.Sleb()
		switch {
		case r.Bad:
		case r.Len() == 0 && deref:
			return rule{op: saved, reg: Reg(o - die.OpBreg0), off: off}
		case r.Len() == 0:
			return rule{op: plain, reg: Reg(o - die.OpBreg0), off: off}
		case r.Len() == 1 && !deref && r.U8() == die.OpDeref:
			return rule{op: saved, reg: Reg(o - die.OpBreg0), off: off}
		}
	}
	o := opExpr
	if deref {
		o = opAtExpr
	}
	return rule{op: o, expr: b}
}

// maxExprStack bounds the stack of an expression.
const maxExprStack = 64

// evalExpr evaluates an expression, which begins with the CFA on its stack; an
// expression for the CFA itself does not look at it.
func evalExpr(b []byte, regs *Registers, cfa uint64, m memory) (uint64, error) {
	st := []uint64{cfa}
	r := die.At(b, 0)
	for r.Len() > 0 {
		o := r.U8()
		var err error
		if st, err = exprStep(o, &r, st, regs, m); err != nil {
			return 0, err
		}
		if len(st) > maxExprStack || r.Bad {
			return 0, fmt.Errorf("damaged expression")
		}
	}
	if len(st) == 0 {
		return 0, fmt.Errorf("expression without a result")
	}
	return st[len(st)-1], nil
}

func exprStep(o uint8, r *die.Buf, st []uint64, regs *Registers, m memory) ([]uint64, error) {
	switch {
	case o >= die.OpLit0 && o <= die.OpLit31:
		return append(st, uint64(o-die.OpLit0)), nil
	case o >= die.OpBreg0 && o <= die.OpBreg31:
		v, ok := regs.Get(Reg(o - die.OpBreg0))
		if !ok {
			return nil, fmt.Errorf("%s is not known", Reg(o-die.OpBreg0))
		}
		return append(st, v+uint64(r.Sleb())), nil
	case o >= die.OpConst1u && o <= die.OpConst8s:
		return append(st, r.OpConst(o)), nil
	}
	switch o {
	case die.OpAddr:
		return append(st, r.U64()), nil
	case die.OpConstu:
		return append(st, r.Uleb()), nil
	case die.OpConsts:
		return append(st, uint64(r.Sleb())), nil
	}
	if len(st) == 0 {
		return nil, fmt.Errorf("expression with an empty stack")
	}
	top := &st[len(st)-1]
	switch o {
	case die.OpDeref:
		v, err := m.word(*top)
		*top = v
		return st, err
	case die.OpPlusUconst:
		*top += r.Uleb()
		return st, nil
	case die.OpDup:
		return append(st, *top), nil
	case die.OpDrop:
		return st[:len(st)-1], nil
	}
	if len(st) < 2 {
		return nil, fmt.Errorf("expression with an empty stack")
	}
	a, y := &st[len(st)-2], *top
	switch o {
	case die.OpPlus:
		*a += y
	case die.OpMinus:
		*a -= y
	case die.OpMul:
		*a *= y
	case die.OpAnd:
		*a &= y
	case die.OpOr:
		*a |= y
	case die.OpShl:
		*a <<= min(y, 64)
	case die.OpShr:
		*a >>= min(y, 64)
	case die.OpGe:
		if int64(*a) >= int64(y) {
			*a = 1
		} else {
			*a = 0
		}
	default:
		return nil, fmt.Errorf("expression with operator %#x", o)
	}
	return st[:len(st)-1], nil
}
