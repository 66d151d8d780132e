package slabcheck

import (
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/chain"
	"github.com/kdive/kdive/slabcheck/poison"
	"github.com/kdive/kdive/slabcheck/rules"
)

// checkSlabs checks the slabs of a cache from one to another.
func (c *cacheCheck) checkSlabs(from, to int) {
	for i := from; i < to; i++ {
		s := &c.slabs[i]
		if s.foreign {
			continue // nothing of it would make sense
		}
		c.pages(s)
		if c.Err != nil {
			continue
		}
		var free chain.Set
		if c.slub {
			free = c.subSlab(s)
		} else {
			free = c.salSlab(s)
		}
		c.mu.Lock()
		c.objects += s.Objects
		c.free += free.Count()
		c.mu.Unlock()
	}
}

// subSlab checks a slab of SLUB and returns the objects on its free list.
func (c *cacheCheck) subSlab(s *slabRec) chain.Set {
	n := &c.sub
	here := func(r *rules.Rule, m *kernel.Field, v uint64, size int, text string, args ...any) rules.Finding {
		f := rules.New(r, text, args...)
		f.Slab, f.At, f.Member, f.Offset, f.Found = s.Slab, m.At(s.Addr), m.Path, m.Offset, rules.Word(v, size)
		f.Touches = []uint64{s.Addr, s.Base}
		return f
	}
	if want, ok := c.objectsOf(s); ok && s.Objects != want {
		c.add(here(rules.SlabObjects, &n.Objects, uint64(s.Objects), 2, "slab %#x says that it has %d objects", s.Addr, s.Objects).Expect(uint64(want)))
	}
	w := c.freeList(s.Slab, fmt.Sprintf("the free list of slab %#x", s.Addr))
	joined := false // from there on both lists are one
	c.follow(w, s.FreeHead(), func(i int, from uint64) {
		if h, twice := c.held[s.Object(i)]; twice && !joined {
			joined = true
			f := rules.New(rules.FreeTwice, "object %#x is on the free list of its slab and held by %v (at %#x)", s.Object(i), h.place, h.at)
			f.About(s.At(i))
			f.CPU, f.At, f.Found = h.place.CPU, from, rules.Word(s.Object(i), 8)
			f.Window, f.Touches = true, []uint64{s.Object(i), s.Addr}
			c.add(f)
		}
	})
	if w.Broken {
		c.otherRandom(s)
	}
	role := c.roles[s.Addr]
	if !w.Broken && w.Len != s.Objects-s.Inuse {
		f := here(rules.SlabInuse, &n.Inuse, uint64(s.Inuse), 2, "slab %#x counts %d of %d objects in use, and has %d on its free list", s.Addr, s.Inuse, s.Objects, w.Len)
		f = f.Expect(uint64(s.Objects - w.Len))
		f.Window = true
		c.add(f)
	} else if w.Broken && s.Inuse > s.Objects {
		c.add(here(rules.SlabInuse, &n.Inuse, uint64(s.Inuse), 2, "slab %#x counts %d of %d objects in use", s.Addr, s.Inuse, s.Objects))
	}
	if s.pending {
		return w.Seen
	}
	c.frozen(s, role, here)
	c.onList(s, role, w.Len, w.Broken, here)
	c.debugSlab(s, w.Seen, w.Broken)
	return w.Seen
}

// debugSlab checks what the kernel writes around and into the objects of a slab.
func (c *cacheCheck) debugSlab(s *slabRec, free chain.Set, broken bool) {
	if !c.debug.Debugged() && free.Count() == 0 && len(c.held) == 0 {
		return
	}
	err := c.debug.Check(&poison.Slab{Slab: s.Slab, Order: c.orderOf(s), Broken: broken,
		Free: func(i int) bool {
			_, held := c.held[s.Object(i)]
			return held || free.Has(i)
		},
		Waits: func(i int) bool {
			h, held := c.held[s.Object(i)]
			return held && h.place.Holder == slab.RCUSheaf
		},
	}, c.add)
	if err != nil {
		c.cannot(err)
	}
}

// otherRandom reports the number that the free pointers of a slab, whose list
// breaks, are mixed with, if it is another than the cache's.
func (c *cacheCheck) otherRandom(s *slabRec) {
	random, ok := chain.OtherRandom(c.k, s.Slab)
	if !ok {
		return
	}
	c.mu.Lock()
	said := c.random == random
	c.random = random
	c.mu.Unlock()
	if !said {
		f := rules.New(rules.CacheRandom, "free lists are whole if their pointers are mixed with %#x", random)
		f.At, f.Member, f.Offset = c.sub.Random.At(c.Addr), c.sub.Random.Path, c.sub.Random.Offset
		f.Found, f.Expected = rules.Word(c.Layout().Random, 8), rules.Word(random, 8)
		c.add(f)
	}
}

