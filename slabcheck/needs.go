package slabcheck

import (
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
)

// needs are what the rules look at beside what package slab reads; a rule whose
// members do not exist is not checked.
type needs struct {
	*slab.Needs

	PageRefs kernel.Field `need:"?page._refcount"`
	RCUHead  kernel.Field `need:"?slab.rcu_head|page.rcu_head"`
	RCUFunc  kernel.Field `need:"?callback_head.func"`

	// An array by object, whose owner is charged for it: a pointer with flags in
	// its lowest bits.
	Owners     kernel.Field `need:"?slab.obj_exts|slab.memcg_data|page.obj_cgroups"`
	OwnersSize kernel.Size  `need:"?slabobj_ext"`

	NodeCache kernel.Sym `need:"?kmem_cache_node"`
	CacheSelf kernel.Sym `need:"?kmem_cache"`

	// Page flags that a slab's page may have, and those that it never has.
	Workingset kernel.Enum `need:"?PG_workingset"`
	LRU        kernel.Enum `need:"?PG_lru"`
	Dirty      kernel.Enum `need:"?PG_dirty"`
	Uptodate   kernel.Enum `need:"?PG_uptodate"`
	Writeback  kernel.Enum `need:"?PG_writeback"`
	Reserved   kernel.Enum `need:"?PG_reserved"`
	Swapback   kernel.Enum `need:"?PG_swapbacked"`
	Unevict    kernel.Enum `need:"?PG_unevictable"`
	Mlocked    kernel.Enum `need:"?PG_mlocked"`
}

// subNeeds are SLUB's (mm/slub.c).
type subNeeds struct {
	*slab.SLUBNeeds

	CPUTid kernel.Field `need:"?kmem_cache_cpu.tid"`
	Behind kernel.Field `need:"?slab.slabs|page.pages"`

	Capacity   kernel.Field `need:"?kmem_cache.sheaf_capacity"`
	SheafCache kernel.Field `need:"?slab_sheaf.cache"`
	BarnEmpty  kernel.Field `need:"?node_barn.sheaves_empty"`
	NrFull     kernel.Field `need:"?node_barn.nr_full"`
	NrEmpty    kernel.Field `need:"?node_barn.nr_empty"`
}

// salNeeds are SLAB's (mm/slab.c).
type salNeeds struct {
	*slab.SLABNeeds

	CacheLimit kernel.Field `need:"?kmem_cache.limit"`
	CacheBatch kernel.Field `need:"?kmem_cache.batchcount"`

	Limit kernel.Field `need:"array_cache.limit"`
	Batch kernel.Field `need:"?array_cache.batchcount"`

	FreeSlabs kernel.Field `need:"?kmem_cache_node.free_slabs"`
}
