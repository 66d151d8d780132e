package slabcheck

import (
	"math/bits"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/chain"
	"github.com/kdive/kdive/slabcheck/rules"
	"github.com/kdive/kdive/value"
)

// structures checks all of a cache but its slabs one by one.
func (c *cacheCheck) structures() {
	buf := make([]byte, max(0, min(int64(c.n.CacheSize), 64<<10)))
	if err := c.k.Read(buf, c.Addr); err != nil {
		// The end of the structure is an array that is allocated shorter.
		size := kernel.Size(max(c.n.List.Offset+16, c.n.Refcount.Offset+8, c.n.RandomSeq.Offset+8, c.sub.RedLeft.Offset+8))
		buf = buf[:max(0, min(int64(size), int64(len(buf))))]
		if err := c.k.Read(buf, c.Addr); err != nil {
			c.cannot(err)
			return
		}
	}
	c.fields(buf)
	c.ownObjects()
	if c.Err != nil || c.sizeWrong {
		return // said by fields
	}
	c.nodes()
	if c.slub {
		c.perCPU()
		c.sheaves()
		c.debug.Learn(func(yield func(*slab.Slab) bool) {
			for i := range c.slabs {
				if !yield(c.slabs[i].Slab) {
					return
				}
			}
		})
	} else {
		c.arrays()
	}
}

// member makes a finding about a member of the struct kmem_cache.
func (c *cacheCheck) member(r *rules.Rule, f *kernel.Field, buf []byte, text string, args ...any) rules.Finding {
	x := rules.New(r, text, args...)
	n := int(max(1, min(f.Size(), 8)))
	x.At, x.Offset, x.Member, x.Found = f.At(c.Addr), f.Offset, f.Path, rules.Word(f.In(buf), n)
	return x
}

// fields checks the members of the struct kmem_cache against each other.
func (c *cacheCheck) fields(buf []byte) {
	n := &c.n
	if c.slub {
		c.partialLimit(buf)
	}
	if !readable(c.Name) {
		c.add(c.member(rules.CacheName, &n.Name, buf, "the name is %q", c.Name))
	} else if !c.nameStart(n.Name.In(buf)) {
		x := c.member(rules.CacheName, &n.Name, buf, "the name is %q, in the middle of something", c.Name)
		x.Sure = rules.Likely
		c.add(x)
	}
	if n.Refcount.Present() {
		if v := int32(n.Refcount.In(buf)); v < -1 || v == 0 || v > 1<<16 {
			c.add(c.member(rules.CacheCount, &n.Refcount, buf, "the cache counts %d users", v))
		}
	}
	size, objectSize := uint64(uint32(n.Size.In(buf))), uint64(uint32(n.ObjectSize.In(buf)))
	if n.Reciprocal.Present() {
		c.reciprocal(buf, uint32(size))
	}
	if n.Align.Present() {
		align := uint64(uint32(n.Align.In(buf)))
		switch {
		case align == 0 || align&(align-1) != 0 || align > 1<<20:
			c.add(c.member(rules.CacheSize, &n.Align, buf, "objects are aligned to %d bytes", align))
		case size%align != 0 && c.slub:
			c.add(c.member(rules.CacheSize, &n.Size, buf, "objects are %d bytes apart and aligned to %d", size, align))
		}
	}
	if size == 0 || objectSize > size || objectSize == 0 {
		c.add(c.member(rules.CacheSize, &n.ObjectSize, buf, "objects of %d bytes are %d bytes apart", objectSize, size))
		return
	}
	c.extraFields(buf, objectSize)
	if c.slub {
		c.subFields(buf, size, objectSize)
	} else {
		c.salFields(buf, size)
	}
}

// nameStart reports whether the name is where names are: at the start of an
// allocated object, or in the image or a module, whose strings may share their
// ends.
func (c *cacheCheck) nameStart(at uint64) bool {
	o, ok := c.m.Find(at)
	if !ok {
		return true
	}
	state, _, _ := o.State()
	return o.Index >= 0 && o.Offset == 0 && state != slab.Free
}

func readable(name string) bool {
	if name == "" {
		return false
	}
	for i := range len(name) {
		if name[i] < ' ' || name[i] > '~' {
			return false
		}
	}
	return true
}