// objectsOf is how many objects a slab should have: as many as fit into the
// pages that name it.
func (c *cacheCheck) objectsOf(s *slabRec) (int, bool) {
	order := c.orderOf(s)
	if order < 0 || c.Size <= 0 {
		return 0, false
	}
	return int(min(int64(kernel.PageSize)<<order/c.Size, 1<<15-1)), true
}

// orderOf is the order of a slab's pages, of those that the cache may have: the
// usual one if the number of objects is that of it, else the one that the pages
// that follow fit, or else the number of objects.
func (c *cacheCheck) orderOf(s *slabRec) int {
	orders := c.shape.Orders(c.Cache)
	byTails, byObjects := -1, -1
	for _, o := range orders {
		if byTails < 0 && s.tails == 1<<o-1 {
			byTails = o
		}
		if byObjects < 0 && int64(s.Objects) == int64(kernel.PageSize)<<o/max(c.Size, 1) {
			byObjects = o
		}
	}
	switch {
	case byTails < 0 && byObjects < 0:
		return orders[0]
	case byTails < 0, byObjects == orders[0]: // smaller slabs than the usual ones are rare
		return byObjects
	}
	return byTails
}

type reporter func(r *rules.Rule, m *kernel.Field, v uint64, size int, text string, args ...any) rules.Finding

// frozen checks the mark of slabs that CPUs own.
func (c *cacheCheck) frozen(s *slabRec, r role, here reporter) {
	want := false
	switch r.kind {
	case roleCPU:
		want = true
	case roleCPUPartial:
		want = c.common.partialFrozen
	}
	if s.Frozen == want {
		return
	}
	text := fmt.Sprintf("slab %#x is frozen, and held by %v", s.Addr, r)
	if want {
		text = fmt.Sprintf("slab %#x is not frozen, and held by %v", s.Addr, r)
	}
	v := uint64(0)
	if s.Frozen {
		v = 1
	}
	f := here(rules.SlabFrozen, &c.sub.Frozen, v, 1, "%s", text).Expect(1 - v)
	f.Window = true
	f.Touches = append(f.Touches, c.Addr)
	c.add(f)
}

// onList checks that the slab is where its free objects ask it to be.
func (c *cacheCheck) onList(s *slabRec, r role, free int, broken bool, here reporter) {
	lost := func(text string, args ...any) {
		if c.noNode[s.Node] {
			return // its lists were not looked at
		}
		f := rules.New(rules.ListLost, text, args...)
		f.Slab, f.Node = s.Slab, s.Node
		f.Window, f.Touches = true, []uint64{s.Addr, s.Base, c.Addr}
		if c.broken[s.Node] {
			f.Sure = rules.Likely // it may be on what could not be followed
		}
		c.add(f)
	}
	kind := func(text string, args ...any) {
		f := rules.New(rules.ListKind, text, args...)
		f.Slab, f.Node = s.Slab, s.Node
		f.Window, f.Touches = true, []uint64{s.Addr, s.Base, c.Addr}
		c.add(f)
	}
	full := free == 0 && !broken
	switch {
	case r.kind == roleNone && s.Frozen:
		// said already
	case r.kind == roleNone && free > 0:
		lost("slab %#x has %d free objects and is on no list", s.Addr, free)
	case r.kind == roleNone && full && s.Inuse == s.Objects && c.TracksFull():
		lost("slab %#x is full and not on the list of full slabs", s.Addr)
	case r.kind == rolePartial && full:
		kind("slab %#x is on %v and has no free object", s.Addr, r)
	case r.kind == roleFull && free > 0:
		kind("slab %#x is on %v and has %d free objects", s.Addr, r, free)
	}
	if c.common.partialFlag && c.workingset(s.flags) != (r.kind == rolePartial) && !c.broken[s.Node] {
		bit := uint64(1) << c.n.Workingset.Value
		f := here(rules.SlabPartial, &c.n.PageFlags, s.flags, 8, "slab %#x is held by %v, its flag for the partial list says otherwise", s.Addr, r).Expect(s.flags ^ bit)
		f.Window = true
		c.add(f)
	}
}

// neighbours are the objects around the place of a finding.
func (ck *checker) neighbours(f *rules.Finding) []rules.Neighbour {
	if f.Slab == nil || f.Index < 0 || f.Slab.Cache.Err != nil {
		return nil
	}
	var list []rules.Neighbour
	for _, i := range [...]int{f.Index - 1, f.Index + 1} {
		if i < 0 || i >= f.Slab.Objects {
			continue
		}
		o := f.Slab.At(i)
		n := rules.Neighbour{Object: o.Addr, Index: i}
		n.State, n.Place, _ = o.State()
		list = append(list, n)
	}
	return list
}
