package hostile

import "math/bits"

// damage is what one mutation of the allocator writes, and where its checker must see it.
type damage struct {
	cache  *heapCache
	slab   *heapSlab // nil: the cache or its node
	writes []write
}

// write is bytes at a kernel virtual address.
type write struct {
	addr uint64
	data []byte
}

// damageClass makes damages of one kind; nil if this kernel has no place for it.
type damageClass struct {
	name  string
	rules string // rules that name it right, a regular expression
	make  func(h *heap) *damage
}

func (s *heapSlab) damage(writes ...write) *damage  { return &damage{s.cache, s, writes} }
func (c *heapCache) damage(writes ...write) *damage { return &damage{c, nil, writes} }

// freePointer overwrites the free pointer of an object.
func (s *heapSlab) freePointer(obj, value uint64) write {
	at := obj + s.cache.offset
	if s.cache.hardened {
		value ^= s.cache.random ^ bits.ReverseBytes64(at)
	}
	return write{at, le(8, value)}
}

func (h *heap) put(base uint64, spec string, value uint64) write {
	return write{h.at(base, spec), le(int(h.field(spec).Size()), value)}
}

// counts rewrites inuse, objects and frozen, which share a word (mm/slab.h).
func (h *heap) counts(s *heapSlab, inuse, objects, frozen uint64) write {
	return write{h.at(s.page, "slab.inuse|page.inuse"), le(4, inuse&0xffff|objects&0x7fff<<16|frozen<<31)}
}

// withFree is a slab that has n free objects on its own list.
func (h *heap) withFree(n int) *heapSlab {
	return h.slab(func(s *heapSlab) bool {
		return len(s.list) >= n && uint64(len(s.list)) <= s.objects && s.on != ""
	})
}

func (h *heap) onNode() *heapSlab {
	return h.slab(func(s *heapSlab) bool { return s.on == "node" && s.objects > 2 })
}

func (h *heap) other(than *heapSlab) *heapSlab {
	return h.slab(func(s *heapSlab) bool { return s.cache != than.cache && s.objects > 1 })
}

// link rewrites the free pointer of an object on a list of n and more to what the function chooses.
func (h *heap) link(n int, to func(s *heapSlab, i int) (uint64, bool)) *damage {
	s := h.withFree(n)
	if s == nil {
		return nil
	}
	i := h.r.IntN(len(s.list) - 1)
	v, ok := to(s, i)
	if !ok {
		return nil
	}
	return s.damage(s.freePointer(s.list[i], v))
}

// allocated is an object of a slab that is on no list.
func (h *heap) allocated(s *heapSlab) (uint64, bool) {
	free := map[uint64]bool{}
	for _, o := range s.list {
		free[o] = true
	}
	for range 100 {
		if o := h.object(s); !free[o] {
			return o, true
		}
	}
	return 0, false
}

const (
	freelistMember = "slab.freelist|page.freelist"
	slabLink       = "slab.slab_list|page.slab_list"
)

