// Package unwind follows the kernel's stacks from frame to frame.
//
// It knows the kernel's unwind tables (ORC), DWARF call frame information, the
// stacks of x86-64 Linux and what exceptions save on them; each table is
// translated into rows (Row), and the walk knows rows only. It knows nothing of
// task lists, and nothing of how a back trace is printed. Start from New and
// Unwinder.Trace. An Unwinder is safe for concurrent use.
package unwind

import (
	"sync"

	"github.com/kdive/kdive/debuginfo"
	"github.com/kdive/kdive/kernel"
)

// View is what the package asks of a kernel; *kernel.Kernel is one.
type View interface {
	kernel.View
	ModuleAt(addr uint64) *kernel.Module
	FindSymbol(addr uint64) (kernel.Symbol, bool)
	InfoAt(addr uint64) (info *debuginfo.Info, link uint64, err error)
}

var _ View = (*kernel.Kernel)(nil)

// Thread is whose stack to follow.
type Thread struct {
	Addr    uint64 // of the task_struct
	Stack   uint64 // low end of its stack, 0 if that is freed
	SP      uint64 // thread.sp: where it left its stack when it last gave up the CPU
	CPU     int
	Running bool // a CPU ran it when the dump was taken
	PID     int32
}

// Config is what the unwinder must be told.
type Config struct {
	StackSize uint64   // of tasks' stacks, in bytes
	Running   []Thread // what the CPUs ran, to tell whose registers a note holds
}

// Unwinder follows the stacks of one kernel.
type Unwinder struct {
	v         View
	stackSize uint64
	stacks    []Stack
	stackErrs []error
	states    []cpuState
	outside   bool // the registers were taken by the virtual machine, not by the kernel
	start     startNeeds
	text      textRange

	mu     sync.Mutex
	orc    *orcTables
	orcErr error
	cfi    cfiTables
	rows   map[uint64]*Row
}

// New makes the unwinder of a kernel. What is missing shows in Warnings and in
// the traces.
func New(v View, c Config) *Unwinder {
	u := &Unwinder{v: v, stackSize: c.StackSize, rows: map[uint64]*Row{}}
	u.orc, u.orcErr = loadORC(v)
	u.stacks, u.stackErrs = loadStacks(v)
	u.text.load(v)
	if err := v.Bind(&u.start); err != nil {
		u.stackErrs = append(u.stackErrs, err)
	}
	u.states = u.matchStates(c.Running)
	return u
}

// Warnings say what is missing for good back traces.
func (u *Unwinder) Warnings() []error {
	var list []error
	if u.orcErr != nil {
		list = append(list, u.orcErr)
	}
	return append(list, u.stackErrs...)
}

// maxRows bounds the rows that are kept.
const maxRows = 1 << 16

// rowAt is the row for a pc, which is a return address unless exact; nil if
// nothing describes the code there.
func (u *Unwinder) rowAt(pc uint64, exact bool) *Row {
	if !exact {
		pc--
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if r, ok := u.rows[pc]; ok {
		return r
	}
	r := u.makeRow(pc)
	if len(u.rows) >= maxRows {
		clear(u.rows)
	}
	u.rows[pc] = r
	return r
}

// makeRow asks the tables. ORC, which the kernel itself lives on, decides on the
// frame; DWARF adds the registers that ORC does not follow, if both agree on
// where the frame is, and stands in where ORC has nothing.
func (u *Unwinder) makeRow(pc uint64) *Row {
	if !u.text.has(u.v, pc) {
		return nil
	}
	m := u.v.ModuleAt(pc)
	var orc *Row
	if u.orc != nil {
		orc, _ = u.orc.row(u.v, pc, m)
	}
	cfi := u.cfiRow(pc)
	if orc == nil {
		return cfi
	}
	if cfi != nil && orc.Kind == KindCall && sameCFA(&orc.cfa, &cfi.cfa) {
		for _, r := range calleeSaved {
			if r != RBP {
				orc.regs[r] = cfi.regs[r]
			}
		}
	}
	return orc
}

// sameCFA compares rules without expressions.
func sameCFA(a, b *rule) bool {
	return a.op == b.op && a.reg == b.reg && a.off == b.off && a.expr == nil && b.expr == nil
}

// textRange is the kernel image's code.
type textRange struct {
	Text     kernel.Sym `need:"?_stext|_text"`
	TextEnd  kernel.Sym `need:"?_etext"`
	InitText kernel.Sym `need:"?_sinittext"`
	InitEnd  kernel.Sym `need:"?_einittext"`
}

func (t *textRange) load(v View) { _ = v.Bind(t) } // nothing is required

func (t *textRange) has(v View, pc uint64) bool {
	if pc >= uint64(t.Text) && pc < uint64(t.TextEnd) || pc >= uint64(t.InitText) && pc < uint64(t.InitEnd) {
		return true
	}
	s, ok := v.FindSymbol(pc)
	return ok && s.Module != nil && (s.Type|0x20 == 't' || s.Type|0x20 == 'w')
}
