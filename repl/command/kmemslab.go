package command

import (
	"context"
	"fmt"
	"slices"

	"github.com/kdive/kdive/slab"
)

// show shows one cache: its line, and with -S what it has for CPUs and nodes.
func (l *cacheLister) show(ctx context.Context, x *slab.Cache) error {
	if !l.objects {
		l.row(x)
		return nil
	}
	cacheRecord.Head(l.c.Out)
	l.row(x)
	if !l.ignored[x.Name] && x.Err == nil {
		listed := map[uint64]bool{}
		perCPU := l.cpus(x, listed)
		for _, n := range x.Nodes() {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			l.node(n, perCPU[n.ID], listed)
		}
	}
	l.c.Out.Print("\n")
	return nil
}

// cpus shows what each CPU has, and returns for each node how many slabs CPUs
// allocate from.
func (l *cacheLister) cpus(x *slab.Cache, listed map[uint64]bool) map[int]int {
	perCPU := map[int]int{}
	cpus, err := x.CPUs()
	if err != nil {
		l.c.Out.Fault("CPUs of "+x.Name, err)
		return perCPU
	}
	present, err := l.t.Opened.Kernel.PresentCPUs()
	for _, v := range cpus {
		if err == nil && !slices.Contains(present, v.CPU) && v.Slab == nil && v.Held == 0 {
			continue // possible, but never there
		}
		if l.only != nil && !slices.Contains(l.only, v.CPU) {
			if v.Slab != nil {
				perCPU[v.Slab.Node]++
			}
			continue
		}
		slabCPURecord.Emit(l.c.Out, v)
		kind := "KMEM_CACHE_CPU"
		switch {
		case l.m.Allocator() == "SLAB":
			kind = "ARRAY_CACHE"
		case x.Sheaves():
			kind = "SLUB_PERCPU_SHEAVES"
		}
		l.c.Out.Printf("CPU %d %s:\n  %x\n", v.CPU, kind, v.Addr)
		if v.Err != nil {
			l.c.Out.Fault(fmt.Sprintf("CPU %d", v.CPU), v.Err)
		}
		if kind != "KMEM_CACHE_CPU" {
			l.c.Out.Printf("CPU %d OBJECTS: %d\n", v.CPU, v.Held)
			continue
		}
		l.c.Out.Printf("CPU %d SLAB:\n", v.CPU)
		if v.Slab != nil {
			perCPU[v.Slab.Node]++
			l.slab(v.Slab, "CPU", listed)
		} else {
			l.c.Out.Print("  (empty)\n")
		}
		l.c.Out.Printf("CPU %d PARTIAL:\n", v.CPU)
		for _, s := range v.Partial {
			l.slab(s, "CPU partial", listed)
		}
		if len(v.Partial) == 0 {
			l.c.Out.Print("  (empty)\n")
		}
	}
	return perCPU
}

// node shows the lists of a node.
func (l *cacheLister) node(n *slab.Node, perCPU int, listed map[uint64]bool) {
	slabNodeRecord.Head(l.c.Out)
	slabNodeRecord.Emit(l.c.Out, &slabNodeRow{n, perCPU})
	l.list(n, slab.PartialSlabs, "partial", listed)
	if l.m.Allocator() == "SLAB" {
		l.list(n, slab.FreeSlabs, "free", listed)
		l.list(n, slab.FullSlabs, "full", listed)
		return
	}
	if l.full == nil && !n.TracksFull() {
		l.c.Out.Printf("NODE %d FULL:\n  (not tracked)\n", n.ID)
		return
	}
	if l.full == nil {
		l.list(n, slab.FullSlabs, "full", listed)
		return
	}
	l.c.Out.Printf("NODE %d FULL:\n", n.ID)
	shown := 0
	for _, s := range l.full[n.Cache()] {
		if s.Node == n.ID && !listed[s.Addr] {
			l.slab(s, "full", listed)
			shown++
		}
	}
	if shown == 0 {
		l.c.Out.Print("  (empty)\n")
	}
}

var nodeListNames = map[slab.NodeList]string{slab.PartialSlabs: "PARTIAL", slab.FullSlabs: "FULL", slab.FreeSlabs: "FREE"}

func (l *cacheLister) list(n *slab.Node, which slab.NodeList, role string, listed map[uint64]bool) {
	l.c.Out.Printf("NODE %d %s:\n", n.ID, nodeListNames[which])
	shown := 0
	for s, err := range n.List(which) {
		if shown++; err != nil {
			l.c.Out.Fault(fmt.Sprintf("NODE %d %s", n.ID, nodeListNames[which]), err)
			continue
		}
		if l.rowsOnly() {
			if shown == 1 {
				slabRecord.Head(l.c.Out)
			}
			listed[s.Addr] = true
			slabRecord.Emit(l.c.Out, newSlabRow(s, role))
			continue
		}
		l.slab(s, role, listed)
	}
	if shown == 0 {
		l.c.Out.Print("  (empty)\n")
	}
}

// rowsOnly tells that the objects of slabs on a node's lists are not shown. With
// SLAB, where CPUs have no slabs of their own, there would be none else.
func (l *cacheLister) rowsOnly() bool {
	return l.only != nil || l.full == nil && l.m.Allocator() != "SLAB"
}

// slab shows a slab with all of its objects.
func (l *cacheLister) slab(s *slab.Slab, role string, listed map[uint64]bool) {
	listed[s.Addr] = true
	r := newSlabRow(s, role)
	l.slabHead(r)
	for _, o := range r.objects {
		slabObjectRecord.Emit(l.c.Out, o)
	}
}

func (l *cacheLister) slabHead(r *slabRow) {
	slabRecord.Head(l.c.Out)
	slabRecord.Emit(l.c.Out, r)
	if r.err != nil {
		l.c.Out.Fault(fmt.Sprintf("  slab %x", r.Addr), r.err)
	}
	l.c.Out.Print("  FREE / [ALLOCATED]\n")
}

// newSlabRow looks at all objects of a slab.
func newSlabRow(s *slab.Slab, role string) *slabRow {
	r := &slabRow{Slab: s, role: role}
	for i := range s.Objects {
		o := newObjectRow(s.At(i))
		if o.state == slab.Free {
			r.free++
		}
		if r.err == nil {
			r.err = o.err
		}
		r.objects = append(r.objects, o)
	}
	return r
}

// object shows the cache and the slab of an object, and the object or all.
func (l *cacheLister) object(o slab.Object, whole bool) {
	cacheRecord.Head(l.c.Out)
	l.row(o.Slab.Cache)
	r := newSlabRow(o.Slab, "")
	l.slabHead(r)
	switch {
	case whole:
		for _, x := range r.objects {
			slabObjectRecord.Emit(l.c.Out, x)
		}
	case o.Index >= 0:
		slabObjectRecord.Emit(l.c.Out, newObjectRow(o))
	}
}
