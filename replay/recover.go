package replay

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/location"
	"github.com/kdive/kdive/frame"
	"github.com/kdive/kdive/replay/symbolic"
	"github.com/kdive/kdive/unwind"
)

var _ frame.Recoverer = (*Model)(nil)

// Register implements frame.Recoverer.
func (m *Model) Register(tr *unwind.Trace, i int, r unwind.Reg) (uint64, location.Provenance) {
	s := m.stack(tr)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.point(i).known(r)
}

// known is a register where the frame stands.
func (p *point) known(r unwind.Reg) (uint64, location.Provenance) {
	if p.err != nil || int(r) >= len(hardware) {
		return lost(location.NoRegister, p.err)
	}
	return p.answered(p.held(hardware[r]))
}

// held is what a register held where the frame stands, with the instruction that
// put it there.
func (p *point) held(n int) (symbolic.Value, error) {
	h := p.facts.State.Regs[n]
	v, err := p.value(h.Expr)
	if err == nil && h.By != 0 && !slices.Contains(v.Via, h.By) {
		v.Via = append(slices.Clone(v.Via), h.By)
	}
	return v, err
}

// EntryRegister implements frame.Recoverer.
func (m *Model) EntryRegister(tr *unwind.Trace, i int, r unwind.Reg) (uint64, location.Provenance) {
	s := m.stack(tr)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.point(i).atEntry(r)
}

func (p *point) atEntry(r unwind.Reg) (uint64, location.Provenance) {
	if p.err != nil || int(r) >= len(hardware) {
		return lost(location.NoEntry, p.err)
	}
	return p.answered(p.value(p.fn.EntryOf(hardware[r])))
}

func lost(r location.Reason, err error) (uint64, location.Provenance) {
	why := "not followed"
	if err != nil {
		why = err.Error()
	}
	return 0, location.LostFor(r, why)
}

func (p *point) answered(v symbolic.Value, err error) (uint64, location.Provenance) {
	if err != nil {
		return lost(location.NoRegister, err)
	}
	return v.Bits, p.derived(v)
}

// Words of provenance.
const (
	how     = "by replay"
	changed = "from memory that may have changed since"
	against = "the other ways there contradict"
)

func (p *point) derived(v symbolic.Value) location.Provenance {
	q := location.Provenance{Class: location.Derived, How: how + p.s.m.places(v.Via), Steps: v.Via}
	if v.Changed && !v.ByMemory {
		q.How += ", " + changed
	}
	switch {
	case v.ByMemory:
		q.How += ", " + against + " " + changed[len("from "):]
	case len(v.Against) > 0:
		q.How += ", " + against + " what is known"
	}
	return q
}

// maxPlaces bounds the instructions that are named in words.
const maxPlaces = 4

// places names instructions: " of vma_close+24, +27".
func (m *Model) places(list []uint64) string {
	var b strings.Builder
	last := ""
	for i, pc := range list {
		name, off, ok := m.v.SymbolAt(pc)
		switch {
		case !ok:
			continue
		case i == maxPlaces && len(list) > i+1:
			fmt.Fprintf(&b, " and %d more", len(list)-i)
			return b.String()
		case b.Len() == 0:
			fmt.Fprintf(&b, " of %s+%d", name, off)
		case name == last:
			fmt.Fprintf(&b, ", +%d", off)
		default:
			fmt.Fprintf(&b, ", %s+%d", name, off)
		}
		last = name
	}
	return b.String()
}

// Variable implements frame.Recoverer.
func (m *Model) Variable(tr *unwind.Trace, i int, v *frame.Sought) location.Result {
	s := m.stack(tr)
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.point(i)
	switch reason := v.Found.Provenance().Reason; {
	case p.err != nil:
		return location.LostResult(reason, p.err.Error())
	case reason == location.NoRegister || reason == location.NoEntry:
		return p.part(v, reason)
	case reason != location.NotHere:
		return location.LostResult(reason, "replay knows no more")
	}
	if r, ok := p.atCall(v); ok {
		return r
	}
	return p.followed(v)
}

// part is a variable of which the place is a register that is not known as a whole.
func (p *point) part(v *frame.Sought, reason location.Reason) location.Result {
	size := v.Type.Size()
	expr, ok := location.Select(v.List, v.Code.Link)
	if !ok || size != 1 && size != 2 && size != 4 {
		return location.LostResult(reason, "replay knows no more")
	}
	t := &term{expr: expr, size: uint8(size), v: v}
	e := p.fn.Build(&p.facts.State, t.build)
	if e == nil {
		return location.LostResult(reason, "not followed")
	}
	value, err := p.value(e)
	if err != nil {
		return location.LostResult(reason, err.Error())
	}
	return number(value, int(size), p.derived(value))
}

