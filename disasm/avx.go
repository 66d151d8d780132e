package disasm

import (
	"strconv"
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// mask prints what EVEX adds to the destination: {%k1} and {z}; to memory: {1to8}.
func (p *printer) mask() {
	e := &p.in.enc
	if e.kind != evex {
		return
	}
	if k := e.p2 & 7; k != 0 {
		p.byte('{')
		if !p.style.Intel {
			p.byte('%')
		}
		p.str(regNames[Reg(x86asm.K0)+Reg(k)])
		p.byte('}')
	}
	if e.p2&0x80 != 0 {
		p.str("{z}")
	}
}

// broadcast prints how often an element from memory is used.
func (p *printer) broadcast(o *Operand) {
	e := &p.in.enc
	if e.kind != evex || e.p2&0x10 == 0 || o.Size == 0 {
		return
	}
	n := int64(16<<e.vlen) / int64(o.Size)
	if p.in.widens() {
		n /= 2
	}
	p.str("{1to")
	p.dst = strconv.AppendInt(p.dst, n, 10)
	p.byte('}')
}

// widens reports whether the elements of the result are twice as wide as those of the source.
func (in *Inst) widens() bool {
	switch in.Op {
	case x86asm.VCVTDQ2PD, x86asm.VCVTUDQ2PD, x86asm.VCVTPS2PD, x86asm.VCVTPS2QQ, x86asm.VCVTPS2UQQ, x86asm.VCVTTPS2QQ,
		x86asm.VCVTTPS2UQQ:
		return true
	}
	return false
}

var roundings = [4]string{"{rn-sae}", "{rd-sae}", "{ru-sae}", "{rz-sae}"}

// rounding prints the rounding mode that EVEX has for registers, as an operand of its own.
func (p *printer) rounding() bool {
	e := &p.in.enc
	if e.kind != evex || e.p2&0x10 == 0 || e.isMem() {
		return false
	}
	name := infoOf(p.in.Op).att
	for _, prefix := range exceptionsOnly {
		if strings.HasPrefix(name, prefix) {
			p.str("{sae}")
			return true
		}
	}
	p.str(roundings[e.p2>>5&3])
	return true
}

// exceptionsOnly are the beginnings of the names of instructions that do not round: for them the bit means only that they
// raise no exceptions.
var exceptionsOnly = []string{"vcmp", "vcomis", "vcvtph2ps", "vcvtps2pd", "vcvtps2ph", "vcvtss2sd", "vcvtt", "vexp2", "vfixup",
	"vgetexp", "vgetmant", "vmax", "vmin", "vrange", "vrcp28", "vreduce", "vrndscale", "vrsqrt28", "vucomis"}
