// Package frame tells the variables of one frame of a back trace: parameters and
// locals of the function and of the calls inlined into it, where they are, and
// how sure that is.
//
// It joins unwind's frames with debuginfo's entries through package location. It
// does not walk stacks and prints nothing. What the tables lose another package
// may recover, through Recoverer. Start from New and Model.Levels.
package frame

import (
	"github.com/kdive/kdive/unwind"
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
	v View
	// Recover is asked for what is lost; nil if there is nobody to ask.
	Recover Recoverer
}

// New makes the model of a kernel.
func New(v View) *Model { return &Model{v: v} }
