package command

import (
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/slab"
)

// cacheRow is one cache of objects with its usage.
type cacheRow struct {
	*slab.Cache
	size    int64 // what stands in the column OBJSIZE
	ignored bool
	usage   slab.Usage
}

// count is a number that is not known of a cache that makes no sense.
func (r *cacheRow) count(n int) output.Value {
	return onlyIf(r.Err == nil && !r.ignored, output.Int(n))
}

var cacheRecord = &output.Record[cacheRow]{
	Type: "slab_cache",
	Help: "a cache of kernel objects",
	Columns: []output.Column[cacheRow]{
		{Name: "cache", Head: "CACHE           ", Verb: "%016x  ", Help: "address of the kmem_cache", Get: func(r *cacheRow) output.Value { return output.Addr(r.Addr) }},
		{Name: "object_size", Head: "  OBJSIZE", Verb: "%7d  ", None: "?", Help: "bytes of an object; with SLAB, from object to object", Get: func(r *cacheRow) output.Value { return r.count(int(r.size)) }},
		{Name: "allocated", Head: "  ALLOCATED", Verb: "%9d  ", None: "?", Help: "objects in use", Get: func(r *cacheRow) output.Value { return r.count(r.usage.Allocated) }},
		{Name: "total", Head: "     TOTAL", Verb: "%8d  ", None: "?", Help: "objects in all slabs", Get: func(r *cacheRow) output.Value { return r.count(r.usage.Objects) }},
		{Name: "slabs", Head: "  SLABS", Verb: "%5d  ", None: "?", Help: "number of slabs", Get: func(r *cacheRow) output.Value { return r.count(r.usage.Slabs) }},
		{Name: "slab_size", Head: "  SSIZE", Verb: "%5s  ", None: "?", Help: "bytes of a slab of the usual order", Get: func(r *cacheRow) output.Value { return r.count(kernel.PageSize << r.Order) },
			Text: func(r *cacheRow) string {
				if r.Err != nil {
					return "?"
				}
				return fmt.Sprintf("%dk", kernel.PageSize<<r.Order>>10)
			}},
		{Name: "name", Head: "  NAME", Verb: "%s", Help: "name of the cache; of merged ones, the first", Get: func(r *cacheRow) output.Value { return output.String(r.Name) }},
		{Name: "aliases", Help: "names of caches that were merged with it", Get: func(r *cacheRow) output.Value { return output.Strings(r.Aliases()) }},
		{Name: "ignored", Help: "whether -I left the cache out; then nothing is counted", Get: func(r *cacheRow) output.Value { return output.Bool(r.ignored) }},
		{Name: "fault", Help: "why numbers are missing or may be wrong, null if they are right", Get: func(r *cacheRow) output.Value { return output.Fault(r.usage.Err) }},
	},
}

// cacheNameRecord is a cache in the list that has names only.
var cacheNameRecord = &output.Record[slab.Cache]{
	Type: "slab_cache_name",
	Help: "a cache in the list of names",
	Columns: []output.Column[slab.Cache]{
		{Name: "cache", Verb: "%016x ", Help: "address of the kmem_cache", Get: func(c *slab.Cache) output.Value { return output.Addr(c.Addr) }},
		{Name: "name", Verb: "%s", Help: "name of the cache", Get: func(c *slab.Cache) output.Value { return output.String(c.Name) }},
	},
}

// slabRow is one slab with the number of its free objects.
type slabRow struct {
	*slab.Slab
	role    string // the list that it is on
	free    int
	err     error
	objects []*objectRow
}

