package disasm

import (
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// A Reg is a register; 0 is none. On AMD64 the values are those of golang.org/x/arch/x86/x86asm, and further ones for the
// registers that package does not know.
type Reg uint16

// Registers of AMD64 that x86asm has no number for.
const (
	bnd0 Reg = 0x100 + iota*8 // bnd0 to bnd3
	tmm0                      // tmm0 to tmm7
	riz                       // no index register, spelled out
	eiz  = riz + 1
)

const numRegs = 0x120

var regNames = buildRegNames()

func buildRegNames() (names [numRegs]string) {
	for r := x86asm.AL; r <= x86asm.TR7; r++ {
		name := strings.ToLower(r.String())
		switch {
		case r >= x86asm.R8L && r <= x86asm.R15L:
			name = strings.TrimSuffix(name, "l") + "d"
		case r >= x86asm.SPB && r <= x86asm.DIB:
			name = strings.TrimSuffix(name, "b") + "l"
		case r >= x86asm.X0 && r < x86asm.X0+32:
			name = "xmm" + name[1:]
		case r >= x86asm.Y0 && r < x86asm.Y0+32:
			name = "ymm" + name[1:]
		case r >= x86asm.Z0 && r < x86asm.Z0+32:
			name = "zmm" + name[1:]
		case r >= x86asm.M0 && r <= x86asm.M7:
			name = "m" + name
		case r >= x86asm.F0 && r <= x86asm.F7:
			name = "st(" + name[1:] + ")"
		}
		names[r] = name
	}
	for i := range Reg(8) {
		digit := string(rune('0' + i))
		names[tmm0+i] = "tmm" + digit
		if i < 4 {
			names[bnd0+i] = "bnd" + digit
		}
	}
	names[riz], names[eiz] = "riz", "eiz"
	return names
}

func (amd64) RegName(r Reg) string {
	if int(r) < len(regNames) && regNames[r] != "" {
		return regNames[r]
	}
	return "?"
}

// between reports whether r lies in a range of x86asm's registers.
func (r Reg) between(first, last x86asm.Reg) bool { return r >= Reg(first) && r <= Reg(last) }

// GPR returns which of the sixteen general registers (0 rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, 5 rbp, 6 rsi, 7 rdi, 8 r8, ...)
// r is or is a part of: size bytes, from bit shift on. A write of 4 bytes clears the upper half of the register.
func (r Reg) GPR() (n, size, shift int, ok bool) {
	switch {
	case r.between(x86asm.AH, x86asm.BH):
		return int(r - Reg(x86asm.AH)), 1, 8, true
	case r.between(x86asm.AL, x86asm.BL):
		return int(r - Reg(x86asm.AL)), 1, 0, true
	case r.between(x86asm.SPB, x86asm.R15B):
		return int(r-Reg(x86asm.SPB)) + 4, 1, 0, true
	case r.between(x86asm.AX, x86asm.R15W):
		return int(r - Reg(x86asm.AX)), 2, 0, true
	case r.between(x86asm.EAX, x86asm.R15L):
		return int(r - Reg(x86asm.EAX)), 4, 0, true
	case r.between(x86asm.RAX, x86asm.R15):
		return int(r - Reg(x86asm.RAX)), 8, 0, true
	}
	return 0, 0, 0, false
}

// Size is the register's width in bytes; 0 where it depends on the processor.
func (r Reg) Size() int {
	if _, size, _, ok := r.GPR(); ok {
		return size
	}
	switch {
	case isSegment(r):
		return 2
	case r.between(x86asm.F0, x86asm.F7):
		return 10
	case r.between(x86asm.X0, x86asm.X0+31):
		return 16
	case r.between(x86asm.Y0, x86asm.Y0+31):
		return 32
	case r.between(x86asm.Z0, x86asm.Z0+31):
		return 64
	}
	return 8
}

func isSegment(r Reg) bool { return r.between(x86asm.ES, x86asm.GS) }

// isIP reports whether r is the instruction pointer.
func isIP(r Reg) bool { return r == Reg(x86asm.RIP) || r == Reg(x86asm.EIP) }

// gprOf returns a general register by number and size in bytes. rex tells spl, bpl, sil, dil from ah, ch, dh, bh.
func gprOf(n byte, size int, rex bool) Reg {
	switch size {
	case 1:
		switch {
		case n < 4:
			return Reg(x86asm.AL) + Reg(n)
		case n < 8 && !rex:
			return Reg(x86asm.AH) + Reg(n-4)
		}
		return Reg(x86asm.SPB) + Reg(n-4)
	case 2:
		return Reg(x86asm.AX) + Reg(n)
	case 4:
		return Reg(x86asm.EAX) + Reg(n)
	}
	return Reg(x86asm.RAX) + Reg(n)
}
