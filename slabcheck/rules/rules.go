// Package rules has what holds in a sound allocator of objects, and what a place is
// where it does not: a Finding.
//
// It is the vocabulary of who looks and of who reads what was found. It knows slabs
// and objects as package slab does, and not how a rule is checked. Start from Finding;
// All are the rules.
package rules

// Rule is one thing that holds in a sound allocator.
type Rule struct {
	ID   string // stable
	Kind string // group: cache, list, page, free list, CPU, object
	Help string
}

// The rules, by what they look at.
var (
	CacheList   = rule("cache-list", "cache", "the links of the list of caches agree in both directions")
	CacheName   = rule("cache-name", "cache", "a cache's name is text")
	CacheSize   = rule("cache-size", "cache", "size, object_size, inuse, align and reciprocal_size agree")
	CacheOrder  = rule("cache-order", "cache", "the number of objects in a slab is what size and order give")
	CacheOffset = rule("cache-offset", "cache", "the free pointer's place and the red zone in front fit the object")
	CacheCount  = rule("cache-refcount", "cache", "a cache has users")
	CacheObject = rule("cache-object", "cache", "a cache and what it has for nodes are allocated objects of the right caches")
	CacheCPU    = rule("cache-percpu", "cache", "the per-CPU pointer leads to memory of every CPU")
	CacheUse    = rule("cache-use", "cache", "constructor, user copies and the slabs that CPUs keep fit the cache")
	CacheLimit  = rule("cache-partial-limit", "cache", "a node keeps 5 to 10 partial slabs that are empty, unless that was set")
	CacheRandom = rule("cache-random", "cache", "the number that free pointers are mixed with is the one that they were mixed with")
	CacheSeq    = rule("cache-random-seq", "cache", "the random order of objects in new slabs names each object once")

	ListLink    = rule("list-link", "list", "the links of a list of slabs agree in both directions")
	ListForeign = rule("list-foreign", "list", "a list of slabs has slabs of its cache and node only")
	ListTwice   = rule("list-twice", "list", "a slab is on one list, or owned by one CPU")
	ListKind    = rule("list-kind", "list", "a slab is on the list that its number of free objects asks for")
	ListLost    = rule("list-lost", "list", "a slab that is not full is on a list or owned by a CPU")
	NrPartial   = rule("nr-partial", "list", "the counter of a node's partial slabs is the length of the list")
	NrSlabs     = rule("nr-slabs", "list", "the counter of a node's slabs is how many there are")
	NrObjects   = rule("nr-objects", "list", "the counter of a node's objects is how many its slabs have")
	NrFree      = rule("nr-free", "list", "the counter of a node's free objects or slabs is how many there are")

	PageCache   = rule("page-cache", "page", "a page of a slab names a cache")
	PageType    = rule("page-type", "page", "what lists and CPUs name as a slab is marked as one")
	PageTail    = rule("page-tail", "page", "every page of a slab names the slab's first page")
	PageNode    = rule("page-node", "page", "node and zone in a page's flags are those of its memory")
	PageFlags   = rule("page-flags", "page", "a slab's page has no flags that slabs never have")
	PageCount   = rule("page-refcount", "page", "a slab's page has the reference count of slabs")
	SlabObjects = rule("slab-objects", "page", "the number of objects is what the slab's size gives")
	SlabInuse   = rule("slab-inuse", "page", "the counter of used objects and the free list make all objects")
	SlabFrozen  = rule("slab-frozen", "page", "slabs of CPUs are frozen, others are not")
	SlabPartial = rule("slab-partial-flag", "page", "slabs on the partial list of a node are flagged so, others are not")
	SlabMem     = rule("slab-memory", "page", "the first object and the array of free objects are where the slab's colour puts them")
	SlabOwners  = rule("slab-owners", "page", "the array of who is charged for objects is an allocated object, large enough")

	FreeHead    = rule("free-head", "free list", "the head of a free list is an object of the slab")
	FreePointer = rule("free-pointer", "free list", "a free pointer leads to an object of the slab")
	FreeForeign = rule("free-pointer-foreign", "free list", "a free pointer leads into its own slab, not into another")
	FreeAlign   = rule("free-pointer-misaligned", "free list", "a free pointer leads to the start of an object")
	FreeCycle   = rule("free-list-cycle", "free list", "a free list ends")
	FreeTwice   = rule("object-twice", "free list", "an object is free in one place only")
	FreeIndex   = rule("free-index", "free list", "indexes of free objects are below the number of objects, and the last is that of the object that holds them")

	CPUSlab     = rule("cpu-slab", "CPU", "the slab that a CPU allocates from is one of the cache")
	CPUList     = rule("cpu-freelist", "CPU", "the free list of a CPU is of objects of its slab")
	CPUPartial  = rule("cpu-partial", "CPU", "the list of a CPU's partial slabs is of slabs of the cache")
	CPUCount    = rule("cpu-partial-count", "CPU", "each of a CPU's partial slabs counts those behind it")
	CPUTid      = rule("cpu-tid", "CPU", "the transaction id of a CPU ends in the CPU's number")
	ArrayLimit  = rule("array-limit", "CPU", "an array or a sheaf holds no more than fits")
	ArrayEntry  = rule("array-entry", "CPU", "what an array or a sheaf holds is an object")
	ArrayCache  = rule("array-cache", "CPU", "what an array or a sheaf holds is of the same cache")
	ArrayNode   = rule("array-node", "CPU", "what a node's array holds is of that node")
	ArrayState  = rule("array-state", "CPU", "what an array or a sheaf holds is allocated as far as its slab knows")
	SheafHeader = rule("sheaf", "CPU", "a sheaf belongs to the cache, and is an allocated object")
	BarnList    = rule("barn-list", "CPU", "a node's lists of sheaves are linked, counted, and full or empty")

	RedLeft      = rule("redzone-left", "object", "the red zone in front of an object is whole")
	RedRight     = rule("redzone-right", "object", "the red zone behind an object is whole")
	RedExtra     = rule("redzone-kmalloc", "object", "what kmalloc gave beyond the request is untouched")
	RedState     = rule("redzone-state", "object", "red zones say that an object is free if a list has it, and only then")
	Poison       = rule("poison", "object", "a free object holds 6b up to its last byte")
	PoisonEnd    = rule("poison-end", "object", "the last byte of a free object is a5")
	PadAlign     = rule("padding-align", "object", "the padding behind an object's data is 5a")
	PadObject    = rule("padding-object", "object", "the padding at an object's end is 5a")
	PadSlab      = rule("padding-slab", "object", "the padding at a slab's end is 5a")
	Track        = rule("track", "object", "the records of who allocated and freed an object make sense")
	OrigSize     = rule("orig-size", "object", "the size that was asked for is not above the object's")
	FreeWiped    = rule("free-wiped", "object", "a free object is zero if objects are wiped when freed")
	KfenceCanary = rule("kfence-canary", "object", "the bytes around an object of KFENCE are what KFENCE put there")
	KfenceMeta   = rule("kfence-object", "object", "an object of KFENCE is within its page")
	OffSlab      = rule("off-slab", "object", "the array of free objects is an allocated object of its own")
)

// All are the rules in the order in which they are declared.
func All() []*Rule { return all }

var all []*Rule

func rule(id, kind, help string) *Rule {
	r := &Rule{id, kind, help}
	all = append(all, r)
	return r
}
