package mm

import (
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel/kerneltest"
)

const ownerDecls = `
struct list_head { struct list_head *next; struct list_head *prev; };
struct hlist_node { struct hlist_node *next; void *pprev; };
struct hlist_head { struct hlist_node *first; };
struct rb_node { unsigned long __rb_parent_color; struct rb_node *rb_right; struct rb_node *rb_left; };
struct rb_root { struct rb_node *rb_node; };
struct rb_root_cached { struct rb_root rb_root; void *rb_leftmost; };
struct address_space { void *host; struct rb_root_cached i_mmap; };
struct inode { void *i_mapping; struct hlist_head i_dentry; struct address_space i_data; };
struct dentry { void *d_parent; union { struct hlist_node d_alias; } d_u; };
struct anon_vma { void *root; struct rb_root_cached rb_root; };
struct anon_vma_chain { void *vma; void *anon_vma; struct rb_node rb; };
struct mm_struct { void *mmap; void *pgd; };
struct vm_area_struct { unsigned long vm_start; unsigned long vm_end; void *vm_next; struct mm_struct *vm_mm; unsigned long vm_flags;
	struct { struct rb_node rb; } shared; unsigned long vm_pgoff; void *vm_file; };
enum pageflags { PG_locked, PG_head = 6 };
struct page { unsigned long flags; unsigned long compound_head; unsigned long lru2; void *mapping; unsigned long index; unsigned long private; int _mapcount; int _refcount; unsigned long pad; };`

const (
	fakeInode = 0xffff888000020000
	fakeAnon  = 0xffff888000030000
	fakeVMA   = 0xffff888000040000
)

func ownerKernel(t *testing.T) (*kerneltest.Kernel, *Owners) {
	k := kerneltest.New(t, ownerDecls)
	k.DefineSymbol("vmemmap_base", 0x1000)
	k.Words(0x1000, fakeMap)
	k.Map(pageOf(0), 64*64)
	k.Put(fakeVMA, "vm_area_struct.vm_start", 0x400000)
	k.Put(fakeVMA, "vm_area_struct.vm_end", 0x404000)
	k.Put(fakeVMA, "vm_area_struct.vm_pgoff", 2)
	k.Put(fakeVMA, "vm_area_struct.vm_mm", 0xffff888000050000)
	k.Put(0xffff888000050000, "mm_struct.pgd", 0x9000)
	inode := uint64(fakeInode)
	mapping := inode + k.Offset("inode.i_data")
	k.Map(fakeInode, 4096)
	k.Put(inode, "inode.i_mapping", mapping)
	k.Put(mapping, "address_space.host", inode)
	k.Put(mapping, "address_space.i_mmap", fakeVMA+k.Offset("vm_area_struct.shared"))
	k.Put(0x7000, "dentry.d_parent", 0x7000)
	k.Put(inode, "inode.i_dentry", 0x7000+k.Offset("dentry.d_u"))
	k.Put(0x8000, "anon_vma_chain.vma", fakeVMA)
	k.Put(fakeAnon, "anon_vma.rb_root", 0x8000+k.Offset("anon_vma_chain.rb"))
	p, err := LoadPages(k)
	if err != nil {
		t.Fatal(err)
	}
	o, err := LoadOwners(k, p)
	if err != nil {
		t.Fatal(err)
	}
	return k, o
}

func putPage(k *kerneltest.Kernel, pfn, mapping, index uint64) {
	at := fakeMap + pfn*uint64(64)
	k.Put(at, "page.mapping", mapping)
	k.Put(at, "page.index", index)
	k.Put(at, "page._refcount", 1)
	k.Put(at, "page._mapcount", 0)
}

func TestOwners(t *testing.T) {
	k, o := ownerKernel(t)
	putPage(k, 5, fakeInode+k.Offset("inode.i_data"), 3)
	w, err := o.Of(5)
	if err != nil || w.Kind != FileOwner || w.Inode != fakeInode || w.Dentry != 0x7000 || w.Index != 3 {
		t.Fatalf("%+v, %v", w, err)
	}
	mappers := 0
	for m, err := range o.Mappers(w, 5) {
		if mappers++; err != nil || m.Vaddr != 0x401000 || m.MM != 0xffff888000050000 || m.Present || m.Err == nil {
			t.Errorf("%+v, %v", m, err)
		}
	}
	putPage(k, 6, fakeAnon|1, 5)
	if w, err = o.Of(6); err != nil || w.Kind != AnonOwner || w.Mapping != fakeAnon {
		t.Fatalf("%+v, %v", w, err)
	}
	for m, err := range o.Mappers(w, 6) {
		if mappers++; err != nil || m.Vaddr != 0x403000 {
			t.Errorf("%+v, %v", m, err)
		}
	}
	w.Index = 6 // behind the end of the area
	for m := range o.Mappers(w, 6) {
		t.Errorf("%+v", m)
	}
	if mappers != 2 {
		t.Errorf("%d mappers", mappers)
	}
}

func TestOwnersOfOtherPages(t *testing.T) {
	k, o := ownerKernel(t)
	for name, x := range map[string]struct {
		mapping uint64
		fault   bool
	}{
		"nothing":               {0, false},
		"a number":              {0x1234, false},
		"movable":               {fakeInode | 2, false},
		"host is none":          {0xffff888000050000, false},
		"address_space is gone": {0xffff888000990000, true},
		"another's inode":       {0xffff888000060000, true},
	} {
		k.Put(0xffff888000060000, "address_space.host", fakeInode)
		putPage(k, 9, x.mapping, 0)
		if w, err := o.Of(9); w.Kind != NoOwner || (err != nil) != x.fault {
			t.Errorf("%s: %+v, %v", name, w, err)
		}
	}
	putPage(k, 9, fakeAnon|3, 0)
	if w, err := o.Of(9); w.Kind != KSMOwner || err != nil {
		t.Errorf("ksm: %+v, %v", w, err)
	}
	// The tree of areas leads nowhere.
	putPage(k, 10, fakeAnon|1, 5)
	k.Put(fakeAnon, "anon_vma.rb_root", 0xffff888000990000)
	w, err := o.Of(10)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range o.Mappers(w, 10) {
		if n++; fault.ReasonOf(err) != fault.Unmapped {
			t.Errorf("%v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d errors", n)
	}
}
