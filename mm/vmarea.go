package mm

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
	"github.com/kdive/kdive/walk"
)

// vmareaNeeds are of include/linux/vmalloc.h and mm/vmalloc.c.
type vmareaNeeds struct {
	// Since 6.9 the areas are spread over nodes, each with a tree.
	Nodes    kernel.Sym   `need:"?vmap_nodes"`
	NrNodes  kernel.Sym   `need:"?nr_vmap_nodes"`
	NodeSize kernel.Size  `need:"?vmap_node"`
	Busy     kernel.Field `need:"?vmap_node.busy.root"`
	Lazy     kernel.Field `need:"?vmap_node.lazy.root"`
	// Before, there is one list and one tree of all.
	List      kernel.Sym `need:"?vmap_area_list"`
	Root      kernel.Sym `need:"?vmap_area_root"`
	PurgeRoot kernel.Sym `need:"?purge_vmap_area_root"`

	Start kernel.Field `need:"vmap_area.va_start"`
	End   kernel.Field `need:"vmap_area.va_end"`
	RB    kernel.Field `need:"vmap_area.rb_node"`
	Link  kernel.Field `need:"vmap_area.list"`
	VM    kernel.Field `need:"vmap_area.vm|vmap_area.private"`
	Flags kernel.Field `need:"?vmap_area.flags"`
	Size  kernel.Size  `need:"vmap_area"`

	StructSize kernel.Size  `need:"vm_struct"`
	Addr       kernel.Field `need:"vm_struct.addr"`
	Bytes      kernel.Field `need:"vm_struct.size"`
	VMFlags    kernel.Field `need:"vm_struct.flags"`
	Pages      kernel.Field `need:"vm_struct.pages"`
	NrPages    kernel.Field `need:"vm_struct.nr_pages"`
	Phys       kernel.Field `need:"vm_struct.phys_addr"`
	Caller     kernel.Field `need:"?vm_struct.caller"`
}

// VMAreas are the areas of virtually contiguous kernel memory: vmalloc, vmap,
// ioremap, stacks, modules.
type VMAreas struct {
	k kernel.View
	n vmareaNeeds
	w *walk.Walker

	once  sync.Once
	areas []VMArea
	err   error

	mapOnce sync.Once
	byPage  map[uint64][]uint64 // kernel virtual addresses by the page frames that are mapped there
}

// VMArea is a struct vmap_area with its struct vm_struct. Start and End are
// kernel virtual; the page before End is usually a guard that maps nothing.
type VMArea struct {
	Addr       uint64 // of the vmap_area
	Start, End uint64
	Lazy       bool // given back, and still mapped until the next flush

	Struct  uint64 // of the vm_struct; 0 for a block of small mappings (vm_map_ram)
	Size    uint64 // that the vm_struct has, with its guard page
	Flags   uint64
	Pages   uint64 // array of pointers to page structures, 0 if there is none
	NrPages uint64
	Phys    uint64 // physical address that ioremap maps
	Caller  uint64 // code that asked for it
	Err     error  // why the vm_struct could not be read
}

// Names of the bits of vm_struct.flags that have kept their meaning
// (include/linux/vmalloc.h: VM_IOREMAP and on; 0x80 is KASAN's in some).
var vmareaFlags = [...]string{"ioremap", "alloc", "map", "usermap", "dma_coherent", "uninitialized", "no_guard"}

// Names of the flags that are known by name.
func (a *VMArea) Names() []string {
	var names []string
	for i, name := range vmareaFlags {
		if a.Flags>>i&1 != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Kind is what the area was made by, in one word: vmalloc, vmap, ioremap,
// vm_map_ram; "" if that is not known.
func (a *VMArea) Kind() string {
	names := strings.Join(a.Names(), " ") + " "
	switch {
	case a.Struct == 0:
		return "vm_map_ram"
	case strings.Contains(names, "ioremap "):
		return "ioremap"
	case strings.Contains(names, "alloc "):
		return "vmalloc"
	case strings.Contains(names, "map "):
		return "vmap"
	}
	return ""
}

// LoadVMAreas prepares access to the areas.
func LoadVMAreas(k kernel.View) (*VMAreas, error) {
	v := &VMAreas{k: k, w: walk.New(k)}
	if err := k.Bind(&v.n); err != nil {
		return nil, fmt.Errorf("vmap areas: %w", err)
	}
	if v.n.Nodes == 0 && v.n.List == 0 && v.n.Root == 0 {
		return nil, fmt.Errorf("vmap areas: %w", &kernel.MissingError{Needs: []string{"vmap_nodes|vmap_area_list|vmap_area_root"}})
	}
	return v, nil
}

// All are the areas by address, those in use and those not yet flushed, and why
// some may be missing.
func (v *VMAreas) All() ([]VMArea, error) {
	v.once.Do(func() {
		seen := map[uint64]bool{}
		var errs fault.Several
		for addr, err := range v.addresses() {
			lazy := addr.lazy
			if err != nil {
				errs.Add(fmt.Errorf("vmap areas: %w", err))
				continue
			}
			if seen[addr.area] || len(seen) >= maxVMAreas {
				continue
			}
			seen[addr.area] = true
			a, err := v.read(addr.area)
			if err != nil {
				errs.Add(err)
				continue
			}
			a.Lazy = lazy
			v.areas = append(v.areas, a)
		}
		v.err = errs.Err()
		slices.SortFunc(v.areas, func(a, b VMArea) int {
			return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Addr, b.Addr))
		})
	})
	return v.areas, v.err
}

