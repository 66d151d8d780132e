package mm

import (
	"strings"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel/kerneltest"
)

const vmareaDecls = `
struct list_head { struct list_head *next; struct list_head *prev; };
struct rb_node { unsigned long __rb_parent_color; struct rb_node *rb_right; struct rb_node *rb_left; };
struct rb_root { struct rb_node *rb_node; };
struct vm_struct { void *next; void *addr; unsigned long size; unsigned long flags; void *pages; unsigned int page_order; unsigned int nr_pages; unsigned long phys_addr; void *caller; };
struct vmap_area { unsigned long va_start; unsigned long va_end; struct rb_node rb_node; struct list_head list; union { unsigned long subtree_max_size; struct vm_struct *vm; }; };
struct rb_list { struct rb_root root; struct list_head head; int lock; };
struct vmap_node { unsigned long pool[4]; struct rb_list busy; struct rb_list lazy; };
`

const (
	vaA = 0xffffc90000000000
	vaB = 0xffffc90000010000
	vaC = 0xffffc90000020000
)

func putArea(k *kerneltest.Kernel, at, vm, start, size uint64) {
	k.Put(at, "vmap_area.va_start", start)
	k.Put(at, "vmap_area.va_end", start+size)
	k.Put(at, "vmap_area.vm", vm)
	if vm != 0 {
		k.Put(vm, "vm_struct.addr", start)
		k.Put(vm, "vm_struct.size", size)
		k.Put(vm, "vm_struct.flags", 2|0x20)
		k.Put(vm, "vm_struct.caller", 0xffffffff81000010)
	}
}

// vmKernel has three areas on a list, the last without a vm_struct.
func vmKernel(t *testing.T) *kerneltest.Kernel {
	k := kerneltest.New(t, vmareaDecls)
	k.DefineSymbol("vmap_area_list", 0x1000)
	k.DefineSymbol("vmap_area_root", 0x1100)
	k.Words(0x1100, 0)
	link := k.Offset("vmap_area.list")
	putArea(k, 0x2000, 0xffff888000003000, vaA, 0x3000)
	putArea(k, 0x2100, 0xffff888000003100, vaB, 0x2000)
	putArea(k, 0x2200, 0, vaC, 0x1000)
	k.Link(0x1000, 0x2000+link, 0x2100+link, 0x2200+link)
	return k
}

