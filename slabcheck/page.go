package slabcheck

import (
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/rules"
)

// pages checks the structures of a slab's pages.
func (c *cacheCheck) pages(s *slabRec) {
	c.pageTails(s)
	c.pageZone(s)
	c.owners(s)
	if c.common.haveRefs && s.refs != c.common.refs {
		f := rules.New(rules.PageCount, "the page of slab %#x has a reference count of %d", s.Addr, s.refs)
		f.Slab, f.At, f.Member, f.Offset = s.Slab, c.n.PageRefs.At(s.Addr), c.n.PageRefs.Path, c.n.PageRefs.Offset
		f.Found, f.Expected = rules.Word(uint64(uint32(s.refs)), 4), rules.Word(uint64(uint32(c.common.refs)), 4)
		f.Sure = rules.Likely // whoever goes over all pages takes one for a moment
		c.add(f)
	}
	if bad := s.flags & c.neverFlags(); bad != 0 {
		f := rules.New(rules.PageFlags, "the page of slab %#x has flags that slabs never have", s.Addr)
		f.Slab, f.At, f.Member, f.Offset = s.Slab, c.n.PageFlags.At(s.Addr), c.n.PageFlags.Path, c.n.PageFlags.Offset
		f.Found, f.Expected = rules.Word(s.flags, 8), rules.Word(s.flags&^bad, 8)
		c.add(f)
	}
}

// neverFlags are page flags that are of files' and of users' pages only.
func (ck *checker) neverFlags() uint64 {
	n := &ck.n
	mask := uint64(0)
	for _, e := range [...]kernel.Enum{n.LRU, n.Dirty, n.Uptodate, n.Writeback, n.Swapback, n.Unevict, n.Mlocked, n.Reserved} {
		if e.Present() && e.Value >= 0 && e.Value < 32 {
			mask |= 1 << e.Value
		}
	}
	return mask
}

// maxOrder is the highest order that the page allocator has on x86-64
// (MAX_PAGE_ORDER, include/linux/mmzone.h). A cache that claims more was damaged, which
// its own checks say.
const maxOrder = 10

// pageTails checks that the pages behind the first one name it.
func (c *cacheCheck) pageTails(s *slabRec) {
	order := c.orderOf(s)
	if order < 0 || order > maxOrder || s.tails == 1<<order-1 {
		return
	}
	first, ok := c.m.FrameOf(s.Addr)
	if !ok {
		return
	}
	for i := uint64(1); i < 1<<order; i++ {
		at := c.m.PageOf(first + i)
		v, err := c.n.Compound.Uint(c.k, at)
		if err != nil {
			c.cannot(err)
			return
		}
		want := c.tailWord(s, order)
		if v == want {
			continue
		}
		f := rules.New(rules.PageTail, "page %#x of slab %#x does not name the slab's first page", at, s.Addr)
		f.Slab, f.Page, f.At, f.Member, f.Offset = s.Slab, at, c.n.Compound.At(at), c.n.Compound.Path, c.n.Compound.Offset
		f.Found, f.Expected = rules.Word(v, 8), rules.Word(want, 8)
		c.add(f)
	}
	if s.tails > 1<<order-1 {
		f := rules.New(rules.PageTail, "%d pages name slab %#x as their first, of 2^%d pages", s.tails+1, s.Addr, order)
		f.Slab = s.Slab
		f.Sure = rules.Likely
		c.add(f)
	}
}

// tailWord is what a page that follows a slab's first one says: the address of
// that, or a mask that gives it, in either case with bit 0 set.
func (c *cacheCheck) tailWord(s *slabRec, order int) uint64 {
	if c.common.masks {
		return ^uint64(int64(c.n.PageSize)<<order-1) | 1
	}
	return s.Addr | 1
}

// ownerFlags are the bits of the pointer to the array of owners that are flags.
const ownerFlags = 7

// owners checks the array of owners of a slab's objects: an allocated object
// that has an entry for each, or a part of the slab.
func (c *cacheCheck) owners(s *slabRec) {
	f := &c.n.Owners
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
	each := int64(max(8, c.n.OwnersSize))
	switch {
	case o.Index < 0 || o.Offset != 0:
		bad("the owners of the objects of slab %#x are at %#x, inside of an object of %s", s.Addr, at, o.Slab.Cache.Name)
	case state == slab.Free:
		bad("the owners of the objects of slab %#x are object %#x of %s, which is free (%v)", s.Addr, at, o.Slab.Cache.Name, place)
	case o.Slab.Cache.ObjectSize < int64(s.Objects)*each:
		bad("the owners of %d objects of slab %#x are an object of %s", s.Objects, s.Addr, o.Slab.Cache.Name)
	}
}
