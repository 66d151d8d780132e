package slabcheck

import (
	"fmt"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/chain"
	"github.com/kdive/kdive/slabcheck/rules"
)

// holder is where a free object is outside of its slab's own list.
type holder struct {
	place slab.Place
	at    uint64 // where its address is written
}

// hold notes a free object that something holds, once.
func (c *cacheCheck) hold(o slab.Object, h holder) {
	if old, twice := c.held[o.Addr]; twice {
		f := rules.New(rules.FreeTwice, "object %#x is held by %v (at %#x) and by %v (at %#x)", o.Addr, old.place, old.at, h.place, h.at)
		f.About(o)
		f.CPU, f.Node, f.At = h.place.CPU, h.place.Node, h.at
		f.Found = rules.Word(o.Addr, 8)
		f.Window, f.Touches = true, []uint64{o.Addr, c.Addr}
		c.add(f)
		return
	}
	c.held[o.Addr] = h
}

// perCPU checks what CPUs have of a cache (struct kmem_cache_cpu).
func (c *cacheCheck) perCPU() {
	n, layout := &c.sub, c.Layout()
	if layout.CPU == 0 && !n.CPUSlab.Present() {
		return
	}
	wrong, seen := 0, 0
	for _, cpu := range c.cpus {
		off, err := c.k.PerCPUOffset(cpu)
		if err != nil {
			c.cannot(err)
			continue
		}
		addr := layout.CPU + off
		if _, err := n.CPUFreelist.Uint(c.k, addr); err != nil {
			f := rules.New(rules.CacheCPU, "the per-CPU pointer %#x leads to %#x for CPU %d, which cannot be read", layout.CPU, addr, cpu)
			f.CPU = cpu
			f.Sure = rules.Likely
			c.unreadOr(f, err)
			continue
		}
		before := c.cpuWrong()
		c.cpuSlab(cpu, addr)
		c.cpuPartial(cpu, addr)
		c.cpuTid(cpu, addr)
		if c.cpuWrong() > before {
			wrong++
		}
		seen++
	}
	if wrong == seen && seen > 1 {
		f := rules.New(rules.CacheCPU, "the per-CPU pointer %#x leads to nothing that makes sense on any CPU", layout.CPU)
		f.At, f.Member, f.Found = c.cpuPointerAt(), "cpu_slab", rules.Word(layout.CPU, 8)
		f.Sure = rules.Likely
		c.add(f)
	}
}

// cpuWrong counts findings about what is in a CPU's own structure.
func (c *cacheCheck) cpuWrong() int {
	return c.count[rules.CPUSlab] + c.count[rules.CPUList] + c.count[rules.CPUPartial] + c.count[rules.CPUTid]
}

func (c *cacheCheck) cpuPointerAt() uint64 {
	for _, f := range [...]*kernel.Field{&c.sub.PerCPU, &c.sub.Sheaves} {
		if f.Present() {
			return f.At(c.Addr)
		}
	}
	return 0
}

// tidMask are the bits of a transaction number that are the CPU's: it grows by a
// power of two that is not below the number of CPUs (TID_STEP, mm/slub.c).
func (ck *checker) tidMask() uint64 {
	ids := uint64(1)
	for ids < uint64(ck.cpus[len(ck.cpus)-1]+1) {
		ids *= 2
	}
	return ids - 1
}

// tidsTell reports whether transaction numbers have the CPU's in them: kernels
// that cannot be preempted count by one.
func (ck *checker) tidsTell() bool {
	if !ck.sub.CPUTid.Present() || len(ck.cpus) < 2 {
		return false
	}
	good, bad := 0, 0
	for _, c := range ck.caches {
		for _, cpu := range ck.cpus {
			off, err := ck.k.PerCPUOffset(cpu)
			if err != nil || c.Layout().CPU == 0 {
				continue
			}
			tid, err := ck.sub.CPUTid.Uint(ck.k, c.Layout().CPU+off)
			if err != nil {
				continue
			}
			if tid&ck.tidMask() == uint64(cpu) {
				good++
			} else {
				bad++
			}
		}
	}
	return good > 9*bad
}

// cpuTid checks the transaction number of a CPU.
func (c *cacheCheck) cpuTid(cpu int, addr uint64) {
	if !c.common.tids {
		return
	}
	mask := c.tidMask()
	tid, err := c.sub.CPUTid.Uint(c.k, addr)
	if err != nil || tid&mask == uint64(cpu) {
		return
	}
	f := rules.New(rules.CPUTid, "the transaction id of CPU %d is %#x", cpu, tid)
	f.CPU, f.At, f.Member, f.Offset = cpu, c.sub.CPUTid.At(addr), c.sub.CPUTid.Path, c.sub.CPUTid.Offset
	f.Found, f.Expected = rules.Word(tid, 8), rules.Word(tid&^mask|uint64(cpu), 8)
	c.add(f)
}

