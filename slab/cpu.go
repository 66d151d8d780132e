package slab

import (
	"errors"
	"fmt"
)

// CPU is what a cache has for one CPU.
type CPU struct {
	CPU     int
	Addr    uint64  // SLUB struct kmem_cache_cpu or slub_percpu_sheaves, SLAB struct array_cache
	Slab    *Slab   // SLUB: the slab that the CPU allocates from, nil if none
	Partial []*Slab // SLUB: slabs that the CPU keeps for later
	Held    int     // objects on the CPU's free list, in its sheaves or its array cache
	Err     error   // why something is missing

	freelist uint64 // SLUB: first free object of Slab that only the CPU may take
}

// CPUs is what the cache has for each CPU.
func (c *Cache) CPUs() ([]*CPU, error) {
	cpus, err := c.m.k.PossibleCPUs()
	if err != nil {
		return nil, err
	}
	held := map[int]int{}
	for _, p := range c.holdings().at {
		if p.CPU >= 0 {
			held[p.CPU]++
		}
	}
	var list []*CPU
	for _, cpu := range cpus {
		v := c.cpuView(cpu)
		if v == nil {
			v = &CPU{CPU: cpu}
			for _, pointer := range [...]uint64{c.sheaves, c.cpu} {
				if pointer != 0 {
					v.Addr, v.Err = c.m.perCPU(pointer, cpu)
					break
				}
			}
		}
		v.Held = held[cpu]
		list = append(list, v)
	}
	return list, nil
}

// cpuView reads a struct kmem_cache_cpu; nil if the kernel has none.
func (c *Cache) cpuView(cpu int) *CPU {
	n := &c.m.sub
	if c.cpu == 0 || !n.CPUSlab.Present() || !n.CPUFreelist.Present() {
		return nil
	}
	v := &CPU{CPU: cpu}
	if v.Addr, v.Err = c.m.perCPU(c.cpu, cpu); v.Err != nil {
		return v
	}
	page, err := n.CPUSlab.Uint(c.m.k, v.Addr)
	if err == nil {
		v.freelist, err = n.CPUFreelist.Uint(c.m.k, v.Addr)
	}
	if err == nil && page != 0 {
		v.Slab, err = c.m.slabOf(page)
	}
	if err != nil {
		v.Err = fmt.Errorf("slab of CPU %d: %w", cpu, err)
	}
	v.partial(c)
	return v
}

// partial follows a CPU's list of partial slabs. Each counts the slabs that
// follow, but that is for the kernel's limits and may be stale.
func (v *CPU) partial(c *Cache) {
	n := &c.m.sub
	if !n.CPUPartial.Present() || !n.Next.Present() {
		return
	}
	at, err := n.CPUPartial.Uint(c.m.k, v.Addr)
	seen := map[uint64]bool{}
	for err == nil && at != 0 {
		var s *Slab
		if s, err = c.m.slabOf(at); err != nil {
			break
		}
		if seen[at] {
			err = fmt.Errorf("slab %#x is on the list twice", at)
			break
		}
		seen[at] = true
		v.Partial = append(v.Partial, s)
		at, err = n.Next.Uint(c.m.k, at)
	}
	if err != nil {
		v.Err = errors.Join(v.Err, fmt.Errorf("partial slabs of CPU %d: %w", v.CPU, err))
	}
}
