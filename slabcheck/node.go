package slabcheck

import (
	"fmt"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/chain"
	"github.com/kdive/kdive/slabcheck/rules"
)

// role is where a slab is held.
type role struct {
	kind roleKind
	node int // of the list
	cpu  int // whose slab it is
}

type roleKind uint8

const (
	roleNone roleKind = iota
	rolePartial
	roleFull
	roleFree
	roleCPU
	roleCPUPartial
)

func (r role) String() string {
	switch r.kind {
	case rolePartial:
		return fmt.Sprintf("the partial list of node %d", r.node)
	case roleFull:
		return fmt.Sprintf("the full list of node %d", r.node)
	case roleFree:
		return fmt.Sprintf("the free list of node %d", r.node)
	case roleCPU:
		return fmt.Sprintf("CPU %d", r.cpu)
	case roleCPUPartial:
		return fmt.Sprintf("the partial list of CPU %d", r.cpu)
	}
	return "no list"
}

// take notes where a slab is held, once; it reports whether it was the first.
func (c *cacheCheck) take(addr uint64, r role) bool {
	if old, twice := c.roles[addr]; twice {
		f := rules.New(rules.ListTwice, "slab %#x is held by %v and by %v", addr, old, r)
		f.Page, f.Node, f.CPU = addr, r.node, r.cpu
		f.Slab, _ = c.m.SlabOf(addr)
		f.Window, f.Touches = true, []uint64{addr, c.Addr}
		c.add(f)
		return false
	}
	c.roles[addr] = r
	return true
}

// nodes checks what a cache has for NUMA nodes.
func (c *cacheCheck) nodes() {
	for id := range c.m.NodeCount() {
		node, _ := c.NodePointers(id)
		if node == 0 || c.noNode[id] {
			continue
		}
		if c.slub {
			partial := c.nodeList(id, node, &c.sub.Partial, rolePartial)
			c.nodeCount(rules.NrPartial, id, node, &c.sub.NrPartial, partial, "slabs on the partial list")
			if c.TracksFull() {
				c.nodeList(id, node, &c.sub.Full, roleFull)
			} else {
				c.untracked(id, node)
			}
			continue
		}
		c.nodeList(id, node, &c.sal.Partial, rolePartial)
		c.nodeList(id, node, &c.sal.Full, roleFull)
		free := c.nodeList(id, node, &c.sal.Free, roleFree)
		c.nodeCount(rules.NrFree, id, node, &c.sal.FreeSlabs, free, "slabs on the free list")
	}
}

// untracked checks that the list of full slabs is empty where it is not used.
func (c *cacheCheck) untracked(id int, node uint64) {
	f := &c.sub.Full
	if !f.Present() {
		return
	}
	next, prev, err := c.lists.Read(f.At(node))
	if err != nil {
		c.cannot(err)
		return
	}
	if head := f.At(node); next != head || prev != head {
		x := rules.New(rules.ListKind, "the list of full slabs of node %d is not empty, and not used without SLAB_STORE_USER", id)
		x.Node, x.At, x.Member, x.Offset = id, head, f.Path, f.Offset
		x.Found, x.Expected = rules.Word(next, 8), rules.Word(head, 8)
		if next == head {
			x.At, x.Found = c.lists.Prev.At(head), rules.Word(prev, 8)
		}
		c.add(x)
	}
}

// nodeList checks a list of slabs of a node and returns its length, -1 if that is
// not known.
func (c *cacheCheck) nodeList(id int, node uint64, f *kernel.Field, kind roleKind) int {
	if !f.Present() {
		return -1
	}
	off := uint64(c.n.SlabList.Offset)
	r := role{kind: kind, node: id, cpu: -1}
	l := chain.Links{
		Name: r.String(), Head: f.At(node),
		Entry: func(at uint64) bool {
			_, ok := c.m.FrameOf(at - off)
			return ok
		},
	}
	entries, whole, err := c.lists.Check(&l, func(entry uint64, x rules.Finding) {
		if entry != l.Head {
			x.Page = entry - off
			x.Slab, _ = c.m.SlabOf(x.Page)
			x.Offset = int64(x.At - x.Page)
		} else {
			x.Offset = int64(x.At - node)
		}
		x.Node = id
		x.Touches = append(x.Touches, c.Addr, node)
		c.add(x)
	})
	if err != nil {
		c.cannot(fmt.Errorf("%s: %w", l.Name, err))
	}
	if !whole {
		c.broken[id] = true
	}
	for _, at := range entries {
		c.listed(at-off, r)
	}
	if !whole {
		return -1
	}
	return len(entries)
}