func loadVMAreas(t *testing.T, k *kerneltest.Kernel) *VMAreas {
	t.Helper()
	v, err := LoadVMAreas(k)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVMAreas(t *testing.T) {
	v := loadVMAreas(t, vmKernel(t))
	all, err := v.All()
	if err != nil || len(all) != 3 || all[0].Addr != 0x2000 || all[2].Struct != 0 {
		t.Fatalf("%+v, %v", all, err)
	}
	if names := strings.Join(all[0].Names(), " "); names != "alloc uninitialized" || all[0].Kind() != "vmalloc" || all[2].Kind() != "vm_map_ram" {
		t.Errorf("flags %q, kind %s, %s", names, all[0].Kind(), all[2].Kind())
	}
	for addr, want := range map[uint64]uint64{vaA: 0x2000, vaA + 0x2fff: 0x2000, vaA + 0x3000: 0, vaB + 1: 0x2100, vaC: 0x2200, vaA - 1: 0, ^uint64(0): 0} {
		if a, ok := v.Find(addr); ok != (want != 0) || a.Addr != want {
			t.Errorf("%#x: area %#x, %v", addr, a.Addr, ok)
		}
	}
}

func TestVMAreaFaults(t *testing.T) {
	// The vm_struct of one is gone, that of another belongs to another area.
	k := vmKernel(t)
	k.Put(0x2000, "vmap_area.vm", 0xffff888000999000)
	k.Put(0xffff888000003100, "vm_struct.addr", vaC)
	all, err := loadVMAreas(t, k).All()
	if err != nil || len(all) != 3 || fault.ReasonOf(all[0].Err) != fault.Unmapped || all[1].Err == nil || all[2].Err != nil {
		t.Errorf("%+v, %v", all, err)
	}
	// An area that ends before it begins spoils only itself.
	k = vmKernel(t)
	k.Put(0x2100, "vmap_area.va_end", 1)
	if all, err := loadVMAreas(t, k).All(); len(all) != 2 || err == nil {
		t.Errorf("%+v, %v", all, err)
	}
	// A broken list: what is behind the break comes from the other end, what is
	// between two breaks from the tree.
	k = vmKernel(t)
	link, rb := k.Offset("vmap_area.list"), k.Offset("vmap_area.rb_node")
	k.Words(0x2000+link, 0xdead000000000100)
	k.Words(0x2200+link+8, 0xdead000000000122)
	k.Words(0x1100, 0x2100+rb)
	k.Put(0x2100, "vmap_area.rb_node.rb_left", 0)
	all, err = loadVMAreas(t, k).All()
	if len(all) != 3 || err == nil || !strings.Contains(err.Error(), "LIST_POISON1") {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := LoadVMAreas(kerneltest.New(t, vmareaDecls)); err == nil || !strings.Contains(err.Error(), "vmap_nodes") {
		t.Errorf("no list: %v", err)
	}
}

// Since 6.9 the areas are in the trees of nodes.
func TestVMAreaNodes(t *testing.T) {
	k := kerneltest.New(t, vmareaDecls)
	k.DefineSymbol("vmap_nodes", 0x1000)
	k.DefineSymbol("nr_vmap_nodes", 0x1008)
	k.Words(0x1000, 0x4000, 2)
	rb := k.Offset("vmap_area.rb_node")
	k.Map(0x4000, 0x1000)
	size := uint64(32 + 2*32)
	putArea(k, 0x2000, 0xffff888000003000, vaB, 0x3000)
	putArea(k, 0x2100, 0xffff888000003100, vaA, 0x2000)
	putArea(k, 0x2200, 0, vaC, 0x1000)
	k.Words(0x4000+32, 0x2000+rb)
	k.Words(0x4000+size+32, 0x2100+rb)
	k.Words(0x4000+size+64, 0x2200+rb)
	all, err := loadVMAreas(t, k).All()
	if err != nil || len(all) != 3 || all[0].Start != vaA || all[1].Start != vaB || all[0].Lazy || !all[2].Lazy {
		t.Errorf("%+v, %v", all, err)
	}
	k.Words(0x4000+size+32, 0x990000)
	all, err = loadVMAreas(t, k).All()
	if len(all) != 2 || fault.ReasonOf(err) != fault.Unmapped {
		t.Errorf("one tree broken: %+v, %v", all, err)
	}
}

// Without page tables, an area's array of page structures tells what it maps.
func TestMappedPages(t *testing.T) {
	k := kerneltest.New(t, vmareaDecls, pageDecls)
	k.DefineSymbol("vmemmap_base", 0x1000)
	k.Words(0x1000, 0xffffea0000000000)
	k.DefineSymbol("vmap_area_list", 0x1100)
	putArea(k, 0x2000, 0xffff888000003000, vaA, 0x3000)
	k.Link(0x1100, 0x2000+k.Offset("vmap_area.list"))
	k.Put(0xffff888000003000, "vm_struct.pages", 0x6000)
	k.Put(0xffff888000003000, "vm_struct.nr_pages", 2)
	k.Words(0x6000, 0xffffea0000000000+7*56, 0xffffea0000000000+9*56)
	pages, err := LoadPages(k)
	if err != nil {
		t.Fatal(err)
	}
	// The fake kernel has no page tables, as View does not ask for them.
	v := loadVMAreas(t, k)
	areas, at := v.Mapped(pages, 9<<12|0x123)
	if len(areas) != 1 || at[0] != vaA+0x1123 {
		t.Errorf("%+v, %#x", areas, at)
	}
	if areas, _ := v.Mapped(pages, 8<<12); areas != nil {
		t.Errorf("%+v", areas)
	}
}

// tabled is a kernel whose page tables map one page.
type tabled struct {
	*kerneltest.Kernel
	vaddr, paddr uint64
}

func (k tabled) Translate(vaddr uint64) (paddr, n uint64, err error) {
	if vaddr&^0xfff != k.vaddr {
		return 0, 0, &fault.Error{Addr: vaddr, Space: fault.Virtual, Reason: fault.Unmapped}
	}
	return k.paddr, 0x1000, nil
}

// TestMappedDamagedEnd has areas whose ends are not to be believed: one reaches to
// the last address, one is larger than all that is looked at.
func TestMappedDamagedEnd(t *testing.T) {
	k := vmKernel(t)
	k.Put(0x2000, "vmap_area.va_end", 0xfffffffffffffff8)
	k.Put(0x2200, "vmap_area.va_start", 0xffffffffff000000)
	k.Put(0x2200, "vmap_area.va_end", 0xfffffffffffffff8)
	v, err := LoadVMAreas(tabled{k, vaB + 0x1000, 0x77000})
	if err != nil {
		t.Fatal(err)
	}
	areas, vaddrs := v.Mapped(nil, 0x77123)
	if len(areas) != 1 || areas[0].Addr != 0x2100 || vaddrs[0] != vaB+0x1123 {
		t.Errorf("areas %+v, addresses %x", areas, vaddrs)
	}
}
