package frame

import (
	"debug/dwarf"
	"fmt"

	"github.com/kdive/kdive/debuginfo"
	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/location"
	"github.com/kdive/kdive/mapped"
	"github.com/kdive/kdive/unwind"
)

// Code is the function that a frame executed, with what covers the pc.
type Code struct {
	Info   *debuginfo.Info
	Link   uint64            // link-time address of the frame's call site (unwind.Frame.CallSite)
	Scopes []debuginfo.Scope // from the function inwards; at least one
	view   View
	at     uint64 // run-time address of Link
}

// Runtime is the run-time address of a link-time address of the same file.
func (c *Code) Runtime(link uint64) (uint64, bool) { return c.view.Runtime(c.at, link) }

// Unit is the unit that the function is in.
func (c *Code) Unit() *die.Unit { return c.Scopes[0].Unit }

// Entry is the run-time address of the function's first instruction.
func (c *Code) Entry() (uint64, bool) {
	f := &c.Scopes[0]
	if len(f.Ranges) == 0 {
		return 0, false
	}
	link := f.Ranges[0].Low
	if v, ok := f.Attr(dwarf.AttrEntrypc); ok {
		// A number is an offset from the low address (DWARF 5, 2.18).
		if v.IsConst() {
			link += v.U
		} else if a, err := v.Addr(); err == nil {
			link = a
		}
	}
	return c.Runtime(link)
}

// maxCode bounds the functions that are kept.
const maxCode = 1 << 12

type codeResult struct {
	code *Code
	err  error
}

// CodeAt is the function that frame i of a trace executed.
func (m *Model) CodeAt(tr *unwind.Trace, i int) (*Code, error) {
	at := tr.Frames[i].CallSite()
	if r, ok := m.code[at]; ok {
		return r.code, r.err
	}
	code, err := m.codeAt(at)
	if len(m.code) >= maxCode {
		clear(m.code)
	}
	m.code[at] = codeResult{code, err}
	return code, err
}

func (m *Model) codeAt(at uint64) (*Code, error) {
	info, link, err := m.v.InfoAt(at)
	if err != nil {
		return nil, err
	}
	scopes, err := info.Scopes(link)
	if err == nil && len(scopes) == 0 {
		err = fmt.Errorf("the debug info describes no function at %#x", at)
	}
	if err != nil {
		return nil, err
	}
	return &Code{Info: info, Link: link, Scopes: scopes, view: m.v, at: at}, nil
}

// frameBase evaluates DW_AT_frame_base of the function.
func (c *Code) frameBase(m location.Machine) (uint64, location.Provenance) {
	v, ok := c.Scopes[0].Attr(dwarf.AttrFrameBase)
	if !ok {
		return 0, location.LostFor(location.Damaged, "the function has no frame base")
	}
	list, err := c.Unit().Locations(v)
	expr, ok := location.Select(list, c.Link)
	switch {
	case !ok && err != nil:
		return 0, location.LostFor(location.Damaged, err.Error())
	case !ok:
		return 0, location.LostFor(location.NotHere, "the function has no frame base here")
	}
	return location.Number(expr, c.Unit(), m)
}

// guard runs fn, which reads mapped debug info.
func guard(fn func() error) error { return mapped.Guard(fn) }
