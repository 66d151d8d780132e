package disasm

import (
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// A RegSet is a set of general registers and flags: bit n is register n in the order of Reg.GPR, bit 16 the flags.
type RegSet uint32

// Flags is the arithmetic flags in a RegSet, AllRegs everything.
const (
	Flags   RegSet = 1 << 16
	AllRegs RegSet = 1<<17 - 1
)

// Has reports whether general register n is in the set.
func (s RegSet) Has(n int) bool { return s>>n&1 != 0 }

// add includes the general register that r is or is a part of.
func (s *RegSet) add(r Reg) {
	if n, _, _, ok := r.GPR(); ok {
		*s |= 1 << n
	}
}

// accessClass says what an instruction does to its operands.
type accessClass uint8

const (
	modifies  accessClass = iota // reads and writes the first, reads the others
	overwrite                    // writes the first, reads the others
	readsAll                     // reads all
	exchanges                    // reads and writes the first two
	addresses                    // lea: writes the first, of the second only the address matters
	touches                      // nothing: nop, prefetch
	twoResult                    // mulx: writes the first two
)

func (c accessClass) of(i int) Access {
	switch c {
	case readsAll:
		return Read
	case touches:
		return 0
	case exchanges:
		if i < 2 {
			return Read | Write
		}
	case twoResult:
		if i < 2 {
			return Write
		}
	case overwrite:
		if i == 0 {
			return Write
		}
	case addresses:
		return [2]Access{Write, 0}[min(i, 1)]
	default:
		if i == 0 {
			return Read | Write
		}
	}
	return Read
}

// Reads returns the registers whose value the instruction may use, addresses of its operands included.
func (in *Inst) Reads() RegSet {
	set := in.implicitReads()
	for i := range in.Operands() {
		o := &in.Args[i]
		switch o.Kind {
		case MemOperand:
			set.add(o.Mem.Base)
			set.add(o.Mem.Index)
		case RegOperand:
			if o.Access&Read != 0 || o.Size < 4 { // a write of 1 or 2 bytes keeps the rest
				set.add(o.Reg)
			}
		}
	}
	return set
}

// Writes returns the registers that the instruction may change. After a call that is for the calling convention to say:
// the set has the stack pointer alone. Bad instructions may change all.
func (in *Inst) Writes() RegSet {
	set := in.implicitWrites()
	for i := range in.Operands() {
		if o := &in.Args[i]; o.Kind == RegOperand && o.Access&Write != 0 {
			set.add(o.Reg)
		}
	}
	return set
}

// WritesMem reports whether the instruction may change memory, the stack included.
func (in *Inst) WritesMem() bool {
	for i := range in.Operands() {
		if o := &in.Args[i]; o.Kind == MemOperand && o.Access&Write != 0 {
			return true
		}
	}
	if in.Bad || in.Flow == Call || in.Flow == Syscall || (in.side != nil && in.side.writes == AllRegs) {
		return true
	}
	switch in.Op {
	case x86asm.PUSH, x86asm.PUSHF, x86asm.PUSHFQ, x86asm.ENTER, x86asm.MASKMOVDQU, x86asm.MASKMOVQ, x86asm.VMASKMOVDQU:
		return true
	}
	return false
}

func (in *Inst) implicitReads() RegSet {
	switch {
	case in.Bad:
		return AllRegs
	case in.side != nil:
		return in.side.reads
	}
	set := infoOf(in.Op).reads
	if in.isString() && in.enc.repAt >= 0 {
		set |= 1 << 1 // rcx
	}
	if in.Op == x86asm.IMUL && in.NArg == 1 {
		set |= 1 << 0
	}
	return set
}

func (in *Inst) implicitWrites() RegSet {
	switch {
	case in.Bad:
		return AllRegs
	case in.side != nil:
		return in.side.writes
	}
	set := infoOf(in.Op).writes
	if in.isString() && in.enc.repAt >= 0 {
		set |= 1 << 1
	}
	if in.Op == x86asm.IMUL && in.NArg == 1 {
		set |= 1<<0 | 1<<2 // rax, rdx
	}
	return set
}

// isString reports whether the instruction is one that REP repeats.
func (in *Inst) isString() bool {
	if in.enc.kind != legacy || in.enc.opmap != 0 {
		return false
	}
	op := in.enc.opcode
	return op >= 0x6c && op <= 0x6f || op >= 0xa4 && op <= 0xa7 || op >= 0xaa && op <= 0xaf
}

// sideEffects reads a row's extra column: the kind of flow, and "r:" and "w:" with registers.
func (row *sideRow) sideEffects() {
	row.reads, row.writes = parseImplicit(row.extra)
	switch {
	case strings.Contains(row.extra, "return"):
		row.flow = Return
	case strings.Contains(row.extra, "syscall"):
		row.flow = Syscall
	case strings.Contains(row.extra, "trap"):
		row.flow = Trap
	}
}

// parseImplicit reads the sets of "r:rax,rcx w:all flags"; it is for the tables of this package.
func parseImplicit(words string) (reads, writes RegSet) {
	for _, word := range strings.Fields(words) {
		var set RegSet
		kind, list, ok := strings.Cut(word, ":")
		if !ok {
			continue // a kind of flow
		}
		for _, name := range strings.Split(list, ",") {
			switch name {
			case "all":
				set |= AllRegs
			case "flags":
				set |= Flags
			default:
				set.add(namedReg(name))
			}
		}
		if kind == "r" {
			reads |= set
		} else {
			writes |= set
		}
	}
	return reads, writes
}
