package command

import (
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
)

// freed reports whether the memory at a virtual address is free for certain: an
// object of a cache, or a page.
func (t *Target) freed(addr uint64) bool {
	if m, err := t.slabs(); err == nil {
		if o, ok := m.Find(addr); ok {
			state, _, err := o.State()
			return err == nil && state == slab.Free
		}
	}
	b, err := t.buddy()
	if err != nil {
		return false
	}
	paddr, _, err := t.Opened.Kernel.Translate(addr)
	if err != nil {
		return false
	}
	_, free, err := b.Find(paddr >> kernel.PageShift)
	return free && err == nil
}
