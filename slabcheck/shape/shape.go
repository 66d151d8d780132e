// Package shape checks whether the members of a struct kmem_cache agree with each other.
//
// The kernel computes most of them from a few when it makes the cache: sizes, orders,
// offsets, how many objects a slab has, what to divide by the size with. It knows how,
// for SLUB and SLAB; slabs and lists are not its business. Start from New and
// Kernel.Check.
package shape

import (
	"math/bits"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/rules"
)

// Kernel is how a kernel declares and makes its caches.
type Kernel struct {
	k      slab.Memory
	m      *slab.Model
	n      needs
	sub    subNeeds
	sal    salNeeds
	flags  slab.Flags
	slub   bool
	colour uint64 // SLAB: by how much most caches shift slabs, 0 if that is not known
}

// needs are members that caches of both allocators may have.
type needs struct {
	*slab.Needs
	Reciprocal kernel.Field `need:"?kmem_cache.reciprocal_size|kmem_cache.reciprocal_buffer_size"`
	Refcount   kernel.Field `need:"?kmem_cache.refcount"`
	Align      kernel.Field `need:"?kmem_cache.align"`
	Ctor       kernel.Field `need:"?kmem_cache.ctor"`
	RandomSeq  kernel.Field `need:"?kmem_cache.random_seq"`
	UserOffset kernel.Field `need:"?kmem_cache.useroffset"`
	UserSize   kernel.Field `need:"?kmem_cache.usersize"`
	KeepSlabs  kernel.Field `need:"?kmem_cache.cpu_partial_slabs"`
	Keep       kernel.Field `need:"?kmem_cache.cpu_partial"`
}

// subNeeds are SLUB's (mm/slub.c).
type subNeeds struct {
	*slab.SLUBNeeds
	Min        kernel.Field `need:"?kmem_cache.min.x"`
	MinPartial kernel.Field `need:"?kmem_cache.min_partial"`
}

// salNeeds are SLAB's (mm/slab.c).
type salNeeds struct {
	*slab.SLABNeeds
	Colour    kernel.Field `need:"?kmem_cache.colour"`
	ColourOff kernel.Field `need:"?kmem_cache.colour_off"`
	FreeSize  kernel.Field `need:"?kmem_cache.freelist_size"`
}

// New finds out how a kernel makes its caches.
func New(k slab.Memory, m *slab.Model) *Kernel {
	s := &Kernel{k: k, m: m, flags: m.Flags(), slub: m.Allocator() == "SLUB"}
	s.n.Needs, s.sub.SLUBNeeds, s.sal.SLABNeeds = m.Members()
	_ = k.Bind(&s.n) // all of these are optional
	if s.slub {
		_ = k.Bind(&s.sub)
	} else {
		_ = k.Bind(&s.sal)
		s.colour = s.usualColour()
	}
	return s
}

// Orders are the orders that slabs of a cache may have, the usual one first.
func (k *Kernel) Orders(c *slab.Cache) []int {
	list := []int{max(0, min(c.Order, 20))}
	if k.slub && k.sub.Min.Present() {
		if v, err := k.sub.Min.Uint(k.k, c.Addr); err == nil && v>>16&0xffff <= 10 {
			for o := c.Order - 1; o >= int(v>>16&0xffff); o-- {
				list = append(list, o)
			}
		}
	}
	return list
}

// cache is one cache under check.
type cache struct {
	*slab.Cache
	*Kernel
	report    func(rules.Finding)
	sizeWrong bool
}

// Check checks the members of a struct kmem_cache against each other. sizeWrong says
// that the size is what is wrong, so that no object is where it seems; the error why
// the structure cannot be read.
func (k *Kernel) Check(c *slab.Cache, report func(rules.Finding)) (sizeWrong bool, err error) {
	buf := make([]byte, max(0, min(int64(k.n.CacheSize), 64<<10)))
	if err := k.k.Read(buf, c.Addr); err != nil {
		// The end of the structure is an array that is allocated shorter.
		size := kernel.Size(max(k.n.List.Offset+16, k.n.Refcount.Offset+8, k.n.RandomSeq.Offset+8, k.sub.RedLeft.Offset+8))
		buf = buf[:max(0, min(int64(size), int64(len(buf))))]
		if err := k.k.Read(buf, c.Addr); err != nil {
			return false, err
		}
	}
	x := cache{Cache: c, Kernel: k, report: report}
	x.fields(buf)
	return x.sizeWrong, nil
}

// member makes a finding about a member of the struct kmem_cache.
func (c *cache) member(r *rules.Rule, f *kernel.Field, buf []byte, text string, args ...any) rules.Finding {
	x := rules.New(r, text, args...)
	n := int(max(1, min(f.Size(), 8)))
	x.At, x.Offset, x.Member, x.Found = f.At(c.Addr), f.Offset, f.Path, rules.Word(f.In(buf), n)
	return x
}

// fields checks the members of the struct kmem_cache against each other.
func (c *cache) fields(buf []byte) {
	n := &c.n
	if c.slub {
		c.partialLimit(buf)
	}
	if !readable(c.Name) {
		c.report(c.member(rules.CacheName, &n.Name, buf, "the name is %q", c.Name))
	} else if !c.nameStart(n.Name.In(buf)) {
		x := c.member(rules.CacheName, &n.Name, buf, "the name is %q, in the middle of something", c.Name)
		x.Sure = rules.Likely
		c.report(x)
	}
	if n.Refcount.Present() {
		if v := int32(n.Refcount.In(buf)); v < -1 || v == 0 || v > 1<<16 {
			c.report(c.member(rules.CacheCount, &n.Refcount, buf, "the cache counts %d users", v))
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
			c.report(c.member(rules.CacheSize, &n.Align, buf, "objects are aligned to %d bytes", align))
		case size%align != 0 && c.slub:
			c.report(c.member(rules.CacheSize, &n.Size, buf, "objects are %d bytes apart and aligned to %d", size, align))
		}
	}
	if size == 0 || objectSize > size || objectSize == 0 {
		c.report(c.member(rules.CacheSize, &n.ObjectSize, buf, "objects of %d bytes are %d bytes apart", objectSize, size))
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
func (c *cache) nameStart(at uint64) bool {
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
func (c *cache) reciprocal(buf []byte, size uint32) {
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
	c.report(x)
}

func reciprocalOf(size uint32) uint64 {
	l := uint(bits.Len32(size - 1))
	m := uint32(((uint64(1)<<32)*((uint64(1)<<l)-uint64(size)))/uint64(size)) + 1
	return uint64(m) | uint64(min(l, 1))<<32 | uint64(max(l, 1)-1)<<40
}

func roundUp(v, to uint64) uint64 { return (v + to - 1) / to * to }

// extraFields checks members that say how a cache is used.
func (c *cache) extraFields(buf []byte, objectSize uint64) {
	e := &c.n
	if f := &c.n.Ctor; f.Present() {
		if at := f.In(buf); at != 0 {
			if _, off, ok := c.k.SymbolAt(at); !ok || off != 0 {
				c.report(c.member(rules.CacheUse, f, buf, "the constructor is at %#x, where no function begins", at))
			}
		}
	}
	if e.UserOffset.Present() && e.UserSize.Present() {
		from, n := e.UserOffset.In(buf)&0xffffffff, e.UserSize.In(buf)&0xffffffff
		if from+n > objectSize {
			c.report(c.member(rules.CacheUse, &e.UserSize, buf, "user space may copy %d bytes from %d on of objects of %d bytes", n, from, objectSize))
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
			c.report(x)
		}
	}
}
