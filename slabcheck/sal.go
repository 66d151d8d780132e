package slabcheck

import (
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/chain"
	"github.com/kdive/kdive/slabcheck/rules"
	"github.com/kdive/kdive/value"
)

// arrays checks the array caches of CPUs and nodes.
func (c *cacheCheck) arrays() {
	for _, cpu := range c.cpus {
		off, err := c.k.PerCPUOffset(cpu)
		if err != nil {
			c.cannot(err)
			continue
		}
		c.array(c.Layout().CPU+off, slab.Place{Holder: slab.CPUArray, CPU: cpu, Node: -1})
	}
	for id := range c.m.NodeCount() {
		node, _ := c.NodePointers(id)
		if node == 0 || !c.sal.Shared.Present() {
			continue
		}
		shared, err := c.sal.Shared.Uint(c.k, node)
		if err != nil {
			c.cannot(err)
		} else if shared != 0 {
			c.array(shared, slab.Place{Holder: slab.NodeArray, CPU: -1, Node: id})
		}
		c.aliens(id, node)
	}
}

// aliens checks what a node keeps for others.
func (c *cacheCheck) aliens(id int, node uint64) {
	// Kernels for one node declare the table and have none.
	if !c.sal.Alien.Present() || !c.sal.AlienAC.Present() || c.m.NodeCount() == 1 {
		return
	}
	table, err := c.sal.Alien.Uint(c.k, node)
	if err != nil || table == 0 {
		return
	}
	for other := range c.m.NodeCount() {
		alien, err := value.Word(c.k, table+uint64(other)*8)
		if err != nil {
			c.cannot(err)
			return
		}
		if alien != 0 {
			c.array(c.sal.AlienAC.At(alien), slab.Place{Holder: slab.AlienArray, CPU: -1, Node: id})
		}
	}
}

// array checks a struct array_cache.
func (c *cacheCheck) array(at uint64, p slab.Place) {
	n := &c.sal
	avail, err := n.Avail.Uint(c.k, at)
	if err != nil {
		f := rules.New(rules.CacheCPU, "the %v at %#x cannot be read", p, at)
		f.CPU, f.Node, f.At = p.CPU, p.Node, at
		c.unreadOr(f, err)
		return
	}
	limit, err := n.Limit.Uint(c.k, at)
	if err != nil {
		c.cannot(err)
		return
	}
	avail, limit = avail&0xffffffff, limit&0xffffffff
	c.arraySizes(at, limit, p)
	sound := avail <= limit
	if !sound {
		f := rules.New(rules.ArrayLimit, "the %v says that it has %d objects of at most %d", p, avail, limit)
		f.CPU, f.Node, f.At, f.Member, f.Offset, f.Found = p.CPU, p.Node, n.Avail.At(at), n.Avail.Path, n.Avail.Offset, rules.Word(avail, 4)
		c.add(f)
	}
	c.entries(n.Entries.At(at), int(min(avail, limit, maxEntries)), p, sound)
}

// arraySizes checks an array against what the cache says of its arrays
// (enable_cpucache, mm/slab.c).
func (c *cacheCheck) arraySizes(at, limit uint64, p slab.Place) {
	n := &c.sal
	if !n.CacheLimit.Present() || !n.CacheBatch.Present() || p.Holder != slab.CPUArray {
		return
	}
	want, err := n.CacheLimit.Uint(c.k, c.Addr)
	if err == nil && want&0xffffffff != limit {
		f := rules.New(rules.ArrayLimit, "the %v has a limit of %d, the cache says %d", p, limit, want)
		f.CPU, f.Node, f.At, f.Member, f.Offset = p.CPU, p.Node, n.Limit.At(at), n.Limit.Path, n.Limit.Offset
		f.Found, f.Expected = rules.Word(limit, 4), rules.Word(want, 4)
		c.add(f)
	}
	batch, err := n.Batch.Uint(c.k, at)
	if want, err2 := n.CacheBatch.Uint(c.k, c.Addr); err == nil && err2 == nil && n.Batch.Present() && batch != want {
		f := rules.New(rules.ArrayLimit, "the %v moves %d objects at once, the cache says %d", p, batch, want)
		f.CPU, f.Node, f.At, f.Member, f.Offset = p.CPU, p.Node, n.Batch.At(at), n.Batch.Path, n.Batch.Offset
		f.Found, f.Expected = rules.Word(batch, 4), rules.Word(want, 4)
		c.add(f)
	}
}

