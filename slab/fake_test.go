package slab

import (
	"math/bits"
	"testing"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/kernel/kerneltest"
)

// Where the fake kernels have things.
const (
	directMap = kerneltest.DirectMapBase
	memSize   = 16 << 20
	imageBase = kerneltest.ImageBase
	pages     = 0xffffea0000000000
	pageSize  = 4096
)

// fake is a fake kernel with physical memory.
type fake struct{ *kerneltest.Physical }

const listDecl = `struct list_head { struct list_head *next; struct list_head *prev; };`

// oldSLUB is the shape of 5.10: slabs are struct page.
const oldSLUB = listDecl + `
enum pageflags { PG_locked, PG_slab = 9 };
struct kmem_cache_order_objects { unsigned int x; };
struct kmem_cache { void *cpu_slab; unsigned long flags; unsigned int size; unsigned int object_size; unsigned int offset;
	struct kmem_cache_order_objects oo; unsigned int red_left_pad; unsigned int inuse; char *name; struct list_head list; unsigned long random; void *node[4]; };
struct page { unsigned long flags;
	union {
		struct { union { struct list_head slab_list; struct { void *next; int pages; int pobjects; }; };
			struct kmem_cache *slab_cache; void *freelist;
			union { unsigned long counters; struct { unsigned int inuse : 16; unsigned int objects : 15; unsigned int frozen : 1; }; }; };
		struct { unsigned long compound_head; };
	};
	unsigned int page_type; int refcount; unsigned long pad; };
struct kmem_cache_cpu { void *freelist; unsigned long tid; struct page *page; struct page *partial; };
struct kmem_cache_node { int lock; unsigned long nr_partial; struct list_head partial; long nr_slabs; long total_objects; struct list_head full; };
`

// newSLUB is the shape of 7.2: struct slab, page types, sheaves, a mask for
// pages that follow a first one.
const newSLUB = listDecl + `
enum pagetype { PGTY_slab = 0xf5 };
typedef struct { unsigned long f; } memdesc_flags_t;
struct kmem_cache_order_objects { unsigned int x; };
struct kmem_cache_per_node_ptrs { void *barn; void *node; };
struct kmem_cache { void *cpu_sheaves; unsigned long flags; unsigned int size; unsigned int object_size; unsigned int offset;
	struct kmem_cache_order_objects oo; unsigned int red_left_pad; unsigned int inuse; char *name; struct list_head list; struct kmem_cache_per_node_ptrs per_node[4]; };
struct page { memdesc_flags_t flags; unsigned long compound_info; unsigned long a[4]; unsigned int page_type; int refcount; unsigned long pad; };
struct slab { memdesc_flags_t flags; struct kmem_cache *slab_cache; struct list_head slab_list; void *freelist;
	union { unsigned long counters; struct { unsigned int inuse : 16; unsigned int objects : 15; unsigned int frozen : 1; }; };
	unsigned int __page_type; int refcount; unsigned long obj_exts; };
struct kmem_cache_node { int lock; unsigned long nr_partial; struct list_head partial; long nr_slabs; long total_objects; struct list_head full; };
struct slab_sheaf { struct list_head barn_list; void *cache; unsigned int size; int node; void *objects[]; };
struct node_barn { int lock; struct list_head sheaves_full; struct list_head sheaves_empty; };
struct slub_percpu_sheaves { int lock; void *main; void *spare; void *rcu_free; };
`

// oneSLAB is the shape of 6.1's SLAB.
const oneSLAB = listDecl + `
enum pageflags { PG_locked, PG_slab = 9 };
typedef unsigned char freelist_idx_t;
struct kmem_cache { void *cpu_cache; unsigned int size; unsigned long flags; unsigned int num; unsigned int gfporder; char *name;
	struct list_head list; int object_size; void *node[1]; };
struct page { unsigned long flags; unsigned long compound_head; unsigned long a[4]; unsigned int page_type; int refcount; };
struct slab { unsigned long __page_flags; struct list_head slab_list; struct kmem_cache *slab_cache; void *freelist; void *s_mem; unsigned int active; };
struct array_cache { unsigned int avail; unsigned int limit; unsigned int batchcount; unsigned int touched; void *entry[]; };
struct kmem_cache_node { int lock; struct list_head slabs_partial; struct list_head slabs_full; struct list_head slabs_free;
	unsigned long total_slabs; unsigned long free_slabs; unsigned long free_objects; void *shared; void **alien; };
`

