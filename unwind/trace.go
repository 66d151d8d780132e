package unwind

import (
	"errors"
	"fmt"
)

// Frame is one function call on a stack.
type Frame struct {
	PC uint64
	// Exact: PC is the instruction that is next; else it is a return address,
	// and the call stands before it.
	Exact bool
	SP    uint64 // of the function: what lies below is of the frames it called
	Slot  uint64 // where on the stack PC was found; 0 if it was in a register
	CFA   uint64 // the caller's SP; 0 if not known
	Regs  Registers
	Stack *Stack // that SP is on
	// Source is how the frame was found.
	Source Source
	// Interrupted is what an exception saved, if the frame was interrupted by
	// one; it ran on the stack of the frame before.
	Interrupted *PtRegs
}

// CallSite is the address to look up what the frame executed: PC, or one before
// it if PC is a return address.
func (f *Frame) CallSite() uint64 {
	if f.Exact {
		return f.PC
	}
	return f.PC - 1
}

// Trace is the frames of a thread, the innermost first.
type Trace struct {
	Thread Thread // whose stack it is
	Frames []Frame
	// Start is the registers in a note that the first frame is of, if it is.
	Start *PtRegs
	// User is what user space had in the registers, if the walk ended there.
	User *PtRegs
	// Complete: the walk came to where it should; else Err says what stopped it.
	Complete bool
	Err      error
}

// maxFrames bounds a trace. Each frame takes at least a word of a stack, and the
// stacks of a CPU and a task are some 100 KiB at most.
const maxFrames = 1 << 14

// errNoReturn is why a walk that begins within a stack finds nothing.
var errNoReturn = errors.New("no return address follows on the stack")

// errNoStack is why a dead task has no frames.
var errNoStack = errors.New("no stack")

// IsNoStack reports whether a trace is empty because the task gave its stack
// back.
func IsNoStack(err error) bool { return errors.Is(err, errNoStack) }

// Trace follows the stack of a thread.
func (u *Unwinder) Trace(t Thread) *Trace {
	m := &pageCache{v: u.v}
	if t.Running {
		return u.traceRunning(&t, m)
	}
	if t.Stack == 0 {
		return &Trace{Thread: t, Err: errNoStack}
	}
	f, err := u.inactive(&t, m)
	if err != nil {
		return &Trace{Thread: t, Err: err}
	}
	tr := &Trace{Thread: t}
	u.walk(tr, &t, f, m)
	return tr
}

// traceRunning starts with the registers of the CPU.
func (u *Unwinder) traceRunning(t *Thread, m *pageCache) *Trace {
	regs, why := u.Registers(t.CPU)
	if tr := u.deeper(t, regs, m); tr != nil {
		return tr
	}
	if regs == nil {
		return &Trace{Thread: *t, Err: errors.New(why)}
	}
	tr := &Trace{Thread: *t, Start: regs}
	if regs.User() {
		tr.Start, tr.User, tr.Complete = nil, regs, true
		return tr
	}
	u.walk(tr, t, u.fromRegs(t, regs), m)
	return tr
}

// From follows a stack from a pc, which is taken for that of the next
// instruction, and a stack pointer.
func (u *Unwinder) From(t Thread, pc, sp uint64) *Trace {
	f := Frame{PC: pc, SP: sp, Exact: true, Stack: u.stackAt(&t, sp, 0)}
	f.Regs.Set(RIP, pc)
	f.Regs.Set(RSP, sp)
	tr := &Trace{Thread: t}
	u.walk(tr, &t, f, &pageCache{v: u.v})
	return tr
}

func (u *Unwinder) fromRegs(t *Thread, r *PtRegs) Frame {
	f := Frame{Exact: true, Regs: r.Registers}
	f.PC, _ = r.Get(RIP)
	f.SP, _ = r.Get(RSP)
	if f.Stack = u.stackAt(t, f.SP, 0); f.Stack == nil {
		f.Stack = u.stackAt(t, f.SP+guardSize, 0) // it grew beyond its end, which is how it was interrupted
	}
	return f
}

// guardSize is that of the page below every stack, which nothing is mapped at.
const guardSize = 4096

// walk appends f and the frames above it.
func (u *Unwinder) walk(tr *Trace, t *Thread, f Frame, m memory) {
	visited := map[uint64]bool{}
	if f.Stack != nil {
		visited[f.Stack.Low] = true
	}
	for {
		tr.Frames = append(tr.Frames, f)
		if len(tr.Frames) >= maxFrames {
			tr.Err = fmt.Errorf("more than %d frames", maxFrames)
			return
		}
		last := &tr.Frames[len(tr.Frames)-1]
		next, user, err := u.step(t, last, m)
		switch {
		case user != nil:
			tr.User, tr.Complete = user, true
			return
		case errors.Is(err, errEnd):
			tr.Complete = true
			return
		case err != nil:
			tr.Err = err
			return
		}
		if err := advance(last, next, visited); err != nil {
			tr.Err = err
			return
		}
		f = *next
	}
}

// advance makes sure that the walk comes to an end: on one stack it goes up,
// and it never comes back to a stack that it left.
func advance(f, next *Frame, visited map[uint64]bool) error {
	switch {
	case next.Stack == nil:
		return fmt.Errorf("stack pointer %#x is on no stack of the task or a CPU", next.SP)
	case f.Stack != nil && next.Stack.Low == f.Stack.Low:
		if next.SP <= f.SP {
			return fmt.Errorf("the frame above %#x would be at %#x, below it", f.SP, next.SP)
		}
		return nil
	case visited[next.Stack.Low]:
		return fmt.Errorf("stack pointer %#x goes back to the %s", next.SP, next.Stack.Name)
	}
	visited[next.Stack.Low] = true
	return nil
}
