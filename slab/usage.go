package slab

import (
	"context"
	"fmt"

	"github.com/kdive/kdive/kernel"
)

// Usage is how much of a cache is in use.
type Usage struct {
	Slabs     int
	Objects   int   // in all slabs
	Allocated int   // of them
	Err       error // why the numbers may be wrong
}

// Usage counts what the cache has: by the counters of its nodes, less what the
// free lists hold. A list that cannot be followed makes the count of allocated
// objects too high; Err says so.
func (c *Cache) Usage() Usage {
	var u Usage
	if c.Err != nil {
		u.Err = c.Err
		return u
	}
	h := c.holdings()
	u.Err = h.err
	free := 0
	for _, p := range h.at {
		if p.Holder != RCUSheaf {
			free++
		}
	}
	counted := true
	for _, n := range c.Nodes() {
		u.Err = joinFaults(u.Err, n.Err)
		if n.Slabs < 0 || n.Objects < 0 {
			counted = false
			break
		}
		u.Slabs += n.Slabs
		u.Objects += n.Objects
		free += n.free(&u)
	}
	if c.m.slub && counted {
		cpus, err := c.CPUs()
		u.Err = joinFaults(u.Err, err)
		for _, v := range cpus {
			free += v.free()
		}
	}
	u.Allocated = max(0, u.Objects-free)
	if !counted {
		u = c.countPages()
	}
	return u
}

// free counts the free objects in the node's slabs.
func (n *Node) free(u *Usage) int {
	c := n.c
	if !c.m.slub {
		v, err := c.m.sal.FreeObjects.Uint(c.m.k, n.Addr)
		if err == nil && v > maxCount {
			err = fmt.Errorf("free_objects of node %d is %#x", n.ID, v)
		}
		if err != nil {
			u.Err = joinFaults(u.Err, err)
			return 0
		}
		return int(v)
	}
	free := 0
	for s, err := range n.List(PartialSlabs) {
		if err != nil {
			u.Err = joinFaults(u.Err, err)
			continue
		}
		free += max(0, s.Objects-s.Inuse)
	}
	return free
}

// free counts the free objects in the slabs that a CPU owns, without those of
// its own free list.
func (v *CPU) free() int {
	free := 0
	for _, s := range v.Partial {
		free += max(0, s.Objects-s.Inuse)
	}
	if v.Slab != nil {
		// All count as in use as long as a CPU owns the slab, but that other
		// CPUs may have freed some.
		n, _ := v.Slab.FreeCount()
		free += n
	}
	return free
}

// countPages is Usage for kernels without counters: of all slabs in memory.
func (c *Cache) countPages() Usage {
	u := Usage{Err: c.holdings().err}
	for s, err := range c.m.Slabs(context.Background()) {
		if err != nil {
			u.Err = joinFaults(u.Err, err)
			continue
		}
		if s.Cache != c {
			continue
		}
		n, err := s.FreeCount()
		u.Err = joinFaults(u.Err, err)
		u.Slabs++
		u.Objects += s.Objects
		u.Allocated += s.Objects - n
	}
	for _, p := range c.holdings().at {
		if p.Holder != RCUSheaf {
			u.Allocated--
		}
	}
	u.Allocated = max(0, u.Allocated)
	return u
}

// Slabs yields all slabs by address, also the full ones that no list holds: it
// looks at the structure of every page that the dump holds.
func (m *Model) Slabs(ctx context.Context) func(yield func(*Slab, error) bool) {
	return func(yield func(*Slab, error) bool) {
		scan := pageScan{m: m, yield: yield}
		last := m.direct.end - m.direct.start - 1
		for run := range m.k.PhysExtents(0, last) {
			from, to := run.Paddr>>kernel.PageShift, (run.Paddr+run.Size-1)>>kernel.PageShift
			for from = max(from, scan.next); from <= to; from = max(from, scan.next) {
				if ctx.Err() != nil {
					yield(nil, ctx.Err())
					return
				}
				if from = scan.pages(from, to); from == 0 {
					return
				}
			}
		}
	}
}

// pageScan reads the page structures of runs of pages.
type pageScan struct {
	m     *Model
	yield func(*Slab, error) bool
	buf   []byte
	next  uint64 // the frame to go on with
}

const scanPages = 1024

// pages looks at the frames from first on, up to last at most, and returns the
// one behind, 0 if nobody wants more.
func (p *pageScan) pages(first, last uint64) uint64 {
	m := p.m
	size := m.pages.size
	n := min(last-first+1, scanPages)
	if p.buf == nil {
		p.buf = make([]byte, scanPages*size)
	}
	p.next = first + n
	if m.k.Read(p.buf[:n*size], m.pages.address(first)) != nil {
		// One by one: some may be there.
		for pfn := first; pfn < first+n; pfn++ {
			one := p.buf[:size]
			if m.k.Read(one, m.pages.address(pfn)) == nil && !p.page(pfn, one) {
				return 0
			}
		}
		return p.next
	}
	for i := range n {
		if !p.page(first+i, p.buf[i*size:(i+1)*size]) {
			return 0
		}
	}
	return p.next
}

func (p *pageScan) page(pfn uint64, b []byte) bool {
	if !p.m.pages.isSlab(b) || p.m.n.Compound.In(b)&1 != 0 {
		return true
	}
	s := p.m.decodeSlab(pfn, b)
	return s == nil || p.yield(s, nil)
}
