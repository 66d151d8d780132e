package identify

import (
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/unwind"
)

// Part says where on a stack a word lies.
type Part uint8

// The parts of a stack.
const (
	Unused         Part = iota // below the stack pointer, or in no frame: what was left there
	InFrame                    // of a function
	SavedRegisters             // a struct pt_regs that an exception or system call saved
)

// Frame is whose words lie at a place on a stack.
type Frame struct {
	Part     Part
	Number   int    // of the frame as bt counts; -1 if bt gives it none
	Function string // "" if not known
	PC       uint64
	Offset   uint64 // of the word from the frame's stack pointer, or in the registers
	Return   bool   // the word is the return address of the frame
	Guess    bool   // the frame is
}

// FrameAt is the frame of the back trace that a place on a stack lies in; ok is
// false if there is no back trace.
func (m *Model) FrameAt(p *Place) (Frame, bool) {
	x := p.Task
	if p.Kind != TaskStack && p.Kind != CPUStack {
		return Frame{}, false
	}
	if p.Kind == CPUStack {
		if table := m.tasks(); table != nil && p.CPU >= 0 && p.CPU < len(table.Current) {
			x = table.Current[p.CPU]
		}
	}
	tr := m.trace(x)
	if tr == nil {
		return Frame{}, false
	}
	low, high := p.Base, p.Base+p.Size
	f := Frame{Number: -1}
	if r := tr.User; r != nil && m.inRegisters(&f, r, p.At) {
		return f, true
	}
	number, started := 0, tr.Start != nil
	for i := range tr.Frames {
		x := &tr.Frames[i]
		left := i > 0 && x.Stack != nil && tr.Frames[i-1].Stack != nil && tr.Frames[i-1].Stack.Low != x.Stack.Low
		counted := x.Interrupted == nil && (i > 0 || !started) || left
		if x.Interrupted != nil && m.inRegisters(&f, x.Interrupted, p.At) {
			f.Function, _, _ = m.k.SymbolAt(x.CallSite())
			return f, true
		}
		if x.SP >= low && x.SP <= high && x.SP <= p.At && p.At < frameEnd(tr, i, high) {
			f.Part, f.PC, f.Offset, f.Guess = InFrame, x.PC, p.At-x.SP, x.Source.Guess()
			f.Function, _, _ = m.k.SymbolAt(x.CallSite())
			if counted {
				f.Number = number
			}
			f.Return = i+1 < len(tr.Frames) && tr.Frames[i+1].Slot == p.At&^7
			return f, true
		}
		if counted {
			number++
		}
	}
	return f, true
}

// frameEnd is the first address behind the words of a frame.
func frameEnd(tr *unwind.Trace, i int, high uint64) uint64 {
	f := &tr.Frames[i]
	if i+1 < len(tr.Frames) {
		next := &tr.Frames[i+1]
		switch {
		case next.Interrupted != nil && next.Interrupted.Addr >= f.SP && next.Interrupted.Addr <= high:
			return next.Interrupted.Addr
		case next.Slot >= f.SP && next.Slot < high:
			return next.Slot + 8
		case next.SP > f.SP && next.SP <= high:
			return next.SP
		}
	}
	if tr.User != nil && tr.User.Addr >= f.SP && tr.User.Addr <= high {
		return tr.User.Addr
	}
	if f.CFA > f.SP && f.CFA <= high {
		return f.CFA
	}
	return f.SP
}

const ptRegsSize = 21 * 8 // struct pt_regs, arch/x86/include/asm/ptrace.h

func (m *Model) inRegisters(f *Frame, r *unwind.PtRegs, addr uint64) bool {
	if r.Addr == 0 || addr-r.Addr >= ptRegsSize {
		return false
	}
	f.Part, f.Offset = SavedRegisters, addr-r.Addr
	f.PC, _ = r.Get(unwind.RIP)
	return true
}

// trace is the back trace of a task, nil if there is none.
func (m *Model) trace(x *task.Task) *unwind.Trace {
	if x == nil || m.c.Trace == nil {
		return nil
	}
	m.traceMu.Lock()
	defer m.traceMu.Unlock()
	tr, ok := m.traces[x]
	if !ok {
		tr = m.c.Trace(x)
		m.traces[x] = tr
	}
	return tr
}
