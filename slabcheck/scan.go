package slabcheck

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
)

// slabRec is a slab that its page says to be one.
type slabRec struct {
	*slab.Slab
	tails   int
	flags   uint64 // of its page
	refs    int32
	foreign bool // it is of another cache than it says
	pending bool // it waits for RCU to be freed
}

// scanBlock is how many page frames are looked at at once: a multiple of the
// largest slab, so that no slab lies across.
const scanBlock = 1 << 16

// block is a range of page frames, both ends included.
type block struct{ first, last uint64 }

// blocks are the page frames to look at: all that zones span, as a page that the
// dump does not have may be a slab's, and all that the dump has.
func (ck *checker) blocks() []block {
	marked := map[uint64]bool{}
	var list []block
	add := func(first, last uint64, sure bool) {
		for n := first / scanBlock; n <= last/scanBlock && n < maxBlocks; n++ {
			if !marked[n] && (sure || ck.described(n*scanBlock)) {
				marked[n] = true
				list = append(list, block{n * scanBlock, (n+1)*scanBlock - 1})
			}
		}
	}
	start, end, _ := ck.k.DirectMap()
	for e := range ck.k.PhysExtents(0, end-start-1) {
		add(e.Paddr/kernel.PageSize, (e.Paddr+e.Size-1)/kernel.PageSize, true)
	}
	if ck.zones != nil {
		for _, z := range ck.zones.spans {
			add(z.first, z.first+z.pages-1, false)
		}
	}
	last := (end-start)/kernel.PageSize - 1
	list = slices.DeleteFunc(list, func(b block) bool { return b.first > last })
	slices.SortFunc(list, func(a, b block) int { return cmp.Compare(a.first, b.first) })
	return list
}

// described reports whether there are page structures, in the dump or not, of the
// frames of a block: of each section of 128 MiB there are all or none.
func (ck *checker) described(first uint64) bool {
	const section = 1 << 15
	for pfn := first; pfn < first+scanBlock; pfn += section {
		if _, err := ck.n.PageFlags.Uint(ck.k, ck.m.PageOf(pfn)); err == nil || fault.NotInDump(err) {
			return true
		}
	}
	return false
}

// maxBlocks bounds the scan: 64 TiB of memory.
const maxBlocks = 1 << 18

// scan finds all slabs by the structures of all pages.
func (ck *checker) scan(ctx context.Context) error {
	blocks := ck.blocks()
	var mu sync.Mutex
	return ck.parallel(ctx, len(blocks), func(i int) {
		var found []slabRec
		var strays []stray
		missing := 0
		var first error
		ck.m.ScanPages(ctx, blocks[i].first, blocks[i].last, func(p *slab.Page) {
			if p.Slab == nil {
				strays = append(strays, ck.newStray(p))
				return
			}
			if p.Slab.Guarded() {
				return
			}
			rec := slabRec{Slab: p.Slab, tails: p.Tails, flags: ck.n.PageFlags.In(p.Raw)}
			if ck.n.PageRefs.Present() {
				rec.refs = int32(ck.n.PageRefs.In(p.Raw))
			}
			rec.pending = ck.waitsForRCU(p)
			found = append(found, rec)
		}, func(pfn uint64, err error) {
			if fault.NotInDump(err) {
				if missing++; first == nil {
					first = fmt.Errorf("structure of page %#x: %w", pfn, err)
				}
			}
		})
		mu.Lock()
		defer mu.Unlock()
		if missing > 0 {
			ck.blind = true
			ck.unread += missing
			if len(ck.unreadAt) < maxUnread {
				ck.unreadAt = append(ck.unreadAt, first)
			}
		}
		ck.strays = append(ck.strays, strays...)
		for _, r := range found {
			c := ck.byCache[r.Cache]
			c.slabs = append(c.slabs, r)
		}
	})
}

