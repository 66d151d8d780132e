package slabcheck

import (
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/chain"
	"github.com/kdive/kdive/slabcheck/rules"
	"github.com/kdive/kdive/value"
)

// structures checks all of a cache but its slabs one by one.
func (c *cacheCheck) structures() {
	var err error
	if c.sizeWrong, err = c.shape.Check(c.Cache, c.add); err != nil {
		c.cannot(err)
		return
	}
	c.ownObjects()
	if c.Err != nil || c.sizeWrong {
		return // said already
	}
	c.nodes()
	if c.slub {
		c.perCPU()
		c.sheaves()
		c.debug.Learn(c.eachSlab)
	} else {
		c.arrays()
	}
}

// eachSlab yields the slabs of the cache.
func (c *cacheCheck) eachSlab(yield func(*slab.Slab) bool) {
	for i := range c.slabs {
		if !yield(c.slabs[i].Slab) {
			return
		}
	}
}

// ownObjects checks that the cache and what it has for nodes are objects.
func (c *cacheCheck) ownObjects() {
	c.ownObject(c.Addr, "the cache itself", c.n.CacheSelf, -1)
	for id := range c.m.NodeCount() {
		if node, _ := c.NodePointers(id); node != 0 && !c.ownObject(node, "what it has for the node", c.n.NodeCache, id) {
			c.noNode[id] = true
		}
	}
}

// ownObject checks that a structure of the cache is an allocated object of the
// cache that the variable names, and reports whether it is one of any.
func (c *cacheCheck) ownObject(addr uint64, what string, variable kernel.Sym, node int) bool {
	o, ok := c.m.Find(addr)
	x := rules.New(rules.CacheObject, "%s is at %#x", what, addr)
	x.Object, x.Node = addr, node
	switch {
	case !ok:
		if _, _, image := c.k.SymbolAt(addr); image {
			return true // of the first caches, in the image
		}
		if err := c.pageMissing(addr); err != nil {
			c.cannot(err)
			return true
		}
		x.Text += ", which is no object"
	case o.Index < 0 || o.Offset != 0:
		x.Text += ", which is not the start of an object"
		x.Slab = o.Slab
	default:
		x.Slab, x.Index = o.Slab, o.Index
		if state, place, _ := o.State(); state == slab.Free {
			x.Text += ", which is free (" + place.String() + ")"
			break
		}
		if variable == 0 {
			return true
		}
		cache, err := value.Word(c.k, uint64(variable))
		if err != nil {
			return true
		}
		if w := c.m.Cache(cache); w == nil || w == o.Slab.Cache || !c.slub {
			return true
		}
		x.Text += ", an object of " + o.Slab.Cache.Name
		x.Sure = rules.Likely
		c.add(x)
		return true
	}
	c.add(x)
	return false
}

// checkCacheList checks the list of all caches.
func (ck *checker) checkCacheList() {
	off := uint64(ck.n.List.Offset)
	l := chain.Links{Name: "the list of caches", Head: uint64(ck.n.Caches), Entry: func(at uint64) bool {
		return at>>63 == 1 && at&7 == 0
	}}
	_, _, err := ck.lists.Check(&l, func(entry uint64, x rules.Finding) {
		x.Rule = rules.CacheList
		x.Cache = ck.m.Cache(entry - off) // none if it is the head
		x.Window = false
		ck.findings = append(ck.findings, &x)
	})
	if err != nil {
		ck.unread++
		ck.unreadAt = append(ck.unreadAt, err)
	}
}
