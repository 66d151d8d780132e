package unwind

import "fmt"

// Kind is what lies above a frame.
type Kind uint8

// Kinds of rows.
const (
	KindCall Kind = iota // a caller, whose return address is below the CFA
	KindRegs             // the CFA is the address of a struct pt_regs
	KindIret             // the CFA is the address of an interrupt's return frame: RIP, CS, flags, RSP, SS
	KindEnd              // nothing: the outermost frame
)

// Source is how a frame was found from the one it called.
type Source uint8

// Sources, the most reliable first.
const (
	FromStart        Source = iota // it is the first frame
	FromORC                        // the kernel's own unwind tables
	FromCFI                        // DWARF call frame information
	FromTailCall                   // it left by a jump, so nothing of it is on the stack; package replay proves that it ran
	FromFramePointer               // the chain of saved frame pointers; a guess where code keeps none
	FromNullCall                   // a call through a bad pointer: the return address on top of the stack; a guess
	FromScan                       // the next word on the stack that can be a return address; a guess
)

var sourceNames = [...]string{"start", "ORC", "CFI", "tail call", "frame pointer", "call through a bad pointer", "scan"}

func (s Source) String() string { return sourceNames[s] }

// Guess reports whether the source proves nothing.
func (s Source) Guess() bool { return s >= FromFramePointer }

// op is how a rule gives a value.
type op uint8

const (
	opUnknown   op = iota // not recoverable
	opSame                // the register is as in the frame itself
	opAtCFA               // saved at CFA + off
	opCFA                 // CFA + off
	opReg                 // reg + off
	opAtReg               // saved at reg + off
	opAtRegPlus           // what is saved at reg, + off
	opAtExpr              // saved where a DWARF expression says
	opExpr                // the value of a DWARF expression
)

type rule struct {
	op  op
	reg Reg
	off int64

	expr []byte
}

// Row says how to get from a frame to the one above it, at one pc.
type Row struct {
	Kind   Kind
	Source Source
	// Exact: the pc that is found is that of the next instruction, not a return
	// address behind a call.
	Exact bool
	cfa   rule
	regs  [numRegs]rule
}

// memory reads a word of a stack.
type memory interface {
	word(addr uint64) (uint64, error)
}

// slot is where on the stack eval finds the value; 0 if nowhere.
func (r *rule) slot(self Reg, regs *Registers, cfa uint64) uint64 {
	switch r.op {
	case opSame:
		return regs.Saved(self)
	case opAtCFA:
		return cfa + uint64(r.off)
	case opAtReg:
		base, _ := regs.Get(r.reg)
		return base + uint64(r.off)
	}
	return 0
}

// eval computes a rule; cfa is not used by a rule for the CFA itself.
func (r *rule) eval(self Reg, regs *Registers, cfa uint64, m memory) (uint64, error) {
	base := uint64(0)
	switch r.op {
	case opReg, opAtReg, opAtRegPlus:
		v, ok := regs.Get(r.reg)
		if !ok {
			return 0, fmt.Errorf("%s is not known", r.reg)
		}
		base = v
	}
	switch r.op {
	case opSame:
		if v, ok := regs.Get(self); ok {
			return v, nil
		}
	case opAtCFA:
		return m.word(cfa + uint64(r.off))
	case opCFA:
		return cfa + uint64(r.off), nil
	case opReg:
		return base + uint64(r.off), nil
	case opAtReg:
		return m.word(base + uint64(r.off))
	case opAtRegPlus:
		v, err := m.word(base)
		return v + uint64(r.off), err
	case opExpr, opAtExpr:
		v, err := evalExpr(r.expr, regs, cfa, m)
		if err == nil && r.op == opAtExpr {
			return m.word(v)
		}
		return v, err
	}
	return 0, fmt.Errorf("%s is not recoverable", self)
}
