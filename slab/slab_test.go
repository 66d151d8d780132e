package slab

import (
	"context"
	"errors"
	"testing"

	"github.com/kdive/kdive/fault"
)

// states of the objects of a slab: a allocated, f free on the slab's list, c on a
// CPU's list or array, s in a sheaf, n a node's, p pending, ? unknown.
func states(t *testing.T, m *Model, pfn uint64, size uint64, n int) string {
	t.Helper()
	var s []byte
	for i := range n {
		want := memory(pfn) + uint64(i)*size
		o, ok := m.Find(want + size/2)
		if !ok || o.Addr != want || o.Index != i || o.Offset != int64(size/2) {
			t.Fatalf("Find(%#x) = %+v, %v; want object %d at %#x", want+size/2, o, ok, i, want)
		}
		state, p, err := o.State()
		c := byte('a')
		switch {
		case state == Unknown && err == nil:
			t.Errorf("object %d: unknown without a reason", i)
		case state == Unknown:
			c = '?'
		case state == Pending:
			c = 'p'
		case state == Free:
			c = map[Holder]byte{OwnSlab: 'f', CPUList: 'c', CPUArray: 'c', CPUSheaf: 's', NodeSheaf: 'n', NodeArray: 'n', Guarded: 'g'}[p.Holder]
		}
		s = append(s, c)
	}
	return string(s)
}

func TestSLUBPages(t *testing.T) {
	for name, link := range map[string]func(at, next uint64) uint64{"swapped": swapped, "unswapped": unswapped} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, oldSLUB, 512, 16, 1)
			f.Put(cacheAt, "kmem_cache.random", random)
			f.Put(cacheAt, "kmem_cache.cpu_slab", cpuAt)
			f.Put(cacheAt, "kmem_cache.node", nodeAt)

			// CPU 0 allocates from frames 100 and 101; others freed object 2 into it.
			own := f.slubPage(100, 16, 15, link, 2)
			f.Put(f.page(101), "page.compound_head", own|1)
			f.Put(cpuAt, "kmem_cache_cpu.page", own)
			f.Put(cpuAt, "kmem_cache_cpu.freelist", f.freeList(100, link, 15, 0, 7))
			// It keeps frame 200 for later, the node has 300, and 400 is full.
			kept := f.slubPage(200, 16, 14, link, 4, 3)
			f.Put(kept, "page.next", 0)
			f.Put(cpuAt, "kmem_cache_cpu.partial", kept)
			partial := f.slubPage(300, 16, 13, link, 1, 9, 8)
			f.Put(nodeAt, "kmem_cache_node.nr_partial", 1)
			f.Put(nodeAt, "kmem_cache_node.nr_slabs", 4)
			f.Put(nodeAt, "kmem_cache_node.total_objects", 64)
			f.Link(nodeAt+f.Offset("kmem_cache_node.partial"), partial+f.Offset("page.slab_list"))
			f.slubPage(400, 16, 16, link)

			m := load(t, f)
			for pfn, want := range map[uint64]string{
				100: "cafaaaacaaaaaaac",
				200: "aaaffaaaaaaaaaaa",
				300: "afaaaaaaffaaaaaa",
				400: "aaaaaaaaaaaaaaaa",
			} {
				if got := states(t, m, pfn, 512, 8); got != want[:8] {
					t.Errorf("frame %d: %s, want %s", pfn, got, want[:8])
				}
				if pfn == 100 { // its second page
					if got := states(t, m, pfn, 512, 16); got != want {
						t.Errorf("frame %d: %s, want %s", pfn, got, want)
					}
				}
			}
			u := m.Cache(cacheAt).Usage()
			if u.Slabs != 4 || u.Objects != 64 || u.Allocated != 64-4-2-3 || u.Err != nil {
				t.Errorf("usage = %+v", u)
			}
			found := 0
			for s, err := range m.Slabs(context.Background()) {
				if found++; err != nil || s.Cache.Name != "things" {
					t.Errorf("slab %+v, %v", s, err)
				}
			}
			if found != 4 {
				t.Errorf("%d slabs by their pages, want 4", found)
			}
			if _, ok := m.Find(memory(500)); ok {
				t.Error("a page that is no slab's was taken for one")
			}
			if _, ok := m.Find(0x1000); ok {
				t.Error("a user address was found in a slab")
			}
		})
	}
}

