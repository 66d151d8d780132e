package slabcheck

import (
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/rules"
)

// extraNeeds are members of caches and slabs that only some kernels have.
type extraNeeds struct {
	UserOffset kernel.Field `need:"?kmem_cache.useroffset"`
	UserSize   kernel.Field `need:"?kmem_cache.usersize"`
	KeepSlabs  kernel.Field `need:"?kmem_cache.cpu_partial_slabs"`
	Keep       kernel.Field `need:"?kmem_cache.cpu_partial"`

	// An array by object, whose owner is charged for it: a pointer with flags in
	// its lowest bits.
	Owners     kernel.Field `need:"?slab.obj_exts|slab.memcg_data|page.obj_cgroups"`
	OwnersSize kernel.Size  `need:"?slabobj_ext"`
}

// ownerFlags are the bits of the pointer to the array of owners that are flags.
const ownerFlags = 7

// extraFields checks members that say how a cache is used.
func (c *cacheCheck) extraFields(buf []byte, objectSize uint64) {
	e := &c.extraNeed
	if f := &c.n.Ctor; f.Present() {
		if at := f.In(buf); at != 0 {
			if _, off, ok := c.k.SymbolAt(at); !ok || off != 0 {
				c.add(c.member(rules.CacheUse, f, buf, "the constructor is at %#x, where no function begins", at))
			}
		}
	}
	if e.UserOffset.Present() && e.UserSize.Present() {
		from, n := e.UserOffset.In(buf)&0xffffffff, e.UserSize.In(buf)&0xffffffff
		if from+n > objectSize {
			c.add(c.member(rules.CacheUse, &e.UserSize, buf, "user space may copy %d bytes from %d on of objects of %d bytes", n, from, objectSize))
		}
	}
	if !c.slub || !e.KeepSlabs.Present() || !e.Keep.Present() {
		return
	}
	objects := c.n.OO.In(buf) & 0xffff
	if keep := e.Keep.In(buf) & 0xffffffff; objects > 0 {
		// Slabs are taken to be half full (slub_set_cpu_partial, mm/slub.c).
		want := (keep*2 + objects - 1) / objects
		if v := e.KeepSlabs.In(buf) & 0xffffffff; v != want {
			x := c.member(rules.CacheUse, &e.KeepSlabs, buf, "CPUs keep %d slabs for %d objects, %d in each", v, keep, objects).Expect(want)
			x.Sure = rules.Likely // the order of slabs can be set
			c.add(x)
		}
	}
}

// owners checks the array of owners of a slab's objects: an allocated object
// that has an entry for each, or a part of the slab.
func (c *cacheCheck) owners(s *slabRec) {
	f := &c.extraNeed.Owners
	if !f.Present() {
		return
	}
	v, err := f.Uint(c.k, s.Addr)
	at := v &^ ownerFlags
	if err != nil || at == 0 || at-s.Base < uint64(kernel.PageSize)<<max(0, c.orderOf(s)) {
		return
	}
	bad := func(text string, args ...any) {
		x := rules.New(rules.SlabOwners, text, args...)
		x.Slab, x.At, x.Member, x.Offset, x.Found = s.Slab, f.At(s.Addr), f.Path, f.Offset, rules.Word(v, 8)
		c.add(x)
	}
	o, ok := c.m.Find(at)
	if !ok {
		if err := c.pageMissing(at); err != nil {
			c.cannot(err)
			return
		}
		var b [8]byte
		if c.k.Read(b[:], at) != nil || at%kernel.PageSize != 0 {
			bad("the owners of the objects of slab %#x are at %#x, which is no object", s.Addr, at)
		}
		return // kmalloc takes large ones from the page allocator
	}
	state, place, _ := o.State()
	each := int64(max(8, c.extraNeed.OwnersSize))
	switch {
	case o.Index < 0 || o.Offset != 0:
		bad("the owners of the objects of slab %#x are at %#x, inside of an object of %s", s.Addr, at, o.Slab.Cache.Name)
	case state == slab.Free:
		bad("the owners of the objects of slab %#x are object %#x of %s, which is free (%v)", s.Addr, at, o.Slab.Cache.Name, place)
	case o.Slab.Cache.ObjectSize < int64(s.Objects)*each:
		bad("the owners of %d objects of slab %#x are an object of %s", s.Objects, s.Addr, o.Slab.Cache.Name)
	}
}

// untracked checks that the list of full slabs is empty where it is not used.
func (c *cacheCheck) untracked(id int, node uint64) {
	f := &c.sub.Full
	if !f.Present() {
		return
	}
	next, prev, err := c.lists.Read(f.At(node))
	if err != nil {
		c.cannot(err)
		return
	}
	if head := f.At(node); next != head || prev != head {
		x := rules.New(rules.ListKind, "the list of full slabs of node %d is not empty, and not used without SLAB_STORE_USER", id)
		x.Node, x.At, x.Member, x.Offset = id, head, f.Path, f.Offset
		x.Found, x.Expected = rules.Word(next, 8), rules.Word(head, 8)
		if next == head {
			x.At, x.Found = c.lists.Prev.At(head), rules.Word(prev, 8)
		}
		c.add(x)
	}
}