// salSlab checks a slab of SLAB and returns its free objects.
func (c *cacheCheck) salSlab(s *slabRec) chain.Set {
	n := &c.sal
	free := chain.NewSet(max(0, min(s.Objects, 1<<16)))
	here := func(r *rules.Rule, m *kernel.Field, v uint64, size int, text string, args ...any) rules.Finding {
		f := rules.New(r, text, args...)
		f.Slab, f.At, f.Member, f.Offset, f.Found = s.Slab, m.At(s.Addr), m.Path, m.Offset, rules.Word(v, size)
		f.Touches = []uint64{s.Addr, s.Base, c.Addr}
		return f
	}
	if s.pending {
		return free // its array may be given back already
	}
	sound := c.slabMemory(s, here)
	if s.Inuse > s.Objects {
		c.add(here(rules.SlabInuse, &n.Active, uint64(s.Inuse), 4, "slab %#x counts %d of %d objects in use", s.Addr, s.Inuse, s.Objects))
		return free
	}
	if sound {
		c.indexes(s, free)
	}
	c.salList(s, here)
	return free
}

// salList checks the list that the slab is on against its number of free objects.
func (c *cacheCheck) salList(s *slabRec, here reporter) {
	r, active := c.roles[s.Addr], s.Inuse
	want := rolePartial
	switch active {
	case 0:
		want = roleFree
	case s.Objects:
		want = roleFull
	}
	if r.kind == want {
		return
	}
	f := here(rules.ListKind, &c.sal.Active, uint64(active), 4, "slab %#x has %d of %d objects in use, and is on %v", s.Addr, active, s.Objects, r)
	f.Window, f.Node = true, s.Node
	if r.kind == roleNone {
		f.Rule = rules.ListLost
		f.Text = fmt.Sprintf("slab %#x is on no list", s.Addr)
		f.At, f.Found, f.Member = 0, nil, ""
		if c.broken[s.Node] {
			f.Sure = rules.Likely
		}
	}
	c.add(f)
}

// indexes checks the array of free objects from the number of active ones on.
func (c *cacheCheck) indexes(s *slabRec, free chain.Set) {
	width := int(c.sal.Index)
	n := s.Objects - s.Inuse
	if n == 0 || width != 1 && width != 2 {
		return
	}
	buf := make([]byte, n*width)
	at := s.FreeHead() + uint64(s.Inuse*width)
	if err := c.k.Read(buf, at); err != nil {
		f := rules.New(rules.OffSlab, "the array of free objects of slab %#x is at %#x, which cannot be read", s.Addr, s.FreeHead())
		f.Slab, f.At, f.Member, f.Found = s.Slab, c.n.Freelist.At(s.Addr), c.n.Freelist.Path, rules.Word(s.FreeHead(), 8)
		c.unreadOr(f, err)
		return
	}
	type wrong struct {
		o, v  int
		twice bool
	}
	var bad []wrong
	for o := 0; o < len(buf); o += width {
		i := int(buf[o])
		if width == 2 {
			i |= int(buf[o+1]) << 8
		}
		switch {
		case i >= s.Objects:
			bad = append(bad, wrong{o, i, false})
		case free.Has(i):
			bad = append(bad, wrong{o, i, true})
		default:
			free.Set(i)
			c.alsoHeld(s, i, at+uint64(o))
		}
	}
	for _, b := range bad {
		f := rules.New(rules.FreeIndex, "entry %d of the free objects of slab %#x is %d", s.Inuse+b.o/width, s.Addr, b.v)
		if b.twice {
			f.Rule, f.Text = rules.FreeCycle, f.Text+", as another one"
			f.About(s.At(b.v))
		} else {
			f.Text += fmt.Sprintf(" of %d objects", s.Objects)
		}
		f.Slab, f.At, f.Member, f.Found = s.Slab, at+uint64(b.o), "freelist[]", rules.Word(uint64(b.v), width)
		f.Offset = int64(s.Inuse*width + b.o)
		c.add(f)
	}
}

