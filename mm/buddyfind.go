package mm

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"

	"github.com/kdive/kdive/fault"
)

// Free is where a free page is.
type Free struct {
	Zone  *Zone
	Head  uint64 // page frame of the first page of its block
	Page  uint64 // page structure of the first page
	Order int    // of the block
	Type  int    // migrate type of the list, -1 if it is on none
	List  uint64 // address of the list_head, 0 if it is on none
	CPU   int    // the CPU that keeps it on a list of its own, else -1
}

// index has the blocks of all lists by page frame.
type index struct {
	once   sync.Once
	blocks []Free
	err    error
}

func (f *Free) pages() uint64 { return 1 << f.Order }

// Find is the block of free pages that holds the page frame pfn. Blocks on the
// CPUs' lists count: the pages are free, though the zone's counters do not have
// them. A block that only its page structure calls free, and no list has, comes
// with an error. Without a block, an error says why one may have been missed.
func (b *Buddy) Find(pfn uint64) (Free, bool, error) {
	x := &b.found
	x.once.Do(b.buildIndex)
	i := sort.Search(len(x.blocks), func(i int) bool { return x.blocks[i].Head > pfn })
	// A block of a CPU's list may lie in front within the same order only if a
	// list is damaged, so a few steps back are enough.
	for j := i - 1; j >= 0 && i-j <= 4; j-- {
		if f := x.blocks[j]; pfn-f.Head < f.pages() {
			return f, true, nil
		}
	}
	if f, ok := b.unlisted(pfn); ok {
		return f, true, errors.Join(errNotListed, x.err)
	}
	return Free{}, false, x.err
}

// buildIndex walks all lists.
func (b *Buddy) buildIndex() {
	x := &b.found
	var errs fault.Several
	defer func() { x.err = errs.Err() }()
	fail := func(what string, err error) {
		if err != nil {
			errs.Add(fmt.Errorf("%s: %w", what, err))
		}
	}
	for _, z := range b.zones {
		if z.Spanned == 0 {
			continue
		}
		for _, a := range b.Areas(z) {
			for block, err := range b.Blocks(a) {
				if err != nil {
					fail(fmt.Sprintf("zone %s, free pages of order %d and migrate type %d", z.Name, a.Order, a.Type), err)
					continue
				}
				x.blocks = append(x.blocks, Free{z, block.PFN, block.Page, a.Order, a.Type, a.Addr, -1})
			}
		}
		lists, err := b.CPULists(z)
		fail("per-CPU lists of zone "+z.Name, err)
		for _, l := range lists {
			for block, err := range b.Kept(l) {
				if err != nil {
					fail(fmt.Sprintf("zone %s, free pages of CPU %d", z.Name, l.CPU), err)
					continue
				}
				x.blocks = append(x.blocks, Free{z, block.PFN, block.Page, l.Order, l.Type, l.Addr, l.CPU})
			}
		}
	}
	slices.SortStableFunc(x.blocks, func(p, q Free) int {
		if p.Head < q.Head {
			return -1
		}
		return min(int(p.Head-q.Head), 1)
	})
}

// unlisted looks for a first page that marks itself free.
func (b *Buddy) unlisted(pfn uint64) (Free, bool) {
	for order := range maxOrders {
		head := pfn &^ (1<<order - 1)
		if order > 0 && head == pfn&^(1<<(order-1)-1) {
			continue // seen
		}
		folio, err := b.pages.Folio(head)
		if err != nil || folio.Type != "buddy" || folio.PFN != head || pfn-head >= 1<<folio.Order {
			continue
		}
		f := Free{Zone: b.zoneOf(pfn), Head: head, Page: folio.Head.Addr, Order: folio.Order, Type: -1, CPU: -1}
		return f, f.Zone != nil
	}
	return Free{}, false
}

// zoneOf is the zone that spans a page frame: of overlapping nodes the first
// whose memory it can be.
func (b *Buddy) zoneOf(pfn uint64) *Zone {
	for _, z := range b.zones {
		if z.Holds(pfn) {
			return z
		}
	}
	return nil
}