// listed checks one entry of a list of a node.
func (c *cacheCheck) listed(addr uint64, r role) {
	s, err := c.m.SlabOf(addr)
	if s == nil && fault.NotInDump(err) {
		c.cannot(err)
		c.take(addr, r)
		return
	}
	if s == nil {
		c.notMarked(addr, r, err)
		c.take(addr, r)
		return
	}
	if s.Cache != c.Cache {
		f := rules.New(rules.ListForeign, "slab %#x on %v names the cache %s", addr, r, s.Cache.Name)
		f.Slab, f.Node = s, r.node
		f.At, f.Member = c.n.SlabCache.At(addr), "slab_cache"
		f.Offset = c.n.SlabCache.Offset
		f.Found, f.Expected = rules.Word(s.Cache.Addr, 8), rules.Word(c.Addr, 8)
		f.Want, f.HasWant = c.Addr, true
		c.add(f)
		if x := c.byCache[s.Cache]; x != nil {
			rec := x.rec(addr)
			objects := 0
			if rec != nil {
				objects, _ = x.objectsOf(rec)
				x.mu.Lock()
				rec.foreign = true
				x.mu.Unlock()
			}
			x.misplaced(s.Node, -1, -objects)
			c.misplaced(r.node, 1, c.PerSlab)
		}
		return
	}
	if s.Node != r.node {
		c.otherNode(s, r)
	}
	c.take(addr, r)
}

// otherNode reports a slab on the list of another node than it says to be of.
func (c *cacheCheck) otherNode(s *slab.Slab, r role) {
	rec := c.rec(s.Addr)
	if rec == nil {
		return
	}
	if c.zones != nil {
		if _, ok := c.zones.of(c.checker, s.Addr); ok {
			return // its page's flags are wrong, which is said there
		}
	}
	objects, _ := c.objectsOf(rec)
	c.misplaced(s.Node, -1, -objects)
	c.misplaced(r.node, 1, objects)
	f := rules.New(rules.PageNode, "slab %#x on %v says that it is of node %d", s.Addr, r, s.Node)
	f.Slab, f.Node = s, r.node
	f.At, f.Member, f.Offset = c.n.PageFlags.At(s.Addr), c.n.PageFlags.Path, c.n.PageFlags.Offset
	f.Found = rules.Word(rec.flags, 8)
	c.add(f)
}

// notMarked reports what a list or a CPU names as a slab and is none by its page.
func (c *cacheCheck) notMarked(addr uint64, r role, err error) {
	for i := range c.strays {
		if c.strays[i].addr == addr {
			return // its cache pointer is what is wrong
		}
	}
	f := rules.New(rules.PageType, "page %#x, held by %v, is not marked as a slab", addr, r)
	if pfn, ok := c.m.FrameOf(addr); !ok {
		f = rules.New(rules.ListForeign, "%v has %#x, which is no page structure", r, addr)
	} else if c.m.PageOf(pfn) != addr {
		f.Text = fmt.Sprintf("%#x, held by %v, is inside of a page structure", addr, r)
	}
	f.Page, f.Node, f.CPU = addr, r.node, r.cpu
	f.Window, f.Touches = true, []uint64{addr}
	if !c.mark(&f, addr) {
		c.cannot(err)
		return
	}
	c.misplaced(max(r.node, 0), 1, c.PerSlab)
	if pfn, ok := c.m.FrameOf(addr); ok {
		c.unmarked = append(c.unmarked, pfn)
	}
	c.add(f)
}

// mark says in a finding how a page is marked and how slabs are: with a bit of
// the flags, or with a type.
func (c *cacheCheck) mark(f *rules.Finding, addr uint64) bool {
	m, size := &c.n.PageFlags, 8
	if !c.n.PGSlab.Present() {
		m, size = &c.n.PageType, 4
	}
	v, err := m.Uint(c.k, addr)
	if err != nil {
		return false
	}
	f.At, f.Member, f.Offset, f.Found = m.At(addr), m.Path, m.Offset, rules.Word(v, size)
	switch {
	case c.n.PGSlab.Present() && c.n.PGSlab.Value >= 0 && c.n.PGSlab.Value < 64:
		f.Expected = rules.Word(v|1<<c.n.PGSlab.Value, size)
	case len(c.slabs) > 0:
		if v, err := m.Uint(c.k, c.slabs[0].Addr); err == nil {
			f.Expected = rules.Word(v, size)
		}
	}
	return true
}

// nodeCount compares a counter of a node with what was counted.
func (c *cacheCheck) nodeCount(r *rules.Rule, id int, node uint64, f *kernel.Field, counted int, what string) {
	if !f.Present() || counted < 0 {
		return
	}
	v, err := f.Uint(c.k, node)
	if err != nil {
		c.cannot(err)
		return
	}
	if v == uint64(counted) || c.blind && v > uint64(counted) && (r == rules.NrSlabs || r == rules.NrObjects || r == rules.NrFree) {
		return // equal, or what is missing may be among what the dump does not have
	}
	x := rules.New(r, "node %d counts %d %s, %d were found", id, int64(v), what, counted)
	x.Node, x.At, x.Offset, x.Member = id, f.At(node), f.Offset, f.Path
	n := int(min(f.Size(), 8))
	x.Found, x.Expected = rules.Word(v, n), rules.Word(uint64(counted), n)
	x.Window = int64(v)-int64(counted) <= 2*int64(len(c.cpus)) && int64(counted)-int64(v) <= 2*int64(len(c.cpus))
	if r == rules.NrObjects || r == rules.NrFree {
		x.Window = true
	}
	x.Touches = []uint64{node, c.Addr}
	c.add(x)
}
