package mm

import (
	"errors"
	"fmt"
	"iter"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
	"github.com/kdive/kdive/walk"
)

// buddyNeeds are of include/linux/mmzone.h and mm/page_alloc.c.
type buddyNeeds struct {
	FreeArea kernel.Field `need:"zone.free_area"`
	AreaSize kernel.Size  `need:"free_area"`
	List     kernel.Field `need:"free_area.free_list"`
	NrFree   kernel.Field `need:"free_area.nr_free"`
	HeadSize kernel.Size  `need:"list_head"`
	Link     kernel.Field `need:"page.buddy_list|page.lru"`

	Names kernel.Sym `need:"?migratetype_names"`

	Sets    kernel.Field `need:"?zone.per_cpu_pageset|zone.pageset"`
	Lists   kernel.Field `need:"?per_cpu_pageset.pcp.lists|per_cpu_pages.lists"`
	PCPLink kernel.Field `need:"?page.pcp_list|page.lru"`
	PCP     kernel.Enum  `need:"?MIGRATE_PCPTYPES"` // migrate types that have per-CPU lists

	Diffs     kernel.Field `need:"?zone.per_cpu_zonestats|zone.pageset"`
	Diff      kernel.Field `need:"?per_cpu_zonestat.vm_stat_diff|per_cpu_pageset.vm_stat_diff"` // of s8
	FreePages kernel.Enum  `need:"?NR_FREE_PAGES"`
}

// Buddy reads the free pages of the page allocator: blocks of 1<<order pages on
// the lists of zones, and what CPUs keep on lists of their own.
type Buddy struct {
	k     kernel.View
	n     buddyNeeds
	w     *walk.Walker
	pages *Pages
	zones []*Zone
	names []string // of migrate types
	err   error    // why zones are missing

	found index
}

// FreeArea is one list of free blocks of a zone.
type FreeArea struct {
	Zone  *Zone
	Addr  uint64 // of its list_head
	Order int    // its blocks have 1<<Order pages
	Type  int    // migrate type
}

// Block is a block of free pages. Page is the structure of its first page.
type Block struct {
	Page uint64
	PFN  uint64
}

// LoadBuddy prepares access to the free pages.
func LoadBuddy(k kernel.View, pages *Pages) (*Buddy, error) {
	b := &Buddy{k: k, w: walk.New(k), pages: pages}
	if err := k.Bind(&b.n); err != nil {
		return nil, fmt.Errorf("free pages: %w", err)
	}
	b.zones, b.err = LoadZones(k)
	if len(b.zones) == 0 {
		return nil, b.err
	}
	b.readNames()
	return b, nil
}

// Zones are the zones of all nodes, empty ones included, and why some are missing.
func (b *Buddy) Zones() ([]*Zone, error) { return b.zones, b.err }

const (
	maxOrders = maxOrder + 1
	maxTypes  = 16
)

// Areas are the lists of a zone, by order and migrate type.
func (b *Buddy) Areas(z *Zone) []FreeArea {
	orders := min(b.n.FreeArea.Type.Underlying().Count(), maxOrders)
	types := min(b.n.List.Type.Underlying().Count(), maxTypes)
	var areas []FreeArea
	for order := range orders {
		area := b.n.FreeArea.At(z.Addr) + uint64(order)*uint64(b.n.AreaSize)
		for t := range types {
			areas = append(areas, FreeArea{z, b.n.List.At(area) + uint64(t)*uint64(b.n.HeadSize), int(order), int(t)})
		}
	}
	return areas
}

// Count is the kernel's own number of blocks of an order in a zone (nr_free).
func (b *Buddy) Count(z *Zone, order int) (uint64, error) {
	return b.n.NrFree.Uint(b.k, b.n.FreeArea.At(z.Addr)+uint64(order)*uint64(b.n.AreaSize))
}

// Blocks yields the blocks of a list. Where the list breaks it is walked from its
// other end, too, so that what lies behind the break is yielded as well (in
// reverse); the error comes between. A block that cannot be right, because it is
// not aligned or in another zone, is yielded together with an error.
func (b *Buddy) Blocks(a FreeArea) iter.Seq2[Block, error] {
	return b.bothEnds(a.Addr, &b.n.Link, func(page uint64) (Block, error) {
		block, err := b.block(page)
		switch {
		case err != nil:
		case block.PFN&(1<<a.Order-1) != 0:
			err = fmt.Errorf("page %#x is on the list of order %d and not aligned to it", page, a.Order)
		case !a.Zone.Holds(block.PFN):
			err = fmt.Errorf("page %#x is on a list of zone %s and outside of it", page, a.Zone.Name)
		}
		return block, err
	})
}

func (b *Buddy) block(page uint64) (Block, error) {
	pfn, ok := b.pages.Frame(page)
	if !ok {
		return Block{}, fmt.Errorf("%#x is on a list of free pages and no page structure", page)
	}
	return Block{page, pfn}, nil
}

