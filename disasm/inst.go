package disasm

import "golang.org/x/arch/x86/x86asm"

// An Inst is one decoded instruction. It is a value without pointers: it stays valid when the code it came from is gone.
type Inst struct {
	// PC is the instruction's virtual address.
	PC uint64
	// Len is its length in bytes, between 1 and Arch.MaxLen.
	Len int
	// Bad says that the bytes are no instruction; Len is then how many of them to step over.
	Bad bool
	// Flow says where execution goes after it.
	Flow Flow
	// Op is the instruction's name among those of golang.org/x/arch/x86/x86asm. It is 0 if Bad, and for the
	// instructions that only this package knows: those have a Mnemonic alone.
	Op x86asm.Op
	// Args are the operands in Intel's order, destination first; Args[NArg:] are empty.
	Args [MaxArgs]Operand
	NArg int

	enc  encoding
	side *sideRow // the row of the table above x86asm that decoded it
}

// MaxArgs is the greatest number of operands of an instruction.
const MaxArgs = 5

// Operands returns the operands in Intel's order, destination first.
func (in *Inst) Operands() []Operand { return in.Args[:in.NArg] }

// Bytes returns the encoding.
func (in *Inst) Bytes() []byte { return in.enc.raw[:in.Len] }

// An Operand is one operand of an instruction.
type Operand struct {
	Kind OperandKind
	// Size is the operand's width in bytes, 0 if it has none or it is not known (lea, invlpg).
	Size uint16
	// Access says whether the instruction reads or writes the operand. Of a memory operand it speaks of the memory;
	// the registers that make up the address are always read.
	Access Access
	// Reg is the register of a RegOperand.
	Reg Reg
	// Imm is the value of an ImmOperand, sign-extended where the instruction does so; the target's virtual address of a
	// TargetOperand; the offset of a FarOperand, whose selector is Mem.Disp.
	Imm int64
	// Mem is the address of a MemOperand.
	Mem Mem
}

// OperandKind tells the kinds of Operand apart.
type OperandKind uint8

// The kinds of operands.
const (
	NoOperand     OperandKind = iota
	RegOperand                // a register
	MemOperand                // memory at Mem
	ImmOperand                // a constant
	TargetOperand             // the target of a direct branch
	FarOperand                // segment and offset of a direct far branch
)

// Access says what an instruction does with an operand.
type Access uint8

// Access bits. Neither is set where only the address matters (lea, nopl, prefetches).
const (
	Read  Access = 1 << iota // its value matters
	Write                    // it may be changed
)

// A Mem is the address of a memory operand: Segment's base + Base + Index*Scale + Disp, registers being 0 if absent.
// A bt, btc, btr or bts whose bit number is in a register goes on from there by as many bytes as it has eights.
type Mem struct {
	Segment, Base, Index Reg
	Scale                uint8 // 1, 2, 4 or 8
	Disp                 int64 // sign-extended
}

// Flow is what an instruction does to the flow of control.
type Flow uint8

// The kinds of flow. A target is known (Inst.Target) if the branch is direct.
const (
	Next     Flow = iota // to the next instruction
	Call                 // to a function, and back to the next
	Jump                 // to the target
	CondJump             // to the target or the next
	Return               // to the address on the stack (ret, lret, iret, sysret, ...)
	Syscall              // to the kernel, hypervisor or firmware, and back to the next
	Trap                 // nowhere: int3, ud2, hlt and the like raise an exception or wait
)

// Target returns the virtual address that a direct branch goes to.
func (in *Inst) Target() (uint64, bool) {
	for i := range in.Operands() {
		if in.Args[i].Kind == TargetOperand {
			return uint64(in.Args[i].Imm), true
		}
	}
	return 0, false
}

// Ref returns the virtual address that an operand relative to the instruction pointer stands for. If the operand has a
// segment (%gs:0x1234(%rip)) it is the offset into that segment.
func (in *Inst) Ref() (uint64, bool) {
	for i := range in.Operands() {
		if in.Args[i].Kind == MemOperand {
			if addr, ok := in.MemConst(&in.Args[i].Mem); ok && isIP(in.Args[i].Mem.Base) {
				return addr, true
			}
		}
	}
	return 0, false
}

// MemConst returns the offset a memory operand stands for if no register but the instruction pointer is part of it.
func (in *Inst) MemConst(m *Mem) (uint64, bool) {
	if m.Index != 0 || (m.Base != 0 && !isIP(m.Base)) {
		return 0, false
	}
	addr := uint64(m.Disp)
	if m.Base != 0 {
		addr += in.PC + uint64(in.Len)
	}
	if in.enc.addr32() {
		addr = uint64(uint32(addr))
	}
	return addr, true
}

// MemArg returns the explicit memory operand; nil if there is none. String instructions have two and give the first.
func (in *Inst) MemArg() *Operand {
	for i := range in.Operands() {
		if in.Args[i].Kind == MemOperand {
			return &in.Args[i]
		}
	}
	return nil
}

// EndsBlock reports whether the next instruction in memory is reached, if at all, from elsewhere.
func (in *Inst) EndsBlock() bool {
	return in.Flow == Jump || in.Flow == Return || in.Flow == Trap
}
