package unwind

import "fmt"

// Operators of DWARF expressions that occur in call frame information (DWARF 5
// section 7.7.1).
const (
	exprAddr   = 0x03
	exprDeref  = 0x06
	exprConst1 = 0x08 // 1, 2, 4, 8 bytes, each unsigned and signed
	exprConst8 = 0x0f
	exprConstu = 0x10
	exprConsts = 0x11
	exprDup    = 0x12
	exprDrop   = 0x13
	exprAnd    = 0x1a
	exprMinus  = 0x1c
	exprMul    = 0x1e
	exprOr     = 0x21
	exprPlus   = 0x22
	exprPlusU  = 0x23
	exprShl    = 0x24
	exprShr    = 0x25
	exprGE     = 0x2a
	exprLit0   = 0x30
	exprBreg0  = 0x70
	exprBreg31 = 0x8f
)

// expression turns an expression into a rule: into a plain one where it is no
// more than a register and an offset, which realigned stacks have.
func expression(b []byte, deref bool) rule {
	plain, saved := opReg, opAtReg
	r := reader{b: b}
	if o := r.u8(); o >= exprBreg0 && o < exprBreg0+uint8(RIP) {
		off := r.sleb()
		switch {
		case r.bad:
		case r.left() == 0 && deref:
			return rule{op: saved, reg: Reg(o - exprBreg0), off: off}
		case r.left() == 0:
			return rule{op: plain, reg: Reg(o - exprBreg0), off: off}
		case r.left() == 1 && !deref && r.u8() == exprDeref:
			return rule{op: saved, reg: Reg(o - exprBreg0), off: off}
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
	r := reader{b: b}
	for r.left() > 0 {
		o := r.u8()
		var err error
		if st, err = exprStep(o, &r, st, regs, m); err != nil {
			return 0, err
		}
		if len(st) > maxExprStack || r.bad {
			return 0, fmt.Errorf("damaged expression")
		}
	}
	if len(st) == 0 {
		return 0, fmt.Errorf("expression without a result")
	}
	return st[len(st)-1], nil
}

func exprStep(o uint8, r *reader, st []uint64, regs *Registers, m memory) ([]uint64, error) {
	switch {
	case o >= exprLit0 && o < exprLit0+32:
		return append(st, uint64(o-exprLit0)), nil
	case o >= exprBreg0 && o <= exprBreg31:
		v, ok := regs.Get(Reg(o - exprBreg0))
		if !ok {
			return nil, fmt.Errorf("%s is not known", Reg(o-exprBreg0))
		}
		return append(st, v+uint64(r.sleb())), nil
	case o >= exprConst1 && o <= exprConst8:
		return append(st, exprConst(o, r)), nil
	}
	switch o {
	case exprAddr:
		return append(st, r.u64()), nil
	case exprConstu:
		return append(st, r.uleb()), nil
	case exprConsts:
		return append(st, uint64(r.sleb())), nil
	}
	if len(st) == 0 {
		return nil, fmt.Errorf("expression with an empty stack")
	}
	top := &st[len(st)-1]
	switch o {
	case exprDeref:
		v, err := m.word(*top)
		*top = v
		return st, err
	case exprPlusU:
		*top += r.uleb()
		return st, nil
	case exprDup:
		return append(st, *top), nil
	case exprDrop:
		return st[:len(st)-1], nil
	}
	if len(st) < 2 {
		return nil, fmt.Errorf("expression with an empty stack")
	}
	a, y := &st[len(st)-2], *top
	switch o {
	case exprPlus:
		*a += y
	case exprMinus:
		*a -= y
	case exprMul:
		*a *= y
	case exprAnd:
		*a &= y
	case exprOr:
		*a |= y
	case exprShl:
		*a <<= min(y, 64)
	case exprShr:
		*a >>= min(y, 64)
	case exprGE:
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

func exprConst(o uint8, r *reader) uint64 {
	switch o {
	case exprConst1:
		return uint64(r.u8())
	case exprConst1 + 1:
		return uint64(int64(int8(r.u8())))
	case exprConst1 + 2:
		return uint64(r.u16())
	case exprConst1 + 3:
		return uint64(int64(int16(r.u16())))
	case exprConst1 + 4:
		return uint64(r.u32())
	case exprConst1 + 5:
		return uint64(int64(int32(r.u32())))
	}
	return r.u64()
}
