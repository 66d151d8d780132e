package disasm

import (
	"strconv"
	"strings"
	"sync"

	"golang.org/x/arch/x86/x86asm"
)

// A sideRow describes one encoding that x86asm does not know or gets wrong. The rows stand in sidetable.go.
type sideRow struct {
	pfx   byte // mandatory prefix, 0: none, so that those in front are superfluous
	kind  encKind
	opmap byte
	op    byte
	mod   string // what ModRM must be, as a condition; see matches
	names string // the mnemonic, or "without|with" REX.W; a % takes the suffix of the operand size in AT&T syntax
	args  string // operand kinds, Intel order; see sideOperand
	extra string // flow and implicit operands; see sideEffects

	x86op   x86asm.Op // x86asm's name for it, if it has one
	flow    Flow
	reads   RegSet
	writes  RegSet
	operand []sideArg
	exact   int // ModRM, if exact; else -1
	digit   int // opcode extension, -1 if any will do
	memory  int // 0 only a register, 1 only memory, 2 only memory relative to the instruction pointer, -1 any
}

type sideArg struct {
	kind   string
	access Access
}

// sideIndex has the rows of one opcode, those with a mandatory prefix first. It is built when it is needed first.
var sideIndex = sync.OnceValue(buildSideIndex)

func sideKey(kind encKind, opmap, op byte) int {
	return int(kind)<<11 | int(opmap&7)<<8 | int(op)
}

func buildSideIndex() map[int][]*sideRow {
	index := make(map[int][]*sideRow)
	for i := range sideTable {
		row := &sideTable[i]
		row.compile()
		key := sideKey(row.kind, row.opmap, row.op)
		if row.pfx != 0 {
			index[key] = append([]*sideRow{row}, index[key]...)
		} else {
			index[key] = append(index[key], row)
		}
	}
	return index
}

// compile reads the row's words. A mistake in them is a panic of the first test.
func (row *sideRow) compile() {
	row.exact, row.digit, row.memory = -1, -1, -1
	cond := row.mod
	if n, err := strconv.ParseUint(cond, 16, 8); err == nil && len(cond) == 2 {
		row.exact, cond = int(n), ""
	}
	if strings.HasPrefix(cond, "/") {
		row.digit, cond = int(cond[1]-'0'), cond[2:]
	}
	switch cond {
	case "":
	case "m":
		row.memory = 1
	case "r":
		row.memory = 0
	case "i":
		row.memory = 2
	default:
		panic("disasm: side table: condition " + row.mod)
	}
	for _, word := range strings.Fields(row.args) {
		arg := sideArg{kind: strings.TrimRight(word, "=+-"), access: Read}
		switch word[len(word)-1] {
		case '=':
			arg.access = Write
		case '+':
			arg.access = Read | Write
		case '-':
			arg.access = 0
		}
		row.operand = append(row.operand, arg)
	}
	row.sideEffects()
}

// matches reports whether the row describes the instruction.
func (row *sideRow) matches(e *encoding) bool {
	if row.pfx != 0 && row.pfx != e.mandatory() {
		return false
	}
	if row.kind != legacy && row.pfx != e.pp {
		return false
	}
	if row.exact >= 0 && int(e.modrm()) != row.exact {
		return false
	}
	if row.digit >= 0 && int(e.digit()) != row.digit {
		return false
	}
	if row.memory == 2 && e.modrm()&0xc7 != 5 {
		return false
	}
	return row.memory < 0 || (row.memory > 0) == e.isMem()
}

// mandatory returns the prefix that selects among instructions with one opcode: the last of F2 and F3, else 66.
func (e *encoding) mandatory() byte {
	if e.kind != legacy {
		return e.pp
	}
	if e.repAt >= 0 {
		return e.raw[e.repAt]
	}
	return bit(e.sizeAt >= 0, 0x66)
}

func findSide(e *encoding) *sideRow {
	if e.kind == legacy && (e.opmap == 0 || (e.opmap == 1 && !sideOpcode[e.opcode])) {
		return nil
	}
	for _, row := range sideIndex()[sideKey(e.kind, e.opmap, e.opcode)] {
		if row.matches(e) {
			return row
		}
	}
	return nil
}

