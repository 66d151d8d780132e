// Package slab reads the kernel's object allocators: the caches, their slabs,
// and for any address the cache, the object and whether it is allocated.
//
// It knows SLUB (struct page and struct slab, per-CPU slabs, sheaves) and SLAB
// (array caches, index lists) and tells them apart by their members. It reports
// what it could not read beside what it could; whether a slab is consistent is
// not its question. It knows nothing of what objects mean, nor of text. Start
// from Load; Model.Find is the look-up. A Model is safe for concurrent use.
package slab

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/walk"
)

// Memory is the kernel with its physical memory. *kernel.Kernel is one.
type Memory interface {
	kernel.View
	// DirectMap is where all of physical memory is mapped one to one.
	DirectMap() (start, end uint64, ok bool)
	// Translate maps a kernel virtual address to a physical one.
	Translate(vaddr uint64) (paddr, n uint64, err error)
	// PhysExtents yields the physical memory that the dump holds.
	PhysExtents(start, last uint64) iter.Seq[kernel.Extent]
}

var _ Memory = (*kernel.Kernel)(nil)

// Model is the allocator of one kernel.
type Model struct {
	k      Memory
	walker *walk.Walker
	n      Needs
	sub    SLUBNeeds
	sal    SLABNeeds
	slub   bool
	flags  Flags

	direct  struct{ start, end uint64 }
	pages   pageArray
	recent  recentPages
	nodes   int // ids of NUMA nodes are below
	fence   *fence
	tracks  tracker
	aliases aliases

	caches []*Cache
	byAddr map[uint64]*Cache
	broken error // why the list of caches ended early

	plainLinks atomic.Bool // hardened free pointers whose address is not byte-swapped were seen
}

// Load reads the list of caches (slab_caches, mm/slab_common.c).
func Load(k Memory) (*Model, error) {
	m := &Model{k: k, walker: walk.New(k), byAddr: map[uint64]*Cache{}}
	if err := k.Bind(&m.n); err != nil {
		return nil, fmt.Errorf("slab caches: %w", err)
	}
	m.slub = m.n.OO.Present()
	m.flags = loadFlags(k)
	var err error
	if m.slub {
		err = k.Bind(&m.sub)
	} else {
		err = k.Bind(&m.sal)
	}
	if err != nil {
		return nil, fmt.Errorf("slab caches: %w", err)
	}
	var ok bool
	if m.direct.start, m.direct.end, ok = k.DirectMap(); !ok {
		return nil, errors.New("slab caches: the direct map was not found")
	}
	m.nodes = m.countNodes()
	if err := m.pages.locate(m); err != nil {
		return nil, fmt.Errorf("slab caches: %w", err)
	}
	m.fence = m.loadFence()
	return m, m.loadCaches()
}

func (m *Model) loadCaches() error {
	for addr, err := range m.walker.List(uint64(m.n.Caches), m.n.List.Offset, walk.CheckBack) {
		if err != nil {
			m.broken = fmt.Errorf("list of slab caches: %w", err)
			break
		}
		m.addCache(addr)
	}
	if m.broken != nil {
		// Behind the break the list may be whole from its other end.
		first := len(m.caches)
		for addr, err := range m.walker.List(uint64(m.n.Caches), m.n.List.Offset, walk.Reverse|walk.CheckBack) {
			if err != nil || m.byAddr[addr] != nil {
				break
			}
			m.addCache(addr)
		}
		slices.Reverse(m.caches[first:])
	}
	if len(m.caches) == 0 {
		if m.broken != nil {
			return m.broken
		}
		return errors.New("the list of slab caches is empty")
	}
	return nil
}

func (m *Model) addCache(addr uint64) {
	c := m.readCache(addr)
	m.caches = append(m.caches, c)
	m.byAddr[addr] = c
}

// Caches are all caches in the order of the kernel's list. The error says why
// some may be missing.
func (m *Model) Caches() ([]*Cache, error) { return m.caches, m.broken }

// Cache is the cache whose struct kmem_cache is at addr, nil if there is none.
func (m *Model) Cache(addr uint64) *Cache { return m.byAddr[addr] }

// Allocator is the name of the allocator, "SLUB" or "SLAB".
func (m *Model) Allocator() string {
	if m.slub {
		return "SLUB"
	}
	return "SLAB"
}

// countNodes bounds the arrays by node in a struct kmem_cache: they are declared
// longer than they are allocated.
func (m *Model) countNodes() int {
	n := 1
	if m.n.NodeIDs != 0 {
		var b [4]byte
		if m.k.Read(b[:], uint64(m.n.NodeIDs)) == nil {
			n = int(b[0]) | int(b[1])<<8
		}
	}
	return max(1, min(n, m.nodeSlots(), maxNodes))
}

// nodeSlots is how many nodes the kernel was built for.
func (m *Model) nodeSlots() int {
	f := &m.n.Node
	if m.sub.PerNode.Present() {
		f = &m.sub.PerNode
	}
	if !f.Present() {
		return 1
	}
	return max(1, int(min(f.Type.Underlying().Count(), maxNodes)))
}

// maxNodes is the largest number of NUMA nodes (CONFIG_NODES_SHIFT 10).
const maxNodes = 1024
