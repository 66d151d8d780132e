package replay

import (
	"debug/dwarf"
	"errors"
	"fmt"
	"slices"

	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/location"
	"github.com/kdive/kdive/frame"
	"github.com/kdive/kdive/mapped"
	"github.com/kdive/kdive/replay/symbolic"
	"github.com/kdive/kdive/unwind"
)

// Check is what came of hiding what is known and deriving it.
type Check struct {
	Frames, Followed                          int
	Places, Derived, Equal, FromMemory, Stale int
	Contradictions                            int
	Wrong                                     []string
	Why                                       map[string]int
	TailCalls                                 []string
}

// Check hides every register that the tables know of a frame, and every piece of
// its stack, derives it from the others and compares.
func (m *Model) Check(tr *unwind.Trace, c *Check) {
	if c.Why == nil {
		c.Why = map[string]int{}
	}
	s := m.stack(tr)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range tr.Frames {
		c.Frames++
		if tr.Frames[i].Source == unwind.FromTailCall {
			name, off, _ := m.v.SymbolAt(tr.Frames[i].PC)
			below, _, _ := m.v.SymbolAt(tr.Frames[i-1].CallSite())
			above, _, _ := m.v.SymbolAt(tr.Frames[i+1].CallSite())
			c.TailCalls = append(c.TailCalls, fmt.Sprintf("%s > %s+%d > %s", above, name, off, below))
		}
		p := s.point(i)
		if p.err != nil {
			name, off, _ := m.v.SymbolAt(tr.Frames[i].PC)
			c.Why[fmt.Sprintf("%s: %s+%d", why(p.err), name, off)]++
			continue
		}
		c.Followed++
		p.check(c)
	}
}

func why(err error) string {
	text := err.Error()
	if len(text) > 30 {
		text = text[:30]
	}
	return text
}

func (p *point) check(c *Check) {
	for n := range p.facts.State.Regs {
		actual, ok := p.register(n)
		if !ok || n == 4 {
			continue
		}
		facts := p.facts
		facts.HideReg = n + 1
		p.compare(c, p.facts.State.Regs[n].Expr, &facts, actual.Bits, dwarfNumber[n].String())
	}
	for k := range p.facts.State.Slots {
		x := p.facts.State.Slots[k]
		actual, _, err := p.s.m.read(p.facts.Stack+uint64(x.Off), x.Size)
		if err != nil || !p.facts.StackKnown {
			continue
		}
		facts := p.facts
		facts.HideSlot = &x
		p.compare(c, x.Expr, &facts, actual, fmt.Sprintf("stack %#x", x.Off))
	}
}

func (p *point) compare(c *Check, e *symbolic.Expr, facts *symbolic.Facts, actual uint64, what string) {
	c.Places++
	v, err := p.fn.Value(e, facts)
	if errors.Is(err, symbolic.ErrContradiction) {
		c.Contradictions++
	} else if err != nil {
		return
	}
	c.Derived++
	switch {
	case err == nil && v.Changed && v.Bits != actual:
		c.FromMemory++
		c.Stale++
		name, off, _ := p.s.m.v.SymbolAt(p.pc)
		c.Why[fmt.Sprintf("stale %s+%d %s", name, off, what)]++
	case err == nil && v.Changed:
		c.FromMemory++
	case err == nil && v.Bits == actual:
		c.Equal++
	default:
		name, off, _ := p.s.m.v.SymbolAt(p.pc)
		c.Wrong = append(c.Wrong, fmt.Sprintf("%s+%d frame %d of %x: %s = %#x, derived %#x by %x (%v)", name, off, p.i, p.s.tr.Thread.Addr, what, actual, v.Bits, v.Via, err))
	}
}

// Hidden derives a variable without the entries of its location list that cover the
// frame's pc; false if it has no others.
func Hidden(m *Model, tr *unwind.Trace, i int, v *frame.Variable, code *frame.Code) (r location.Result, ok bool) {
	_ = mapped.Guard(func() error {
		at, has := v.Entry.Attr(dwarf.AttrLocation)
		if !has {
			return nil
		}
		list, err := v.Entry.Unit.Locations(at)
		if err != nil || len(list) < 2 {
			return err
		}
		links := []uint64{code.Link}
		s := m.stack(tr)
		s.mu.Lock()
		p := s.point(i)
		s.mu.Unlock()
		if p.err != nil {
			return p.err
		}
		if _, link, err := m.v.InfoAt(p.pc); err == nil {
			links = append(links, link)
		}
		list = slices.DeleteFunc(slices.Clone(list), func(l die.Location) bool {
			return l.Always || slices.ContainsFunc(links, l.Contains)
		})
		if len(list) == 0 {
			return nil
		}
		ok = true
		r = m.Variable(tr, i, &frame.Sought{Name: v.Name, Type: v.Type, Entry: v.Entry, Code: code, Scope: &code.Scopes[0], List: list,
			Found: location.LostResult(location.NotHere, "hidden")})
		return nil
	})
	return r, ok
}
