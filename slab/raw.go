package slab

import (
	"context"
	"math/bits"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// What follows is for who checks the allocator's own structures: the pieces that
// the model puts together, as they are in memory.

// Members are the members that the model reads, of both allocators and of each;
// those of the other allocator are not looked up.
func (m *Model) Members() (*Needs, *SLUBNeeds, *SLABNeeds) { return &m.n, &m.sub, &m.sal }

// Layout is where things are in a cache's objects and in the cache itself.
type Layout struct {
	Lead   int64  // bytes of a slab in front of what users see of the first object
	Link   int64  // SLUB: offset of the free pointer from an object
	Random uint64 // SLUB: what free pointers are mixed with
	Mixed  bool   // SLUB: free pointers are mixed with Random and their place
	CPU    uint64 // per-CPU pointer: cpu_slab, cpu_cache; 0 if the kernel has none
	Sheaf  uint64 // per-CPU pointer: cpu_sheaves; 0 if the kernel has none
}

// Layout of the cache.
func (c *Cache) Layout() Layout {
	return Layout{c.lead, c.link, c.random, c.m.sub.Random.Present(), c.cpu, c.sheaves}
}

// NodePointers are the addresses of what the cache has for NUMA node id: its
// struct kmem_cache_node and its barn, 0 where it has none.
func (c *Cache) NodePointers(id int) (node, barn uint64) {
	if id < 0 || id >= len(c.node) {
		return 0, 0
	}
	return c.node[id].node, c.node[id].barn
}

// NodeCount bounds the ids of NUMA nodes.
func (m *Model) NodeCount() int { return m.nodes }

// SlabOf is the slab whose struct slab or struct page is at addr.
func (m *Model) SlabOf(addr uint64) (*Slab, error) { return m.slabOf(addr) }

// First is the address of the first object.
func (s *Slab) First() uint64 { return s.first }

// FreeHead is the head of the free list: of SLUB the first object, 0 if none is
// free; of SLAB the array of indexes.
func (s *Slab) FreeHead() uint64 { return s.list }

// NextFree reads the free pointer of an object: what it leads to, and the word
// that is in memory.
func (s *Slab) NextFree(object uint64) (next, word uint64, err error) {
	if word, err = value.Word(s.Cache.m.k, object+uint64(s.Cache.link)); err != nil {
		return 0, 0, err
	}
	return s.decodeLink(object+uint64(s.Cache.link), word), word, nil
}

// LinkWord is the word that makes the free pointer of an object lead to next.
func (s *Slab) LinkWord(object, next uint64) uint64 {
	c := s.Cache
	at := object + uint64(c.link)
	switch {
	case !c.m.sub.Random.Present():
		return next
	case c.m.plainLinks.Load():
		return next ^ c.random ^ at
	}
	return next ^ c.random ^ bits.ReverseBytes64(at)
}

// DecodeLink is what a word in the place of an object's free pointer leads to.
func (s *Slab) DecodeLink(object, word uint64) uint64 {
	return s.decodeLink(object+uint64(s.Cache.link), word)
}

// Guarded reports whether the slab is a page of KFENCE's pool, which has one
// object and is on no list.
func (s *Slab) Guarded() bool {
	f := s.Cache.m.fence
	if f == nil {
		return false
	}
	_, ok := f.metadata(s)
	return ok
}

// Page is the first page of what is marked as a slab.
type Page struct {
	Addr  uint64 // of its struct page
	PFN   uint64
	Slab  *Slab  // nil: the cache that it names is none
	Cache uint64 // the cache that it names
	Raw   []byte // its struct page; valid until the visitor returns
	Tails int    // how many pages that follow name it as their first
}

// ScanPages visits what is marked as a slab in the page frames from first to
// last, both included; fail gets those whose page structure cannot be read. Slabs of up to 1024 pages are seen whole if first and last are at multiples of
// that. It can be called from several goroutines.
func (m *Model) ScanPages(ctx context.Context, first, last uint64, visit func(p *Page), fail func(pfn uint64, err error)) {
	s := pageVisitor{m: m, visit: visit}
	buf := make([]byte, scanPages*m.pages.size)
	for first <= last && ctx.Err() == nil {
		n := min(last-first+1, scanPages-first%scanPages)
		b := buf[:n*m.pages.size]
		if m.k.Read(b, m.pages.address(first)) == nil {
			for i := range n {
				s.page(first+i, b[i*m.pages.size:(i+1)*m.pages.size])
			}
		} else {
			for i := range n {
				one := b[:m.pages.size]
				if err := m.k.Read(one, m.pages.address(first+i)); err != nil {
					fail(first+i, err)
					continue
				}
				s.page(first+i, one)
			}
		}
		first += n
	}
	s.flush()
}

// pageVisitor gathers a first page and those that follow it.
type pageVisitor struct {
	m     *Model
	visit func(*Page)
	open  bool
	page1 Page
}

func (v *pageVisitor) page(pfn uint64, b []byte) {
	m := v.m
	info := m.n.Compound.In(b)
	if v.open {
		if head, ok := m.pages.head(pfn, info); ok && head == v.page1.PFN && pfn != head && pfn == head+uint64(v.page1.Tails)+1 {
			v.page1.Tails++
			return
		}
	}
	if !m.pages.isSlab(b) {
		return
	}
	if info&1 != 0 {
		// Since 6.12 the word is that of the cache in a first page: an odd one that
		// names no page is a pointer that was damaged.
		if _, tail := m.pages.head(pfn, info); tail {
			return
		}
	}
	v.flush()
	v.open = true
	raw := append(v.page1.Raw[:0], b...)
	v.page1 = Page{Addr: m.pages.address(pfn), PFN: pfn, Cache: m.n.SlabCache.In(b), Raw: raw, Slab: m.decodeSlab(pfn, b)}
}

func (v *pageVisitor) flush() {
	if v.open {
		v.open = false
		v.visit(&v.page1)
	}
}

// PageOf is the address of the page structure of a page frame.
func (m *Model) PageOf(pfn uint64) uint64 { return m.pages.address(pfn) }

// FrameOf is the page frame whose structure is at addr.
func (m *Model) FrameOf(addr uint64) (pfn uint64, ok bool) {
	pfn, ok = m.pages.frame(addr)
	return pfn, ok && pfn < (m.direct.end-m.direct.start)>>kernel.PageShift
}

// MemoryOf is where a page frame is in the direct map.
func (m *Model) MemoryOf(pfn uint64) uint64 { return m.direct.start + pfn<<kernel.PageShift }