// subClasses damage SLUB.
var subClasses = []damageClass{
	{"free pointer into another slab", "free-pointer", func(h *heap) *damage {
		return h.link(2, func(s *heapSlab, i int) (uint64, bool) {
			o := h.other(s)
			return h.object(o), true
		})
	}},
	{"free pointer between objects", "free-pointer", func(h *heap) *damage {
		return h.link(2, func(s *heapSlab, i int) (uint64, bool) { return h.object(s) + 8, s.cache.size > 8 })
	}},
	{"free pointer, one byte: / becomes \\", "free-pointer", func(h *heap) *damage {
		s := h.withFree(2)
		if s == nil {
			return nil
		}
		at := s.list[h.r.IntN(len(s.list)-1)] + s.cache.offset
		raw := le(8, h.word(at))
		raw[h.r.IntN(8)] ^= '/' ^ '\\'
		return s.damage(write{at, raw})
	}},
	{"free pointer overwritten by text", "free-pointer", func(h *heap) *damage {
		s := h.withFree(2)
		if s == nil {
			return nil
		}
		return s.damage(write{s.list[h.r.IntN(len(s.list)-1)] + s.cache.offset, []byte("/var/lib")})
	}},
	{"free list with a cycle", "free-list-cycle", func(h *heap) *damage {
		return h.link(3, func(s *heapSlab, i int) (uint64, bool) { return s.list[0], true })
	}},
	{"allocated object on the free list", "free-pointer|slab-inuse|object-twice", func(h *heap) *damage {
		return h.link(2, func(s *heapSlab, i int) (uint64, bool) { return h.allocated(s) })
	}},
	{"free list cut short", "slab-inuse", func(h *heap) *damage {
		return h.link(3, func(s *heapSlab, i int) (uint64, bool) { return 0, true })
	}},
	{"head of the free list in another slab", "free-head", func(h *heap) *damage {
		s := h.onNode()
		if s == nil {
			return nil
		}
		return s.damage(h.put(s.page, freelistMember, h.object(h.other(s))))
	}},
	{"head of the free list between objects", "free-head", func(h *heap) *damage {
		s := h.onNode()
		if s == nil {
			return nil
		}
		return s.damage(h.put(s.page, freelistMember, h.object(s)+4))
	}},
	{"inuse of a slab with free objects", "slab-inuse", func(h *heap) *damage {
		s := h.onNode()
		if s == nil {
			return nil
		}
		return s.damage(h.counts(s, s.inuse^1<<h.r.IntN(3), s.objects, s.frozen))
	}},
	{"inuse of a full slab", "slab-inuse|list-lost", func(h *heap) *damage {
		s := h.slab(func(s *heapSlab) bool { return s.on == "" && s.inuse == s.objects && s.frozen == 0 })
		if s == nil {
			return nil
		}
		return s.damage(h.counts(s, s.inuse-1, s.objects, 0))
	}},
	{"objects of a slab", "slab-objects|slab-inuse", func(h *heap) *damage {
		s := h.slab(func(s *heapSlab) bool { return s.objects > 2 })
		return s.damage(h.counts(s, s.inuse, s.objects^1<<h.r.IntN(15), s.frozen))
	}},
	{"frozen set on a partial slab", "slab-frozen", func(h *heap) *damage {
		s := h.onNode()
		if s == nil {
			return nil
		}
		return s.damage(h.counts(s, s.inuse, s.objects, 1))
	}},
	{"slab of another cache on a partial list", "list-foreign", func(h *heap) *damage {
		s := h.onNode()
		if s == nil {
			return nil
		}
		return s.damage(h.put(s.page, "slab.slab_cache|page.slab_cache", h.other(s).cache.addr))
	}},
	{"cache pointer of a full slab, one byte", "page-cache", func(h *heap) *damage {
		s := h.slab(func(s *heapSlab) bool { return s.on == "" && s.inuse == s.objects })
		if s == nil {
			return nil
		}
		return s.damage(h.put(s.page, "slab.slab_cache|page.slab_cache", s.cache.addr^uint64('/'^'\\')<<(8*h.r.IntN(6))))
	}},
	{"page type of a partial slab", "page-type", func(h *heap) *damage {
		s := h.onNode()
		if s == nil {
			return nil
		}
		if n, ok := h.k.Enumerator("PG_slab"); ok {
			return s.damage(h.put(s.page, "page.flags|page.flags.f", h.get(s.page, "page.flags|page.flags.f")&^(1<<n)))
		}
		return s.damage(h.put(s.page, "page.page_type", h.get(s.page, "page.page_type")^4<<24))
	}},
	{"next link of a partial slab", "list-link", func(h *heap) *damage {
		s := h.onNode()
		if s == nil {
			return nil
		}
		return s.damage(write{h.at(s.page, slabLink), le(8, h.word(h.at(s.page, slabLink))^uint64('/'^'\\')<<(8*h.r.IntN(5)))})
	}},
	{"prev link of a partial slab", "list-link", func(h *heap) *damage {
		s := h.onNode()
		if s == nil {
			return nil
		}
		return s.damage(write{h.at(s.page, slabLink) + 8, le(8, s.page^64)})
	}},
	nodeCounter("nr_partial", "nr-partial", "kmem_cache_node.nr_partial"),
	nodeCounter("nr_slabs", "nr-slabs", "kmem_cache_node.nr_slabs.counter"),
	nodeCounter("total_objects", "nr-objects", "kmem_cache_node.total_objects.counter"),
	{"slab on two lists", "list-twice", func(h *heap) *damage {
		s := h.onNode()
		if s == nil || !h.has("kmem_cache.cpu_slab") {
			return nil
		}
		return s.damage(h.put(h.cpuSlab(s.cache.addr, h.onlineCPU()), cpuSlabMember, s.page))
	}},
	{"CPU's slab of another cache", "cpu-slab", func(h *heap) *damage {
		s := h.slab(func(s *heapSlab) bool { return s.on == "cpu" })
		if s == nil {
			return nil
		}
		return s.cache.damage(h.put(h.cpuSlab(s.cache.addr, s.cpu), cpuSlabMember, h.other(s).page))
	}},
	{"CPU's free list in another slab", "cpu-freelist", func(h *heap) *damage {
		s := h.slab(func(s *heapSlab) bool { return s.on == "cpu" })
		if s == nil {
			return nil
		}
		return s.cache.damage(h.put(h.cpuSlab(s.cache.addr, s.cpu), "kmem_cache_cpu.freelist", h.object(h.other(s))))
	}},
	{"object on the free lists of CPU and slab", "object-twice", func(h *heap) *damage {
		for range 2000 {
			s := h.slab(func(s *heapSlab) bool { return s.on == "cpu" })
			if s == nil {
				return nil
			}
			if list := h.chain(s.cache, h.get(h.cpuSlab(s.cache.addr, s.cpu), "kmem_cache_cpu.freelist")); len(list) > 1 {
				return s.damage(h.put(s.page, freelistMember, list[len(list)-1]))
			}
		}
		return nil
	}},
	{"free pointer on a CPU's free list", "free-pointer", func(h *heap) *damage {
		for range 2000 {
			s := h.slab(func(s *heapSlab) bool { return s.on == "cpu" })
			if s == nil {
				return nil
			}
			if list := h.chain(s.cache, h.get(h.cpuSlab(s.cache.addr, s.cpu), "kmem_cache_cpu.freelist")); len(list) > 1 {
				return s.damage(s.freePointer(list[0], h.object(s)+4))
			}
		}
		return nil
	}},
	{"length of a CPU's partial list", "cpu-partial-count", func(h *heap) *damage {
		s := h.slab(func(s *heapSlab) bool { return s.on == "cpu partial" })
		if s == nil {
			return nil
		}
		first := h.get(h.cpuSlab(s.cache.addr, s.cpu), "kmem_cache_cpu.partial")
		member := "slab.slabs|page.pages"
		return s.cache.damage(h.put(first, member, h.get(first, member)+uint64(h.r.IntN(5)+1)))
	}},
	{"link of a CPU's partial list", "cpu-partial", func(h *heap) *damage {
		s := h.slab(func(s *heapSlab) bool { return s.on == "cpu partial" })
		if s == nil {
			return nil
		}
		return s.cache.damage(h.put(s.page, "slab.next|page.next", s.page+24))
	}},
	cacheMember("size of a cache", "cache-size|cache-order", "kmem_cache.size", func(h *heap, c *heapCache) uint64 { return c.size + 8 }),
	cacheMember("object_size of a cache", "cache-size", "kmem_cache.object_size", func(h *heap, c *heapCache) uint64 { return c.size + 64 }),
	cacheMember("offset of the free pointer", "cache-offset", "kmem_cache.offset", func(h *heap, c *heapCache) uint64 { return c.size + 16 }),
	cacheMember("objects per slab of a cache", "cache-order", "kmem_cache.oo.x", func(h *heap, c *heapCache) uint64 { return h.get(c.addr, "kmem_cache.oo.x") + 7 }),
	cacheLink(),
	{"head of a slab's tail page", "page-tail", func(h *heap) *damage {
		s := h.slab(func(s *heapSlab) bool { return s.bytes > pageSize })
		if s == nil {
			return nil
		}
		tail := s.page + uint64(1+h.r.IntN(int(s.bytes/pageSize)-1))*h.pageSize
		return s.damage(h.put(tail, "page.compound_head|page.compound_info", 0))
	}},
}

