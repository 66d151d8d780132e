package slab

import (
	"errors"
	"fmt"
	"sync"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// Cache is one cache of objects (struct kmem_cache).
type Cache struct {
	Addr       uint64
	Name       string
	ObjectSize int64  // bytes that users of the cache asked for
	Size       int64  // bytes from object to object
	Order      int    // a slab has 1<<Order pages
	PerSlab    int    // objects in a slab of that order
	Flags      uint64 // SLAB_*
	Err        error  // why its objects cannot be told apart, nil if they can

	m       *Model
	lead    int64  // bytes of a slab in front of the first object, or of an object in front of what users see
	link    int64  // SLUB: offset of the free pointer in an object
	random  uint64 // SLUB: what free pointers are mixed with
	cpu     uint64 // per-CPU pointer: cpu_slab or cpu_cache
	sheaves uint64 // per-CPU pointer, 0 if there are none
	node    []nodePointers

	hold struct {
		once sync.Once
		h    *holdings
	}
}

// nodePointers lead to what a cache has for a NUMA node.
type nodePointers struct{ node, barn uint64 }

// Sheaves reports whether CPUs keep free objects of the cache in sheaves.
func (c *Cache) Sheaves() bool { return c.sheaves != 0 }

// Limits of what a cache can be, well above the kernel's own.
const (
	maxObjectSize = 1 << 30
	maxObjects    = 1 << 15 // slab.objects has 15 bits
	nameLimit     = 256
)

func (m *Model) readCache(addr uint64) *Cache {
	c := &Cache{Addr: addr, m: m}
	size := int(min(int64(m.n.CacheSize), int64(m.n.Node.Offset)))
	if !m.n.Node.Present() {
		size = int(m.n.CacheSize)
		if m.sub.PerNode.Present() {
			size = int(m.sub.PerNode.Offset)
		}
	}
	buf := make([]byte, max(0, min(size, 64<<10)))
	if err := m.k.Read(buf, addr); err != nil {
		c.Err = fmt.Errorf("struct kmem_cache at %#x: %w", addr, err)
		return c
	}
	c.Name = m.readName(m.n.Name.In(buf))
	c.ObjectSize = int64(uint32(m.n.ObjectSize.In(buf)))
	c.Size = int64(uint32(m.n.Size.In(buf)))
	c.Flags = m.n.Flags.In(buf)
	if m.slub {
		c.readSub(buf)
	} else {
		c.readSlab(buf)
	}
	switch {
	case c.Size < 1 || c.Size > maxObjectSize || c.ObjectSize > c.Size:
		c.Err = fmt.Errorf("objects of %d bytes, %d apart", c.ObjectSize, c.Size)
	case c.Order > maxOrder || c.PerSlab < 1 || c.PerSlab > maxObjects:
		c.Err = fmt.Errorf("slabs of %d objects in 2^%d pages", c.PerSlab, c.Order)
	}
	c.readNodes()
	return c
}

// readName reads a cache's name, as far as it can be read.
func (m *Model) readName(addr uint64) string {
	name, _ := value.CString(m.k, addr, nameLimit)
	return name
}

// readSub takes what SLUB keeps in a struct kmem_cache. kmem_cache_order_objects
// is the order above 16 bits of the number of objects (mm/slub.c, OO_SHIFT).
func (c *Cache) readSub(buf []byte) {
	n := &c.m.sub
	oo := c.m.n.OO.In(buf)
	c.Order, c.PerSlab = int(oo>>16&0xffff), int(oo&0xffff)
	c.link = int64(uint32(n.Offset.In(buf)))
	if n.RedLeft.Present() {
		c.lead = int64(uint32(n.RedLeft.In(buf)))
	}
	if n.Random.Present() {
		c.random = n.Random.In(buf)
	}
	if n.PerCPU.Present() {
		c.cpu = n.PerCPU.In(buf)
	}
	if n.Sheaves.Present() {
		c.sheaves = n.Sheaves.In(buf)
	}
	if c.lead > c.Size || c.link > c.Size {
		c.Err = fmt.Errorf("free pointer at %d and left red zone of %d in objects of %d bytes", c.link, c.lead, c.Size)
	}
}

func (c *Cache) readSlab(buf []byte) {
	n := &c.m.sal
	c.Order, c.PerSlab = int(min(n.Order.In(buf), 64)), int(min(n.Num.In(buf), 1<<20))
	c.cpu = n.CPUCache.In(buf)
	if n.ObjOffset.Present() {
		c.lead = int64(int32(n.ObjOffset.In(buf)))
	}
}

// readNodes reads the pointers by node at the end of the struct kmem_cache.
func (c *Cache) readNodes() {
	m := c.m
	c.node = make([]nodePointers, m.nodes)
	if m.sub.PerNode.Present() {
		for i := range c.node {
			at := m.sub.PerNode.At(c.Addr) + uint64(i)*uint64(m.sub.PtrsSize)
			c.node[i].node = m.pointer(&m.sub.PtrsNode, at)
			c.node[i].barn = m.pointer(&m.sub.PtrsBarn, at)
		}
		return
	}
	if !m.n.Node.Present() {
		return
	}
	for i := range c.node {
		at := m.n.Node.At(c.Addr) + uint64(i)*8
		c.node[i].node, _ = value.Word(m.k, at)
		if node := c.node[i].node; node != 0 {
			c.node[i].barn = m.pointer(&m.sub.NodeBarn, node)
		}
	}
}

// pointer reads a member, 0 if it does not exist or cannot be read.
func (m *Model) pointer(f *kernel.Field, base uint64) uint64 {
	if !f.Present() {
		return 0
	}
	v, err := f.Uint(m.k, base)
	if err != nil {
		return 0
	}
	return v
}

// joinFaults keeps the first few reasons.
func joinFaults(err, more error) error {
	if err == nil {
		return more
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) && len(joined.Unwrap()) > 8 || more == nil {
		return err
	}
	return errors.Join(err, more)
}