// bothEnds walks the list at head forwards, and after an error that ends the walk
// backwards as far as it was not seen.
func (b *Buddy) bothEnds(head uint64, link *kernel.Field, block func(page uint64) (Block, error)) iter.Seq2[Block, error] {
	return func(yield func(Block, error) bool) {
		seen := map[uint64]bool{}
		broken := false
		for page, err := range b.w.List(head, link.Offset) {
			var x Block
			if err != nil {
				broken = true
			} else {
				seen[page] = true
				x, err = block(page)
			}
			if !yield(x, err) {
				return
			}
		}
		if !broken {
			return
		}
		for page, err := range b.w.List(head, link.Offset, walk.Reverse) {
			if err != nil || seen[page] {
				return // the forward walk told of the break
			}
			if x, err := block(page); !yield(x, err) {
				return
			}
		}
	}
}

// readNames takes the names of migrate types from the kernel's table.
func (b *Buddy) readNames() {
	if b.n.Names == 0 {
		return
	}
	for i := range uint64(max(0, min(b.n.List.Type.Underlying().Count(), maxTypes))) {
		name, err := value.Word(b.k, uint64(b.n.Names)+i*8)
		if err != nil {
			return
		}
		s, err := value.CString(b.k, name, 32)
		if err != nil {
			return
		}
		b.names = append(b.names, s)
	}
}

// TypeName is the kernel's name of a migrate type, "" if it is not known.
func (b *Buddy) TypeName(t int) string {
	if t < 0 || t >= len(b.names) {
		return ""
	}
	return b.names[t]
}

// Pending is what CPUs have not yet added to the zone's counter of free pages.
func (b *Buddy) Pending(z *Zone) (sum int64, err error) {
	n := &b.n
	if !n.Diffs.Present() || !n.Diff.Present() || !n.FreePages.Present() || z.Spanned == 0 {
		return 0, nil
	}
	base, err := n.Diffs.Uint(b.k, z.Addr)
	if err != nil {
		return 0, err
	}
	cpus, err := b.k.PossibleCPUs()
	if err != nil {
		return 0, err
	}
	for _, cpu := range cpus {
		off, err := b.k.PerCPUOffset(cpu)
		if err != nil {
			return sum, err
		}
		var v [1]byte
		if err := b.k.Read(v[:], n.Diff.At(base+off)+uint64(n.FreePages.Value)); err != nil {
			return sum, err
		}
		sum += int64(int8(v[0]))
	}
	return sum, nil
}

// CPUList is a list of free pages that one CPU keeps.
type CPUList struct {
	Zone  *Zone
	CPU   int
	Addr  uint64 // of its list_head
	Order int
	Type  int // migrate type
}

// thpOrder is the order of the last per-CPU lists (pageblock_order, that of a
// huge page of 2 MiB).
const thpOrder = 9

// CPULists are the lists that CPUs keep of a zone's pages. There is one for each
// migrate type below MIGRATE_PCPTYPES; since 5.14 also for each order up to 3
// (PAGE_ALLOC_COSTLY_ORDER), and behind them one or two for huge pages
// (order_to_pindex in mm/page_alloc.c).
func (b *Buddy) CPULists(z *Zone) ([]CPUList, error) {
	n := &b.n
	if !n.Sets.Present() || !n.Lists.Present() || !n.PCPLink.Present() || z.Spanned == 0 {
		return nil, nil
	}
	sets, err := n.Sets.Uint(b.k, z.Addr)
	if err != nil {
		return nil, err
	}
	cpus, err := b.k.PossibleCPUs()
	if err != nil {
		return nil, err
	}
	types := int64(3)
	if n.PCP.Present() && n.PCP.Value > 0 && n.PCP.Value < maxTypes {
		types = n.PCP.Value
	}
	count := min(n.Lists.Type.Underlying().Count(), 256)
	var lists []CPUList
	for _, cpu := range cpus {
		off, err := b.k.PerCPUOffset(cpu)
		if err != nil {
			return lists, err
		}
		for i := range count {
			l := CPUList{Zone: z, CPU: cpu, Addr: n.Lists.At(sets+off) + uint64(i)*uint64(n.HeadSize), Order: int(i / types), Type: int(i % types)}
			if i >= 4*types {
				l.Order, l.Type = thpOrder, int(i-4*types) // unmovable or any, movable
			}
			lists = append(lists, l)
		}
	}
	return lists, nil
}

// Kept yields the blocks of a CPU's list; errors as those of Blocks.
func (b *Buddy) Kept(l CPUList) iter.Seq2[Block, error] {
	return b.bothEnds(l.Addr, &b.n.PCPLink, b.block)
}

// errNotListed is why a page that says that it is free is doubtful.
var errNotListed = errors.New("its structure says that it is free, and no list of free pages has it")