func (h *heap) onlineCPU() int {
	cpus, err := h.k.OnlineCPUs()
	if err != nil || len(cpus) == 0 {
		h.t.Fatal("no CPU online", err)
	}
	return cpus[h.r.IntN(len(cpus))]
}

func nodeCounter(name, rules, member string) damageClass {
	return damageClass{name + " of a node", rules, func(h *heap) *damage {
		c := h.cache(func(c *heapCache) bool { return h.get(h.node(c.addr), member) > 0 })
		if c == nil {
			return nil
		}
		return c.damage(h.put(h.node(c.addr), member, h.get(h.node(c.addr), member)+uint64(1+h.r.IntN(40))))
	}}
}

// cacheMember changes a member of a cache that has slabs.
func cacheMember(name, rules, member string, to func(*heap, *heapCache) uint64) damageClass {
	return damageClass{name, rules, func(h *heap) *damage {
		s := h.slab(func(s *heapSlab) bool { return true })
		return s.cache.damage(h.put(s.cache.addr, member, to(h, s.cache)))
	}}
}

func cacheLink() damageClass {
	return damageClass{"link of the list of caches", "cache-list", func(h *heap) *damage {
		c := h.cache(func(*heapCache) bool { return true })
		at := h.at(c.addr, "kmem_cache.list") + 8*uint64(h.r.IntN(2))
		return c.damage(write{at, le(8, h.word(at)+8)})
	}}
}
