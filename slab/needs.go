package slab

import "github.com/kdive/kdive/kernel"

// Needs are what both allocators have. Since 5.17 a slab's struct page is
// declared as struct slab (mm/slab.h), at the same address.
type Needs struct {
	Caches  kernel.Sym `need:"slab_caches"`
	NodeIDs kernel.Sym `need:"?nr_node_ids"`

	Name       kernel.Field `need:"kmem_cache.name"`
	List       kernel.Field `need:"kmem_cache.list"`
	Size       kernel.Field `need:"kmem_cache.size"`
	ObjectSize kernel.Field `need:"kmem_cache.object_size"`
	Flags      kernel.Field `need:"kmem_cache.flags"`
	OO         kernel.Field `need:"?kmem_cache.oo.x"` // SLUB only
	Node       kernel.Field `need:"?kmem_cache.node"`
	CacheSize  kernel.Size  `need:"kmem_cache"`

	PageSize  kernel.Size  `need:"page"`
	PageFlags kernel.Field `need:"page.flags.f|page.flags"`
	Compound  kernel.Field `need:"page.compound_info|page.compound_head"`
	PageType  kernel.Field `need:"?page.page_type"`
	PGTYSlab  kernel.Enum  `need:"?PGTY_slab"`
	PGSlab    kernel.Enum  `need:"?PG_slab"`
	Vmemmap   kernel.Sym   `need:"?vmemmap_base"`
	MemMap    kernel.Sym   `need:"?mem_map"`

	SlabCache kernel.Field `need:"slab.slab_cache|page.slab_cache"`
	Freelist  kernel.Field `need:"slab.freelist|page.freelist"`
	SlabList  kernel.Field `need:"slab.slab_list|page.slab_list|page.lru"`
}

// SLUBNeeds are SLUB's (mm/slub.c, include/linux/slub_def.h).
type SLUBNeeds struct {
	Objects kernel.Field `need:"slab.objects|page.objects"`
	Inuse   kernel.Field `need:"slab.inuse|page.inuse"`
	Frozen  kernel.Field `need:"slab.frozen|page.frozen"`
	Next    kernel.Field `need:"?slab.next|page.next"` // on a CPU's partial list

	Offset   kernel.Field `need:"kmem_cache.offset"` // of the free pointer
	CacheUse kernel.Field `need:"kmem_cache.inuse"`  // where what is behind the data begins
	RedLeft  kernel.Field `need:"?kmem_cache.red_left_pad"`
	Random   kernel.Field `need:"?kmem_cache.random"` // free pointers are hardened
	PerCPU   kernel.Field `need:"?kmem_cache.cpu_slab"`
	Sheaves  kernel.Field `need:"?kmem_cache.cpu_sheaves"`
	PerNode  kernel.Field `need:"?kmem_cache.per_node"`

	CPUFreelist kernel.Field `need:"?kmem_cache_cpu.freelist"`
	CPUSlab     kernel.Field `need:"?kmem_cache_cpu.slab|kmem_cache_cpu.page"`
	CPUPartial  kernel.Field `need:"?kmem_cache_cpu.partial"`

	Partial   kernel.Field `need:"kmem_cache_node.partial"`
	NrPartial kernel.Field `need:"kmem_cache_node.nr_partial"`
	NrSlabs   kernel.Field `need:"?kmem_cache_node.nr_slabs"`
	Total     kernel.Field `need:"?kmem_cache_node.total_objects"`
	Full      kernel.Field `need:"?kmem_cache_node.full"`
	NodeSize  kernel.Size  `need:"kmem_cache_node"`

	// Where the pointers to a node's structures are in an element of per_node.
	PtrsSize kernel.Size  `need:"?kmem_cache_per_node_ptrs"`
	PtrsNode kernel.Field `need:"?kmem_cache_per_node_ptrs.node"`
	PtrsBarn kernel.Field `need:"?kmem_cache_per_node_ptrs.barn"`
	NodeBarn kernel.Field `need:"?kmem_cache_node.barn"`

	Main         kernel.Field `need:"?slub_percpu_sheaves.main"`
	Spare        kernel.Field `need:"?slub_percpu_sheaves.spare"`
	RCUFree      kernel.Field `need:"?slub_percpu_sheaves.rcu_free"`
	SheafSize    kernel.Field `need:"?slab_sheaf.size"`
	SheafObjects kernel.Field `need:"?slab_sheaf.objects"`
	SheafList    kernel.Field `need:"?slab_sheaf.barn_list"`
	BarnFull     kernel.Field `need:"?node_barn.sheaves_full"`
}

// SLABNeeds are SLAB's (mm/slab.c, include/linux/slab_def.h).
type SLABNeeds struct {
	SMem   kernel.Field `need:"slab.s_mem|page.s_mem"`
	Active kernel.Field `need:"slab.active|page.active"`

	CPUCache  kernel.Field `need:"kmem_cache.cpu_cache"`
	Num       kernel.Field `need:"kmem_cache.num"` // objects in a slab
	Order     kernel.Field `need:"kmem_cache.gfporder"`
	ObjOffset kernel.Field `need:"?kmem_cache.obj_offset"` // with CONFIG_DEBUG_SLAB
	Index     kernel.Size  `need:"freelist_idx_t"`

	Avail   kernel.Field `need:"array_cache.avail"`
	Entries kernel.Field `need:"array_cache.entry"`
	AlienAC kernel.Field `need:"?alien_cache.ac"`

	Partial     kernel.Field `need:"kmem_cache_node.slabs_partial"`
	Full        kernel.Field `need:"kmem_cache_node.slabs_full"`
	Free        kernel.Field `need:"kmem_cache_node.slabs_free"`
	TotalSlabs  kernel.Field `need:"?kmem_cache_node.total_slabs"`
	FreeObjects kernel.Field `need:"kmem_cache_node.free_objects"`
	Shared      kernel.Field `need:"kmem_cache_node.shared"`
	Alien       kernel.Field `need:"?kmem_cache_node.alien"`
	NodeSize    kernel.Size  `need:"kmem_cache_node"`
}
