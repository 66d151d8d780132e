package slabcheck

import (
	"encoding/binary"
	"slices"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/rules"
)

// stray is a page that is marked as a slab's and names no cache.
type stray struct {
	addr, pfn, cache uint64
	objects, inuse   int
	tails            int
	next, prev       uint64 // its links
}

func (ck *checker) newStray(p *slab.Page) stray {
	s := stray{addr: p.Addr, pfn: p.PFN, cache: p.Cache, tails: p.Tails}
	at := ck.n.SlabList.Offset
	if at >= 0 && at+16 <= int64(len(p.Raw)) {
		s.next, s.prev = binary.LittleEndian.Uint64(p.Raw[at:]), binary.LittleEndian.Uint64(p.Raw[at+8:])
	}
	if ck.slub {
		s.objects, s.inuse = int(ck.sub.Objects.In(p.Raw)), int(ck.sub.Inuse.In(p.Raw))
	}
	return s
}

// checkStrays reports pages that are marked as slabs and name no cache, and says
// which cache misses one.
func (ck *checker) checkStrays() {
	said := 0
	for i := range ck.strays {
		s := &ck.strays[i]
		if ck.inFence(s) {
			continue
		}
		f := rules.New(rules.PageCache, "page %#x is marked as a slab and names the cache %#x, which is none", s.addr, s.cache)
		f.Page, f.At, f.Member, f.Offset = s.addr, ck.n.SlabCache.At(s.addr), ck.n.SlabCache.Path, ck.n.SlabCache.Offset
		f.Found = rules.Word(s.cache, 8)
		f.Window, f.Touches = true, []uint64{s.addr} // it is marked before it gets its cache
		if c := ck.ownerOf(s); c != nil {
			f.Cache = c.Cache
			objects := c.PerSlab
			if ck.slub {
				objects = s.objects
			}
			c.misplaced(max(c.roles[s.addr].node, 0), 1, objects)
			f.Expected, f.Want, f.HasWant = rules.Word(c.Addr, 8), c.Addr, true
		}
		if said++; said > perRule {
			ck.omitted++
			continue
		}
		ck.findings = append(ck.findings, &f)
	}
}

// ownerOf is the cache that a slab without one is of: a list or a CPU has it, or
// exactly one cache counts a slab of that size too much.
func (ck *checker) ownerOf(s *stray) *cacheCheck {
	var short []*cacheCheck
	for _, c := range ck.caches {
		if _, held := c.roles[s.addr]; held {
			return c
		}
		if c.surplus() > 0 && (!ck.slub || c.PerSlab == s.objects) && 1<<c.Order-1 == s.tails {
			short = append(short, c)
		}
	}
	if len(short) == 1 {
		return short[0]
	}
	return nil
}

// inUnmarked reports whether an address is in a page that is on a list of the
// cache and not marked as a slab.
func (c *cacheCheck) inUnmarked(addr uint64) bool {
	start, end, _ := c.k.DirectMap()
	if addr < start || addr >= end {
		return false
	}
	pfn := (addr - start) / kernel.PageSize
	return slices.ContainsFunc(c.unmarked, func(first uint64) bool { return pfn >= first && pfn-first < 1<<c.Order })
}

// inStray reports whether an address is in a slab that names no cache.
func (ck *checker) inStray(addr uint64) bool {
	start, end, _ := ck.k.DirectMap()
	if addr < start || addr >= end {
		return false
	}
	pfn := (addr - start) / kernel.PageSize
	return slices.ContainsFunc(ck.strays, func(s stray) bool { return pfn >= s.pfn && pfn <= s.pfn+uint64(s.tails) })
}

// inFence reports whether a page is of KFENCE's pool, whose pages are slabs of no
// cache while they are not used.
func (ck *checker) inFence(s *stray) bool {
	return ck.m.InFence(ck.m.MemoryOf(s.pfn))
}