// reciprocal checks what the kernel divides by the size with
// (lib/math/reciprocal_div.c).
func (c *cacheCheck) reciprocal(buf []byte, size uint32) {
	f := &c.n.Reciprocal
	if size == 0 || f.Size() < 6 || f.Bytes(buf) == nil {
		return
	}
	want := reciprocalOf(size)
	b := f.Bytes(buf)[:6]
	found := f.In(buf) & (1<<48 - 1)
	if found == want {
		return
	}
	x := c.member(rules.CacheSize, f, buf, "the size is %d, and what to divide by it with is that of another", size)
	x.Found, x.Expected = append([]byte(nil), b...), rules.Word(want, 6)
	// Which of the two is wrong? The size of which this is the reciprocal.
	m, sh := found&0xffffffff, uint(found>>40&0xff)+uint(found>>32&0xff)
	if m != 0 && sh < 32 {
		guess := uint64(1) << (32 + sh) / (m + 1<<32 - 1)
		for _, s := range [...]uint64{guess, guess + 1} {
			if s > 0 && s < 1<<31 && s != uint64(size) && reciprocalOf(uint32(s)) == found {
				c.sizeWrong = true
				x = c.member(rules.CacheSize, &c.n.Size, buf, "the size is %d, and what to divide by it with is that of %d", size, s).Expect(s)
			}
		}
	}
	c.add(x)
}

func reciprocalOf(size uint32) uint64 {
	l := uint(bits.Len32(size - 1))
	m := uint32(((uint64(1)<<32)*((uint64(1)<<l)-uint64(size)))/uint64(size)) + 1
	return uint64(m) | uint64(min(l, 1))<<32 | uint64(max(l, 1)-1)<<40
}

func roundUp(v, to uint64) uint64 { return (v + to - 1) / to * to }

// subFields checks SLUB's sizes (calculate_sizes, mm/slub.c). Caches that were
// merged have the largest object_size and inuse of all.
func (c *cacheCheck) subFields(buf []byte, size, objectSize uint64) {
	n, flags := &c.sub, c.n.Flags.In(buf)
	inuse := uint64(uint32(n.CacheUse.In(buf)))
	want := roundUp(objectSize, 8)
	if want == objectSize && flags&c.flags.RedZone != 0 {
		want += 8
	}
	if inuse != want {
		c.add(c.member(rules.CacheSize, &n.CacheUse, buf, "metadata begins at %d in objects of %d bytes", inuse, objectSize).Expect(want))
	}
	link := uint64(uint32(n.Offset.In(buf)))
	switch {
	case link%8 != 0 || link+8 > size:
		c.add(c.member(rules.CacheOffset, &n.Offset, buf, "the free pointer is at %d in objects %d bytes apart", link, size))
	case link > inuse:
		c.add(c.member(rules.CacheOffset, &n.Offset, buf, "the free pointer is at %d, behind metadata that begins at %d", link, inuse).Expect(inuse))
	case flags&c.flags.Poison != 0 && link < inuse:
		c.add(c.member(rules.CacheOffset, &n.Offset, buf, "the free pointer is at %d, in an object that is poisoned up to %d", link, inuse).Expect(inuse))
	}
	if n.RedLeft.Present() && c.n.Align.Present() {
		left, wantLeft := uint64(uint32(n.RedLeft.In(buf))), uint64(0)
		if align := uint64(uint32(c.n.Align.In(buf))); flags&c.flags.RedZone != 0 && align != 0 {
			wantLeft = roundUp(8, align)
		}
		if left != wantLeft {
			c.add(c.member(rules.CacheOffset, &n.RedLeft, buf, "the red zone in front has %d bytes", left).Expect(wantLeft))
		}
	}
	oo := c.n.OO.In(buf) & 0xffffffff
	c.orderObjects(&c.n.OO, buf, oo, size)
	if n.Min.Present() {
		least := n.Min.In(buf) & 0xffffffff
		c.orderObjects(&n.Min, buf, least, size)
		if least>>16 > oo>>16 {
			c.add(c.member(rules.CacheOrder, &n.Min, buf, "the smallest slab has 2^%d pages, the usual one 2^%d", least>>16, oo>>16))
		}
	}
	c.randomSeq(buf, int(oo&0xffff), size)
}

// orderObjects checks a struct kmem_cache_order_objects.
func (c *cacheCheck) orderObjects(f *kernel.Field, buf []byte, x, size uint64) {
	order, objects := x>>16, x&0xffff
	if order > 20 {
		c.add(c.member(rules.CacheOrder, f, buf, "slabs have 2^%d pages", order))
		return
	}
	if want := uint64(kernel.PageSize) << order / size; objects != want {
		c.add(c.member(rules.CacheOrder, f, buf, "%d objects of %d bytes in 2^%d pages", objects, size, order).Expect(order<<16 | want&0xffff))
	}
}