// sideOpcode has the opcodes behind 0F that have rows, to save all others the look-up.
var sideOpcode = func() (has [256]bool) {
	for i := range sideTable {
		if sideTable[i].kind == legacy && sideTable[i].opmap == 1 {
			has[sideTable[i].op] = true
		}
	}
	return has
}()

// fromSide fills in what the row says.
func (in *Inst) fromSide(row *sideRow) {
	e := &in.enc
	in.side, in.Op, in.Flow = row, row.x86op, row.flow
	if row.pfx != 0 && e.kind == legacy {
		if row.pfx == 0x66 {
			e.use(e.sizeAt)
		} else {
			e.use(e.repAt)
		}
	}
	var rexUsed byte
	for _, arg := range row.operand {
		o, rex := e.sideOperand(arg.kind)
		o.Access = arg.access
		rexUsed |= rex
		in.Args[in.NArg] = o
		in.NArg++
	}
	if strings.Contains(row.names, "|") {
		rexUsed |= 8
	}
	e.rexHas(rexUsed)
}

// sideOperand makes an operand of a kind in the manner of the Intel SDM (volume 2, appendix A.2): the first letter says
// where (E ModRM's r/m, G its reg field, R r/m, only a register, M r/m, only memory, V, W and U xmm registers, T tile
// registers, A memory that rax points to, I and J constants), the second what (b, w, d, q, o 1 to 16 bytes, y 4 or 8, v 2, 4
// or 8, a the size of an address; no letter: nothing in particular). Words in lower case are registers. rex has the bits of REX that had a meaning.
func (e *encoding) sideOperand(kind string) (o Operand, rex byte) {
	if kind[0] >= 'a' {
		return regOperand(namedReg(kind)), 0
	}
	size := 0
	if len(kind) > 1 {
		size, rex = e.sideSize(kind[1])
	}
	switch kind[0] {
	case 'I', 'J':
		return Operand{Kind: ImmOperand, Size: 1, Imm: int64(e.raw[e.immAt+kind[0]-'I'])}, 0
	case 'A':
		r := gprOf(0, 8, false)
		if e.addr32() {
			r = gprOf(0, 4, false)
		}
		e.use(e.addrAt)
		return regOperand(r), 0
	case 'T':
		switch kind[1] {
		case 'g':
			return regOperand(tmm0 + Reg(e.digit())), 0
		case 'v':
			return regOperand(tmm0 + Reg(e.vvvv&7)), 0
		}
		return regOperand(tmm0 + Reg(e.modrm()&7)), 0
	case 'V':
		return regOperand(Reg(x86asm.X0) + Reg(e.regField())), 4
	case 'G':
		return regOperand(gprOf(e.regField(), size, e.rexAt >= 0)), rex | 4
	}
	if e.isMem() {
		o = Operand{Kind: MemOperand, Size: uint16(size), Mem: e.memory()}
		return o, rex | 3
	}
	switch kind[0] {
	case 'S': // a selector: of a register objdump shows what the operand size gives
		size, rex = e.sideSize('v')
	case 'W', 'U':
		return regOperand(Reg(x86asm.X0) + Reg(e.rmField())), 1
	}
	return regOperand(gprOf(e.rmField(), size, e.rexAt >= 0)), rex | 1
}

// sideSize returns the size for the second letter of an operand kind, and the bit of REX it depends on.
func (e *encoding) sideSize(letter byte) (size int, rex byte) {
	switch letter {
	case 'b':
		return 1, 0
	case 'w':
		return 2, 0
	case 'd':
		return 4, 0
	case 'q':
		return 8, 0
	case 'o':
		return 16, 0
	case 'a':
		e.use(e.addrAt)
		if e.addr32() {
			return 4, 0
		}
		return 8, 0
	case 'y', 'v':
		if e.w {
			return 8, 8
		}
		if letter == 'v' && e.sizeAt >= 0 {
			e.use(e.sizeAt)
			return 2, 8
		}
		return 4, 8
	}
	return 0, 0
}

func regOperand(r Reg) Operand {
	return Operand{Kind: RegOperand, Reg: r, Size: uint16(r.Size())}
}

// namedReg finds a register by name; it is for the tables of this package.
func namedReg(name string) Reg {
	for r, s := range regNames {
		if s == name {
			return Reg(r)
		}
	}
	panic("disasm: side table: register " + name)
}
