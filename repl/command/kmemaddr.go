package command

import (
	"fmt"

	"github.com/kdive/kdive/identify"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/task"
)

// findObject is the object at an address: virtual, of a page structure, or
// physical. whole tells that the address stands for all of the slab.
func (t *Target) findObject(m *slab.Model, addr uint64) (o slab.Object, whole, ok bool) {
	if k := t.Opened.Kernel; !k.IsKernelAddress(addr) {
		v, direct := k.PhysToVirt(addr)
		if !direct {
			return o, false, false
		}
		o, ok = m.Find(v)
		return o, false, ok
	}
	if pages, err := t.pages(); err == nil {
		if _, start := pages.Frame(addr); start {
			if memory, page := m.PageAt(addr); page {
				o, ok = m.Find(memory)
				return o, true, ok
			}
		}
	}
	o, ok = m.Find(addr)
	return o, false, ok
}

// kmemAddresses is kmem without options.
func kmemAddresses(t *Target, c *repl.Call) error {
	m, err := t.slabs()
	if err != nil {
		return err
	}
	pages, err := t.pages()
	if err != nil {
		return err
	}
	w := wordFinder{cacheLister: cacheLister{t: t, c: c, m: m}, pages: pages}
	for i, arg := range c.Args {
		addr, err := t.address(arg)
		if err == nil && c.Has("P") {
			v, ok := t.Opened.Kernel.PhysToVirt(addr)
			if addr = v; !ok {
				err = fmt.Errorf("%s: not a physical address of the machine's memory", arg)
			} else {
				addr, _, err = t.Opened.Kernel.Translate(v)
			}
		}
		if err == nil {
			if i > 0 {
				c.Out.Print("\n")
			}
			err = w.show(addr)
		}
		if err != nil {
			c.Error(err)
		}
	}
	return nil
}

// wordFinder shows all that is known of an address.
type wordFinder struct {
	cacheLister
	pages *mm.Pages
	known bool // something was shown of the present address
}

// block shows something that is known, with an empty line in between.
func (w *wordFinder) block(show func()) {
	if w.known {
		w.c.Out.Print("\n")
	}
	w.known = true
	show()
}

func (w *wordFinder) show(addr uint64) error {
	w.known = false
	k := w.t.Opened.Kernel
	areas, at := w.areas(addr)
	if s, ok := symbolAt(k, at); ok {
		s.locate(k)
		w.block(func() { symRecord.Emit(w.c.Out, &s) })
	}
	o, whole, inSlab := w.t.findObject(w.m, addr)
	if inSlab {
		w.block(func() { w.object(o, whole) })
	}
	if v, ok := k.PhysToVirt(at); ok && !k.IsKernelAddress(at) {
		at = v
	}
	if x := w.task(at); x != nil {
		var err error
		w.block(func() { err = showTask(w.t, w.c, x) })
		if err != nil {
			return err
		}
	}
	pfn, pageErr := w.t.frameOf(w.pages, addr)
	if pageErr == nil && !inSlab {
		w.free(addr, pfn)
	}
	if len(areas) > 0 {
		w.block(func() {
			vmareaRecord.Head(w.c.Out)
			for _, a := range areas {
				vmareaRecord.Emit(w.c.Out, newVMAreaRow(k, a))
			}
		})
	}
	if pageErr == nil {
		w.page(pfn)
	}
	if !whole {
		w.what(at)
	}
	if pageErr == nil {
		return nil
	}
	if w.known {
		return nil // a symbol of memory that has no page structure, a guard page
	}
	return fmt.Errorf("%x: %w", addr, pageErr)
}

// areas are the areas of virtual memory of a kernel address, or those that map
// a physical one, and the kernel address itself.
func (w *wordFinder) areas(addr uint64) ([]mm.VMArea, uint64) {
	v, err := w.t.vmareas()
	if err != nil {
		return nil, addr
	}
	if w.t.Opened.Kernel.IsKernelAddress(addr) {
		if a, ok := v.Find(addr); ok && !a.Lazy {
			return []mm.VMArea{a}, addr
		}
		return nil, addr
	}
	areas, vaddrs := v.Mapped(w.pages, addr)
	if len(areas) > 0 {
		return areas, vaddrs[0]
	}
	return nil, addr
}

// free shows where a page is if it is free.
func (w *wordFinder) free(addr, pfn uint64) {
	b, err := w.t.buddy()
	if err != nil {
		return
	}
	f, ok, err := b.Find(pfn)
	if ok {
		l := freeLister{w.t, w.c, b, w.pages, false}
		w.block(func() { l.block(addr, pfn, &f) })
	}
	if err != nil {
		w.c.Warn("%x: free pages: %v", addr, firstLine(err))
	}
}

// page shows the page structure and what more is known of the page.
func (w *wordFinder) page(pfn uint64) {
	page, err := w.pages.At(pfn << kernel.PageShift)
	if err != nil {
		return // frameOf has read it
	}
	w.block(func() {
		pageRecord.Head(w.c.Out)
		pageRecord.Emit(w.c.Out, &page)
	})
	w.user(pfn)
}

// task is the task whose task_struct or stack holds the address.
func (w *wordFinder) task(addr uint64) *task.Task {
	m, err := w.t.identify()
	if err != nil {
		return nil
	}
	table, err := w.t.tasks()
	if err != nil {
		return nil
	}
	switch p := m.Find(addr); p.Kind {
	case identify.TaskStack:
		return p.Task
	case identify.Object, identify.Symbol:
		return table.ByAddr(p.Base) // of a symbol: the idle task of the first CPU
	}
	return nil
}

// whatRow is the structure and member, or the frame, at an address.
type whatRow struct{ *identity }

var whatRecord = &output.Record[whatRow]{
	Type: "what",
	Help: "the structure and member, or the frame of a stack, at the address",
	Columns: []output.Column[whatRow]{
		{Name: "address", Help: "that was asked for", Get: func(r *whatRow) output.Value { return output.Addr(r.Addr) }},
		{Name: "what", Help: "its kind and what is known of that", Get: func(r *whatRow) output.Value { return r.value() }},
	},
	Text: func(b []byte, r *whatRow) []byte {
		b = fmt.Appendf(b, "%9s: ", "WHAT")
		if r.typed && !r.framed {
			return fmt.Appendf(b, "%s (%s)\n", r.what(), r.typing.Why)
		}
		return append(r.line(b), '\n')
	},
}

// what shows the structure and member, or the frame, if it is known.
func (w *wordFinder) what(addr uint64) {
	m, err := w.t.identify()
	if err != nil {
		return
	}
	x := identityAt(w.t.Opened.Kernel, m, addr)
	if x.framed || x.typed && x.Kind != identify.PageStruct {
		w.block(func() { whatRecord.Emit(w.c.Out, &whatRow{x}) })
	}
}
