package hostile

// index is where SLAB has the n-th index of a slab's free list (mm/slab.c, freelist_idx_t).
func (h *heap) index(s *heapSlab, n uint64) uint64 {
	return h.get(s.page, "slab.freelist") + n*h.indexSize()
}

func (h *heap) indexSize() uint64 {
	t, err := h.k.Type("freelist_idx_t")
	if err != nil {
		h.t.Fatal(err)
	}
	return uint64(t.Size())
}

// freeIndex chooses a slab with n free objects, and one of the indexes of its list.
func (h *heap) freeIndex(n uint64) (s *heapSlab, i uint64) {
	s = h.slab(func(s *heapSlab) bool { return s.on == "partial" && s.inuse+n <= s.objects })
	if s == nil {
		return nil, 0
	}
	return s, s.inuse + h.r.Uint64N(s.objects-s.inuse)
}

// array is an array cache with at least n entries, of a CPU or shared by a node.
func (h *heap) array(n uint64, shared bool) (c *heapCache, at uint64) {
	c = h.cache(func(c *heapCache) bool {
		at = h.get(h.node(c.addr), "kmem_cache_node.shared")
		if !shared {
			at = h.cpuSlab(c.addr, h.onlineCPU())
		}
		return at != 0 && h.get(at, "array_cache.avail") >= n && h.get(at, "array_cache.avail") < 4096
	})
	return c, at
}

// inArray rewrites an entry of an array cache.
func inArray(name, rules string, shared bool, to func(h *heap, c *heapCache, at, i uint64) uint64) damageClass {
	return damageClass{name, rules, func(h *heap) *damage {
		c, at := h.array(2, shared)
		if c == nil {
			return nil
		}
		i := 1 + h.r.Uint64N(h.get(at, "array_cache.avail")-1)
		return c.damage(write{h.at(at, "array_cache.entry") + 8*i, le(8, to(h, c, at, i))})
	}}
}

// partialSlab damages a slab that is on the list of partial ones.
func partialSlab(name, rules string, make func(h *heap, s *heapSlab) write) damageClass {
	return damageClass{name, rules, func(h *heap) *damage {
		s := h.slab(func(s *heapSlab) bool { return s.on == "partial" && s.objects > 2 })
		if s == nil {
			return nil
		}
		return s.damage(make(h, s))
	}}
}

