package command

import (
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl"
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
	if memory, page := m.PageAt(addr); page {
		o, ok = m.Find(memory)
		return o, true, ok
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
	pages, err := mm.LoadPages(t.Opened.Kernel)
	if err != nil {
		return err
	}
	w := wordFinder{cacheLister{t: t, c: c, m: m}, pages}
	for i, arg := range c.Args {
		addr, err := t.address(arg)
		if err == nil && c.Has("P") {
			v, ok := t.Opened.Kernel.PhysToVirt(addr)
			if addr = v; !ok {
				err = fmt.Errorf("%s: not a physical address of the machine's memory", arg)
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
}

func (w *wordFinder) show(addr uint64) error {
	k, known := w.t.Opened.Kernel, false
	block := func(show func()) {
		if known {
			w.c.Out.Print("\n")
		}
		known = true
		show()
	}
	if s, ok := symbolAt(k, addr); ok {
		block(func() { symRecord.Emit(w.c.Out, &s) })
	}
	o, whole, inSlab := w.t.findObject(w.m, addr)
	if inSlab {
		block(func() { w.object(o, whole) })
	}
	if x := w.task(addr, o); x != nil {
		var err error
		block(func() { err = showTask(w.t, w.c, x) })
		if err != nil {
			return err
		}
	}
	paddr := addr
	if memory, isPage := w.m.PageAt(addr); isPage {
		addr = memory
	}
	if k.IsKernelAddress(addr) {
		var err error
		if paddr, _, err = k.Translate(addr); err != nil {
			if known {
				return nil
			}
			return fmt.Errorf("%x: %w", addr, err)
		}
	}
	page, err := w.pages.At(paddr)
	if err != nil {
		if known {
			return nil // a symbol of memory that has no page structure
		}
		return fmt.Errorf("%x: %w", addr, err)
	}
	block(func() {
		pageRecord.Head(w.c.Out)
		pageRecord.Emit(w.c.Out, &page)
	})
	return nil
}

// task is the task whose task_struct or stack holds the address.
func (w *wordFinder) task(addr uint64, o slab.Object) *task.Task {
	table, err := w.t.tasks()
	if err != nil {
		return nil
	}
	if o.Index >= 0 && o.Slab != nil {
		if x := table.ByAddr(o.Addr); x != nil {
			return x
		}
	}
	stack := uint64(4 * kernel.PageSize)
	if t, err := w.t.Opened.Kernel.StructType("thread_union"); err == nil && t.Size() > 0 {
		stack = uint64(t.Size())
	}
	for _, x := range table.Tasks {
		if x.Stack != 0 && addr >= x.Stack && addr-x.Stack < stack {
			return x
		}
	}
	return nil
}
