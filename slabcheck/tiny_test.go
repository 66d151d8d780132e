package slabcheck_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/kdive/kdive/kdivetest"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck"
)

// TestSLABRules spoils the bundled dump, whose allocator is SLAB.
func TestSLABRules(t *testing.T) {
	k := kdivetest.Open(t).Kernel
	field := func(path string) kernel.Field {
		f, err := k.Field(path)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	at := func(path string, base uint64) uint64 { f := field(path); return f.At(base) }
	word := func(path string, base uint64) uint64 {
		f := field(path)
		v, err := f.Uint(k, base)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	s := partialSlab(t, k)
	c := s.Cache
	node, _ := c.NodePointers(0)
	off, err := k.PerCPUOffset(0)
	if err != nil {
		t.Fatal(err)
	}
	ac := c.Layout().CPU + off
	keeper, _ := s.Index(s.FreeHead()) // the object that has the array is the last in it
	last := s.FreeHead() + uint64(s.Objects-1)
	for _, x := range []struct {
		name  string
		spoil func(f *kdivetest.Damaged)
		want  string
	}{
		{"nothing", func(*kdivetest.Damaged) {}, ""},
		{"index", func(f *kdivetest.Damaged) { f.Put(s.FreeHead()+uint64(s.Inuse), uint64(s.Objects)+1, 1) }, "free-index"},
		{"last index", func(f *kdivetest.Damaged) { f.Put(last, uint64(keeper+1)%uint64(s.Objects), 1) }, "free-index|free-list-cycle"},
		{"last index out of range", func(f *kdivetest.Damaged) { f.Put(last, uint64(s.Objects), 1) }, "free-index"},
		{"array in another object", func(f *kdivetest.Damaged) {
			f.Put(at("slab.freelist", s.Addr), s.Object((keeper+1)%s.Objects), 8)
		}, "slab-memory"},
		{"active", func(f *kdivetest.Damaged) { f.Put(at("slab.active", s.Addr), uint64(s.Objects)+3, 4) }, "slab-inuse"},
		{"free objects", func(f *kdivetest.Damaged) { f.Put(at("kmem_cache_node.free_objects", node), 1000, 8) }, "nr-free"},
		{"slabs", func(f *kdivetest.Damaged) {
			f.Put(at("kmem_cache_node.total_slabs", node), word("kmem_cache_node.total_slabs", node)+1, 8)
		}, "nr-slabs"},
		{"link", func(f *kdivetest.Damaged) {
			f.Put(at("slab.slab_list", s.Addr), word("slab.slab_list", s.Addr)^0x7300, 8)
		}, "list-link"},
		{"first object", func(f *kdivetest.Damaged) { f.Put(at("slab.s_mem", s.Addr), s.First()+8, 8) }, "slab-memory"},
		{"no room", func(f *kdivetest.Damaged) { f.Put(at("array_cache.avail", ac), 5000, 4) }, "array-limit"},
		{"entry", func(f *kdivetest.Damaged) {
			f.Put(at("array_cache.avail", ac), 1, 4)
			f.Put(at("array_cache.entry", ac), s.First()+1, 8)
		}, "array-entry"},
		{"colour", func(f *kdivetest.Damaged) { f.Put(at("kmem_cache.colour", c.Addr), 77, 8) }, "cache-size"},
	} {
		t.Run(x.name, func(t *testing.T) {
			f := kdivetest.Damage(k)
			x.spoil(f)
			m, err := slab.Load(f)
			if err != nil {
				t.Fatal(err)
			}
			r, err := slabcheck.Check(context.Background(), f, m, slabcheck.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, y := range r.Findings {
				names = append(names, y.Rule.ID)
			}
			any := func(name string) bool { return slices.Contains(strings.Split(x.want, "|"), name) }
			if x.want == "" && len(names) != 0 || x.want != "" && !slices.ContainsFunc(names, any) {
				t.Errorf("broken rules %v, want %s", names, x.want)
			}
			if strings.HasPrefix(x.name, "last index") && slices.Contains(names, "slab-memory") {
				t.Errorf("the pointer to the array is right, but broken rules %v", names)
			}
		})
	}
}

// partialSlab is a slab with free objects whose indexes are in one of them.
func partialSlab(t *testing.T, k *kernel.Kernel) *slab.Slab {
	t.Helper()
	m, err := slab.Load(k)
	if err != nil {
		t.Fatal(err)
	}
	caches, err := m.Caches()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range caches {
		for _, n := range c.Nodes() {
			for s, err := range n.List(slab.PartialSlabs) {
				if err == nil && s.Objects-s.Inuse > 2 && s.Objects < 255 {
					if _, own := s.Index(s.FreeHead()); own {
						return s
					}
				}
			}
		}
	}
	t.Fatal("the dump has no such slab")
	return nil
}