// cpuSlab checks the slab that a CPU allocates from, and its free list.
func (c *cacheCheck) cpuSlab(cpu int, addr uint64) {
	n := &c.sub
	page, err := n.CPUSlab.Uint(c.k, addr)
	if err != nil {
		c.cannot(err)
		return
	}
	head, err := n.CPUFreelist.Uint(c.k, addr)
	if err != nil {
		c.cannot(err)
		return
	}
	here := func(r *rules.Rule, m *kernel.Field, v uint64, text string, args ...any) rules.Finding {
		f := rules.New(r, text, args...)
		f.CPU, f.At, f.Member, f.Offset, f.Found = cpu, m.At(addr), m.Path, m.Offset, rules.Word(v, 8)
		return f
	}
	if page == 0 {
		if head != 0 {
			f := here(rules.CPUList, &n.CPUFreelist, head, "CPU %d has no slab and a free list at %#x", cpu, head).Expect(0)
			f.Window, f.Touches = true, []uint64{c.Addr, addr, head}
			c.add(f)
		}
		return
	}
	s, err := c.m.SlabOf(page)
	if s == nil || s.Cache != c.Cache {
		f := here(rules.CPUSlab, &n.CPUSlab, page, "CPU %d allocates from %#x, which is no slab", cpu, page)
		if s != nil {
			f.Text = fmt.Sprintf("CPU %d allocates from %#x, a slab of %s", cpu, page, s.Cache.Name)
			f.Slab = s
		}
		f.Page = page
		if o, ok := c.m.Find(head); ok && o.Slab.Cache == c.Cache && head != 0 {
			f = f.Expect(o.Slab.Addr)
			f.Want, f.HasWant = o.Slab.Addr, true
		}
		c.unreadOr(f, err)
		return
	}
	c.take(page, role{kind: roleCPU, node: s.Node, cpu: cpu})
	w := c.freeList(s, fmt.Sprintf("the free list of CPU %d", cpu))
	w.HeadAt, w.HeadOffset, w.HeadRule = n.CPUFreelist.At(addr), n.CPUFreelist.Offset, rules.CPUList
	w.CPU, w.Expect, w.Own = cpu, -1, chain.OwnList(s)
	c.follow(w, head, func(i int, from uint64) {
		c.hold(s.At(i), holder{slab.Place{Holder: slab.CPUList, CPU: cpu, Node: -1}, from})
	})
}

// freeList is a free list of a slab that is to be followed, its own if nothing else
// is said of it.
func (c *cacheCheck) freeList(s *slab.Slab, what string) *chain.Free {
	return &chain.Free{Model: c.m, Slab: s, What: what, Report: c.add, CPU: -1, Expect: s.Objects - s.Inuse,
		HeadAt: c.n.Freelist.At(s.Addr), HeadOffset: c.n.Freelist.Offset, HeadRule: rules.FreeHead,
		Held: func(object uint64) bool { _, held := c.held[object]; return held }}
}

// follow goes through a free list from object at on.
func (c *cacheCheck) follow(w *chain.Free, at uint64, visit func(i int, from uint64)) {
	if w.Follow(at, visit); w.Err != nil {
		c.cannot(w.Err)
	}
}

// unreadOr adds a finding, or counts it as unread if the dump is what lacks it.
func (c *cacheCheck) unreadOr(f rules.Finding, err error) {
	if fault.NotInDump(err) {
		c.cannot(err)
		return
	}
	c.add(f)
}

// cpuPartial checks the slabs that a CPU keeps. Each counts those behind it and
// itself (put_cpu_partial, mm/slub.c).
func (c *cacheCheck) cpuPartial(cpu int, addr uint64) {
	n := &c.sub
	if !n.CPUPartial.Present() || !n.Next.Present() {
		return
	}
	at, err := n.CPUPartial.Uint(c.k, addr)
	if err != nil {
		c.cannot(err)
		return
	}
	link := n.CPUPartial.At(addr)
	member := n.CPUPartial.Path
	seen := map[uint64]bool{}
	var list []*slab.Slab
	for at != 0 {
		s, err := c.m.SlabOf(at)
		bad := func(r *rules.Rule, text string, args ...any) {
			f := rules.New(r, text, args...)
			f.CPU, f.At, f.Member, f.Found, f.Slab, f.Page = cpu, link, member, rules.Word(at, 8), s, at
			c.unreadOr(f, err)
		}
		switch {
		case s == nil:
			bad(rules.CPUPartial, "the partial slabs of CPU %d lead to %#x, which is no slab", cpu, at)
		case s.Cache != c.Cache:
			bad(rules.CPUPartial, "the partial slabs of CPU %d lead to %#x, a slab of %s", cpu, at, s.Cache.Name)
		case seen[at]:
			bad(rules.FreeCycle, "the partial slabs of CPU %d lead back to %#x", cpu, at)
			s = nil
		}
		if s == nil || s.Cache != c.Cache {
			break
		}
		seen[at] = true
		list = append(list, s)
		if !c.take(at, role{kind: roleCPUPartial, node: s.Node, cpu: cpu}) {
			return // what follows is of another list
		}
		link, member = n.Next.At(at), n.Next.Path
		if at, err = n.Next.Uint(c.k, at); err != nil {
			c.cannot(err)
			break
		}
	}
	if at == 0 {
		c.cpuPartialCounts(cpu, list)
	}
}

func (c *cacheCheck) cpuPartialCounts(cpu int, list []*slab.Slab) {
	f := &c.sub.Behind
	if !f.Present() {
		return
	}
	for i, s := range list {
		v, err := f.Uint(c.k, s.Addr)
		want := uint64(len(list) - i)
		if err != nil || v == want {
			continue
		}
		x := rules.New(rules.CPUCount, "partial slab %d of CPU %d counts %d slabs with itself, %d were found", i, cpu, int32(v), want)
		x.CPU, x.Slab, x.At, x.Member, x.Offset = cpu, s, f.At(s.Addr), f.Path, f.Offset
		x.Found, x.Expected = rules.Word(v, int(min(f.Size(), 8))), rules.Word(want, int(min(f.Size(), 8)))
		c.add(x)
	}
}
