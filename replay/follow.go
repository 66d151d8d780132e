package replay

import (
	"fmt"

	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/location"
	"github.com/kdive/kdive/frame"
	"github.com/kdive/kdive/replay/symbolic"
	"github.com/kdive/kdive/unwind"
)

// DWARF operators that a variable is followed through (DWARF 5, 7.7.1); any other
// ends it.
const (
	opAddr       = 0x03
	opConst1u    = 0x08
	opConst8s    = 0x0f
	opConstu     = 0x10
	opConsts     = 0x11
	opAnd        = 0x1a
	opMinus      = 0x1c
	opMul        = 0x1e
	opOr         = 0x21
	opPlus       = 0x22
	opPlusUconst = 0x23
	opShl        = 0x24
	opShr        = 0x25
	opShra       = 0x26
	opXor        = 0x27
	opLit0       = 0x30
	opReg0       = 0x50
	opBreg0      = 0x70
	opStackValue = 0x9f
	opEntryValue = 0xa3
	opGNUEntry   = 0xf3
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
		case op >= opLit0 && op < opReg0:
			push(b.Const(uint64(op - opLit0)))
		case op >= opReg0 && op < opReg0+16:
			push(b.Reg(hardware[op-opReg0]))
			inReg = true
		case op >= opBreg0 && op < opBreg0+16:
			off := r.Sleb()
			push(b.Binary(symbolic.OpAdd, b.Reg(hardware[op-opBreg0]), b.Const(uint64(off))))
		case op == opFbreg:
			// The CFA is behind the return address.
			push(b.Binary(symbolic.OpAdd, b.Entry(hardware[unwind.RSP]), b.Const(uint64(r.Sleb()+8))))
		case op >= opConst1u && op <= opConst8s:
			push(b.Const(fixed(&r, op-opConst1u)))
		case op == opConstu:
			push(b.Const(r.Uleb()))
		case op == opConsts:
			push(b.Const(uint64(r.Sleb())))
		case op == opAddr:
			a, ok := t.v.Code.Runtime(r.U64())
			if !ok {
				return nil
			}
			push(b.Const(a))
		case op == opEntryValue || op == opGNUEntry:
			if n := r.Uleb(); n != 1 {
				return nil
			}
			reg := r.U8()
			if reg < opReg0 || reg >= opReg0+16 {
				return nil
			}
			push(b.Entry(hardware[reg-opReg0]))
		case op == opPlusUconst:
			if len(stack) == 0 {
				return nil
			}
			stack[len(stack)-1] = b.Binary(symbolic.OpAdd, stack[len(stack)-1], b.Const(r.Uleb()))
		case op == opStackValue:
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

var binaryOps = map[byte]symbolic.Op{opAnd: symbolic.OpAnd, opMinus: symbolic.OpSub, opMul: symbolic.OpMul, opOr: symbolic.OpOr,
	opPlus: symbolic.OpAdd, opShl: symbolic.OpShl, opShr: symbolic.OpShr, opShra: symbolic.OpSar, opXor: symbolic.OpXor}

// fixed is a constant of 1, 2, 4 or 8 bytes, without and with a sign.
func fixed(r *die.Buf, kind byte) uint64 {
	switch kind {
	case 0:
		return uint64(r.U8())
	case 1:
		return uint64(int64(int8(r.U8())))
	case 2:
		return uint64(r.U16())
	case 3:
		return uint64(int64(int16(r.U16())))
	case 4:
		return uint64(r.U32())
	case 5:
		return uint64(int64(int32(r.U32())))
	}
	return r.U64()
}