// number is a result that is a number.
func number(v symbolic.Value, size int, q location.Provenance) location.Result {
	data := binary.LittleEndian.AppendUint64(nil, v.Bits)
	return location.Result{Pieces: []location.Piece{{Kind: location.Computed, Data: data[:size], Provenance: q}}}
}

// atCall evaluates the location that a variable had in front of the call that the
// frame stands at: compilers end a place that the call may overwrite one byte before
// the return address.
func (p *point) atCall(v *frame.Sought) (location.Result, bool) {
	if p.s.tr.Frames[p.i].Exact {
		return location.Result{}, false
	}
	_, link, err := p.s.m.v.InfoAt(p.pc)
	if err != nil {
		return location.Result{}, false
	}
	expr, ok := location.Select(v.List, link)
	if !ok {
		return location.Result{}, false
	}
	x := &machine{p: p, v: v}
	r := location.Evaluate(expr, v.Entry.Unit, x)
	for k := range r.Pieces {
		q := &r.Pieces[k]
		if q.Kind == location.Missing {
			return r, false
		}
		if q.Kind == location.InMemory && !p.keeps(q.Addr) {
			if p.s.m.gone(q.Addr) {
				return location.LostResult(location.NotHere, symbolic.ErrFreed.Error()), true
			}
			x.changed = true
		}
	}
	for k := range r.Pieces {
		q := &r.Pieces[k]
		if q.Class != location.Derived || !strings.HasPrefix(q.How, how) {
			q.Provenance = p.derived(symbolic.Value{Via: append(q.Steps, p.pc)})
		}
		if x.changed && !strings.Contains(q.How, changed) {
			q.How += ", " + changed
		}
	}
	return r, true
}

// gone reports whether memory was freed.
func (m *Model) gone(addr uint64) bool { return m.freed != nil && m.freed(addr) }

// keeps reports whether the word of the stack at an address is as it was in front
// of the call.
func (p *point) keeps(addr uint64) bool {
	if !p.facts.StackKnown {
		return false
	}
	off := int64(addr - p.facts.Stack)
	for _, x := range p.facts.State.Slots {
		if off >= x.Off && off < x.Off+int64(x.Size) {
			return true
		}
	}
	return false
}

// machine is a frame in front of the call that it stands at, by replay.
type machine struct {
	p       *point
	v       *frame.Sought
	changed bool // memory was read that may have changed
}

var _ location.Machine = (*machine)(nil)

// Register implements location.Machine.
func (x *machine) Register(n uint64) (uint64, location.Provenance) {
	if n == uint64(unwind.RSP) {
		return x.p.s.tr.Frames[x.p.i].SP, location.Provenance{Class: location.Derived, How: how}
	}
	if n >= uint64(len(hardware)) {
		return 0, location.LostFor(location.NoOperator, fmt.Sprintf("operator on register %d", n))
	}
	return x.p.known(unwind.Reg(n))
}

// CFA implements location.Machine.
func (x *machine) CFA() (uint64, location.Provenance) {
	if !x.p.facts.StackKnown {
		return 0, location.LostFor(location.NoRegister, "where the frame ends is not known")
	}
	return x.p.facts.Stack + 8, location.Provenance{Class: location.Exact, How: "the frame's place"}
}

// FrameBase implements location.Machine. It is the CFA in code of gcc and clang
// without frame pointers; others are not evaluated.
func (x *machine) FrameBase() (uint64, location.Provenance) {
	if !x.p.fn.cfaBase {
		return 0, location.LostFor(location.NoOperator, errFrameBase.Error())
	}
	return x.CFA()
}

// Read implements location.Machine.
func (x *machine) Read(b []byte, addr uint64) error {
	if !x.p.s.m.constant(addr, uint8(min(len(b), 255))) && !x.p.keeps(addr) {
		if x.p.s.m.gone(addr) {
			return symbolic.ErrFreed
		}
		x.changed = true
	}
	return x.p.s.m.v.Read(b, addr)
}

// Runtime implements location.Machine.
func (x *machine) Runtime(link uint64) (uint64, bool) { return x.v.Code.Runtime(link) }

// Entry implements location.Machine.
func (x *machine) Entry(expr []byte) (uint64, location.Provenance) {
	if len(expr) != 1 || expr[0] < die.OpReg0 || expr[0] > die.OpReg0+15 {
		return 0, location.LostFor(location.NoOperator, "operator entry_value of an expression")
	}
	return x.p.atEntry(unwind.Reg(expr[0] - die.OpReg0))
}

// EntryParameter implements location.Machine.
func (x *machine) EntryParameter(int) (uint64, location.Provenance) {
	return 0, location.LostFor(location.NoEntry, "a parameter that is not passed any more")
}