// oldClasses damage SLAB.
var oldClasses = []damageClass{
	{"free index out of range", "free-index", func(h *heap) *damage {
		s, i := h.freeIndex(1)
		return s.damage(write{h.index(s, i), le(int(h.indexSize()), s.objects+h.r.Uint64N(9))})
	}},
	{"free index twice", "free-list-cycle|object-twice", func(h *heap) *damage {
		s, _ := h.freeIndex(2)
		return s.damage(write{h.index(s, s.inuse+1), le(int(h.indexSize()), h.word(h.index(s, s.inuse)))})
	}},
	{"free index of an allocated object", "array-state|object-twice|free-index", func(h *heap) *damage {
		for range 100 {
			s, i := h.freeIndex(1)
			free := map[uint64]bool{}
			for n := s.inuse; n < s.objects; n++ {
				free[h.word(h.index(s, n))&(1<<(8*h.indexSize())-1)] = true
			}
			for n := range s.objects {
				if !free[n] {
					return s.damage(write{h.index(s, i), le(int(h.indexSize()), n)})
				}
			}
		}
		return nil
	}},
	{"active of a partial slab", "nr-free|array-state|slab-inuse", func(h *heap) *damage {
		s := h.slab(func(s *heapSlab) bool { return s.on == "partial" && s.objects > 2 })
		return s.cache.damage(h.put(s.page, "slab.active", s.inuse^1)) // which object it is nobody can say
	}},
	partialSlab("active beyond the objects of a slab", "slab-inuse", func(h *heap, s *heapSlab) write {
		return h.put(s.page, "slab.active", s.objects+1+h.r.Uint64N(50))
	}),
	partialSlab("partial slab that is full", "list-kind", func(h *heap, s *heapSlab) write { return h.put(s.page, "slab.active", s.objects) }),
	{"full slab that is not", "list-kind", func(h *heap) *damage {
		s := h.slab(func(s *heapSlab) bool { return s.on == "full" && s.objects > 1 })
		return s.damage(h.put(s.page, "slab.active", s.objects-1))
	}},
	partialSlab("s_mem of a slab", "slab-memory", func(h *heap, s *heapSlab) write {
		return h.put(s.page, "slab.s_mem", h.get(s.page, "slab.s_mem")^uint64('/'^'\\')<<(8*h.r.IntN(4)))
	}),
	partialSlab("pointer to the free indexes", "slab-memory|off-slab", func(h *heap, s *heapSlab) write {
		return h.put(s.page, "slab.freelist", h.get(s.page, "slab.freelist")^0x735c0000)
	}),
	partialSlab("slab of another cache on a list", "list-foreign", func(h *heap, s *heapSlab) write {
		return h.put(s.page, "slab.slab_cache", h.other(s).cache.addr)
	}),
	partialSlab("page flag of a partial slab", "page-type", func(h *heap, s *heapSlab) write {
		n, _ := h.k.Enumerator("PG_slab")
		return h.put(s.page, "page.flags", h.get(s.page, "page.flags")&^(1<<n))
	}),
	partialSlab("next link of a slab", "list-link", func(h *heap, s *heapSlab) write {
		at := h.at(s.page, "slab.slab_list")
		return write{at, le(8, h.word(at)^uint64('/'^'\\')<<(8*h.r.IntN(5)))}
	}),
	partialSlab("prev link of a slab", "list-link", func(h *heap, s *heapSlab) write {
		return write{h.at(s.page, "slab.slab_list") + 8, le(8, s.page^64)}
	}),
	nodeCounter("free_objects", "nr-free", "kmem_cache_node.free_objects"),
	nodeCounter("total_slabs", "nr-slabs", "kmem_cache_node.total_slabs"),
	{"free_slabs of a node", "nr-free", func(h *heap) *damage {
		c := h.cache(func(c *heapCache) bool { return h.get(h.node(c.addr), "kmem_cache_node.total_slabs") > 0 })
		n := h.node(c.addr)
		return c.damage(h.put(n, "kmem_cache_node.free_slabs", h.get(n, "kmem_cache_node.free_slabs")+1+h.r.Uint64N(9)))
	}},
	arraySize("fuller than its limit", false),
	arraySize("(shared) fuller than its limit", true),
	inArray("object twice in an array cache", "object-twice", false, func(h *heap, c *heapCache, at, i uint64) uint64 {
		return h.word(h.at(at, "array_cache.entry") + 8*(i-1))
	}),
	inArray("no object in an array cache", "array-entry", false, func(h *heap, c *heapCache, at, i uint64) uint64 {
		return h.word(h.at(at, "array_cache.entry")+8*i) + 4
	}),
	inArray("no object in a shared array cache", "array-entry", true, func(h *heap, c *heapCache, at, i uint64) uint64 {
		return h.word(h.at(at, "array_cache.entry")+8*i) + 4
	}),
	inArray("object of another cache in an array cache", "array-cache", false, func(h *heap, c *heapCache, at, i uint64) uint64 {
		s := h.slab(func(s *heapSlab) bool { return s.cache != c && s.objects > 1 })
		return h.get(s.page, "slab.s_mem")
	}),
	{"free object of a slab in an array cache", "array-state|object-twice", func(h *heap) *damage {
		for range 1000 {
			s, i := h.freeIndex(1)
			at := h.cpuSlab(s.cache.addr, h.onlineCPU())
			if n := h.get(at, "array_cache.avail"); n > 0 {
				obj := h.get(s.page, "slab.s_mem") + h.word(h.index(s, i))&(1<<(8*h.indexSize())-1)*s.cache.size
				return s.cache.damage(write{h.at(at, "array_cache.entry") + 8*h.r.Uint64N(n), le(8, obj)})
			}
		}
		return nil
	}},
	cacheMember("size of a cache", "cache-size|cache-order", "kmem_cache.size", func(h *heap, c *heapCache) uint64 { return c.size + 8 }),
	cacheMember("objects per slab of a cache", "cache-order", "kmem_cache.num", func(h *heap, c *heapCache) uint64 { return h.get(c.addr, "kmem_cache.num") + 7 }),
	cacheLink(),
}

func arraySize(name string, shared bool) damageClass {
	return damageClass{"array cache " + name, "array-limit", func(h *heap) *damage {
		c, at := h.array(0, shared)
		if c == nil {
			return nil
		}
		return c.damage(h.put(at, "array_cache.avail", h.get(at, "array_cache.limit")+1+h.r.Uint64N(20)))
	}}
}
