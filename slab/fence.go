package slab

import (
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// fence is the pool of guarded objects, one in a page, with unmapped pages
// between them (KFENCE, mm/kfence/core.c). Its pages look like slabs of the
// caches that the objects were taken from.
type fence struct {
	m     *Model
	n     fenceNeeds
	pool  uint64 // address of its first page
	table uint64 // of struct kfence_metadata, one for every second page
}

type fenceNeeds struct {
	Pool      kernel.Sym   `need:"__kfence_pool"`
	Metadata  kernel.Sym   `need:"kfence_metadata"`
	Size      kernel.Size  `need:"kfence_metadata"`
	Addr      kernel.Field `need:"kfence_metadata.addr"`
	ObjSize   kernel.Field `need:"kfence_metadata.size"`
	State     kernel.Field `need:"kfence_metadata.state"`
	Allocated kernel.Enum  `need:"KFENCE_OBJECT_ALLOCATED"`
	Unused    kernel.Enum  `need:"KFENCE_OBJECT_UNUSED"`
	Freeing   kernel.Enum  `need:"?KFENCE_OBJECT_RCU_FREEING"`
}

// maxFence is the largest number of guarded objects (CONFIG_KFENCE_NUM_OBJECTS).
const maxFence = 65535

// loadFence is nil if there is no pool.
func (m *Model) loadFence() *fence {
	f := &fence{m: m}
	if m.k.Bind(&f.n) != nil {
		return nil
	}
	var err error
	if f.pool, err = value.Word(m.k, uint64(f.n.Pool)); err != nil || f.pool == 0 {
		return nil
	}
	// An array until 6.5, since then a pointer to one.
	f.table = uint64(f.n.Metadata)
	if t, err := m.k.VariableType("kfence_metadata"); err == nil && t.Underlying().Size() == 8 {
		if f.table, err = value.Word(m.k, f.table); err != nil {
			return nil
		}
	}
	return f
}

// metadata is the address of what the pool knows of the page of a slab.
func (f *fence) metadata(s *Slab) (uint64, bool) {
	d := s.Base - f.pool
	i := d / (2 * kernel.PageSize)
	if s.Base < f.pool || i == 0 || i > maxFence {
		return 0, false
	}
	at := f.table + (i-1)*uint64(f.n.Size)
	// Where the pool ends is not written down: the entry must know the page.
	addr, err := f.n.Addr.Uint(f.m.k, at)
	return at, err == nil && addr&^(kernel.PageSize-1) == s.Base
}

func (f *fence) find(s *Slab, at uint64) (Object, bool) {
	meta, ok := f.metadata(s)
	if !ok {
		return Object{}, false
	}
	addr, err := f.n.Addr.Uint(f.m.k, meta)
	size, err2 := f.n.ObjSize.Uint(f.m.k, meta)
	if err != nil || err2 != nil || at < addr || at-addr >= size {
		return Object{Slab: s, Index: -1}, true
	}
	return Object{Slab: s, Addr: addr, Offset: int64(at - addr)}, true
}

func (f *fence) state(s *Slab) (State, bool) {
	meta, ok := f.metadata(s)
	if !ok {
		return Unknown, false
	}
	v, err := f.n.State.Uint(f.m.k, meta)
	switch {
	case err != nil:
		return Unknown, true
	case int64(v) == f.n.Allocated.Value:
		return Allocated, true
	case f.n.Freeing.Present() && int64(v) == f.n.Freeing.Value:
		return Pending, true
	}
	return Free, true
}

// InFence reports whether an address of the direct map is in KFENCE's pool: what
// the pool knows of its pages follows their order.
func (m *Model) InFence(addr uint64) bool {
	f := m.fence
	if f == nil || addr < f.pool {
		return false
	}
	i := (addr - f.pool) / (2 * kernel.PageSize)
	if i == 0 {
		return true
	}
	if i > maxFence {
		return false
	}
	at, err := f.n.Addr.Uint(f.m.k, f.table+(i-1)*uint64(f.n.Size))
	return err == nil && at >= f.pool && (at-f.pool)/(2*kernel.PageSize) == i
}

// GuardedObject is an object of KFENCE's pool.
type GuardedObject struct {
	Object uint64 // its address, 0 if the page was never used
	Size   int64
	Page   uint64 // the page that it is in
	State  State
	Meta   uint64 // struct kfence_metadata
}

// Guards are the objects of KFENCE's pool that were ever used, up to what cannot
// be read.
func (m *Model) Guards() []GuardedObject {
	f := m.fence
	if f == nil {
		return nil
	}
	var list []GuardedObject
	for i := uint64(1); i <= maxFence; i++ {
		meta := f.table + (i-1)*uint64(f.n.Size)
		addr, err := f.n.Addr.Uint(m.k, meta)
		page := f.pool + i*2*kernel.PageSize
		if err != nil || addr&^(kernel.PageSize-1) != page {
			break // behind the last one
		}
		size, err := f.n.ObjSize.Uint(m.k, meta)
		v, err2 := f.n.State.Uint(m.k, meta)
		if err != nil || err2 != nil || int64(v) == f.n.Unused.Value {
			continue
		}
		g := GuardedObject{Object: addr, Size: int64(min(size, kernel.PageSize)), Page: page, Meta: meta, State: Free}
		switch {
		case int64(v) == f.n.Allocated.Value:
			g.State = Allocated
		case f.n.Freeing.Present() && int64(v) == f.n.Freeing.Value:
			g.State = Pending
		}
		list = append(list, g)
	}
	return list
}
