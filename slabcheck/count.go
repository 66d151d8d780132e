package slabcheck

import (
	"github.com/kdive/kdive/slabcheck/rules"
)

// tally is how much a cache has on a NUMA node.
type tally struct{ slabs, objects, free int }

// moved is what slabs would add to a cache's counts if they did not say
// something wrong: another cache, another node, no slab at all.
type moved map[int]tally

func (m moved) add(node, slabs, objects int) {
	t := m[node]
	t.slabs += slabs
	t.objects += objects
	m[node] = t
}

// misplaced notes that a slab belongs to the cache and is counted elsewhere, or
// the other way round.
func (c *cacheCheck) misplaced(node, slabs, objects int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved.add(node, slabs, objects)
	c.counted = false
}

// tallies counts the slabs that pages show, by node.
func (c *cacheCheck) tallies() map[int]tally {
	count := map[int]tally{}
	c.pending = 0
	for i := range c.slabs {
		s := &c.slabs[i]
		if s.pending {
			c.pending++
			continue
		}
		objects := s.Objects
		if want, ok := c.objectsOf(s); ok && c.slub {
			objects = want
		}
		node := c.nodeOf(s)
		t := count[node]
		t.slabs++
		t.objects += objects
		t.free += objects - s.Inuse
		count[node] = t
	}
	for node, m := range c.moved {
		t := count[node]
		t.slabs += m.slabs
		t.objects += m.objects
		count[node] = t
	}
	return count
}

// counterOf reads the counter of the slabs of a node; ok is false if there is none.
func (c *cacheCheck) counterOf(id int) (n int64, ok bool) {
	f := &c.sub.NrSlabs
	if !c.slub {
		f = &c.sal.TotalSlabs
	}
	node, _ := c.NodePointers(id)
	if node == 0 || c.noNode[id] || !f.Present() || c.Err != nil {
		return 0, false
	}
	v, err := f.Int(c.k, node)
	return v, err == nil
}

// surplus is by how many slabs the counters are above what was found. It is asked
// for each slab that names no cache, of which there may be very many, so it is kept
// until a slab is moved. It is for one goroutine.
func (c *cacheCheck) surplus() int {
	if c.counted {
		return c.over
	}
	sum := 0
	count := c.tallies()
	for id := range c.m.NodeCount() {
		if v, ok := c.counterOf(id); ok && v >= 0 && v < 1<<30 {
			sum += int(v) - count[id].slabs
		}
	}
	c.over, c.counted = sum, true
	return sum
}

// counters compares the counters of all slabs of a node with the slabs that
// their pages show.
func (c *cacheCheck) counters() {
	if c.Err != nil || c.sizeWrong {
		return
	}
	count := c.tallies()
	for id := range c.m.NodeCount() {
		node, _ := c.NodePointers(id)
		if node == 0 || c.noNode[id] {
			continue
		}
		t := count[id]
		if c.slub {
			c.nodeCount(rules.NrSlabs, id, node, &c.sub.NrSlabs, t.slabs, "slabs")
			c.nodeCount(rules.NrObjects, id, node, &c.sub.Total, t.objects, "objects")
			continue
		}
		c.nodeCount(rules.NrSlabs, id, node, &c.sal.TotalSlabs, t.slabs, "slabs")
		if len(c.moved) == 0 {
			c.nodeCount(rules.NrFree, id, node, &c.sal.FreeObjects, t.free, "free objects")
		}
	}
}

// claim finds the caches of slabs that name none, or the wrong one, and then
// compares all counters.
func (ck *checker) claim(caches []*cacheCheck) {
	ck.checkStrays()
	ck.checkForeign()
	for _, c := range caches {
		c.counters()
	}
}

// checkForeign looks for slabs that name another cache than their own: their
// number of objects is that of a cache that counts one too many, and not of
// theirs, which counts one too few.
func (ck *checker) checkForeign() {
	if !ck.slub {
		return
	}
	var short []*cacheCheck
	for _, c := range ck.caches {
		if c.surplus() > 0 {
			short = append(short, c)
		}
	}
	if len(short) == 0 {
		return
	}
	for _, c := range ck.caches {
		if c.surplus() >= 0 {
			continue
		}
		for i := range c.slabs {
			s := &c.slabs[i]
			want, ok := c.objectsOf(s)
			if !ok || s.Objects == want {
				continue
			}
			for _, x := range short {
				if x.PerSlab == s.Objects && x.surplus() > 0 {
					ck.belongs(x, c, s)
					break
				}
			}
		}
	}
}

// belongs reports a slab of cache x that names cache c.
func (ck *checker) belongs(x, c *cacheCheck, s *slabRec) {
	f := rules.New(rules.PageCache, "slab %#x names the cache %s; it has %d objects, as slabs of %s, which counts one more than there are", s.Addr, c.Name, s.Objects, x.Name)
	f.Slab, f.At, f.Member, f.Offset = s.Slab, ck.n.SlabCache.At(s.Addr), ck.n.SlabCache.Path, ck.n.SlabCache.Offset
	f.Found, f.Expected = rules.Word(c.Addr, 8), rules.Word(x.Addr, 8)
	f.Want, f.HasWant, f.Sure = x.Addr, true, rules.Likely
	x.add(f)
	want, _ := c.objectsOf(s)
	c.misplaced(s.Node, -1, -want)
	x.misplaced(s.Node, 1, s.Objects)
	s.foreign = true
}
