package frame

import (
	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo"
	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/location"
	"github.com/kdive/kdive/unwind"
)

// Recoverer finds by other means what the tables lost. Its answers are Derived,
// or Lost; a lost one leaves the reason that the tables gave. It is asked with a
// frame of a trace: tr.Frames[i]. It may ask the Model's bare machines
// (Model.Bare), which do not ask it in turn.
type Recoverer interface {
	// Register is what a register held at the frame's pc (at the call, in a frame
	// that called another).
	Register(tr *unwind.Trace, i int, r unwind.Reg) (uint64, location.Provenance)
	// EntryRegister is what a register held when the frame's function was entered.
	EntryRegister(tr *unwind.Trace, i int, r unwind.Reg) (uint64, location.Provenance)
	// Variable is where a variable is that has no value, or lacks pieces of it.
	Variable(tr *unwind.Trace, i int, v *Sought) location.Result
}

// Sought is a variable of which something is lost.
type Sought struct {
	Name  string
	Type  *ctype.Type
	Entry die.Entry        // of the variable: DW_TAG_variable or DW_TAG_formal_parameter
	Code  *Code            // the function and what is inlined into it at the pc
	Scope *debuginfo.Scope // of Code.Scopes: the one that declares the variable
	// List is the whole location list of the variable, not only what covers the
	// pc, as link-time addresses; nil if it has none.
	List  []die.Location
	Found location.Result // what the tables give
}
