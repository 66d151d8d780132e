package slabcheck

import (
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
)

// needs are what the rules look at beside what package slab reads; a rule whose
// members do not exist is not checked.
type needs struct {
	*slab.Needs

	Reciprocal kernel.Field `need:"?kmem_cache.reciprocal_size|kmem_cache.reciprocal_buffer_size"`
	Refcount   kernel.Field `need:"?kmem_cache.refcount"`
	Align      kernel.Field `need:"?kmem_cache.align"`
	Ctor       kernel.Field `need:"?kmem_cache.ctor"`
	RandomSeq  kernel.Field `need:"?kmem_cache.random_seq"`

	PageRefs kernel.Field `need:"?page._refcount"`
	RCUHead  kernel.Field `need:"?slab.rcu_head|page.rcu_head"`
	RCUFunc  kernel.Field `need:"?callback_head.func"`

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

	Min        kernel.Field `need:"?kmem_cache.min.x"`
	MinPartial kernel.Field `need:"?kmem_cache.min_partial"`

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
	Colour     kernel.Field `need:"?kmem_cache.colour"`
	ColourOff  kernel.Field `need:"?kmem_cache.colour_off"`
	FreeSize   kernel.Field `need:"?kmem_cache.freelist_size"`

	Limit kernel.Field `need:"array_cache.limit"`
	Batch kernel.Field `need:"?array_cache.batchcount"`

	FreeSlabs kernel.Field `need:"?kmem_cache_node.free_slabs"`
}
