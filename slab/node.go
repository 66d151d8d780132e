package slab

import (
	"errors"
	"fmt"
	"iter"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/walk"
)

// Node is what a cache has for a NUMA node (struct kmem_cache_node).
type Node struct {
	ID      int
	Addr    uint64
	Slabs   int // by the kernel's own counters
	Partial int
	Objects int   // in all slabs
	Held    int   // free objects in the node's sheaves, shared and alien arrays
	Err     error // why a counter is missing

	c *Cache
}

// NodeList is one of the lists of slabs of a node.
type NodeList uint8

// The lists of a node.
const (
	PartialSlabs NodeList = iota
	FullSlabs             // SLAB; SLUB only if it tracks users (SLAB_STORE_USER)
	FreeSlabs             // SLAB
)

// maxCount bounds counters of the dump.
const maxCount = 1 << 40

// Nodes is what the cache has for each NUMA node.
func (c *Cache) Nodes() []*Node {
	var list []*Node
	for id, p := range c.node {
		if p.node == 0 {
			continue
		}
		n := &Node{ID: id, Addr: p.node, c: c}
		for _, place := range c.holdings().at {
			if place.Node == id {
				n.Held++
			}
		}
		if c.m.slub {
			n.counter(&n.Slabs, &c.m.sub.NrSlabs)
			n.counter(&n.Partial, &c.m.sub.NrPartial)
			n.counter(&n.Objects, &c.m.sub.Total)
		} else {
			n.counter(&n.Slabs, &c.m.sal.TotalSlabs)
			n.Objects = n.Slabs * c.PerSlab
			for _, err := range n.List(PartialSlabs) {
				if err == nil {
					n.Partial++
				}
			}
		}
		list = append(list, n)
	}
	return list
}

// Cache is the cache that this is for.
func (n *Node) Cache() *Cache { return n.c }

// TracksFull reports whether full slabs are on a list.
func (n *Node) TracksFull() bool { return n.c.TracksFull() }

// TracksFull reports whether full slabs of the cache are on a list.
func (c *Cache) TracksFull() bool {
	return !c.m.slub || c.Flags&c.m.flags.StoreUser != 0 && c.m.sub.Full.Present()
}

func (n *Node) counter(dst *int, f *kernel.Field) {
	if !f.Present() {
		*dst = -1
		return
	}
	v, err := f.Uint(n.c.m.k, n.Addr)
	if err == nil && v > maxCount {
		err = fmt.Errorf("%s of node %d is %#x", f.Path, n.ID, v)
	}
	if err != nil {
		n.Err = errors.Join(n.Err, err)
		return
	}
	*dst = int(v)
}

func (n *Node) field(which NodeList) *kernel.Field {
	m := n.c.m
	switch {
	case m.slub && which == PartialSlabs:
		return &m.sub.Partial
	case m.slub && which == FullSlabs:
		return &m.sub.Full
	case m.slub:
		return &kernel.Field{}
	case which == PartialSlabs:
		return &m.sal.Partial
	case which == FullSlabs:
		return &m.sal.Full
	}
	return &m.sal.Free
}

// List yields the slabs of a list of the node. A list that breaks is walked from
// its other end, too; a slab that cannot be read is an error in its place.
func (n *Node) List(which NodeList) iter.Seq2[*Slab, error] {
	return func(yield func(*Slab, error) bool) {
		f := n.field(which)
		if !f.Present() {
			return
		}
		m := n.c.m
		seen := map[uint64]bool{}
		for _, direction := range [...]walk.ListOption{0, walk.Reverse} {
			broken := false
			for addr, err := range m.walker.List(f.At(n.Addr), m.n.SlabList.Offset, direction) {
				if seen[addr] {
					break // where the first walk came to
				}
				seen[addr] = true
				var s *Slab
				if err != nil {
					broken = true
					err = fmt.Errorf("slabs of node %d: %w", n.ID, err)
				} else {
					s, err = m.slabOf(addr)
				}
				if !yield(s, err) {
					return
				}
			}
			if !broken {
				return
			}
		}
	}
}