// randomSeq checks the order in which the objects of a new slab are put on its
// free list: since it was made it is in bytes (init_cache_random_seq, mm/slub.c).
func (c *cacheCheck) randomSeq(buf []byte, objects int, size uint64) {
	f := &c.n.RandomSeq
	at := f.In(buf)
	if !f.Present() || at == 0 || objects < 2 || objects > 1<<15 {
		return
	}
	seq := make([]byte, 4*objects)
	if err := c.k.Read(seq, at); err != nil {
		c.add(c.member(rules.CacheSeq, f, buf, "the random order at %#x cannot be read", at))
		return
	}
	seen := make([]bool, objects)
	for i := range objects {
		v := uint64(seq[4*i]) | uint64(seq[4*i+1])<<8 | uint64(seq[4*i+2])<<16 | uint64(seq[4*i+3])<<24
		if o := v / size; v%size == 0 && o < uint64(objects) && !seen[o] {
			seen[o] = true
			continue
		}
		x := rules.New(rules.CacheSeq, "entry %d of the random order of objects is %#x", i, v)
		x.At, x.Member, x.Offset, x.Found = at+uint64(4*i), "random_seq[]", int64(4*i), rules.Word(v, 4)
		if missing := c.missing(seq, seen, size); missing >= 0 {
			x.Expected = rules.Word(uint64(missing)*size, 4)
		}
		c.add(x)
		return
	}
}

// missing is the one object that a random order does not name, -1 if there are
// more.
func (c *cacheCheck) missing(seq []byte, seen []bool, size uint64) int {
	named := make([]bool, len(seen))
	for i := range named {
		v := uint64(seq[4*i]) | uint64(seq[4*i+1])<<8 | uint64(seq[4*i+2])<<16 | uint64(seq[4*i+3])<<24
		if o := v / size; v%size == 0 && o < uint64(len(named)) {
			named[o] = true
		}
	}
	missing := -1
	for i, ok := range named {
		if !ok {
			if missing >= 0 {
				return -1
			}
			missing = i
		}
	}
	return missing
}

// ownObjects checks that the cache and what it has for nodes are objects.
func (c *cacheCheck) ownObjects() {
	c.ownObject(c.Addr, "the cache itself", c.n.CacheSelf, -1)
	for id := range c.m.NodeCount() {
		if node, _ := c.NodePointers(id); node != 0 && !c.ownObject(node, "what it has for the node", c.n.NodeCache, id) {
			c.noNode[id] = true
		}
	}
}

// ownObject checks that a structure of the cache is an allocated object of the
// cache that the variable names, and reports whether it is one of any.
func (c *cacheCheck) ownObject(addr uint64, what string, variable kernel.Sym, node int) bool {
	o, ok := c.m.Find(addr)
	x := rules.New(rules.CacheObject, "%s is at %#x", what, addr)
	x.Object, x.Node = addr, node
	switch {
	case !ok:
		if _, _, image := c.k.SymbolAt(addr); image {
			return true // of the first caches, in the image
		}
		if err := c.pageMissing(addr); err != nil {
			c.cannot(err)
			return true
		}
		x.Text += ", which is no object"
	case o.Index < 0 || o.Offset != 0:
		x.Text += ", which is not the start of an object"
		x.Slab = o.Slab
	default:
		x.Slab, x.Index = o.Slab, o.Index
		if state, place, _ := o.State(); state == slab.Free {
			x.Text += ", which is free (" + place.String() + ")"
			break
		}
		if variable == 0 {
			return true
		}
		cache, err := value.Word(c.k, uint64(variable))
		if err != nil {
			return true
		}
		if w := c.m.Cache(cache); w == nil || w == o.Slab.Cache || !c.slub {
			return true
		}
		x.Text += ", an object of " + o.Slab.Cache.Name
		x.Sure = rules.Likely
		c.add(x)
		return true
	}
	c.add(x)
	return false
}

// checkCacheList checks the list of all caches.
func (ck *checker) checkCacheList() {
	off := uint64(ck.n.List.Offset)
	l := chain.Links{Name: "the list of caches", Head: uint64(ck.n.Caches), Entry: func(at uint64) bool {
		return at>>63 == 1 && at&7 == 0
	}}
	_, _, err := ck.lists.Check(&l, func(entry uint64, x rules.Finding) {
		x.Rule = rules.CacheList
		x.Cache = ck.m.Cache(entry - off) // none if it is the head
		x.Window = false
		ck.findings = append(ck.findings, &x)
	})
	if err != nil {
		ck.unread++
		ck.unreadAt = append(ck.unreadAt, err)
	}
}

// partialLimit checks how many partial slabs a node may keep: from 5 to 10
// (MIN_PARTIAL and MAX_PARTIAL, mm/slub.c) unless somebody wrote to sysfs.
func (c *cacheCheck) partialLimit(buf []byte) {
	f := &c.sub.MinPartial
	if v := f.In(buf); f.Present() && (v < 5 || v > 10) {
		x := c.member(rules.CacheLimit, f, buf, "nodes keep up to %d partial slabs", v)
		x.Sure = rules.Likely
		c.add(x)
	}
}
