package frame

import (
	"fmt"

	"github.com/kdive/kdive/debuginfo/location"
	"github.com/kdive/kdive/unwind"
)

// machine is one frame as location expressions see it.
type machine struct {
	m     *Model
	tr    *unwind.Trace
	i     int
	code  *Code // nil if there is no debug info
	bare  bool  // do not ask the Recoverer
	depth int   // of callers asked for entry values
	base  bool  // the frame base is being evaluated
	// recovered is set once the Recoverer knew what the tables did not.
	recovered *location.Reason
}

var _ location.Machine = (*machine)(nil)

// Bare is frame i as the tables alone know it: nothing is recovered.
func (m *Model) Bare(tr *unwind.Trace, i int) location.Machine {
	code, _ := m.CodeAt(tr, i)
	return &machine{m: m, tr: tr, i: i, code: code, bare: true}
}

func (m *Model) machine(tr *unwind.Trace, i int) *machine {
	code, _ := m.CodeAt(tr, i)
	return &machine{m: m, tr: tr, i: i, code: code, recovered: new(location.Reason)}
}

// Register is what a register held in frame i of a trace, and where that is from.
func (m *Model) Register(tr *unwind.Trace, i int, r unwind.Reg) (v uint64, p location.Provenance) {
	m.asked = 0
	err := guard(func() error {
		v, p = m.machine(tr, i).Register(uint64(r))
		return nil
	})
	if err != nil {
		return 0, location.LostFor(location.Damaged, err.Error())
	}
	return v, p
}

func (x *machine) frame() *unwind.Frame { return &x.tr.Frames[x.i] }

// Register implements location.Machine.
func (x *machine) Register(n uint64) (uint64, location.Provenance) {
	f := x.frame()
	r := unwind.Reg(n)
	if n > uint64(unwind.RIP) {
		return 0, location.LostFor(location.NoOperator, fmt.Sprintf("operator on register %d", n))
	}
	if v, ok := f.Regs.Get(r); ok {
		return v, x.origin(r)
	}
	lost := location.LostFor(location.NoRegister, fmt.Sprintf("%s was not saved", r))
	if x.bare || x.m.Recover == nil {
		return 0, lost
	}
	v, p := x.m.ask(x.tr, x.i, r, false)
	if p.Class == location.Lost {
		return 0, lost
	}
	*x.recovered = location.NoRegister
	return v, p
}

// origin says where a register's value was found. It is exact in the frame that
// ran last and in one that was interrupted; in others it was saved by a frame
// that it called, or not touched since.
func (x *machine) origin(r unwind.Reg) location.Provenance {
	f := x.frame()
	if f.Source == unwind.FromTailCall && r != unwind.RIP {
		return location.Provenance{Class: location.Derived, How: fmt.Sprintf("%s, given back before the jump", r)}
	}
	if f.Exact || r == unwind.RSP || r == unwind.RIP {
		return location.Provenance{Class: location.Exact, How: r.String()}
	}
	p := location.Provenance{Class: location.Derived}
	slot := f.Regs.Saved(r)
	if slot == 0 {
		p.How = fmt.Sprintf("%s, not changed since", r)
		return p
	}
	by := "by a function that it called"
	for j := x.i - 1; j >= 0; j-- {
		g := &x.tr.Frames[j]
		if slot < g.SP || slot >= g.CFA {
			continue
		}
		if name, _, ok := x.m.v.SymbolAt(g.CallSite()); ok {
			by = "by " + name
		}
		break
	}
	if x.i == 0 {
		by = "when the task gave up the CPU"
	}
	p.How = fmt.Sprintf("%s, saved at %x %s", r, slot, by)
	return p
}

// CFA implements location.Machine.
func (x *machine) CFA() (uint64, location.Provenance) {
	f := x.frame()
	if f.CFA == 0 {
		return 0, location.LostFor(location.NoRegister, "where the frame ends is not known")
	}
	return f.CFA, location.Provenance{Class: location.Exact, How: "the frame's place"}
}

// FrameBase implements location.Machine.
func (x *machine) FrameBase() (uint64, location.Provenance) {
	if x.code == nil || x.base {
		return 0, location.LostFor(location.Damaged, "a frame base that is defined by itself")
	}
	x.base = true
	defer func() { x.base = false }()
	return x.code.frameBase(x)
}

// Read implements location.Machine.
func (x *machine) Read(p []byte, addr uint64) error { return x.m.v.Read(p, addr) }

// Runtime implements location.Machine.
func (x *machine) Runtime(link uint64) (uint64, bool) {
	if x.code == nil {
		return 0, false
	}
	return x.code.Runtime(link)
}

// question is what the Recoverer is being asked; it is not asked the same again
// meanwhile.
type question struct {
	tr    *unwind.Trace
	i     int
	r     unwind.Reg
	entry bool
}

func (m *Model) ask(tr *unwind.Trace, i int, r unwind.Reg, entry bool) (uint64, location.Provenance) {
	q := question{tr, i, r, entry}
	if m.busy[q] {
		return 0, location.LostFor(location.NoRegister, "it follows from itself only")
	}
	m.busy[q] = true
	defer delete(m.busy, q)
	if entry {
		return m.Recover.EntryRegister(tr, i, r)
	}
	return m.Recover.Register(tr, i, r)
}
