package shape

import (
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slabcheck/rules"
)

// subFields checks SLUB's sizes (calculate_sizes, mm/slub.c). Caches that were
// merged have the largest object_size and inuse of all.
func (c *cache) subFields(buf []byte, size, objectSize uint64) {
	n, flags := &c.sub, c.n.Flags.In(buf)
	inuse := uint64(uint32(n.CacheUse.In(buf)))
	want := roundUp(objectSize, 8)
	if want == objectSize && flags&c.flags.RedZone != 0 {
		want += 8
	}
	if inuse != want {
		c.report(c.member(rules.CacheSize, &n.CacheUse, buf, "metadata begins at %d in objects of %d bytes", inuse, objectSize).Expect(want))
	}
	link := uint64(uint32(n.Offset.In(buf)))
	switch {
	case link%8 != 0 || link+8 > size:
		c.report(c.member(rules.CacheOffset, &n.Offset, buf, "the free pointer is at %d in objects %d bytes apart", link, size))
	case link > inuse:
		c.report(c.member(rules.CacheOffset, &n.Offset, buf, "the free pointer is at %d, behind metadata that begins at %d", link, inuse).Expect(inuse))
	case flags&c.flags.Poison != 0 && link < inuse:
		c.report(c.member(rules.CacheOffset, &n.Offset, buf, "the free pointer is at %d, in an object that is poisoned up to %d", link, inuse).Expect(inuse))
	}
	if n.RedLeft.Present() && c.n.Align.Present() {
		left, wantLeft := uint64(uint32(n.RedLeft.In(buf))), uint64(0)
		if align := uint64(uint32(c.n.Align.In(buf))); flags&c.flags.RedZone != 0 && align != 0 {
			wantLeft = roundUp(8, align)
		}
		if left != wantLeft {
			c.report(c.member(rules.CacheOffset, &n.RedLeft, buf, "the red zone in front has %d bytes", left).Expect(wantLeft))
		}
	}
	oo := c.n.OO.In(buf) & 0xffffffff
	c.orderObjects(&c.n.OO, buf, oo, size)
	if n.Min.Present() {
		least := n.Min.In(buf) & 0xffffffff
		c.orderObjects(&n.Min, buf, least, size)
		if least>>16 > oo>>16 {
			c.report(c.member(rules.CacheOrder, &n.Min, buf, "the smallest slab has 2^%d pages, the usual one 2^%d", least>>16, oo>>16))
		}
	}
	c.randomSeq(buf, int(oo&0xffff), size)
}

// orderObjects checks a struct kmem_cache_order_objects.
func (c *cache) orderObjects(f *kernel.Field, buf []byte, x, size uint64) {
	order, objects := x>>16, x&0xffff
	if order > 20 {
		c.report(c.member(rules.CacheOrder, f, buf, "slabs have 2^%d pages", order))
		return
	}
	if want := uint64(kernel.PageSize) << order / size; objects != want {
		c.report(c.member(rules.CacheOrder, f, buf, "%d objects of %d bytes in 2^%d pages", objects, size, order).Expect(order<<16 | want&0xffff))
	}
}

// randomSeq checks the order in which the objects of a new slab are put on its
// free list: since it was made it is in bytes (init_cache_random_seq, mm/slub.c).
func (c *cache) randomSeq(buf []byte, objects int, size uint64) {
	f := &c.n.RandomSeq
	at := f.In(buf)
	if !f.Present() || at == 0 || objects < 2 || objects > 1<<15 {
		return
	}
	seq := make([]byte, 4*objects)
	if err := c.k.Read(seq, at); err != nil {
		c.report(c.member(rules.CacheSeq, f, buf, "the random order at %#x cannot be read", at))
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
		c.report(x)
		return
	}
}

// missing is the one object that a random order does not name, -1 if there are
// more.
func (c *cache) missing(seq []byte, seen []bool, size uint64) int {
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

// partialLimit checks how many partial slabs a node may keep: from 5 to 10
// (MIN_PARTIAL and MAX_PARTIAL, mm/slub.c) unless somebody wrote to sysfs.
func (c *cache) partialLimit(buf []byte) {
	f := &c.sub.MinPartial
	if v := f.In(buf); f.Present() && (v < 5 || v > 10) {
		x := c.member(rules.CacheLimit, f, buf, "nodes keep up to %d partial slabs", v)
		x.Sure = rules.Likely
		c.report(x)
	}
}
