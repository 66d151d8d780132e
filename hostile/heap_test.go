package hostile

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kdive/kdive/kernel"
)

// heap is a kernel's allocator as the tests see it, to choose what to damage. It reads the
// structures by itself and shares nothing with package slab, so that a mistake there shows.
type heap struct {
	t      *testing.T
	k      *kernel.Kernel
	r      *rand.Rand // chooses
	fields map[string]*kernel.Field

	vmemmap, pageSize uint64 // the page structures: where they begin, bytes of each
	caches            map[uint64]*heapCache
	names             []uint64 // addresses of caches in order
	slabs             []*heapSlab
}

// heapCache is a cache: struct kmem_cache.
type heapCache struct {
	addr           uint64
	name           string
	size, offset   uint64 // bytes from object to object, to the free pointer
	random         uint64 // scrambles free pointers if hardened
	hardened       bool
	pad            uint64 // bytes of the red zone in front of objects
	flags          uint64
	objsize, inuse uint64
}

// heapSlab is a slab of one.
type heapSlab struct {
	cache *heapCache
	page  uint64 // its struct page or struct slab
	base  uint64 // its memory in the direct map
	bytes uint64
	on    string // "node", "cpu", "cpu partial", or of SLAB "partial", "full", "free"; empty if no list has it
	cpu   int
	list  []uint64 // its own free list, decoded; of SLUB only
	inuse, objects,
	frozen uint64
}

// field finds a member under one of its spellings.
func (h *heap) field(spec string) *kernel.Field {
	f, ok := h.fields[spec]
	if !ok {
		for path := range strings.SplitSeq(spec, "|") {
			if found, err := kernel.FieldOf(h.k, path); err == nil {
				f = &found
				break
			}
		}
		h.fields[spec] = f
	}
	return f
}

// has reports whether the kernel has a member.
func (h *heap) has(spec string) bool { return h.field(spec) != nil }

// at is the address of a member.
func (h *heap) at(base uint64, spec string) uint64 {
	f := h.field(spec)
	if f == nil {
		h.t.Fatalf("no %s", spec)
	}
	return f.At(base)
}

// get reads a member; 0 if the memory is not in the dump.
func (h *heap) get(base uint64, spec string) uint64 {
	f := h.field(spec)
	if f == nil {
		h.t.Fatalf("no %s", spec)
	}
	v, err := f.Uint(h.k, base)
	if err != nil {
		return 0
	}
	return v
}

func (h *heap) word(addr uint64) uint64 {
	v, err := h.k.U64(addr)
	if err != nil {
		return 0
	}
	return v
}

// openHeap reads caches and slabs.
func openHeap(t *testing.T, k *kernel.Kernel, seed uint64) *heap {
	h := &heap{t: t, k: k, r: rand.New(rand.NewPCG(seed, 4)), fields: map[string]*kernel.Field{}, caches: map[uint64]*heapCache{}}
	page, err := k.StructType("page")
	if err != nil {
		t.Fatal(err)
	}
	h.pageSize = uint64(page.Size())
	if base, ok := k.Symbol("vmemmap_base"); ok {
		h.vmemmap = h.word(base)
	} else {
		h.vmemmap = h.word(h.symbol("mem_map"))
	}
	head := h.symbol("slab_caches")
	link := h.field("kmem_cache.list")
	for e := h.word(head); e != head && len(h.names) < 1000; e = h.word(e) {
		c := &heapCache{addr: e - uint64(link.Offset)}
		c.name, _ = k.CString(h.get(c.addr, "kmem_cache.name"), 100)
		c.size = h.get(c.addr, "kmem_cache.size")
		c.objsize = h.get(c.addr, "kmem_cache.object_size")
		c.flags = h.get(c.addr, "kmem_cache.flags")
		if h.slub() {
			c.offset, c.pad, c.inuse = h.get(c.addr, "kmem_cache.offset"), h.get(c.addr, "kmem_cache.red_left_pad"), h.get(c.addr, "kmem_cache.inuse")
		}
		if h.has("kmem_cache.random") {
			c.hardened, c.random = true, h.get(c.addr, "kmem_cache.random")
		}
		h.caches[c.addr] = c
		h.names = append(h.names, c.addr)
	}
	h.readSlabs()
	if h.slub() {
		h.placeSLUB()
	} else {
		h.placeSLAB()
	}
	t.Logf("%d caches, %d slabs", len(h.caches), len(h.slabs))
	return h
}

func (h *heap) slub() bool { return h.has("kmem_cache.oo") }

func (h *heap) symbol(name string) uint64 {
	addr, ok := h.k.Symbol(name)
	if !ok {
		h.t.Fatalf("no symbol %s", name)
	}
	return addr
}

// isSlab tells a slab's page by its flag or its type.
func (h *heap) isSlab(page uint64) bool {
	if n, ok := h.k.Enumerator("PG_slab"); ok {
		return h.get(page, "page.flags|page.flags.f")>>n&1 != 0
	}
	n, ok := h.k.Enumerator("PGTY_slab")
	return ok && h.get(page, "page.page_type")>>24 == uint64(n)
}

func (h *heap) tailOf(page uint64) (head uint64, ok bool) {
	v := h.get(page, "page.compound_head|page.compound_info")
	return v - 1, v&1 != 0
}