// alsoHeld reports a free object of a slab that an array has, too.
func (c *cacheCheck) alsoHeld(s *slabRec, i int, at uint64) {
	h, twice := c.held[s.Object(i)]
	if !twice {
		return
	}
	f := rules.New(rules.ArrayState, "object %#x is free in its slab and held by the %v (at %#x)", s.Object(i), h.place, h.at)
	f.About(s.At(i))
	f.CPU, f.Node, f.At, f.Found = h.place.CPU, h.place.Node, h.at, rules.Word(s.Object(i), 8)
	f.Window, f.Touches = true, []uint64{s.Object(i), s.Addr, c.Addr, h.at}
	c.add(f)
}

// slabMemory checks where a slab's objects begin and where its array of free
// objects is (alloc_slabmgmt, mm/slab.c), and reports whether they are there.
func (c *cacheCheck) slabMemory(s *slabRec, here reporter) (sound bool) {
	n := &c.sal
	sound = true
	room := uint64(kernel.PageSize) << c.Order
	start := s.First() - uint64(c.Layout().Lead)
	off := start - s.Base
	end := off + uint64(s.Objects)*uint64(c.Size)
	step := c.shape.Colour(c.Cache)
	if start < s.Base || end > room || step > 0 && off%step != 0 {
		f := here(rules.SlabMem, &n.SMem, start, 8, "the objects of slab %#x begin at %#x, at %d bytes of %d", s.Addr, start, int64(off), room)
		if off != 0 && room-uint64(s.Objects)*uint64(c.Size) < max(step, 1) {
			f = f.Expect(s.Base) // no room for colours
		}
		c.add(f)
		return false
	}
	list := s.FreeHead()
	bad := func(r *rules.Rule, text string, args ...any) rules.Finding {
		sound = false
		f := here(r, &c.n.Freelist, list, 8, text, args...)
		f.Member = c.n.Freelist.Path
		return f
	}
	switch {
	case c.Flags&c.flags.ObjFreelist != 0:
		if list == 0 && s.Inuse == s.Objects {
			return true
		}
		i, ok := s.Index(list)
		if !ok {
			c.add(bad(rules.SlabMem, "the array of free objects of slab %#x is at %#x, which is no object of it", s.Addr, list))
			return false
		}
		c.keeper(s, i, bad)
	case c.Flags&c.flags.OffSlab != 0:
		o, ok := c.m.Find(list)
		state, place := slab.Unknown, slab.Place{}
		if ok {
			state, place, _ = o.State()
		}
		switch {
		case !ok || o.Index < 0 || o.Offset != 0:
			c.add(bad(rules.OffSlab, "the array of free objects of slab %#x is at %#x, which is not the start of an object", s.Addr, list))
		case state == slab.Free:
			c.add(bad(rules.OffSlab, "the array of free objects of slab %#x is object %#x of %s, which is free (%v)", s.Addr, list, o.Slab.Cache.Name, place))
		case o.Slab.Cache.Size < int64(s.Objects)*int64(n.Index):
			c.add(bad(rules.OffSlab, "the array of free objects of slab %#x is an object of %s", s.Addr, o.Slab.Cache.Name))
		}
	default:
		if want := s.Base + room - uint64(s.Objects)*uint64(max(1, n.Index)); list != want {
			c.add(bad(rules.SlabMem, "the array of free objects of slab %#x is at %#x", s.Addr, list).Expect(want))
		}
	}
	return sound
}

// keeper checks that the object that holds the array of free objects is the last
// in it: the first one that was freed.
func (c *cacheCheck) keeper(s *slabRec, i int, bad func(*rules.Rule, string, ...any) rules.Finding) {
	width := int(c.sal.Index)
	if width != 1 && width != 2 || s.Inuse >= s.Objects {
		return
	}
	var b [2]byte
	if err := c.k.Read(b[:width], s.FreeHead()+uint64((s.Objects-1)*width)); err != nil {
		return
	}
	last := int(b[0]) | int(b[1])<<8
	if last == i {
		return
	}
	f := bad(rules.SlabMem, "the array of free objects of slab %#x is in object %d, and the last of it is object %d", s.Addr, i, last)
	if last < s.Objects {
		f = f.Expect(s.Object(last))
	}
	f.Window = true
	c.add(f)
}
