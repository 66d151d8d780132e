package mm

import (
	"slices"
	"strings"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel/kerneltest"
)

const pageDecls = `
enum pageflags { PG_locked, PG_referenced, PG_head = 6, PG_owner_priv_1 = 10, PG_reserved = 13, __NR_PAGEFLAGS = 25, PG_checked = 10 };
struct page { unsigned long flags; unsigned long lru[2]; void *mapping; unsigned long index; unsigned long private; int _mapcount; int _refcount; };`

func TestPages(t *testing.T) {
	k := kerneltest.New(t, pageDecls)
	k.DefineSymbol("vmemmap_base", 0x1000)
	k.Words(0x1000, 0xffffea0000000000)
	at := uint64(0xffffea0000000000 + 0x12345*56)
	k.Put(at, "page.flags", 0xfffffc0000000|1<<0|1<<10|1<<13)
	k.Put(at, "page.mapping", 0xffff888000001111)
	k.Put(at, "page.index", 7)
	k.Put(at, "page._refcount", 0xffffffff)
	p, err := LoadPages(k)
	if err != nil {
		t.Fatal(err)
	}
	page, err := p.At(0x12345678)
	if err != nil || page.Addr != at || page.Paddr != 0x12345000 || page.Mapping != 0xffff888000001111 || page.Index != 7 || page.Count != -1 {
		t.Errorf("%+v, %v", page, err)
	}
	if !slices.Equal(page.Names, []string{"locked", "owner_priv_1", "reserved"}) {
		t.Errorf("flags %v", page.Names)
	}
	if _, err := p.At(0x99999000); fault.ReasonOf(err) != fault.Unmapped {
		t.Errorf("no memory there: %v", err)
	}
	if _, err := p.At(^uint64(0)); fault.ReasonOf(err) != fault.Unmapped {
		t.Errorf("beyond the array: %v", err)
	}
	k.Fail(at, fault.Excluded)
	if _, err := p.At(0x12345678); fault.ReasonOf(err) != fault.Excluded {
		t.Errorf("excluded: %v", err)
	}
}

func TestPagesWithoutBase(t *testing.T) {
	k := kerneltest.New(t, pageDecls)
	k.Put(0xffd4000000000000+0x100*56, "page.index", 3)
	p, err := LoadPages(k)
	if err != nil {
		t.Fatal(err)
	}
	if page, err := p.At(0x100000); err != nil || page.Index != 3 {
		t.Errorf("%+v, %v", page, err)
	}
	k = kerneltest.New(t, "struct page { unsigned long flags; };")
	if _, err := LoadPages(k); err == nil || !strings.Contains(err.Error(), "page.mapping") {
		t.Errorf("error %v", err)
	}
}

const fileDecls = `
struct qstr { unsigned int hash; unsigned int len; char *name; };
struct dentry { void *d_parent; struct qstr d_name; };
struct vfsmount { void *mnt_root; };
struct path { void *mnt; void *dentry; };
struct file { struct path f_path; };
struct mount { void *pad; void *mnt_parent; void *mnt_mountpoint; struct vfsmount mnt; void *mnt_ns; };`

// tree puts /a/b with a second file system mounted on /a, and returns the
// address of a struct file of /a/x/y.
func tree(k *kerneltest.Kernel) uint64 {
	name := uint64(0x90000)
	dentry := func(at, parent uint64, s string) {
		k.Put(at, "dentry.d_parent", parent)
		k.Put(at, "dentry.d_name.len", uint64(len(s)))
		k.Put(at, "dentry.d_name.name", name)
		k.Bytes(name, []byte(s))
		name += 0x100
	}
	dentry(0x1000, 0x1000, "/")
	dentry(0x1100, 0x1000, "a")
	dentry(0x2000, 0x2000, "/")
	dentry(0x2100, 0x2000, "x")
	dentry(0x2200, 0x2100, "y")
	mount := func(at, parent, point, root, ns uint64) {
		k.Put(at, "mount.mnt_parent", parent)
		k.Put(at, "mount.mnt_mountpoint", point)
		k.Put(at, "mount.mnt.mnt_root", root)
		k.Put(at, "mount.mnt_ns", ns)
	}
	mount(0x3000, 0x3000, 0x1000, 0x1000, 0xffff888000000000)
	mount(0x3100, 0x3000, 0x1100, 0x2000, 0xffff888000000000)
	k.Put(0x4000, "file.f_path.mnt", 0x3100+k.Offset("mount.mnt"))
	k.Put(0x4000, "file.f_path.dentry", 0x2200)
	return 0x4000
}