// Addresses of the fake kernels' structures, in the image.
const (
	symCaches = imageBase + 0x1000
	symBase   = imageBase + 0x1010
	cacheAt   = directMap + 0x10000
	nodeAt    = directMap + 0x11000
	cpuAt     = directMap + 0x12000
	nameAt    = directMap + 0x13000
	barnAt    = directMap + 0x14000
	random    = 0x1234567890abcdef
)

// newFake has one cache "things" of size bytes and no slabs yet.
func newFake(t testing.TB, decls string, size uint64, perSlab, order uint64) fake {
	k := kerneltest.NewPhysical(t, memSize, decls)
	// Two runs that meet in the middle of a page.
	const half = memSize/2 + 100
	k.Extents = []kernel.Extent{{Size: half}, {Vaddr: half, Paddr: half, Size: memSize - half}}
	k.DefineSymbol("slab_caches", symCaches)
	k.DefineSymbol("vmemmap_base", symBase)
	k.Words(symBase, pages)
	k.Map(pages, memSize/pageSize*64)
	k.Link(symCaches, cacheAt+k.Offset("kmem_cache.list"))
	k.Put(cacheAt, "kmem_cache.name", nameAt)
	k.Bytes(nameAt, []byte("things\x00"))
	k.Put(cacheAt, "kmem_cache.size", size)
	k.Put(cacheAt, "kmem_cache.object_size", size-8)
	f := fake{k}
	if _, err := k.StructType("array_cache"); err == nil {
		k.Put(cacheAt, "kmem_cache.num", perSlab)
		k.Put(cacheAt, "kmem_cache.gfporder", order)
		k.Put(cacheAt, "kmem_cache.cpu_cache", cpuAt)
	} else {
		k.Put(cacheAt, "kmem_cache.oo.x", order<<16|perSlab)
		k.Put(cacheAt, "kmem_cache.offset", 8)
	}
	return f
}

// page is the structure of a page frame.
func (f fake) page(pfn uint64) uint64 {
	size, _ := f.StructType("page")
	return pages + pfn*uint64(size.Size())
}

func memory(pfn uint64) uint64 { return directMap + pfn*pageSize }

// slubPage makes a slab of n objects at a page frame, with a free list of the
// given indexes.
func (f fake) slubPage(pfn, n, inuse uint64, link func(at, next uint64) uint64, free ...uint64) uint64 {
	st := "slab"
	if _, err := f.StructType(st); err != nil {
		st = "page"
	}
	at := f.page(pfn)
	f.Put(at, st+".slab_cache", cacheAt)
	f.Put(at, st+".counters", inuse|n<<16)
	if st == "page" {
		f.Put(at, "page.flags", 1<<9)
	} else {
		f.Put(at, "page.page_type", 0xf5<<24)
	}
	f.Put(at, st+".freelist", f.freeList(pfn, link, free...))
	return at
}

// freeList links objects of the slab at pfn and returns the first.
func (f fake) freeList(pfn uint64, link func(at, next uint64) uint64, free ...uint64) uint64 {
	var size [4]byte
	fld, _ := kernel.FieldOf(f, "kmem_cache.size")
	if err := f.Read(size[:], fld.At(cacheAt)); err != nil {
		panic(err)
	}
	object := func(i uint64) uint64 { return memory(pfn) + i*(uint64(size[0])|uint64(size[1])<<8) }
	next := uint64(0)
	for i := len(free) - 1; i >= 0; i-- {
		at := object(free[i]) + 8
		f.Words(at, link(at, next))
		next = object(free[i])
	}
	return next
}

func bare(_, next uint64) uint64     { return next }
func swapped(at, next uint64) uint64 { return next ^ random ^ bits.ReverseBytes64(at) }
func unswapped(at, next uint64) uint64 {
	return next ^ random ^ at
}

func load(t testing.TB, f fake) *Model {
	t.Helper()
	m, err := Load(f)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
