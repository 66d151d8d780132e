package identify

import (
	"cmp"
	"slices"
	"sort"

	"github.com/kdive/kdive/kernel"
)

// Area is a piece of the kernel's virtual memory (struct vmap_area, vm_struct,
// mm/vmalloc.c).
type Area struct {
	Addr       uint64 // of the vmap_area
	Start, End uint64
	VM         uint64 // vm_struct, 0 if it has none
	Caller     uint64 // code that asked for it, 0 if not known
	Pages      uint64 // number of pages
}

type areaNeeds struct {
	Start  kernel.Field `need:"vmap_area.va_start"`
	End    kernel.Field `need:"vmap_area.va_end"`
	VM     kernel.Field `need:"?vmap_area.vm"`
	List   kernel.Field `need:"vmap_area.list"`
	Node   kernel.Field `need:"?vmap_area.rb_node"`
	Caller kernel.Field `need:"?vm_struct.caller"`
	Pages  kernel.Field `need:"?vm_struct.nr_pages"`
	Areas  kernel.Sym   `need:"?vmap_area_list"` // until 6.8

	Nodes    kernel.Sym   `need:"?vmap_nodes"` // since 6.9
	NrNodes  kernel.Sym   `need:"?nr_vmap_nodes"`
	NodeSize kernel.Size  `need:"?vmap_node"`
	Busy     kernel.Field `need:"?vmap_node.busy.head"`
}

// maxAreas and maxNodes bound damaged lists.
const (
	maxAreas = 1 << 22
	maxNodes = 1 << 10
)

// findArea looks an address up in the areas of virtual memory.
func (m *Model) findArea(p *Place) bool {
	m.areaOnce.Do(m.loadAreas)
	i := sort.Search(len(m.areas), func(i int) bool { return m.areas[i].End > p.At })
	if i == len(m.areas) || p.At < m.areas[i].Start {
		return false
	}
	a := &m.areas[i]
	p.Kind, p.Area, p.Base, p.Size = VirtualArea, a, a.Start, a.End-a.Start
	return true
}

func (m *Model) loadAreas() {
	var n areaNeeds
	if m.k.Bind(&n) != nil {
		return
	}
	heads := []uint64{uint64(n.Areas)}
	if n.Areas == 0 {
		heads = m.vmapNodes(&n)
	}
	for _, head := range heads {
		if head == 0 {
			continue
		}
		for at, err := range m.w.List(head, n.List.Offset) {
			if err != nil || len(m.areas) >= maxAreas {
				break
			}
			m.addArea(&n, at)
		}
	}
	slices.SortFunc(m.areas, func(a, b Area) int { return cmp.Compare(a.Start, b.Start) })
}

// vmapNodes are the list heads of areas in use, since the areas are kept by
// node.
func (m *Model) vmapNodes(n *areaNeeds) (heads []uint64) {
	if n.Nodes == 0 || !n.Busy.Present() || n.NodeSize == 0 {
		return nil
	}
	at, err := m.word(uint64(n.Nodes))
	count := uint64(1)
	if v, err := m.word(uint64(n.NrNodes)); n.NrNodes != 0 && err == nil {
		count = min(uint64(uint32(v)), maxNodes)
	}
	for i := range count {
		if err == nil && at != 0 {
			heads = append(heads, n.Busy.At(at+i*uint64(n.NodeSize)))
		}
	}
	return heads
}

func (m *Model) addArea(n *areaNeeds, at uint64) {
	start, err1 := n.Start.Uint(m.k, at)
	end, err2 := n.End.Uint(m.k, at)
	if err1 != nil || err2 != nil || int64(start) >= 0 || end <= start {
		return
	}
	a := Area{Addr: at, Start: start, End: end}
	if n.VM.Present() {
		if vm, err := n.VM.Uint(m.k, at); err == nil && int64(vm) < 0 {
			a.VM = vm
			if n.Caller.Present() {
				a.Caller, _ = n.Caller.Uint(m.k, vm) // 0 if it cannot be read
			}
			if n.Pages.Present() {
				a.Pages, _ = n.Pages.Uint(m.k, vm)
			}
		}
	}
	m.areas = append(m.areas, a)
}