// waitsForRCU reports whether the slab was given back and waits for readers: it
// is out of all counters, and a callback lies over its links.
func (ck *checker) waitsForRCU(p *slab.Page) bool {
	if p.Slab.Cache.Flags&ck.flags.ByRCU == 0 || !ck.n.RCUHead.Present() || !ck.n.RCUFunc.Present() {
		return false
	}
	at := ck.n.RCUHead.Offset + ck.n.RCUFunc.Offset
	if at < 0 || at+8 > int64(len(p.Raw)) {
		return false
	}
	name, off, ok := ck.k.SymbolAt(binary.LittleEndian.Uint64(p.Raw[at:]))
	return ok && off == 0 && (name == "rcu_free_slab" || name == "kmem_rcu_free")
}

// common is what most slabs say, where kernels differ and nothing declares it.
type common struct {
	refs          int32
	haveRefs      bool
	partialFlag   bool // slabs on partial lists are flagged
	partialFrozen bool // slabs on CPUs' partial lists are frozen
	tids          bool // transaction numbers of CPUs end in the CPU's number
	masks         bool // pages that follow a first one have a mask for its address
}

// vote asks the majority.
func (ck *checker) vote() {
	refs := map[int32]int{}
	for _, c := range ck.caches {
		slices.SortFunc(c.slabs, func(a, b slabRec) int { return cmp.Compare(a.Addr, b.Addr) })
		for i := range c.slabs {
			refs[c.slabs[i].refs]++
		}
	}
	most := 0
	for v, n := range refs {
		if n > most || n == most && v < ck.common.refs {
			most, ck.common.refs, ck.common.haveRefs = n, v, ck.n.PageRefs.Present()
		}
	}
	ck.common.masks = ck.usesMasks()
	ck.trustZones()
	ck.common.tids = ck.slub && ck.tidsTell()
	flagged, frozen, partial, kept := 0, 0, 0, 0
	for _, c := range ck.caches {
		if !ck.slub || partial > 500 && kept > 500 {
			break
		}
		for _, n := range c.Nodes() {
			for s, err := range n.List(slab.PartialSlabs) {
				if err != nil || s == nil || partial > 1000 {
					break
				}
				partial++
				if r := c.rec(s.Addr); r != nil && ck.workingset(r.flags) {
					flagged++
				}
			}
		}
		cpus, _ := c.CPUs()
		for _, v := range cpus {
			for _, s := range v.Partial {
				if kept++; s.Frozen {
					frozen++
				}
			}
		}
	}
	ck.common.partialFlag = flagged > partial/2
	ck.common.partialFrozen = 2*frozen >= kept
}

// usesMasks looks at a few slabs of more than a page.
func (ck *checker) usesMasks() bool {
	masks, addresses := 0, 0
	for _, c := range ck.caches {
		for i := range c.slabs {
			if c.slabs[i].tails == 0 {
				continue
			}
			if masks+addresses >= 31 {
				return masks > addresses
			}
			pfn, _ := ck.m.FrameOf(c.slabs[i].Addr)
			if v, err := ck.n.Compound.Uint(ck.k, ck.m.PageOf(pfn+1)); err == nil && v == c.slabs[i].Addr|1 {
				addresses++
			} else {
				masks++
			}
		}
	}
	return masks > addresses
}

func (ck *checker) workingset(flags uint64) bool {
	v := ck.n.Workingset
	return v.Present() && v.Value >= 0 && v.Value < 64 && flags>>v.Value&1 != 0
}

// rec is the record of the slab whose struct slab is at addr, nil if the cache
// has none there.
func (c *cacheCheck) rec(addr uint64) *slabRec {
	i, ok := slices.BinarySearchFunc(c.slabs, addr, func(r slabRec, a uint64) int { return cmp.Compare(r.Addr, a) })
	if !ok {
		return nil
	}
	return &c.slabs[i]
}

// pageMissing says why the structure of the page at an address of the direct map
// is not in the dump; nil if it is, or if there is none.
func (ck *checker) pageMissing(addr uint64) error {
	start, end, _ := ck.k.DirectMap()
	if addr < start || addr >= end {
		return nil
	}
	_, err := ck.n.PageFlags.Uint(ck.k, ck.m.PageOf((addr-start)/kernel.PageSize))
	if fault.NotInDump(err) {
		return err
	}
	return nil
}
