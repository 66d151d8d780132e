package unwind

import "math/bits"

// Reg is a general register by its DWARF number on x86-64 (System V psABI,
// figure 3.36).
type Reg uint8

// The registers that rows speak of.
const (
	RAX Reg = iota
	RDX
	RCX
	RBX
	RSI
	RDI
	RBP
	RSP
	R8
	R9
	R10
	R11
	R12
	R13
	R14
	R15
	RIP
	numRegs
)

var regNames = [numRegs]string{"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip"}

func (r Reg) String() string {
	if r < numRegs {
		return regNames[r]
	}
	return "?"
}

// calleeSaved are the registers that a function gives back as it got them.
var calleeSaved = [...]Reg{RBX, RBP, R12, R13, R14, R15}

// Registers are the registers of a frame, as far as they are known.
type Registers struct {
	val   [numRegs]uint64
	slot  [numRegs]uint64
	known uint32
}

// Get is a register's value, and whether it is known.
func (r *Registers) Get(n Reg) (uint64, bool) {
	if n >= numRegs || r.known>>n&1 == 0 {
		return 0, false
	}
	return r.val[n], true
}

// Set makes a register known.
func (r *Registers) Set(n Reg, v uint64) {
	r.val[n], r.slot[n] = v, 0
	r.known |= 1 << n
}

// Saved is where on a stack a register's value was found; 0 if it is not known or
// never was on a stack.
func (r *Registers) Saved(n Reg) uint64 {
	if n >= numRegs || r.known>>n&1 == 0 {
		return 0
	}
	return r.slot[n]
}

// setSaved makes a register known that was found on a stack.
func (r *Registers) setSaved(n Reg, v, slot uint64) {
	r.Set(n, v)
	r.slot[n] = slot
}

// Count is how many registers are known.
func (r *Registers) Count() int { return bits.OnesCount32(r.known) }

// PtRegs is a full register set: what an exception or system call saved on the
// stack (struct pt_regs), or what a dump's note holds of a CPU.
type PtRegs struct {
	Registers
	Addr    uint64 // where it lies on the stack; 0 for registers of a note
	CS, SS  uint64
	Flags   uint64
	OrigRAX uint64
	// Partial: only RIP, CS, flags, RSP and SS were saved yet; the others are
	// those of the frame, as far as known.
	Partial bool
	// Note says which note the registers are of; empty for those on a stack.
	Note string
}

// User reports whether they are those of user space.
func (p *PtRegs) User() bool { return p.CS&3 == 3 }

// ptRegsOrder is the order of general registers in struct pt_regs
// (arch/x86/include/asm/ptrace.h), up to orig_ax.
var ptRegsOrder = [...]Reg{R15, R14, R13, R12, RBP, RBX, R11, R10, R9, R8, RAX, RCX, RDX, RSI, RDI}

const (
	ptRegsSize  = 21 * 8
	iretOffset  = 16 * 8 // of ip, cs, flags, sp, ss in struct pt_regs
	iretSize    = 5 * 8
	segmentMask = 0xffff // the rest of the word is other state with FRED
)

// Saved is where on the stack the registers are; high is the first address
// behind them. Both are 0 for those of a note.
func (p *PtRegs) Saved() (low, high uint64) {
	switch {
	case p.Addr == 0:
		return 0, 0
	case p.Partial:
		return p.Addr + iretOffset, p.Addr + ptRegsSize
	}
	return p.Addr, p.Addr + ptRegsSize
}
