// Package location evaluates DWARF expressions and the lists that select them:
// where a variable is at one pc, and what is lost of it.
//
// It knows the operators of DWARF 4 and 5 and GNU's (DWARF 5, sections 2.5, 2.6
// and 7.7). Registers, memory, the frame and its caller it asks of a Machine; it
// knows nothing of stacks, of kernels or of C types. Nothing is guessed: what
// cannot be evaluated is lost, with the reason. Start from Evaluate; Select picks
// the expression of a list.
package location

// Class is how sure a value is; of two values the smaller Class is the weaker.
type Class uint8

// The classes.
const (
	Lost    Class = iota // there is no value
	Derived              // it follows from something else than the place that the debug info names
	Exact                // it stands where the debug info says, at this pc
)

var classNames = [...]string{"lost", "derived", "exact"}

func (c Class) String() string { return classNames[c] }

// Reason is why a value is lost, to be counted by.
type Reason uint8

// The reasons.
const (
	None       Reason = iota // it is not lost
	NoLocation               // the debug info gives it no place at all: it was optimized out
	NotHere                  // its location list has no entry for the pc
	NoRegister               // it is in a register that was not recovered
	NoEntry                  // it is what a register held at the function's entry, and the caller does not tell
	NoOperator               // an operator that this package does not know, or that has no meaning here
	NoMemory                 // memory that the expression reads is not in the dump
	Damaged                  // the expression or list is no valid one
)

var reasonNames = [...]string{"not lost", "optimized out", "no entry covers the pc", "register not recovered",
	"entry value", "operator", "memory", "damaged"}

func (r Reason) String() string { return reasonNames[r] }

// Provenance is where a value comes from.
type Provenance struct {
	Class  Class
	Reason Reason // of a lost one
	// How is the place of an exact value, what a derived one follows from, and in
	// words why a value is lost: a phrase without a capital and a full stop.
	How string
	// Steps are the run-time addresses of the instructions that carry a derived
	// value, in the order in which they ran; empty if none need be shown.
	Steps []uint64
}

// Kind is what a piece of an object is.
type Kind uint8

// The kinds of pieces.
const (
	Missing    Kind = iota // lost; Provenance says why
	InMemory               // the bytes at Addr
	InRegister             // Data, the value of register Reg
	Computed               // Data, which is nowhere in the machine
	Implicit               // a pointer that does not exist any more to an object that does: Target, Offset
)

// Piece is a part of an object, as the compiler split it.
type Piece struct {
	Kind Kind
	// Bits is the size of the piece; 0 is all of the object (there is one piece then).
	Bits uint64
	// Skip is how many bits of the register, memory or data come before the piece.
	Skip uint64

	Addr   uint64 // run-time address, InMemory
	Reg    uint64 // DWARF number, InRegister
	Data   []byte // little-endian
	Target int    // entry of the object in .debug_info, Implicit
	Offset int64  // in bytes from the object's start, Implicit

	Provenance
}

// Result is where an object is: its pieces from its first byte on. It has at
// least one.
type Result struct{ Pieces []Piece }

// Provenance of the whole object: that of its weakest piece that has a value, or
// of the first piece if none has.
func (r Result) Provenance() Provenance {
	var p Provenance
	for i := range r.Pieces {
		q := &r.Pieces[i].Provenance
		if i == 0 || p.Class == Lost || q.Class != Lost && q.Class < p.Class {
			p = *q
		}
	}
	return p
}

// LostResult is an object that is lost as a whole.
func LostResult(r Reason, why string) Result {
	return Result{Pieces: []Piece{{Provenance: LostFor(r, why)}}}
}

// LostFor is the provenance of what is lost.
func LostFor(r Reason, why string) Provenance { return Provenance{Reason: r, How: why} }

// Machine is what an expression is evaluated on: one frame of a stack. A value
// that comes with a Provenance of class Lost means nothing.
type Machine interface {
	// Register is the value of a register by its DWARF number.
	Register(n uint64) (uint64, Provenance)
	// CFA is the canonical frame address: the caller's stack pointer.
	CFA() (uint64, Provenance)
	// FrameBase is what the function's DW_AT_frame_base gives, a run-time address.
	FrameBase() (uint64, Provenance)
	// Read reads memory; an error holds a *fault.Error.
	Read(p []byte, addr uint64) error
	// Runtime is the run-time address of an address of the file.
	Runtime(link uint64) (uint64, bool)
	// Entry is the value that expr had when the function was entered.
	Entry(expr []byte) (uint64, Provenance)
	// EntryParameter is the value that the parameter whose entry is at offset off
	// of .debug_info was passed, though the function does not take it any more.
	EntryParameter(off int) (uint64, Provenance)
}