var slabRecord = &output.Record[slabRow]{
	Type: "slab",
	Help: "a slab: pages cut into objects",
	Columns: []output.Column[slabRow]{
		{Name: "slab", Head: "  SLAB            ", Verb: "  %016x  ", Help: "address of the struct slab or struct page", Get: func(r *slabRow) output.Value { return output.Addr(r.Addr) }},
		{Name: "memory", Head: "  MEMORY          ", Verb: "%016x  ", Help: "address of its memory", Get: func(r *slabRow) output.Value { return output.Addr(r.Base) }},
		{Name: "node", Head: "  NODE", Verb: "%4d  ", Help: "NUMA node", Get: func(r *slabRow) output.Value { return output.Int(r.Node) }},
		{Name: "total", Head: "  TOTAL", Verb: "%5d  ", Help: "objects", Get: func(r *slabRow) output.Value { return output.Int(r.Objects) }},
		{Name: "allocated", Head: "  ALLOCATED", Verb: "%9d  ", Help: "objects in use", Get: func(r *slabRow) output.Value { return output.Int(r.Objects - r.free) }},
		{Name: "free", Head: "  FREE", Verb: "%4d", Help: "objects on any free list", Get: func(r *slabRow) output.Value { return output.Int(r.free) }},
		{Name: "cache", Help: "address of its kmem_cache", Get: func(r *slabRow) output.Value { return output.Addr(r.Cache.Addr) }},
		{Name: "list", Help: "which list the slab is on: CPU, CPU partial, partial, full or free; null where that was not asked for", Get: func(r *slabRow) output.Value { return optional(r.role) }},
		{Name: "fault", Help: "why the number of free objects may be wrong, null if it is right", Get: func(r *slabRow) output.Value { return output.Fault(r.err) }},
	},
}

// objectRow is one object of a slab.
type objectRow struct {
	slab.Object
	state slab.State
	place slab.Place
	err   error
}

func newObjectRow(o slab.Object) *objectRow {
	r := &objectRow{Object: o}
	r.state, r.place, r.err = o.State()
	return r
}

var slabObjectRecord = &output.Record[objectRow]{
	Type: "slab_object",
	Help: "an object of a slab; in text, brackets mean that it is allocated",
	Columns: []output.Column[objectRow]{
		{Name: "object", Help: "address of the object", Get: func(r *objectRow) output.Value { return output.Addr(r.Addr) }},
		{Name: "index", Help: "its number in the slab", Get: func(r *objectRow) output.Value { return output.Int(r.Index) }},
		{Name: "offset", Help: "bytes from the object to the address asked for", Get: func(r *objectRow) output.Value { return output.Int(r.Offset) }},
		{Name: "state", Help: "allocated, free, pending (freed, kept until readers under RCU are done) or unknown", Get: func(r *objectRow) output.Value { return output.String(r.state.String()) }},
		{Name: "holder", Help: "what holds the free object, null if it is not free", Get: func(r *objectRow) output.Value {
			if r.state != slab.Free && r.state != slab.Pending {
				return output.Null()
			}
			return output.String(r.place.String())
		}},
		{Name: "slab", Help: "address of its slab", Get: func(r *objectRow) output.Value { return output.Addr(r.Slab.Addr) }},
		{Name: "cache_name", Help: "name of its cache", Get: func(r *objectRow) output.Value { return output.String(r.Slab.Cache.Name) }},
		{Name: "fault", Help: "why the state is unknown, null if it is known", Get: func(r *objectRow) output.Value { return output.Fault(r.err) }},
	},
	Text: func(b []byte, r *objectRow) []byte {
		switch r.state {
		case slab.Allocated:
			return fmt.Appendf(b, "  [%016x]\n", r.Addr)
		case slab.Unknown:
			return fmt.Appendf(b, "  ?%016x  (unknown)\n", r.Addr)
		}
		return fmt.Appendf(b, "   %016x  %s\n", r.Addr, holderText(r.place))
	},
}