// maxVMAreas bounds the areas of a kernel.
const maxVMAreas = 1 << 22

// Find is the area that holds the kernel address vaddr; one in use if there is.
func (v *VMAreas) Find(vaddr uint64) (VMArea, bool) {
	all, _ := v.All()
	i := sort.Search(len(all), func(i int) bool { return all[i].Start > vaddr })
	var found VMArea
	ok := false
	for j := i - 1; j >= 0 && i-j <= 8; j-- {
		a := all[j]
		if vaddr < a.End && (!ok || found.Lazy && !a.Lazy) {
			found, ok = a, true
		}
	}
	return found, ok
}

type areaAddr struct {
	area uint64
	lazy bool
}

// addresses yields the vmap_areas of every list and tree.
func (v *VMAreas) addresses() iter.Seq2[areaAddr, error] {
	n := &v.n
	return func(yield func(areaAddr, error) bool) {
		tree := func(root uint64, lazy bool) bool {
			for node, err := range v.w.RBTree(root, walk.InOrder) {
				var link *walk.LinkError
				if errors.As(err, &link) {
					continue // the node follows
				}
				if !yield(areaAddr{node.Addr - uint64(n.RB.Offset), lazy}, err) {
					return false
				}
			}
			return true
		}
		if n.Nodes != 0 {
			v.eachNode(tree, yield)
			return
		}
		more := true
		switch {
		case n.List != 0:
			more = v.list(uint64(n.List), yield)
		default:
			more = tree(uint64(n.Root), false)
		}
		if more && n.PurgeRoot != 0 {
			tree(uint64(n.PurgeRoot), true)
		}
	}
}

// list yields the list of all areas; if it breaks, also what the tree has.
func (v *VMAreas) list(head uint64, yield func(areaAddr, error) bool) bool {
	broken := false
	for area, err := range v.w.List(head, v.n.Link.Offset) {
		broken = broken || err != nil
		if !yield(areaAddr{area: area}, err) {
			return false
		}
	}
	if !broken {
		return true
	}
	for area, err := range v.w.List(head, v.n.Link.Offset, walk.Reverse) {
		if err != nil {
			break
		}
		if !yield(areaAddr{area: area}, nil) {
			return false
		}
	}
	if v.n.Root == 0 {
		return true
	}
	for node, err := range v.w.RBTree(uint64(v.n.Root), walk.InOrder) {
		if err == nil && !yield(areaAddr{area: node.Addr - uint64(v.n.RB.Offset)}, nil) {
			return false
		}
	}
	return true
}

// maxVMNodes bounds vmap_nodes (vmap_init_nodes has at most 128).
const maxVMNodes = 1024

func (v *VMAreas) eachNode(tree func(root uint64, lazy bool) bool, yield func(areaAddr, error) bool) {
	n := &v.n
	array, err := value.Word(v.k, uint64(n.Nodes))
	if err != nil {
		yield(areaAddr{}, fmt.Errorf("vmap_nodes: %w", err))
		return
	}
	count := uint32(1)
	if n.NrNodes != 0 {
		var b [4]byte
		if err := v.k.Read(b[:], uint64(n.NrNodes)); err != nil {
			if !yield(areaAddr{}, fmt.Errorf("nr_vmap_nodes: %w", err)) {
				return
			}
		} else {
			count = binary.LittleEndian.Uint32(b[:])
		}
	}
	for i := range uint64(max(1, min(count, maxVMNodes))) {
		node := array + i*uint64(n.NodeSize)
		if n.Busy.Present() && !tree(n.Busy.At(node), false) {
			return
		}
		if n.Lazy.Present() && !tree(n.Lazy.At(node), true) {
			return
		}
	}
}

func (v *VMAreas) read(addr uint64) (VMArea, error) {
	n := &v.n
	obj := make([]byte, max(0, min(int64(n.Size), 4096)))
	if err := v.k.Read(obj, addr); err != nil {
		return VMArea{}, fmt.Errorf("vmap_area at %#x: %w", addr, err)
	}
	a := VMArea{Addr: addr, Start: n.Start.In(obj), End: n.End.In(obj)}
	if a.End < a.Start || int64(a.Start) >= 0 {
		return VMArea{}, fmt.Errorf("vmap_area at %#x: no area reaches from %#x to %#x", addr, a.Start, a.End)
	}
	vm := n.VM.In(obj)
	if int64(vm) >= 0 {
		return a, nil // none: the word is the size of a free subtree, or null
	}
	a.Struct = vm
	obj = make([]byte, max(0, min(int64(n.StructSize), 4096)))
	if err := v.k.Read(obj, vm); err != nil {
		a.Err = fmt.Errorf("vm_struct at %#x: %w", vm, err)
		return a, nil
	}
	a.Size, a.Flags = n.Bytes.In(obj), n.VMFlags.In(obj)
	a.Pages, a.NrPages, a.Phys = n.Pages.In(obj), n.NrPages.In(obj), n.Phys.In(obj)
	if n.Caller.Present() {
		a.Caller = n.Caller.In(obj)
	}
	if have := n.Addr.In(obj); have != a.Start {
		a.Err = fmt.Errorf("vm_struct at %#x: its address is %#x, and its area begins at %#x", vm, have, a.Start)
	}
	return a, nil
}
