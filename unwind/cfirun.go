package unwind

import "github.com/kdive/kdive/debuginfo/die"

// cfiState is a row while instructions build it.
type cfiState struct {
	cfa  rule
	regs [numRegs]rule
}

// cfiRun executes the instructions of a function up to a pc.
type cfiRun struct {
	cie     *cie
	state   cfiState
	initial cfiState
	saved   []cfiState
	loc     uint64
	pc      uint64
	addr    uint64 // of the section
}

// maxSaved bounds the stack of remembered states.
const maxSaved = 64

// row is the row for a pc in the file; nil if nothing usable describes it.
func (t *cfiTable) row(pc uint64) *Row {
	f, ok := t.find(pc)
	if !ok {
		return nil
	}
	c := t.cieAt(f.cie)
	if c == nil || f.pos > f.end || f.end > len(t.data) {
		return nil
	}
	run := cfiRun{cie: c, loc: f.low, pc: pc, addr: t.addr}
	run.state.regs[RSP] = rule{op: opCFA}
	for _, r := range calleeSaved {
		run.state.regs[r] = rule{op: opSame}
	}
	if !run.exec(die.At(c.code, 0), c.start) {
		return nil
	}
	run.initial, run.loc = run.state, f.low
	if !run.exec(die.At(t.data[f.pos:f.end], 0), f.pos) {
		return nil
	}
	row := &Row{Source: FromCFI, Kind: KindCall, Exact: c.signal, cfa: run.state.cfa, regs: run.state.regs}
	switch ra := row.regs[RIP]; {
	case ra.op == opUnknown:
		row.Kind = KindEnd
	case row.cfa.op == opUnknown:
		return nil
	}
	return row
}

// exec runs instructions until they pass the pc; false if they are damaged.
// start is where the reader's bytes are in the section.
func (x *cfiRun) exec(r die.Buf, start int) bool {
	for r.Len() > 0 && !r.Bad {
		ins := r.U8()
		arg := uint64(ins & 0x3f)
		switch ins & 0xc0 {
		case 0x40:
			if x.advance(arg) {
				return true
			}
			continue
		case 0x80:
			x.set(arg, rule{op: opAtCFA, off: int64(r.Uleb()) * x.cie.dataAlign})
			continue
		case 0xc0:
			x.restore(arg)
			continue
		}
		done, ok := x.extended(ins, &r, start)
		if !ok {
			return false
		}
		if done {
			return true
		}
	}
	return !r.Bad
}

// advance moves on; true if the pc is passed.
func (x *cfiRun) advance(delta uint64) bool {
	x.loc += delta * x.cie.codeAlign
	return x.loc > x.pc
}

func (x *cfiRun) set(reg uint64, r rule) {
	if reg < uint64(numRegs) {
		x.state.regs[reg] = r
	}
}

func (x *cfiRun) restore(reg uint64) {
	if reg < uint64(numRegs) {
		x.state.regs[reg] = x.initial.regs[reg]
	}
}

// extended executes the instructions without an operand in their own byte
// (DW_CFA_*, DWARF 5 section 7.24).
func (x *cfiRun) extended(ins uint8, r *die.Buf, start int) (done, ok bool) {
	factored := func(reg uint64, n int64, o op) { x.set(reg, rule{op: o, off: n * x.cie.dataAlign}) }
	switch ins {
	case 0x00: // nop
	case 0x01: // set_loc
		enc := x.cie.pointers
		x.loc = pointer(r, enc, x.addr+uint64(start))
		return x.loc > x.pc, !r.Bad
	case 0x02: // advance_loc1
		return x.advance(uint64(r.U8())), true
	case 0x03:
		return x.advance(uint64(r.U16())), true
	case 0x04:
		return x.advance(uint64(r.U32())), true
	case 0x05: // offset_extended
		factored(r.Uleb(), int64(r.Uleb()), opAtCFA)
	case 0x06: // restore_extended
		x.restore(r.Uleb())
	case 0x07: // undefined
		x.set(r.Uleb(), rule{})
	case 0x08: // same_value
		x.set(r.Uleb(), rule{op: opSame})
	case 0x09: // register
		reg, from := r.Uleb(), r.Uleb()
		x.set(reg, inRegister(from))
	case 0x0a: // remember_state
		if len(x.saved) >= maxSaved {
			return false, false
		}
		x.saved = append(x.saved, x.state)
	case 0x0b: // restore_state
		if len(x.saved) == 0 {
			return false, false
		}
		x.state, x.saved = x.saved[len(x.saved)-1], x.saved[:len(x.saved)-1]
	case 0x11: // offset_extended_sf
		factored(r.Uleb(), r.Sleb(), opAtCFA)
	case 0x14: // val_offset
		factored(r.Uleb(), int64(r.Uleb()), opCFA)
	case 0x15: // val_offset_sf
		factored(r.Uleb(), r.Sleb(), opCFA)
	case 0x10: // expression
		reg := r.Uleb()
		x.set(reg, expression(r.Block(r.Uleb()), true))
	case 0x16: // val_expression
		reg := r.Uleb()
		x.set(reg, expression(r.Block(r.Uleb()), false))
	case 0x2e: // GNU_args_size
		r.Uleb()
	case 0x2f: // GNU_negative_offset_extended
		factored(r.Uleb(), -int64(r.Uleb()), opAtCFA)
	default:
		return false, x.defineCFA(ins, r)
	}
	return false, true
}

func (x *cfiRun) defineCFA(ins uint8, r *die.Buf) bool {
	c := &x.state.cfa
	switch ins {
	case 0x0c: // def_cfa
		reg := r.Uleb()
		*c = inRegister(reg)
		c.off = int64(r.Uleb())
	case 0x12: // def_cfa_sf
		reg := r.Uleb()
		*c = inRegister(reg)
		c.off = r.Sleb() * x.cie.dataAlign
	case 0x0d: // def_cfa_register
		off := c.off
		*c = inRegister(r.Uleb())
		c.off = off
	case 0x0e: // def_cfa_offset
		c.off = int64(r.Uleb())
	case 0x13: // def_cfa_offset_sf
		c.off = r.Sleb() * x.cie.dataAlign
	case 0x0f: // def_cfa_expression
		*c = expression(r.Block(r.Uleb()), false)
	default:
		return false
	}
	return true
}

func inRegister(reg uint64) rule {
	if reg >= uint64(numRegs) {
		return rule{}
	}
	return rule{op: opReg, reg: Reg(reg)}
}