func TestSheaves(t *testing.T) {
	f := newFake(t, newSLUB, 512, 32, 2)
	f.Put(cacheAt, "kmem_cache.cpu_sheaves", cpuAt)
	f.Words(cacheAt+f.Offset("kmem_cache.per_node"), barnAt, nodeAt)
	head := f.slubPage(128, 32, 30, bare, 31, 5)
	for i := uint64(1); i < 4; i++ { // the mask that makes the first page's structure of any
		f.Put(f.page(128+i), "page.compound_info", ^uint64(4*64-1)|1)
	}
	sheaf := func(at uint64, objects ...uint64) uint64 {
		f.Put(at, "slab_sheaf.size", uint64(len(objects)))
		for i, o := range objects {
			f.Words(at+f.Offset("slab_sheaf.objects")+uint64(i)*8, memory(128)+o*512)
		}
		return at
	}
	f.Put(cpuAt, "slub_percpu_sheaves.main", sheaf(directMap+0x20000, 1, 2))
	f.Put(cpuAt, "slub_percpu_sheaves.spare", sheaf(directMap+0x21000, 30))
	f.Put(cpuAt, "slub_percpu_sheaves.rcu_free", sheaf(directMap+0x22000, 9))
	f.Link(barnAt+f.Offset("node_barn.sheaves_full"), sheaf(directMap+0x23000, 20)+f.Offset("slab_sheaf.barn_list"))
	f.Put(nodeAt, "kmem_cache_node.nr_slabs", 1)
	f.Put(nodeAt, "kmem_cache_node.total_objects", 32)
	f.Link(nodeAt+f.Offset("kmem_cache_node.partial"), head+f.Offset("slab.slab_list"))

	m := load(t, f)
	if got, want := states(t, m, 128, 512, 32), "assaafaaapaaaaaaaaaanaaaaaaaaasf"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if u := m.Cache(cacheAt).Usage(); u.Allocated != 32-2-4 || u.Err != nil {
		t.Errorf("usage = %+v", u)
	}
	nodes := m.Cache(cacheAt).Nodes()
	if len(nodes) != 1 || nodes[0].Held != 1 {
		t.Errorf("nodes = %+v", nodes)
	}
}

func TestSLAB(t *testing.T) {
	f := newFake(t, oneSLAB, 128, 31, 0)
	f.Put(cacheAt, "kmem_cache.node", nodeAt)
	// The index array is at the start of the slab, objects follow.
	page := f.page(300)
	f.Put(page, "slab.__page_flags", 1<<9)
	f.Put(page, "slab.slab_cache", cacheAt)
	f.Put(page, "slab.s_mem", memory(300))
	f.Put(page, "slab.active", 28)
	f.Put(page, "slab.freelist", memory(300)+31*128)
	f.Bytes(memory(300)+31*128+28, []byte{30, 0, 4})
	f.Put(cpuAt, "array_cache.avail", 2)
	f.Words(cpuAt+f.Offset("array_cache.entry"), memory(300)+7*128, memory(300)+8*128)
	shared := uint64(directMap + 0x20000)
	f.Put(shared, "array_cache.avail", 1)
	f.Words(shared+f.Offset("array_cache.entry"), memory(300)+9*128)
	f.Put(nodeAt, "kmem_cache_node.shared", shared)
	f.Put(nodeAt, "kmem_cache_node.total_slabs", 1)
	f.Put(nodeAt, "kmem_cache_node.free_objects", 3)
	f.Link(nodeAt+f.Offset("kmem_cache_node.slabs_partial"), page+f.Offset("slab.slab_list"))

	m := load(t, f)
	if m.Allocator() != "SLAB" {
		t.Errorf("allocator %s", m.Allocator())
	}
	if got, want := states(t, m, 300, 128, 31), "faaafaaccnaaaaaaaaaaaaaaaaaaaaf"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if u := m.Cache(cacheAt).Usage(); u.Allocated != 31-3-3 || u.Objects != 31 || u.Err != nil {
		t.Errorf("usage = %+v", u)
	}
	n := m.Cache(cacheAt).Nodes()[0]
	if n.Partial != 1 {
		t.Errorf("%d partial slabs, want 1", n.Partial)
	}
	if o, ok := m.Find(memory(300) + 31*128 + 5); !ok || o.Index != -1 {
		t.Errorf("the index array was taken for object %d", o.Index)
	}
}

