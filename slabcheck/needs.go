package slabcheck

import (
	"github.com/kdive/kdive/kernel"
)

// needs are what the rules look at beside what package slab reads; a rule whose
// members do not exist is not checked.
type needs struct {
	Caches     kernel.Sym   `need:"slab_caches"`
	List       kernel.Field `need:"kmem_cache.list"`
	Name       kernel.Field `need:"kmem_cache.name"`
	Size       kernel.Field `need:"kmem_cache.size"`
	ObjectSize kernel.Field `need:"kmem_cache.object_size"`
	Flags      kernel.Field `need:"kmem_cache.flags"`
	CacheSize  kernel.Size  `need:"kmem_cache"`
	Reciprocal kernel.Field `need:"?kmem_cache.reciprocal_size|kmem_cache.reciprocal_buffer_size"`
	Refcount   kernel.Field `need:"?kmem_cache.refcount"`
	Align      kernel.Field `need:"?kmem_cache.align"`
	Ctor       kernel.Field `need:"?kmem_cache.ctor"`
	RandomSeq  kernel.Field `need:"?kmem_cache.random_seq"`
	Kasan      kernel.Field `need:"?kmem_cache.kasan_info"`

	PageFlags kernel.Field `need:"page.flags.f|page.flags"`
	PageRefs  kernel.Field `need:"?page._refcount"`
	PageSize  kernel.Size  `need:"page"`
	Compound  kernel.Field `need:"page.compound_info|page.compound_head"`
	SlabList  kernel.Field `need:"slab.slab_list|page.slab_list|page.lru"`
	Freelist  kernel.Field `need:"slab.freelist|page.freelist"`
	SlabCache kernel.Field `need:"slab.slab_cache|page.slab_cache"`
	RCUHead   kernel.Field `need:"?slab.rcu_head|page.rcu_head"`
	RCUFunc   kernel.Field `need:"?callback_head.func"`
	Next      kernel.Field `need:"list_head.next"`
	Prev      kernel.Field `need:"list_head.prev"`

	NodeIDs   kernel.Sym   `need:"?nr_node_ids"`
	CPUIDs    kernel.Sym   `need:"?nr_cpu_ids"`
	WipeFree  kernel.Sym   `need:"?init_on_free"`
	KeyCount  kernel.Field `need:"?static_key_false.key.enabled.counter|static_key_true.key.enabled.counter"`
	Jiffies   kernel.Sym   `need:"?jiffies_64|jiffies"`
	NodeCache kernel.Sym   `need:"?kmem_cache_node"`
	CacheSelf kernel.Sym   `need:"?kmem_cache"`

	// Bits of flags since 6.9 (include/linux/slab.h); before, masks were macros.
	BitRedZone    kernel.Enum `need:"?_SLAB_RED_ZONE"`
	BitPoison     kernel.Enum `need:"?_SLAB_POISON"`
	BitStoreUser  kernel.Enum `need:"?_SLAB_STORE_USER"`
	BitRCU        kernel.Enum `need:"?_SLAB_TYPESAFE_BY_RCU"`
	BitKmalloc    kernel.Enum `need:"?_SLAB_KMALLOC"`
	BitObjPoison  kernel.Enum `need:"?_SLAB_OBJECT_POISON"`
	BitConsistent kernel.Enum `need:"?_SLAB_CONSISTENCY_CHECKS"`

	// Page flags that a slab's page may have, and those that it never has.
	PGSlab     kernel.Enum  `need:"?PG_slab"`
	PageType   kernel.Field `need:"?page.page_type"`
	Locked     kernel.Enum  `need:"?PG_locked"`
	Workingset kernel.Enum  `need:"?PG_workingset"`
	LRU        kernel.Enum  `need:"?PG_lru"`
	Dirty      kernel.Enum  `need:"?PG_dirty"`
	Uptodate   kernel.Enum  `need:"?PG_uptodate"`
	Writeback  kernel.Enum  `need:"?PG_writeback"`
	Private    kernel.Enum  `need:"?PG_private"`
	Reserved   kernel.Enum  `need:"?PG_reserved"`
	Swapback   kernel.Enum  `need:"?PG_swapbacked"`
	Reclaim    kernel.Enum  `need:"?PG_reclaim"`
	Unevict    kernel.Enum  `need:"?PG_unevictable"`
	Mlocked    kernel.Enum  `need:"?PG_mlocked"`
	Referenced kernel.Enum  `need:"?PG_referenced"`
}

