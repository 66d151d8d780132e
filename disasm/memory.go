package disasm

import "golang.org/x/arch/x86/x86asm"

// memory returns the address of the operand in ModRM.
func (e *encoding) memory() Mem {
	size := 8
	if e.addr32() {
		size = 4
	}
	m := Mem{Segment: e.segment(), Scale: 1, Disp: e.signed(e.dispAt, e.dispLen)}
	modrm := e.modrm()
	if e.hasSIB {
		sib := e.raw[e.modAt+1]
		m.Scale = 1 << (sib >> 6)
		if index := sib>>3&7 | bit(e.x, 8); index != 4 {
			m.Index = gprOf(index, size, true)
		}
		if sib&7 != 5 || modrm>>6 != 0 {
			m.Base = gprOf(sib&7|bit(e.b, 8), size, true)
		}
		return m
	}
	if modrm>>6 == 0 && modrm&7 == 5 {
		m.Base = Reg(x86asm.RIP)
		if e.addr32() {
			m.Base = Reg(x86asm.EIP)
		}
		return m
	}
	m.Base = gprOf(e.rmField(), size, true)
	return m
}

// segment returns the segment register that a prefix selects, or 0.
func (e *encoding) segment() Reg {
	if e.segAt < 0 {
		return 0
	}
	if e.raw[e.segAt] == 0x64 {
		return Reg(x86asm.FS)
	}
	return Reg(x86asm.GS)
}
