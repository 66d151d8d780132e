// Package frame tells the variables of one frame of a back trace: parameters and
// locals of the function and of the calls inlined into it, where they are, and
// how sure that is.
//
// It joins unwind's frames with debuginfo's entries through package location. It
// does not walk stacks and prints nothing. What the tables lose another package
// may recover, through Recoverer. Start from New and Model.Levels.
package frame

import (
	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/location"
	"github.com/kdive/kdive/disasm"
	"github.com/kdive/kdive/unwind"
	"github.com/kdive/kdive/value"
)

// View is what the package asks of a kernel; *kernel.Kernel is one.
type View interface {
	unwind.View
	// Runtime is the run-time address of a link-time address in the file that
	// describes what is at the run-time address near.
	Runtime(near, link uint64) (uint64, bool)
}

// Model finds the variables of frames. It is not safe for concurrent use.
type Model struct {
	// Recover is asked for what is lost; nil if there is nobody to ask.
	Recover Recoverer

	v     View
	code  map[uint64]codeResult // by address of the call site
	sites map[siteKey]die.Entry
	calls map[uint64]disasm.Inst // by return address
	busy  map[question]bool
	asked int // of callers, for the variable under way
}

// New makes the model of a kernel.
func New(v View) *Model {
	return &Model{v: v, code: map[uint64]codeResult{}, sites: map[siteKey]die.Entry{}, calls: map[uint64]disasm.Inst{}, busy: map[question]bool{}}
}

// Level is one function call of a frame: that of the frame's function, or one
// that the compiler put in place.
type Level struct {
	Function string
	Inlined  bool
	Vars     []Variable // parameters first; of locals those of outer blocks first
}

// Variable is a parameter or a local variable.
type Variable struct {
	Name      string
	Type      *ctype.Type
	Parameter bool
	Entry     die.Entry // of the debug info
	// Value can be followed and printed. What is lost of it fails with a
	// *fault.Lost.
	Value value.Value
	// Where the value comes from, piece by piece.
	Where location.Result
	// Provenance is that of the value as a whole.
	location.Provenance
	// Recovered is why the tables alone would not have the value, if the
	// Recoverer found it.
	Recovered location.Reason
}

// Find is the variable of that name that C means at the innermost place of the
// level: inner blocks hide outer ones.
func (l *Level) Find(name string) (*Variable, bool) {
	for i := len(l.Vars) - 1; i >= 0; i-- {
		if l.Vars[i].Name == name {
			return &l.Vars[i], true
		}
	}
	return nil, false
}

// Levels are the variables of frame i of a trace, by function call, the innermost
// call first; the last one is that of the frame's function. With an error comes
// what was found before it.
func (m *Model) Levels(tr *unwind.Trace, i int) (levels []Level, err error) {
	err = guard(func() error {
		levels, err = m.levels(tr, i)
		return err
	})
	return levels, err
}
