// Package disasm turns machine code into instructions and instructions into text.
//
// It knows bytes, the address they run at, and nothing else: no kernel, no dump, no symbol table. Whoever prints for a
// reader passes a callback that names addresses. An Arch decodes; today there is AMD64, whose text is that of
// "objdump -d", byte for byte. Decoding is golang.org/x/arch's, below a parser of the encoding that makes lengths and
// memory operands sure, and a table of the instructions it does not know.
//
// Start from Arch and Inst. The code is foreign: any bytes decode to something, never more than there are.
package disasm

import "errors"

// An Arch decodes and prints the instructions of one processor architecture.
type Arch interface {
	// Name is the architecture's name as the kernel spells it: "x86_64".
	Name() string
	// MaxLen is the length in bytes of the longest instruction; code passed to Decode need not be longer.
	MaxLen() int
	// Decode decodes the instruction at the start of code, which runs at the virtual address pc. Bytes that are no
	// instruction give an Inst with Bad set and no error: disassembly goes on after its Len bytes, where objdump goes
	// on too. ErrTruncated comes with a usable Inst of at least one byte, unless code is empty.
	Decode(code []byte, pc uint64) (Inst, error)
	// AppendText appends the instruction's text to dst and returns the longer slice.
	AppendText(dst []byte, in *Inst, style Style) []byte
	// RegName is the register's name without any sigil: "rax".
	RegName(r Reg) string
}

// AMD64 is the 64-bit mode of x86 processors.
var AMD64 Arch = amd64{}

// ErrTruncated says that the code ends inside an instruction.
var ErrTruncated = errors.New("code ends inside an instruction")

// A Style says how instructions print. The zero value prints as "objdump -d" of binutils 2.40 does, except that
// branch targets carry 0x, as they do in gdb and crash.
type Style struct {
	// Intel selects Intel's syntax; else it is AT&T's.
	Intel bool
	// ShiftByOne prints the count of a shift by one, which is part of the opcode: "shr $1,%rax". That is how binutils
	// since 2.41, and with it gdb and crash 9, print it.
	ShiftByOne bool
	// BareTargets leaves out the 0x of branch targets, as objdump does for a file with symbols.
	BareTargets bool
	// NoComment leaves out the "# 0x..." behind an operand relative to the instruction pointer; Inst.Ref has its address.
	NoComment bool
	// Name, if not nil, names an address ("do_exit+88"), or returns the empty string. What it returns is printed
	// in angle brackets behind branch targets and behind the comment.
	Name func(addr uint64) string
}
