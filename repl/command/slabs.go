package command

import (
	"sync"

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