// subNeeds are SLUB's (mm/slub.c).
type subNeeds struct {
	OO         kernel.Field `need:"kmem_cache.oo.x"`
	Min        kernel.Field `need:"?kmem_cache.min.x"`
	CacheUse   kernel.Field `need:"kmem_cache.inuse"`
	Offset     kernel.Field `need:"kmem_cache.offset"`
	MinPartial kernel.Field `need:"?kmem_cache.min_partial"`
	Random     kernel.Field `need:"?kmem_cache.random"`
	RedLeft    kernel.Field `need:"?kmem_cache.red_left_pad"`

	Inuse   kernel.Field `need:"slab.inuse|page.inuse"`
	Objects kernel.Field `need:"slab.objects|page.objects"`
	Frozen  kernel.Field `need:"slab.frozen|page.frozen"`
	Stride  kernel.Field `need:"?slab.stride"`
	ObjExts kernel.Field `need:"?slab.obj_exts"`
	ExtSize kernel.Size  `need:"?slabobj_ext"`

	Partial   kernel.Field `need:"kmem_cache_node.partial"`
	Full      kernel.Field `need:"?kmem_cache_node.full"`
	NrPartial kernel.Field `need:"kmem_cache_node.nr_partial"`
	NrSlabs   kernel.Field `need:"?kmem_cache_node.nr_slabs"`
	Total     kernel.Field `need:"?kmem_cache_node.total_objects"`

	CachePtr    kernel.Field `need:"?kmem_cache.cpu_slab|kmem_cache.cpu_sheaves"`
	CPUFreelist kernel.Field `need:"?kmem_cache_cpu.freelist"`
	CPUSlab     kernel.Field `need:"?kmem_cache_cpu.slab|kmem_cache_cpu.page"`
	CPUPartial  kernel.Field `need:"?kmem_cache_cpu.partial"`
	CPUTid      kernel.Field `need:"?kmem_cache_cpu.tid"`
	Next        kernel.Field `need:"?slab.next|page.next"`
	Behind      kernel.Field `need:"?slab.slabs|page.pages"`

	Capacity     kernel.Field `need:"?kmem_cache.sheaf_capacity"`
	Main         kernel.Field `need:"?slub_percpu_sheaves.main"`
	Spare        kernel.Field `need:"?slub_percpu_sheaves.spare"`
	RCUFree      kernel.Field `need:"?slub_percpu_sheaves.rcu_free"`
	SheafSize    kernel.Field `need:"?slab_sheaf.size"`
	SheafCache   kernel.Field `need:"?slab_sheaf.cache"`
	SheafObjects kernel.Field `need:"?slab_sheaf.objects"`
	SheafList    kernel.Field `need:"?slab_sheaf.barn_list"`
	BarnFull     kernel.Field `need:"?node_barn.sheaves_full"`
	BarnEmpty    kernel.Field `need:"?node_barn.sheaves_empty"`
	NrFull       kernel.Field `need:"?node_barn.nr_full"`
	NrEmpty      kernel.Field `need:"?node_barn.nr_empty"`
}

// salNeeds are SLAB's (mm/slab.c).
type salNeeds struct {
	Num        kernel.Field `need:"kmem_cache.num"`
	Order      kernel.Field `need:"kmem_cache.gfporder"`
	CacheLimit kernel.Field `need:"?kmem_cache.limit"`
	CacheBatch kernel.Field `need:"?kmem_cache.batchcount"`
	Colour     kernel.Field `need:"?kmem_cache.colour"`
	ColourOff  kernel.Field `need:"?kmem_cache.colour_off"`
	FreeSize   kernel.Field `need:"?kmem_cache.freelist_size"`
	ObjOffset  kernel.Field `need:"?kmem_cache.obj_offset"`
	Index      kernel.Size  `need:"freelist_idx_t"`

	SMem   kernel.Field `need:"slab.s_mem|page.s_mem"`
	Active kernel.Field `need:"slab.active|page.active"`

	Avail   kernel.Field `need:"array_cache.avail"`
	Limit   kernel.Field `need:"array_cache.limit"`
	Batch   kernel.Field `need:"?array_cache.batchcount"`
	Entries kernel.Field `need:"array_cache.entry"`
	AlienAC kernel.Field `need:"?alien_cache.ac"`

	Partial     kernel.Field `need:"kmem_cache_node.slabs_partial"`
	Full        kernel.Field `need:"kmem_cache_node.slabs_full"`
	Free        kernel.Field `need:"kmem_cache_node.slabs_free"`
	TotalSlabs  kernel.Field `need:"?kmem_cache_node.total_slabs"`
	FreeSlabs   kernel.Field `need:"?kmem_cache_node.free_slabs"`
	FreeObjects kernel.Field `need:"?kmem_cache_node.free_objects"`
	Shared      kernel.Field `need:"?kmem_cache_node.shared"`
	Alien       kernel.Field `need:"?kmem_cache_node.alien"`
}

// flags are the masks of kmem_cache.flags that rules depend on.
type flags struct {
	redZone, poison, storeUser, byRCU, kmalloc, objPoison, consistent uint64
}

// cacheFlags are the enum's bits or, before there was one, the masks of
// include/linux/slab.h and mm/slub.c.
func (n *needs) cacheFlags() flags {
	bit := func(e kernel.Enum, mask uint64) uint64 {
		switch {
		case n.BitPoison.Present() && !e.Present():
			return 0 // a kernel that has the enum, and not this flag
		case e.Present() && e.Value >= 0 && e.Value < 64:
			return 1 << e.Value
		}
		return mask
	}
	return flags{
		redZone:    bit(n.BitRedZone, 0x400),
		poison:     bit(n.BitPoison, 0x800),
		storeUser:  bit(n.BitStoreUser, 0x10000),
		byRCU:      bit(n.BitRCU, 0x80000),
		kmalloc:    bit(n.BitKmalloc, 0x1000),
		objPoison:  bit(n.BitObjPoison, 0x80000000),
		consistent: bit(n.BitConsistent, 0x100),
	}
}
