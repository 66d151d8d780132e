package disasm

import (
	"strconv"

	"golang.org/x/arch/x86/x86asm"
)

func (amd64) AppendText(dst []byte, in *Inst, style Style) []byte {
	p := printer{in: in, style: style, dst: dst, start: len(dst)}
	switch {
	case in.Bad:
		p.bad()
	case style.Intel:
		p.intel()
	default:
		p.att()
	}
	return p.dst
}

// A printer appends one instruction's text to dst.
type printer struct {
	in    *Inst
	style Style
	dst   []byte
	start int // where in dst the instruction starts
}

func (p *printer) str(s string) { p.dst = append(p.dst, s...) }
func (p *printer) byte(b byte)  { p.dst = append(p.dst, b) }

func (p *printer) hex(v uint64) {
	p.dst = append(p.dst, "0x"...)
	p.dst = strconv.AppendUint(p.dst, v, 16)
}

// pad fills up the mnemonic's column before the first operand.
func (p *printer) pad() {
	for len(p.dst)-p.start < 6 {
		p.byte(' ')
	}
	p.byte(' ')
}

// bad prints what is no instruction, or not all of one.
func (p *printer) bad() {
	e := &p.in.enc
	switch {
	case p.in.Len == 0:
	case e.nPrefix >= e.length: // prefixes alone
		p.prefixNames(e.length)
		p.dst = p.dst[:len(p.dst)-1]
	case e.isCut:
		p.str(".byte ")
		p.hex(uint64(e.raw[0]))
	default:
		p.prefixNames(e.nPrefix)
		p.str("(bad)")
	}
}

// prefixNames prints the first n prefixes that are no part of the instruction, each with a blank behind it.
func (p *printer) prefixNames(n uint8) {
	e := &p.in.enc
	if e.used == 1<<n-1 {
		return
	}
	for i := range n {
		if e.used>>i&1 != 0 || int8(i) == e.hintAt && !p.style.Intel && p.in.hinted() {
			continue // printed, if at all, as a part of the mnemonic or an operand
		}
		p.str(p.prefixName(e.raw[i], int8(i)))
		p.byte(' ')
	}
}

func (p *printer) prefixName(b byte, at int8) string {
	e := &p.in.enc
	switch b {
	case 0x9b:
		return "fwait"
	case 0xf0:
		return "lock"
	case 0xf2:
		switch {
		case at == e.repAt && p.in.takesBound():
			return "bnd"
		case at == e.repAt && p.in.elides() && (e.lockAt >= 0 || p.in.Op == x86asm.XCHG):
			return "xacquire"
		}
		return "repnz"
	case 0xf3:
		switch {
		case at == e.repAt && p.in.elides() && (e.lockAt >= 0 || p.in.Op == x86asm.XCHG || p.in.Op == x86asm.MOV):
			return "xrelease"
		case p.in.isString() && e.opcode&0xf6 != 0xa6: // all but cmps and scas
			return "rep"
		}
		return "repz"
	case 0x66:
		return "data16"
	case 0x67:
		return "addr32"
	case 0x26:
		return "es"
	case 0x2e:
		return "cs"
	case 0x36:
		return "ss"
	case 0x3e:
		if at == e.hintAt && p.in.isIndirect() {
			return "notrack"
		}
		return "ds"
	case 0x64:
		return "fs"
	case 0x65:
		return "gs"
	}
	return rexNames[b&15]
}

var rexNames = [16]string{"rex", "rex.B", "rex.X", "rex.XB", "rex.R", "rex.RB", "rex.RX", "rex.RXB",
	"rex.W", "rex.WB", "rex.WX", "rex.WXB", "rex.WR", "rex.WRB", "rex.WRX", "rex.WRXB"}

// takesBound reports whether the prefix F2 is BND of Intel MPX: in front of near branches other than loops.
func (in *Inst) takesBound() bool {
	switch in.Op {
	case x86asm.CALL, x86asm.JMP, x86asm.RET:
		return true
	case x86asm.LOOP, x86asm.LOOPE, x86asm.LOOPNE, x86asm.JRCXZ, x86asm.JECXZ, x86asm.XBEGIN:
		return false
	}
	return in.Flow == CondJump
}

