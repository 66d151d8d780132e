package replay

import (
	"fmt"

	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/location"
	"github.com/kdive/kdive/frame"
	"github.com/kdive/kdive/replay/symbolic"
	"github.com/kdive/kdive/unwind"
)

// maxBindings bounds the entries of one location list that are followed.
const maxBindings = 512

// followed carries a variable from where the debug info last had it.
func (p *point) followed(v *frame.Sought) location.Result {
	none := func(why string) location.Result { return location.LostResult(location.NotHere, why) }
	size := v.Type.Size()
	if size != 1 && size != 2 && size != 4 && size != 8 || len(v.List) > maxBindings {
		return none("not followed: not a number or a pointer")
	}
	var list []symbolic.Binding
	for _, l := range v.List {
		if l.Always {
			return none("not followed: a place with no range")
		}
		low, ok := v.Code.Runtime(l.Low)
		if !ok {
			return none("not followed: a place elsewhere")
		}
		t := &term{expr: l.Expr, size: uint8(size), v: v}
		list = append(list, symbolic.Binding{Low: low, High: low + (l.High - l.Low), Term: t.build})
	}
	e, asOf, ok := p.fn.Follow(list, p.pc)
	if !ok {
		return none("it may have been assigned since its last place in the debug info")
	}
	value, err := p.value(p.fn.Low(e, uint8(size)))
	if err != nil {
		return none(err.Error())
	}
	q := p.derived(value)
	name, off, _ := p.s.m.v.SymbolAt(asOf)
	q.How += fmt.Sprintf(", as of %s+%d", name, off)
	return number(value, int(size), q)
}

// term is one entry of a location list as an expression.
type term struct {
	expr []byte
	size uint8
	v    *frame.Sought
}

// build is nil where the entry has an operator that is not followed.
func (t *term) build(b *symbolic.Builder) *symbolic.Expr {
	r := die.At(t.expr, 0)
	var stack []*symbolic.Expr
	push := func(e *symbolic.Expr) { stack = append(stack, e) }
	isValue, inReg := false, false
	for r.Pos < len(t.expr) {
		if isValue || inReg || len(stack) > 16 {
			return nil // pieces
		}
		op := r.U8()
		switch {
		case op >= die.OpLit0 && op < die.OpReg0:
			push(b.Const(uint64(op - die.OpLit0)))
		case op >= die.OpReg0 && op < die.OpReg0+16:
			push(b.Reg(hardware[op-die.OpReg0]))
			inReg = true
		case op >= die.OpBreg0 && op < die.OpBreg0+16:
			off := r.Sleb()
			push(b.Binary(symbolic.OpAdd, b.Reg(hardware[op-die.OpBreg0]), b.Const(uint64(off))))
		case op == die.OpFbreg:
			// The CFA is behind the return address.
			push(b.Binary(symbolic.OpAdd, b.Entry(hardware[unwind.RSP]), b.Const(uint64(r.Sleb()+8))))
		case op >= die.OpConst1u && op <= die.OpConst8s:
			push(b.Const(r.OpConst(op)))
		case op == die.OpConstu:
			push(b.Const(r.Uleb()))
		case op == die.OpConsts:
			push(b.Const(uint64(r.Sleb())))
		case op == die.OpAddr:
			a, ok := t.v.Code.Runtime(r.U64())
			if !ok {
				return nil
			}
			push(b.Const(a))
		case op == die.OpEntryValue || op == die.OpGNUEntryValue:
			if n := r.Uleb(); n != 1 {
				return nil
			}
			reg := r.U8()
			if reg < die.OpReg0 || reg >= die.OpReg0+16 {
				return nil
			}
			push(b.Entry(hardware[reg-die.OpReg0]))
		case op == die.OpPlusUconst:
			if len(stack) == 0 {
				return nil
			}
			stack[len(stack)-1] = b.Binary(symbolic.OpAdd, stack[len(stack)-1], b.Const(r.Uleb()))
		case op == die.OpStackValue:
			isValue = true
		default:
			x, ok := binaryOps[op]
			if !ok || len(stack) < 2 {
				return nil
			}
			n := len(stack) - 2
			stack = append(stack[:n], b.Binary(x, stack[n], stack[n+1]))
		}
		if r.Bad || len(stack) == 0 || stack[len(stack)-1] == nil {
			return nil
		}
	}
	switch {
	case len(stack) != 1:
		return nil
	case isValue || inReg:
		return b.Low(stack[0], t.size)
	}
	return b.Memory(stack[0], t.size)
}

var binaryOps = map[byte]symbolic.Op{die.OpAnd: symbolic.OpAnd, die.OpMinus: symbolic.OpSub, die.OpMul: symbolic.OpMul, die.OpOr: symbolic.OpOr,
	die.OpPlus: symbolic.OpAdd, die.OpShl: symbolic.OpShl, die.OpShr: symbolic.OpShr, die.OpShra: symbolic.OpSar, die.OpXor: symbolic.OpXor}