// holderText is the remark behind a free object; none if its slab has it.
func holderText(p slab.Place) string {
	switch p.Holder {
	case slab.OwnSlab:
		if p.CPU < 0 {
			return ""
		}
		return fmt.Sprintf("(cpu %d cache)", p.CPU) // nobody else may take it
	case slab.CPUList, slab.CPUArray:
		return fmt.Sprintf("(cpu %d cache)", p.CPU)
	case slab.CPUSheaf:
		return fmt.Sprintf("(cpu %d sheaf)", p.CPU)
	case slab.RCUSheaf:
		return fmt.Sprintf("(cpu %d rcu sheaf)", p.CPU)
	case slab.NodeSheaf:
		return fmt.Sprintf("(node %d sheaf)", p.Node)
	case slab.NodeArray:
		return fmt.Sprintf("(node %d shared cache)", p.Node)
	case slab.AlienArray:
		return fmt.Sprintf("(node %d alien cache)", p.Node)
	case slab.Guarded:
		return "(kfence)"
	}
	return ""
}

// slabCPURecord is what a cache has for one CPU.
var slabCPURecord = &output.Record[slab.CPU]{
	Type: "slab_cpu",
	Help: "what a cache has for one CPU",
	Columns: []output.Column[slab.CPU]{
		{Name: "cpu", Help: "number of the CPU", Get: func(v *slab.CPU) output.Value { return output.Int(v.CPU) }},
		{Name: "address", Help: "address of its kmem_cache_cpu, slub_percpu_sheaves or array_cache; null if it has none", Get: func(v *slab.CPU) output.Value { return optionalAddr(v.Addr) }},
		{Name: "slab", Help: "the slab that it allocates from, null if there is none", Get: func(v *slab.CPU) output.Value {
			if v.Slab == nil {
				return output.Null()
			}
			return output.Addr(v.Slab.Addr)
		}},
		{Name: "partial", Help: "number of slabs that it keeps for later", Get: func(v *slab.CPU) output.Value { return output.Int(len(v.Partial)) }},
		{Name: "held", Help: "free objects that only this CPU takes: on its list, in its sheaves or its array", Get: func(v *slab.CPU) output.Value { return output.Int(v.Held) }},
		{Name: "fault", Help: "why something is missing, null if nothing is", Get: func(v *slab.CPU) output.Value { return output.Fault(v.Err) }},
	},
	Text: func(b []byte, _ *slab.CPU) []byte { return b }, // its lines stand between those of its slabs
}

// slabNodeRow is what a cache has for one NUMA node.
type slabNodeRow struct {
	*slab.Node
	perCPU int // slabs that CPUs allocate from
}

var slabNodeRecord = &output.Record[slabNodeRow]{
	Type: "slab_node",
	Help: "what a cache has for a NUMA node",
	Columns: []output.Column[slabNodeRow]{
		{Name: "address", Head: "KMEM_CACHE_NODE ", Verb: "%016x  ", Help: "address of the kmem_cache_node", Get: func(r *slabNodeRow) output.Value { return output.Addr(r.Addr) }},
		{Name: "node", Head: "  NODE", Verb: "%4d  ", Help: "number of the node", Get: func(r *slabNodeRow) output.Value { return output.Int(r.ID) }},
		{Name: "slabs", Head: "  SLABS", Verb: "%5d  ", None: "?", Help: "slabs by the kernel's counter", Get: func(r *slabNodeRow) output.Value { return atLeastZero(r.Slabs) }},
		{Name: "partial", Head: "  PARTIAL", Verb: "%7d  ", None: "?", Help: "slabs on the partial list by the kernel's counter", Get: func(r *slabNodeRow) output.Value { return atLeastZero(r.Partial) }},
		{Name: "per_cpu", Head: "  PER-CPU", Verb: "%7d", Help: "slabs that CPUs allocate from", Get: func(r *slabNodeRow) output.Value { return output.Int(r.perCPU) }},
		{Name: "held", Help: "free objects in the node's full sheaves, shared and alien arrays", Get: func(r *slabNodeRow) output.Value { return output.Int(r.Held) }},
		{Name: "fault", Help: "why a counter is missing, null if none is", Get: func(r *slabNodeRow) output.Value { return output.Fault(r.Err) }},
	},
}
