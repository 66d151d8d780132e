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
	sound, keeper := c.slabMemory(s, here)
	if s.Inuse > s.Objects {
		c.add(here(rules.SlabInuse, &n.Active, uint64(s.Inuse), 4, "slab %#x counts %d of %d objects in use", s.Addr, s.Inuse, s.Objects))
		return free
	}
	if sound {
		c.indexes(s, keeper, free)
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
// keeper is the object that holds it, -1 if it is elsewhere.
func (c *cacheCheck) indexes(s *slabRec, keeper int, free chain.Set) {
	width := int(c.sal.Index)
	list, at, err := c.freeArray(s, s.FreeHead())
	if err != nil {
		f := rules.New(rules.OffSlab, "the array of free objects of slab %#x is at %#x, which cannot be read", s.Addr, s.FreeHead())
		f.Slab, f.At, f.Member, f.Found = s.Slab, c.n.Freelist.At(s.Addr), c.n.Freelist.Path, rules.Word(s.FreeHead(), 8)
		c.unreadOr(f, err)
		return
	}
	type wrong struct {
		n    int // of the entry, in list
		rule *rules.Rule
		why  string
	}
	var bad []wrong
	for n, i := range list {
		switch {
		case i >= s.Objects:
			bad = append(bad, wrong{n, rules.FreeIndex, fmt.Sprintf(" of %d objects", s.Objects)})
		case free.Has(i):
			bad = append(bad, wrong{n, rules.FreeCycle, ", as another one"})
		case keeper >= 0 && n == len(list)-1 && i != keeper:
			bad = append(bad, wrong{n, rules.FreeIndex, fmt.Sprintf(", and the array is in object %d", keeper)})
		default:
			free.Set(i)
			c.alsoHeld(s, i, at+uint64(n*width))
		}
	}
	for _, b := range bad {
		v := list[b.n]
		f := rules.New(b.rule, "entry %d of the free objects of slab %#x is %d%s", s.Inuse+b.n, s.Addr, v, b.why)
		if b.rule == rules.FreeCycle {
			f.About(s.At(v))
		}
		f.Slab, f.At, f.Member, f.Found = s.Slab, at+uint64(b.n*width), "freelist[]", rules.Word(uint64(v), width)
		f.Offset = int64((s.Inuse + b.n) * width)
		if keeper >= 0 && b.n == len(list)-1 {
			f.Expected, f.Window = rules.Word(uint64(keeper), width), true
			free.Set(keeper)
		}
		c.add(f)
	}
}

// freeArray is the indexes of a slab's free objects if their array is at head, and where
// the first of them is.
func (c *cacheCheck) freeArray(s *slabRec, head uint64) (list []int, at uint64, err error) {
	width := int(c.sal.Index)
	if s.Inuse >= s.Objects || width != 1 && width != 2 {
		return nil, 0, nil
	}
	buf := make([]byte, (s.Objects-s.Inuse)*width)
	at = head + uint64(s.Inuse*width)
	if err := c.k.Read(buf, at); err != nil {
		return nil, at, err
	}
	for o := 0; o < len(buf); o += width {
		list = append(list, int(value.Number(buf[o:o+width])))
	}
	return list, at, nil
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
// objects is (alloc_slabmgmt, mm/slab.c), and reports whether they are there, and
// which object holds the array, -1 for none.
func (c *cacheCheck) slabMemory(s *slabRec, here reporter) (sound bool, keeper int) {
	n := &c.sal
	sound, keeper = true, -1
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
		return false, -1
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
			return true, -1
		}
		i, ok := s.Index(list)
		if !ok {
			c.add(bad(rules.SlabMem, "the array of free objects of slab %#x is at %#x, which is no object of it", s.Addr, list))
			return false, -1
		}
		if other, stray := c.strayArray(s, i); stray {
			f := bad(rules.SlabMem, "the array of free objects of slab %#x is in object %d, which is not the last in it", s.Addr, i)
			if other >= 0 {
				f.Text = fmt.Sprintf("the array of free objects of slab %#x is in object %d, and there is one in object %d", s.Addr, i, other)
				f = f.Expect(s.Object(other))
			}
			f.Window = true
			c.add(f)
		}
		keeper = i
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
	return sound, keeper
}

// strayArray reports whether the pointer to the array of free objects is wrong, which says
// that it is in object i, and the object that has the array, -1 if it is not known. The
// object that holds the array is the last in it, as the first that was freed. A single
// entry that does not fit is damage to the entry, unless it names an object with an array.
func (c *cacheCheck) strayArray(s *slabRec, i int) (other int, stray bool) {
	list, _, err := c.freeArray(s, s.FreeHead())
	if err != nil || len(list) == 0 {
		return -1, false
	}
	last := list[len(list)-1]
	whole := func(o int) bool {
		there, _, err := c.freeArray(s, s.FreeHead()-s.Object(i)+s.Object(o))
		return err == nil && misfits(there, o, s.Objects) == 0
	}
	switch misfits(list, i, s.Objects) {
	case 0:
		return -1, false
	case 1:
		return last, last != i && last < s.Objects && whole(last)
	}
	for o := range min(s.Objects, maxArrays) {
		if o != i && whole(o) {
			return o, true
		}
	}
	return -1, last != i
}

// maxArrays bounds the objects that are looked at for an array, each of which may have
// as many entries: a page has 512 objects at most.
const maxArrays = 1 << 10

// misfits is the number of entries that do not fit into an array of different indexes
// below a limit whose last one is known.
func misfits(list []int, last, limit int) (n int) {
	seen := chain.NewSet(limit)
	for k, i := range list {
		if i >= limit || seen.Has(i) || (k == len(list)-1) != (i == last) {
			n++
			continue
		}
		seen.Set(i)
	}
	return n
}