// readSlabs goes over the memory map.
func (h *heap) readSlabs() {
	for x := range h.k.PhysExtents(0, 1<<52) {
		for p := x.Paddr; p < x.Paddr+x.Size; p += pageSize {
			page := h.vmemmap + p/pageSize*h.pageSize
			if !h.isSlab(page) {
				continue
			}
			if _, tail := h.tailOf(page); tail {
				continue
			}
			c := h.caches[h.get(page, "slab.slab_cache|page.slab_cache")]
			if c == nil {
				continue
			}
			s := &heapSlab{cache: c, page: page, bytes: pageSize}
			s.base, _ = h.k.PhysToVirt(p)
			for {
				head, tail := h.tailOf(page + s.bytes/pageSize*h.pageSize)
				if !tail || head != page || s.bytes > 1<<20 {
					break
				}
				s.bytes += pageSize
			}
			h.slabs = append(h.slabs, s)
		}
	}
}

// decode is the free pointer that is stored at an address.
func (c *heapCache) decode(at, stored uint64) uint64 {
	if c.hardened {
		return stored ^ c.random ^ bits.ReverseBytes64(at)
	}
	return stored
}

// placeSLUB finds out what holds the slabs, and reads their free lists.
func (h *heap) placeSLUB() {
	byPage := map[uint64]*heapSlab{}
	for _, s := range h.slabs {
		byPage[s.page] = s
		s.inuse, s.objects = h.get(s.page, "slab.inuse|page.inuse"), h.get(s.page, "slab.objects|page.objects")
		s.frozen = h.get(s.page, "slab.frozen|page.frozen")
		s.list = h.chain(s.cache, h.get(s.page, "slab.freelist|page.freelist"))
	}
	cpus, _ := h.k.OnlineCPUs()
	for _, a := range h.names {
		head := h.at(h.node(a), "kmem_cache_node.partial")
		link := uint64(h.field("slab.slab_list|page.slab_list").Offset)
		for e, n := h.word(head), 0; e != head && n < 100000; e, n = h.word(e), n+1 {
			if s := byPage[e-link]; s != nil {
				s.on = "node"
			}
		}
		if !h.has("kmem_cache.cpu_slab") {
			continue
		}
		for _, cpu := range cpus {
			k := h.cpuSlab(a, cpu)
			if s := byPage[h.get(k, cpuSlabMember)]; s != nil {
				s.on, s.cpu = "cpu", cpu
			}
			for p, n := h.get(k, "kmem_cache_cpu.partial"), 0; p != 0 && n < 1000; p, n = h.get(p, "slab.next|page.next"), n+1 {
				if s := byPage[p]; s != nil {
					s.on, s.cpu = "cpu partial", cpu
				}
			}
		}
	}
}

const cpuSlabMember = "kmem_cache_cpu.slab|kmem_cache_cpu.page"

// chain follows a free list as far as it can be followed.
func (h *heap) chain(c *heapCache, obj uint64) (list []uint64) {
	for obj != 0 && len(list) < 1<<15 {
		list = append(list, obj)
		stored, err := h.k.U64(obj + c.offset)
		if err != nil {
			break
		}
		obj = c.decode(obj+c.offset, stored)
	}
	return list
}

func (h *heap) node(cache uint64) uint64 {
	if h.has("kmem_cache.per_node") {
		return h.word(h.at(cache, "kmem_cache.per_node") + uint64(h.field("kmem_cache_per_node_ptrs.node").Offset))
	}
	return h.word(h.at(cache, "kmem_cache.node"))
}

func (h *heap) cpuSlab(cache uint64, cpu int) uint64 {
	off, err := h.k.PerCPUOffset(cpu)
	if err != nil {
		h.t.Fatal(err)
	}
	member := "kmem_cache.cpu_slab"
	switch {
	case h.has("kmem_cache.cpu_cache"):
		member = "kmem_cache.cpu_cache"
	case !h.has(member):
		member = "kmem_cache.cpu_sheaves"
	}
	return h.get(cache, member) + off
}

// placeSLAB finds which list has each slab.
func (h *heap) placeSLAB() {
	byPage := map[uint64]*heapSlab{}
	for _, s := range h.slabs {
		byPage[s.page] = s
		s.inuse, s.objects = h.get(s.page, "slab.active"), h.get(s.cache.addr, "kmem_cache.num")
	}
	link := uint64(h.field("slab.slab_list").Offset)
	for _, a := range h.names {
		for _, which := range []string{"partial", "full", "free"} {
			head := h.at(h.node(a), "kmem_cache_node.slabs_"+which)
			for e, n := h.word(head), 0; e != head && n < 100000; e, n = h.word(e), n+1 {
				if s := byPage[e-link]; s != nil {
					s.on = which
				}
			}
		}
	}
}

// slab chooses a slab that fits.
func (h *heap) slab(fits func(*heapSlab) bool) *heapSlab {
	for range 20000 {
		if s := h.slabs[h.r.IntN(len(h.slabs))]; fits(s) {
			return s
		}
	}
	return nil
}

// cache chooses a cache that fits.
func (h *heap) cache(fits func(*heapCache) bool) *heapCache {
	for range 5000 {
		if c := h.caches[h.names[h.r.IntN(len(h.names))]]; fits(c) {
			return c
		}
	}
	return nil
}

// object chooses an object of a slab of SLUB; its address is where users see it.
func (h *heap) object(s *heapSlab) uint64 {
	return s.base + s.cache.pad + uint64(h.r.IntN(int(s.objects)))*s.cache.size
}

func le(size int, v uint64) []byte {
	return binary.LittleEndian.AppendUint64(nil, v)[:size]
}
