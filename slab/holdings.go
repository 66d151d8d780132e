package slab

import (
	"encoding/binary"
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// holdings are the free objects of a cache that CPUs and nodes keep outside the
// slabs' own lists.
type holdings struct {
	at    map[uint64]Place
	slabs map[uint64]int // SLUB: slabs that CPUs allocate from: struct slab -> CPU
	err   error          // why some are missing
	lead  uint64         // SLAB: entries are objects without what lies in front of them
}

// maxHeld bounds an array cache or a sheaf; the kernel's own limits are in the
// hundreds.
const maxHeld = 1 << 16

func (c *Cache) holdings() *holdings {
	c.hold.once.Do(func() {
		h := &holdings{at: map[uint64]Place{}, slabs: map[uint64]int{}}
		c.hold.h = h
		if !c.m.slub {
			h.lead = uint64(c.lead)
		}
		if c.Err != nil {
			h.err = c.Err
			return
		}
		cpus, err := c.m.k.PossibleCPUs()
		h.fail(err)
		for _, cpu := range cpus {
			if c.m.slub {
				c.holdCPU(h, cpu)
				c.holdSheaves(h, cpu)
			} else {
				c.holdArray(h, cpu)
			}
		}
		for node := range c.node {
			if c.m.slub {
				c.holdBarn(h, node)
			} else {
				c.holdNode(h, node)
			}
		}
	})
	return c.hold.h
}

func (h *holdings) fail(err error) {
	if err != nil {
		h.err = joinFaults(h.err, err)
	}
}

// perCPU is CPU cpu's copy of what a __percpu pointer leads to.
func (m *Model) perCPU(pointer uint64, cpu int) (uint64, error) {
	off, err := m.k.PerCPUOffset(cpu)
	return pointer + off, err
}

// holdCPU adds the free list of a CPU (struct kmem_cache_cpu) and the slab that it
// is of.
func (c *Cache) holdCPU(h *holdings, cpu int) {
	v := c.cpuView(cpu)
	if v == nil {
		return
	}
	h.fail(v.Err)
	if v.Slab == nil {
		return
	}
	h.slabs[v.Slab.Addr] = cpu
	if v.Slab.Cache != c {
		h.fail(fmt.Errorf("slab of CPU %d: %#x belongs to %s", cpu, v.Slab.Addr, v.Slab.Cache.Name))
		return
	}
	h.fail(v.Slab.walkFree(v.freelist, func(i int) bool {
		o := v.Slab.Object(i)
		if _, twice := h.at[o]; twice {
			return false
		}
		h.at[o] = Place{CPUList, cpu, -1}
		return true
	}))
}

// holdArray adds the array cache of a CPU.
func (c *Cache) holdArray(h *holdings, cpu int) {
	ac, err := c.m.perCPU(c.cpu, cpu)
	if err == nil {
		err = c.m.readArray(h, ac, Place{CPUArray, cpu, -1})
	}
	if err != nil {
		h.fail(fmt.Errorf("array cache of CPU %d: %w", cpu, err))
	}
}

// holdNode adds the shared array of a node and what it keeps for other nodes.
func (c *Cache) holdNode(h *holdings, node int) {
	m, at := c.m, c.node[node].node
	if at == 0 {
		return
	}
	shared, err := m.sal.Shared.Uint(m.k, at)
	if err == nil && shared != 0 {
		err = m.readArray(h, shared, Place{NodeArray, -1, node})
	}
	if err != nil {
		h.fail(fmt.Errorf("shared array of node %d: %w", node, err))
	}
	if !m.sal.Alien.Present() || !m.sal.AlienAC.Present() {
		return
	}
	// Kernels for one node declare the table and have none.
	table, err := m.sal.Alien.Uint(m.k, at)
	if err != nil || table == 0 || m.nodes == 1 {
		return
	}
	for other := range m.nodes {
		alien, err := value.Word(m.k, table+uint64(other)*8)
		if err == nil && alien != 0 {
			err = m.readArray(h, m.sal.AlienAC.At(alien), Place{AlienArray, -1, node})
		}
		if err != nil {
			h.fail(fmt.Errorf("alien array of node %d: %w", node, err))
			return
		}
	}
}

// readArray adds the objects of a struct array_cache.
func (m *Model) readArray(h *holdings, ac uint64, p Place) error {
	avail, err := m.sal.Avail.Uint(m.k, ac)
	if err != nil {
		return err
	}
	return m.readObjects(h, m.sal.Entries.At(ac), uint32(avail), p)
}

// holdSheaves adds what a CPU's sheaves hold (struct slub_percpu_sheaves).
func (c *Cache) holdSheaves(h *holdings, cpu int) {
	m := c.m
	if c.sheaves == 0 || !m.sub.SheafObjects.Present() {
		return
	}
	at, err := m.perCPU(c.sheaves, cpu)
	if err != nil {
		h.fail(err)
		return
	}
	for _, f := range [...]struct {
		field *kernel.Field
		place Place
	}{
		{&m.sub.Main, Place{CPUSheaf, cpu, -1}},
		{&m.sub.Spare, Place{CPUSheaf, cpu, -1}},
		{&m.sub.RCUFree, Place{RCUSheaf, cpu, -1}},
	} {
		if !f.field.Present() {
			continue
		}
		sheaf, err := f.field.Uint(m.k, at)
		if err == nil && sheaf != 0 {
			err = m.readSheaf(h, sheaf, f.place)
		}
		if err != nil {
			h.fail(fmt.Errorf("sheaves of CPU %d: %w", cpu, err))
		}
	}
}

// holdBarn adds the full sheaves of a node (struct node_barn).
func (c *Cache) holdBarn(h *holdings, node int) {
	m, barn := c.m, c.node[node].barn
	if barn == 0 || !m.sub.BarnFull.Present() || !m.sub.SheafList.Present() {
		return
	}
	for sheaf, err := range m.walker.List(m.sub.BarnFull.At(barn), m.sub.SheafList.Offset) {
		if err == nil {
			err = m.readSheaf(h, sheaf, Place{NodeSheaf, -1, node})
		}
		if err != nil {
			h.fail(fmt.Errorf("full sheaves of node %d: %w", node, err))
			return
		}
	}
}

func (m *Model) readSheaf(h *holdings, sheaf uint64, p Place) error {
	size, err := m.sub.SheafSize.Uint(m.k, sheaf)
	if err != nil {
		return err
	}
	return m.readObjects(h, m.sub.SheafObjects.At(sheaf), uint32(size), p)
}

// readObjects adds n objects whose addresses are at addr.
func (m *Model) readObjects(h *holdings, addr uint64, n uint32, p Place) error {
	if n > maxHeld {
		return fmt.Errorf("%d objects at %#x", n, addr)
	}
	buf := make([]byte, 8*n)
	if err := m.k.Read(buf, addr); err != nil {
		return err
	}
	for ; len(buf) > 0; buf = buf[8:] {
		h.at[binary.LittleEndian.Uint64(buf)+h.lead] = p
	}
	return nil
}
