package command

import (
	"sync"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
)

// slabModel is the allocator of the opened kernel, read when first needed.
type slabModel struct {
	once  sync.Once
	model *slab.Model
	err   error
}

// slabs is the model of the opened kernel's object caches.
func (t *Target) slabs() (*slab.Model, error) {
	t.slab.once.Do(func() {
		k, _, err := t.info()
		if err == nil {
			t.slab.model, err = slab.Load(k)
		}
		t.slab.err = err
	})
	return t.slab.model, t.slab.err
}

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