func TestPaths(t *testing.T) {
	k := kerneltest.New(t, fileDecls)
	file := tree(k)
	if s, err := NewPaths(k).File(file); s != "/a/x/y" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
	// A mount outside of every namespace.
	k.Put(0x3100, "mount.mnt_parent", 0x3100)
	k.Put(0x3100, "mount.mnt_ns", 0)
	if s, err := NewPaths(k).File(file); s != "x/y" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
	// Two entries that are each other's parent.
	k.Put(0x2100, "dentry.d_parent", 0x2200)
	if _, err := NewPaths(k).File(file); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a circle: %v", err)
	}
	k.Put(0x2100, "dentry.d_parent", 0xdead000)
	if s, err := NewPaths(k).File(file); fault.ReasonOf(err) != fault.Unmapped || s != "x/y" {
		t.Errorf("%q, %v", s, err)
	}
}

func TestAreasList(t *testing.T) {
	k := kerneltest.New(t, fileDecls, `
struct mm_struct { void *mmap; };
struct vm_area_struct { unsigned long vm_start; unsigned long vm_end; void *vm_next; unsigned long vm_flags; unsigned long vm_pgoff; void *vm_file; };`)
	put := func(at, start, end, next, file uint64) {
		k.Put(at, "vm_area_struct.vm_start", start)
		k.Put(at, "vm_area_struct.vm_end", end)
		k.Put(at, "vm_area_struct.vm_next", next)
		k.Put(at, "vm_area_struct.vm_pgoff", 2)
		k.Put(at, "vm_area_struct.vm_file", file)
	}
	k.Put(0x5000, "mm_struct.mmap", 0x6000)
	put(0x6000, 0x400000, 0x401000, 0x6100, tree(k))
	put(0x6100, 0x500000, 0x501000, 0, 0)
	a, err := LoadAreas(k)
	if err != nil {
		t.Fatal(err)
	}
	area, ok, err := a.Find(0x5000, 0x400fff)
	if !ok || err != nil || area.Addr != 0x6000 || area.Offset != 0x2000 {
		t.Errorf("%+v, %v, %v", area, ok, err)
	}
	if s, err := a.Path(&area); s != "/a/x/y" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
	if area, ok, err = a.Find(0x5000, 0x500000); !ok || err != nil || area.Addr != 0x6100 {
		t.Errorf("%+v, %v, %v", area, ok, err)
	}
	if s, err := a.Path(&area); s != "" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
	if _, ok, err := a.Find(0x5000, 0x401000); ok || err != nil {
		t.Errorf("between areas: %v, %v", ok, err)
	}
	put(0x6100, 0x500000, 0x501000, 0xbad0000, 0)
	if _, ok, err := a.Find(0x5000, 0x600000); ok || fault.ReasonOf(err) != fault.Unmapped {
		t.Errorf("broken list: %v, %v", ok, err)
	}
	if _, ok, _ := a.Find(0x5000, 0x500000); !ok {
		t.Error("an area in front of the damage is not found")
	}
}

func TestAreasNeedALayout(t *testing.T) {
	k := kerneltest.New(t, `struct mm_struct { int x; };
struct vm_area_struct { unsigned long vm_start; unsigned long vm_end; unsigned long vm_flags; unsigned long vm_pgoff; void *vm_file; };`)
	_, err := LoadAreas(k)
	if err == nil || !strings.Contains(err.Error(), "mm_struct.mm_mt|mm_struct.mmap") {
		t.Errorf("error %v", err)
	}
}

func TestSwapFile(t *testing.T) {
	k := kerneltest.New(t, fileDecls, "struct swap_info_struct { int flags; void *swap_file; };")
	k.DefineSymbol("swap_info", 0x7000)
	k.Words(0x7000, 0x7100, 0)
	k.Put(0x7100, "swap_info_struct.swap_file", tree(k))
	if s, err := SwapFile(k, 0); s != "/a/x/y" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
	for _, n := range []int{-1, 1, 32} {
		if _, err := SwapFile(k, n); err == nil {
			t.Errorf("area %d: no error", n)
		}
	}
}