// isIndirect reports whether the instruction is a near branch to an address from a register or memory.
func (in *Inst) isIndirect() bool {
	return (in.Op == x86asm.CALL || in.Op == x86asm.JMP) && in.Args[0].Kind != TargetOperand
}

// elides reports whether a prefix F2 or F3 can ask for lock elision (Intel TSX): in front of changes of memory.
func (in *Inst) elides() bool {
	e := &in.enc
	if in.Args[0].Kind != MemOperand && in.Args[1].Kind != MemOperand || e.kind != legacy {
		return false
	}
	switch in.Op {
	case x86asm.MOV:
		return e.opmap == 0 && (e.opcode&0xfe == 0x88 || e.opcode&0xfe == 0xc6)
	case x86asm.ADD, x86asm.ADC, x86asm.AND, x86asm.BTC, x86asm.BTR, x86asm.BTS, x86asm.CMPXCHG, x86asm.CMPXCHG8B,
		x86asm.CMPXCHG16B, x86asm.DEC, x86asm.INC, x86asm.NEG, x86asm.NOT, x86asm.OR, x86asm.SBB, x86asm.SUB, x86asm.XOR,
		x86asm.XADD, x86asm.XCHG:
		return true
	}
	return false
}

// target prints a branch target.
func (p *printer) target(addr uint64) {
	if p.style.BareTargets {
		p.dst = strconv.AppendUint(p.dst, addr, 16)
	} else {
		p.hex(addr)
	}
	p.name(addr)
}

// name prints an address's name in angle brackets, if it has one.
func (p *printer) name(addr uint64) {
	if p.style.Name == nil {
		return
	}
	if name := p.style.Name(addr); name != "" {
		p.str(" <")
		p.str(name)
		p.byte('>')
	}
}

// comment prints the address that an operand relative to the instruction pointer stands for.
func (p *printer) comment() {
	if p.style.NoComment {
		return
	}
	if addr, ok := p.in.Ref(); ok {
		p.str("        # ")
		p.target(addr)
	}
}

// unsigned returns a constant as the operation's width shows it.
func unsigned(o *Operand) uint64 {
	v := uint64(o.Imm)
	if o.Imm < 0 && o.Size < 8 && o.Size > 0 {
		v &= 1<<(8*o.Size) - 1
	}
	return v
}

// showsRIZ reports whether the memory operand has a SIB byte without an index where none was needed; the
// pseudo-register riz stands for the index then.
func (e *encoding) showsRIZ() bool {
	if !e.hasSIB || !e.isMem() {
		return false
	}
	sib := e.raw[e.modAt+1]
	if sib>>3&7|bit(e.x, 8) != 4 {
		return false
	}
	if sib>>6 != 0 {
		return true
	}
	if sib&7 == 5 && e.modrm()>>6 == 0 { // no base
		return e.addr32()
	}
	return sib&7 != 4
}

// shownIndex returns the index register to print: the real one, or the one that stands for none.
func (p *printer) shownIndex(m *Mem) Reg {
	e := &p.in.enc
	switch {
	case m.Index != 0 || !e.showsRIZ():
		return m.Index
	case e.addr32():
		return eiz
	}
	return riz
}

// address prints the address of memory that no register is part of.
func (p *printer) address(m *Mem) {
	addr := uint64(m.Disp)
	if p.in.enc.addr32() {
		addr = uint64(uint32(addr))
	}
	p.hex(addr)
}

// displacement prints a displacement that is added to registers, with its sign.
func (p *printer) displacement(m *Mem, index Reg) {
	if m.Base == 0 && index == eiz { // there is no register: an address
		p.hex(uint64(uint32(m.Disp)))
		return
	}
	if m.Disp < 0 {
		p.byte('-')
		p.hex(uint64(-m.Disp))
		return
	}
	p.hex(uint64(m.Disp))
}
