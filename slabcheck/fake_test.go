package slabcheck

import (
	"context"
	"math/bits"
	"slices"
	"testing"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/kernel/kerneltest"
	"github.com/kdive/kdive/slab"
)

// Where the fake kernels have things.
const (
	directMap = kerneltest.DirectMapBase
	memSize   = 4 << 20
	imageBase = kerneltest.ImageBase
	pages     = 0xffffea0000000000
	symCaches = imageBase + 0x1000
	symBase   = imageBase + 0x1010
	cacheAt   = imageBase + 0x10000
	otherAt   = imageBase + 0x10400
	nodeAt    = imageBase + 0x11000
	nameAt    = imageBase + 0x13000
	cpuAt     = imageBase + 0x14000
	random    = 0x1234567890abcdef
	size      = 64
)

type fake struct{ *kerneltest.Physical }

const listDecl = `struct list_head { struct list_head *next; struct list_head *prev; };`

const subDecl = listDecl + `
enum pageflags { PG_locked, PG_lru = 4, PG_slab = 9 };
struct kmem_cache_order_objects { unsigned int x; };
struct reciprocal_value { unsigned int m; unsigned char sh1; unsigned char sh2; };
struct kmem_cache { void *cpu_slab; unsigned long flags; unsigned long min_partial; unsigned int size; unsigned int object_size; struct reciprocal_value reciprocal_size;
	unsigned int offset; struct kmem_cache_order_objects oo; struct kmem_cache_order_objects min; int refcount; unsigned int inuse; unsigned int align;
	unsigned int red_left_pad; char *name; struct list_head list; unsigned long random; void *node[1]; };
struct page { unsigned long flags; unsigned long compound_head; unsigned long a[4]; unsigned int page_type; int _refcount; unsigned long pad; };
struct slab { unsigned long __page_flags; struct kmem_cache *slab_cache; union { struct list_head slab_list; struct { struct slab *next; int slabs; }; };
	void *freelist; union { unsigned long counters; struct { unsigned int inuse : 16; unsigned int objects : 15; unsigned int frozen : 1; }; }; unsigned int pt; int refs; unsigned long memcg; };
struct kmem_cache_cpu { void *freelist; unsigned long tid; struct slab *slab; struct slab *partial; };
struct kmem_cache_node { int lock; unsigned long nr_partial; struct list_head partial; long nr_slabs; long total_objects; struct list_head full; };
`

func (f fake) page(pfn uint64) uint64 { return pages + pfn*64 }

func memory(pfn uint64) uint64 { return directMap + pfn*kernel.PageSize }

func object(pfn, i uint64) uint64 { return memory(pfn) + i*size }

// link writes the free pointer of an object.
func (f fake) link(at, next uint64) { f.Words(at+32, next^random^bits.ReverseBytes64(at+32)) }

// chain links objects of a slab and returns the first.
func (f fake) chain(pfn uint64, free ...uint64) uint64 {
	next := uint64(0)
	for i := len(free) - 1; i >= 0; i-- {
		f.link(object(pfn, free[i]), next)
		next = object(pfn, free[i])
	}
	return next
}

// slub makes a slab of 64 objects.
func (f fake) slub(pfn uint64, frozen uint64, free ...uint64) uint64 {
	at := f.page(pfn)
	f.Put(at, "slab.__page_flags", 1<<9)
	f.Put(at, "slab.slab_cache", cacheAt)
	f.Put(at, "slab.freelist", f.chain(pfn, free...))
	f.Put(at, "slab.counters", uint64(64-len(free))|64<<16|frozen<<31)
	f.Put(at, "slab.refs", 1)
	return at
}

// soundSLUB is a cache with partial slabs in frames 100, 101 and 102, a full one
// in 110, and on CPU 0 the slab in 120 and a partial one in 121.
func soundSLUB(t testing.TB) fake {
	k := kerneltest.NewPhysical(t, memSize, subDecl)
	f := fake{k}
	k.Possible, k.Present, k.Online = []int{0}, []int{0}, []int{0}
	k.DefineSymbol("slab_caches", symCaches)
	k.DefineSymbol("vmemmap_base", symBase)
	k.DefineSymbol("first_caches", cacheAt)
	k.DefineSymbol("first_nodes", nodeAt)
	k.Words(symBase, pages)
	k.Map(pages, memSize/kernel.PageSize*64)
	k.Map(directMap, memSize)
	list := k.Offset("kmem_cache.list")
	k.Link(symCaches, cacheAt+list, otherAt+list)
	for _, at := range [...]uint64{cacheAt, otherAt} {
		k.Put(at, "kmem_cache.name", nameAt)
		k.Put(at, "kmem_cache.size", size)
		k.Put(at, "kmem_cache.object_size", size)
		k.Put(at, "kmem_cache.inuse", size)
		k.Put(at, "kmem_cache.align", 8)
		k.Put(at, "kmem_cache.offset", 32)
		k.Put(at, "kmem_cache.oo.x", 64)
		k.Put(at, "kmem_cache.min.x", 64)
		k.Put(at, "kmem_cache.refcount", 1)
		k.Put(at, "kmem_cache.min_partial", 5)
		k.Put(at, "kmem_cache.reciprocal_size.m", 1)
		k.Put(at, "kmem_cache.reciprocal_size.sh1", 1)
		k.Put(at, "kmem_cache.reciprocal_size.sh2", 5)
		k.Put(at, "kmem_cache.random", random)
	}
	k.Put(otherAt, "kmem_cache.node", nodeAt+0x400)
	k.Put(otherAt, "kmem_cache.cpu_slab", cpuAt+0x400)
	k.Link(nodeAt + 0x400 + k.Offset("kmem_cache_node.partial"))
	k.Link(nodeAt + 0x400 + k.Offset("kmem_cache_node.full"))
	k.Bytes(nameAt, []byte("things\x00"))
	k.Put(cacheAt, "kmem_cache.node", nodeAt)
	k.Put(cacheAt, "kmem_cache.cpu_slab", cpuAt)
	own := f.slub(120, 1, 3)
	k.Put(cpuAt, "kmem_cache_cpu.slab", own)
	k.Put(cpuAt, "kmem_cache_cpu.freelist", f.chain(120, 10, 11))
	k.Put(own, "slab.counters", 63|64<<16|1<<31)
	kept := f.slub(121, 1, 5, 6)
	k.Put(kept, "slab.next", 0)
	k.Put(kept, "slab.slabs", 1)
	k.Put(cpuAt, "kmem_cache_cpu.partial", kept)
	links := k.Offset("slab.slab_list")
	k.Link(nodeAt+k.Offset("kmem_cache_node.partial"), f.slub(100, 0, 1, 2, 3)+links, f.slub(101, 0, 4, 9, 7)+links, f.slub(102, 0, 0)+links)
	k.Link(nodeAt + k.Offset("kmem_cache_node.full"))
	f.slub(110, 0)
	k.Put(nodeAt, "kmem_cache_node.nr_partial", 3)
	k.Put(nodeAt, "kmem_cache_node.nr_slabs", 6)
	k.Put(nodeAt, "kmem_cache_node.total_objects", 6*64)
	return f
}

// check runs all rules and returns the names of those that are broken.
func check(t testing.TB, f fake, frames ...Frame) ([]string, *Report) {
	t.Helper()
	m, err := slab.Load(f)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Check(context.Background(), f, m, Options{Frames: func() []Frame { return frames }})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, x := range r.Findings {
		if !slices.Contains(names, x.Rule.ID) {
			names = append(names, x.Rule.ID)
		}
	}
	slices.Sort(names)
	return names, r
}
