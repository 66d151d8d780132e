package shape

import (
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/rules"
)

// salFields checks SLAB's sizes.
func (c *cache) salFields(buf []byte, size uint64) {
	n := &c.sal
	num, order := n.Num.In(buf)&0xffffffff, n.Order.In(buf)&0xffffffff
	if order > 20 {
		c.report(c.member(rules.CacheOrder, &n.Order, buf, "slabs have 2^%d pages", order))
		return
	}
	room := uint64(kernel.PageSize) << order
	index := uint64(max(1, n.Index))
	each := size
	if c.Flags&(c.flags.ObjFreelist|c.flags.OffSlab) == 0 {
		each += index
	}
	if want := room / each; num != want {
		c.report(c.member(rules.CacheOrder, &n.Num, buf, "slabs of 2^%d pages have %d objects of %d bytes", order, num, size).Expect(want))
	}
	c.colours(buf, room%each)
	if n.FreeSize.Present() {
		if v := n.FreeSize.In(buf) & 0xffffffff; v != num*index {
			c.report(c.member(rules.CacheSize, &n.FreeSize, buf, "the array of free objects has %d bytes for %d objects", v, num).Expect(num * index))
		}
	}
}

// colours checks by how much the objects of one slab may be shifted against
// those of another: what is left, in steps of a cache line or the alignment.
func (c *cache) colours(buf []byte, left uint64) {
	n := &c.sal
	if !n.Colour.Present() || !n.ColourOff.Present() || !c.n.Align.Present() || c.colour == 0 {
		return
	}
	step := n.ColourOff.In(buf) & 0xffffffff
	want := max(c.colour, c.n.Align.In(buf)&0xffffffff)
	if step != want {
		c.report(c.member(rules.CacheSize, &n.ColourOff, buf, "slabs are shifted by %d bytes", step).Expect(want))
		return
	}
	if v := n.Colour.In(buf); v != left/step {
		c.report(c.member(rules.CacheSize, &n.Colour, buf, "%d shifts of %d bytes where %d bytes are left", v, step, left).Expect(left / step))
	}
}

// Colour is by how much the cache shifts one slab's objects against those of another,
// 0 if that is not known.
func (k *Kernel) Colour(c *slab.Cache) uint64 {
	if !k.sal.ColourOff.Present() {
		return 0
	}
	v, _ := k.sal.ColourOff.Uint(k.k, c.Addr)
	return v & 0xffffffff
}

// usualColour is the step that most caches have.
func (k *Kernel) usualColour() uint64 {
	if !k.sal.ColourOff.Present() {
		return 0
	}
	count := map[uint64]int{}
	best := uint64(0)
	caches, _ := k.m.Caches()
	for _, c := range caches {
		v, err := k.sal.ColourOff.Uint(k.k, c.Addr)
		if err != nil {
			continue
		}
		if count[v]++; count[v] > count[best] {
			best = v
		}
	}
	return best
}