// A free list that breaks: what it told before counts, the rest is unknown, and
// other slabs do not suffer.
func TestBrokenFreeLists(t *testing.T) {
	for name, spoil := range map[string]func(f fake){
		"leads out of the slab": func(f fake) { f.Words(memory(300)+3*512+8, memory(301)) },
		"leads between objects": func(f fake) { f.Words(memory(300)+3*512+8, memory(300)+5*512+16) },
		"leads back":            func(f fake) { f.Words(memory(300)+3*512+8, memory(300)+1*512) },
		"leads to itself":       func(f fake) { f.Words(memory(300)+3*512+8, memory(300)+3*512) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, newSLUB, 512, 8, 0)
			f.slubPage(300, 8, 5, bare, 1, 3, 6)
			f.slubPage(400, 8, 7, bare, 2)
			spoil(f)
			m := load(t, f)
			if got, want := states(t, m, 300, 512, 8), "?f?f????"; got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if got, want := states(t, m, 400, 512, 8), "aafaaaaa"; got != want {
				t.Errorf("the other slab: %s, want %s", got, want)
			}
			o, _ := m.Find(memory(300))
			_, _, err := o.State()
			var broken *FreeListError
			if !errors.As(err, &broken) || broken.From != memory(300)+3*512 {
				t.Errorf("error %v", err)
			}
		})
	}
}

// The per-CPU list of a cache cannot be read: what is free is still known, but
// nobody can say that the rest is allocated.
func TestUnreadable(t *testing.T) {
	f := newFake(t, newSLUB, 512, 8, 0)
	f.Put(cacheAt, "kmem_cache.cpu_sheaves", cpuAt)
	f.slubPage(300, 8, 7, bare, 2)
	f.Fail(cpuAt, fault.Excluded)
	m := load(t, f)
	if got, want := states(t, m, 300, 512, 8), "??f?????"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if u := m.Cache(cacheAt).Usage(); fault.ReasonOf(u.Err) != fault.Excluded {
		t.Errorf("usage error %v", u.Err)
	}
}

func TestImpossibleCaches(t *testing.T) {
	for name, spoil := range map[string]func(f fake){
		"no size":    func(f fake) { f.Put(cacheAt, "kmem_cache.size", 0) },
		"no objects": func(f fake) { f.Put(cacheAt, "kmem_cache.oo.x", 1<<16) },
		"huge":       func(f fake) { f.Put(cacheAt, "kmem_cache.oo.x", 0xffff0010) },
		"pointer":    func(f fake) { f.Put(cacheAt, "kmem_cache.offset", 0xfffffff0) },
		"red zone":   func(f fake) { f.Put(cacheAt, "kmem_cache.red_left_pad", 0x7fffffff) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, newSLUB, 512, 8, 0)
			f.slubPage(300, 8, 7, bare, 2)
			spoil(f)
			m := load(t, f)
			c := m.Cache(cacheAt)
			if c.Err == nil || c.Usage().Err == nil {
				t.Errorf("cache %+v was believed", c)
			}
			o, ok := m.Find(memory(300) + 512)
			if state, _, err := o.State(); !ok || o.Index != -1 || state != Unknown || err == nil {
				t.Errorf("object %+v %v %v %v", o, ok, state, err)
			}
		})
	}
}
