package slab

import "testing"

const fenceDecl = `
enum kfence_object_state { KFENCE_OBJECT_UNUSED, KFENCE_OBJECT_ALLOCATED, KFENCE_OBJECT_RCU_FREEING, KFENCE_OBJECT_FREED };
struct kfence_metadata { int state; unsigned long addr; unsigned long size; };
struct kfence_metadata *kfence_metadata;
`

// Guarded objects lie anywhere in a page that looks like a slab.
func TestFence(t *testing.T) {
	f := newFake(t, newSLUB+fenceDecl, 512, 8, 0)
	const poolVar, tableVar, table = imageBase + 0x2000, imageBase + 0x2008, directMap + 0x30000
	f.DefineSymbol("__kfence_pool", poolVar)
	f.DefineSymbol("kfence_metadata", tableVar)
	f.Words(poolVar, memory(298), table)
	for i, state := range []uint64{1, 3, 2} { // pages 300, 302, 304
		pfn := 300 + uint64(i)*2
		f.slubPage(pfn, 1, 1, bare)
		meta := table + uint64(i)*24
		f.Put(meta, "kfence_metadata.state", state)
		f.Put(meta, "kfence_metadata.addr", memory(pfn)+pageSize-504)
		f.Put(meta, "kfence_metadata.size", 504)
	}
	f.slubPage(400, 8, 8, bare) // no page of the pool
	m := load(t, f)
	for pfn, want := range map[uint64]State{300: Allocated, 302: Free, 304: Pending} {
		addr := memory(pfn) + pageSize - 504
		o, ok := m.Find(addr + 8)
		if state, _, _ := o.State(); !ok || o.Addr != addr || o.Offset != 8 || state != want {
			t.Errorf("frame %d: %+v %v %v; want %v", pfn, o, ok, state, want)
		}
		if o, ok := m.Find(memory(pfn)); !ok || o.Index >= 0 {
			t.Errorf("frame %d: %+v %v in front of the object", pfn, o, ok)
		}
	}
	if got, want := states(t, m, 400, 512, 8), "aaaaaaaa"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A node's list with a broken link is walked from its other end, too.
func TestBrokenList(t *testing.T) {
	f := newFake(t, newSLUB, 512, 8, 0)
	f.Words(cacheAt+f.Offset("kmem_cache.per_node"), 0, nodeAt)
	f.Put(nodeAt, "kmem_cache_node.nr_slabs", 4)
	f.Put(nodeAt, "kmem_cache_node.total_objects", 32)
	head := nodeAt + f.Offset("kmem_cache_node.partial")
	links := []uint64{head}
	for pfn := uint64(300); pfn < 304; pfn++ {
		links = append(links, f.slubPage(pfn, 8, 7, bare, 2)+f.Offset("slab.slab_list"))
	}
	f.Link(links...)
	f.Words(links[2], 0xdead000000000100) // the second slab's next
	m := load(t, f)
	seen, faults := map[uint64]int{}, 0
	for s, err := range m.Cache(cacheAt).Nodes()[0].List(PartialSlabs) {
		if err != nil {
			faults++
			continue
		}
		seen[s.Addr]++
	}
	for pfn := uint64(300); pfn < 304; pfn++ {
		if seen[f.page(pfn)] != 1 {
			t.Errorf("slab of frame %d was seen %d times", pfn, seen[f.page(pfn)])
		}
	}
	if faults == 0 {
		t.Error("the break was not reported")
	}
	if u := m.Cache(cacheAt).Usage(); u.Allocated != 28 || u.Err == nil {
		t.Errorf("usage %+v", u)
	}
}

// A kernel without counters (CONFIG_SLUB_DEBUG off) counts pages.
func TestUsageByPages(t *testing.T) {
	const decls = newSLUB + `struct kmem_cache_node { int lock; unsigned long nr_partial; struct list_head partial; };`
	f := newFake(t, decls, 512, 8, 0)
	f.Words(cacheAt+f.Offset("kmem_cache.per_node"), 0, nodeAt)
	f.Link(nodeAt + f.Offset("kmem_cache_node.partial"))
	f.slubPage(300, 8, 7, bare, 2)
	f.slubPage(400, 8, 8, bare)
	u := load(t, f).Cache(cacheAt).Usage()
	if u.Slabs != 2 || u.Objects != 16 || u.Allocated != 15 || u.Err != nil {
		t.Errorf("usage %+v", u)
	}
}

func BenchmarkFind(b *testing.B) {
	f := newFake(b, newSLUB, 512, 8, 0)
	f.slubPage(300, 8, 5, bare, 1, 3, 6)
	m := load(b, f)
	for i := 0; b.Loop(); i++ {
		o, ok := m.Find(memory(300) + uint64(i)%4096)
		if state, _, _ := o.State(); !ok || state == Unknown {
			b.Fatal("not found")
		}
	}
}
