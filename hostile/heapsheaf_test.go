package hostile

// sheaf chooses a CPU's sheaf that holds objects (struct slab_sheaf, mm/slub.c).
func (h *heap) sheaf(least uint64) (c *heapCache, sheaf uint64) {
	if !h.has("kmem_cache.cpu_sheaves") {
		return nil, 0
	}
	for range 5000 {
		c := h.cache(func(c *heapCache) bool { return h.get(c.addr, "kmem_cache.cpu_sheaves") != 0 })
		if c == nil {
			return nil, 0
		}
		at := h.get(h.cpuSlab(c.addr, h.onlineCPU()), "slub_percpu_sheaves.main")
		if at != 0 && h.get(at, "slab_sheaf.size") >= least && h.get(at, "slab_sheaf.size") < 4096 {
			return c, at
		}
	}
	return nil, 0
}

// sheafObject is where a sheaf has one of its objects.
func (h *heap) sheafObject(sheaf uint64, i uint64) uint64 {
	return h.at(sheaf, "slab_sheaf.objects") + 8*i
}

// inSheaf rewrites an object of a sheaf.
func inSheaf(name, rules string, to func(h *heap, sheaf, i uint64) uint64) damageClass {
	return damageClass{name, rules, func(h *heap) *damage {
		c, sheaf := h.sheaf(2)
		if c == nil {
			return nil
		}
		n := h.get(sheaf, "slab_sheaf.size")
		i := 1 + h.r.Uint64N(n-1)
		return c.damage(write{h.sheafObject(sheaf, i), le(8, to(h, sheaf, i))})
	}}
}

// barnCache is a cache whose node has a barn with full sheaves.
func (h *heap) barn() (c *heapCache, barn uint64) {
	if !h.has("kmem_cache.per_node") {
		return nil, 0
	}
	off := uint64(h.field("kmem_cache_per_node_ptrs.barn").Offset)
	c = h.cache(func(c *heapCache) bool {
		b := h.word(h.at(c.addr, "kmem_cache.per_node") + off)
		return b != 0 && h.get(b, "node_barn.nr_full") > 0
	})
	if c == nil {
		return nil, 0
	}
	return c, h.word(h.at(c.addr, "kmem_cache.per_node") + off)
}

// sheafClasses damage sheaves and barns.
var sheafClasses = []damageClass{
	inSheaf("object twice in a sheaf", "object-twice", func(h *heap, sheaf, i uint64) uint64 { return h.word(h.sheafObject(sheaf, i-1)) }),
	inSheaf("no object in a sheaf", "array-entry", func(h *heap, sheaf, i uint64) uint64 { return h.word(h.sheafObject(sheaf, i)) + 4 }),
	inSheaf("object of another cache in a sheaf", "array-cache", func(h *heap, sheaf, i uint64) uint64 {
		c := h.get(sheaf, "slab_sheaf.cache")
		return h.object(h.slab(func(s *heapSlab) bool { return s.cache.addr != c && s.objects > 1 }))
	}),
	{"sheaf fuller than it can be", "array-limit", func(h *heap) *damage {
		c, sheaf := h.sheaf(1)
		if c == nil {
			return nil
		}
		return c.damage(h.put(sheaf, "slab_sheaf.size", h.get(sheaf, "slab_sheaf.size")+1000))
	}},
	{"sheaf of another cache", "sheaf", func(h *heap) *damage {
		c, sheaf := h.sheaf(1)
		if c == nil {
			return nil
		}
		return c.damage(h.put(sheaf, "slab_sheaf.cache", h.cache(func(o *heapCache) bool { return o != c }).addr))
	}},
	{"object in a sheaf and on its slab's list", "object-twice|array-state", func(h *heap) *damage {
		for range 200 {
			s := h.withFree(2)
			if s == nil || h.get(s.cache.addr, "kmem_cache.cpu_sheaves|kmem_cache.cpu_slab") == 0 || !h.has("kmem_cache.cpu_sheaves") {
				continue
			}
			sheaf := h.get(h.cpuSlab(s.cache.addr, h.onlineCPU()), "slub_percpu_sheaves.main")
			if sheaf != 0 && h.get(sheaf, "slab_sheaf.size") > 0 {
				return s.cache.damage(write{h.sheafObject(sheaf, 0), le(8, s.list[len(s.list)-1])})
			}
		}
		return nil
	}},
	{"nr_full of a barn", "barn-list", func(h *heap) *damage {
		c, barn := h.barn()
		if c == nil {
			return nil
		}
		return c.damage(h.put(barn, "node_barn.nr_full", h.get(barn, "node_barn.nr_full")+3))
	}},
	{"link of a barn's list", "barn-list", func(h *heap) *damage {
		c, barn := h.barn()
		if c == nil {
			return nil
		}
		return c.damage(write{h.word(h.at(barn, "node_barn.sheaves_full")) + 8, le(8, barn^0x7300)})
	}},
}
