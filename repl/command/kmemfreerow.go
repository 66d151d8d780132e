package command

import (
	"errors"
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl/output"
)

// zoneRow is one zone of memory.
type zoneRow struct {
	*mm.Zone
	pages *mm.Pages
}

// page is the structure of the zone's first page, 0 of an empty zone.
func (r *zoneRow) page() uint64 {
	if r.Spanned == 0 {
		return 0
	}
	return r.pages.Address(r.Start)
}

var zoneFreeRecord = &output.Record[zoneRow]{
	Type: "zone_free",
	Help: "a zone of memory with its free pages",
	Columns: []output.Column[zoneRow]{
		{Name: "zone", Head: "ZONE", Verb: "%3d", Help: "index of the zone in its node", Get: func(r *zoneRow) output.Value { return output.Int(r.Index) }},
		{Name: "name", Head: "  NAME    ", Verb: "   %-9s", Help: "name of the zone", Get: func(r *zoneRow) output.Value { return output.String(r.Name) }},
		{Name: "size", Head: "    SIZE", Verb: " %6d", Help: "pages that the zone spans", Get: func(r *zoneRow) output.Value { return output.Uint(r.Spanned) }},
		{Name: "free", Head: "    FREE", Verb: "  %6d", Help: "free pages by the zone's counter", Get: func(r *zoneRow) output.Value { return output.Int(r.Free) }},
		{Name: "mem_map", Head: "      MEM_MAP     ", Verb: "  %^16x", Help: "address of the page structure of its first page", Get: func(r *zoneRow) output.Value { return output.Addr(r.page()) }},
		{Name: "start_paddr", Head: "  START_PADDR", Verb: "   %^10x", Help: "physical address of its first page", Get: func(r *zoneRow) output.Value { return output.Addr(r.first() << kernel.PageShift) }},
		{Name: "start_mapnr", Head: "  START_MAPNR", Verb: "   %^10d", Help: "number of its first page, counted from the first page of the node", Get: func(r *zoneRow) output.Value { return output.Uint(r.first() - r.base()) }},
		{Name: "node", Help: "number of its node", Get: func(r *zoneRow) output.Value { return output.Int(r.Node) }},
		{Name: "address", Help: "address of the struct zone", Get: func(r *zoneRow) output.Value { return output.Addr(r.Addr) }},
	},
}

func (r *zoneRow) first() uint64 {
	if r.Spanned == 0 {
		return 0
	}
	return r.Start
}

func (r *zoneRow) base() uint64 { return min(r.NodeStart, r.first()) }

// freeAreaRow is one list of free blocks.
type freeAreaRow struct {
	mm.FreeArea
	name   string // of the migrate type
	blocks int64
	errs   []error
}

var freeAreaRecord = &output.Record[freeAreaRow]{
	Type: "free_area",
	Help: "a list of free blocks of one order and migrate type",
	Columns: []output.Column[freeAreaRow]{
		{Name: "order", Head: "AREA", Verb: "%3d", Help: "the blocks have 1 << order pages", Get: func(r *freeAreaRow) output.Value { return output.Int(r.Order) }},
		{Name: "size", Head: "    SIZE", Verb: "  %7s", Help: "bytes of a block", Get: func(r *freeAreaRow) output.Value { return output.Int(kernel.PageSize << r.Order) },
			Text: func(r *freeAreaRow) string { return fmt.Sprintf("%dk", kernel.PageSize<<r.Order>>10) }},
		{Name: "list", Head: "  FREE_AREA_STRUCT", Verb: "  %16x", Help: "address of the list_head", Get: func(r *freeAreaRow) output.Value { return output.Addr(r.Addr) }},
		{Name: "blocks", Head: "  BLOCKS", Verb: "  %6d", Help: "blocks on the list", Get: func(r *freeAreaRow) output.Value { return output.Int(r.blocks) }},
		{Name: "pages", Head: "  PAGES", Verb: " %6d", Help: "pages of these blocks", Get: func(r *freeAreaRow) output.Value { return output.Int(r.blocks << r.Order) }},
		{Name: "migrate_type", Help: "number of the migrate type", Get: func(r *freeAreaRow) output.Value { return output.Int(r.Type) }},
		{Name: "type_name", Help: "the kernel's name of the migrate type", Get: func(r *freeAreaRow) output.Value { return optional(r.name) }},
		{Name: "zone", Help: "address of the struct zone", Get: func(r *freeAreaRow) output.Value { return output.Addr(r.Zone.Addr) }},
		{Name: "fault", Help: "why blocks may be missing, null if none is", Get: func(r *freeAreaRow) output.Value { return output.Fault(errors.Join(r.errs...)) }},
	},
}

// freeBlockRow is one block of a list.
type freeBlockRow struct {
	mm.Block
	area *freeAreaRow
}

var freeBlockRecord = &output.Record[freeBlockRow]{
	Type: "free_block",
	Help: "a block of free pages",
	Columns: []output.Column[freeBlockRow]{
		{Name: "page", Verb: "%16x", Help: "address of the page structure of its first page", Get: func(r *freeBlockRow) output.Value { return output.Addr(r.Page) }},
		{Name: "physical", Help: "physical address of its first page", Get: func(r *freeBlockRow) output.Value { return output.Addr(r.PFN << kernel.PageShift) }},
		{Name: "order", Help: "it has 1 << order pages", Get: func(r *freeBlockRow) output.Value { return output.Int(r.area.Order) }},
		{Name: "type_name", Help: "the kernel's name of its migrate type", Get: func(r *freeBlockRow) output.Value { return optional(r.area.name) }},
		{Name: "zone", Help: "address of the struct zone", Get: func(r *freeBlockRow) output.Value { return output.Addr(r.area.Zone.Addr) }},
	},
}

// cpuListRow is a list of free pages that a CPU keeps.
type cpuListRow struct {
	mm.CPUList
	name   string
	blocks int64
}

var cpuListRecord = &output.Record[cpuListRow]{
	Type: "free_cpu_list",
	Help: "free pages that a CPU keeps, which the zone does not count; JSON only",
	Columns: []output.Column[cpuListRow]{
		{Name: "cpu", Help: "number of the CPU", Get: func(r *cpuListRow) output.Value { return output.Int(r.CPU) }},
		{Name: "order", Help: "the blocks have 1 << order pages", Get: func(r *cpuListRow) output.Value { return output.Int(r.Order) }},
		{Name: "list", Help: "address of the list_head", Get: func(r *cpuListRow) output.Value { return output.Addr(r.Addr) }},
		{Name: "blocks", Help: "blocks on the list", Get: func(r *cpuListRow) output.Value { return output.Int(r.blocks) }},
		{Name: "type_name", Help: "the kernel's name of the migrate type", Get: func(r *cpuListRow) output.Value { return optional(r.name) }},
		{Name: "zone", Help: "address of the struct zone", Get: func(r *cpuListRow) output.Value { return output.Addr(r.Zone.Addr) }},
	},
	Text: func(b []byte, _ *cpuListRow) []byte { return b },
}

// freeTotal compares what was found with the kernel's counters.
type freeTotal struct {
	counter, pending, found, kept int64
}

var freeTotalRecord = &output.Record[freeTotal]{
	Type: "free_total",
	Help: "free pages of all zones",
	Columns: []output.Column[freeTotal]{
		{Name: "nr_free_pages", Help: "free pages by the zones' counters", Get: func(r *freeTotal) output.Value { return output.Int(r.counter) }},
		{Name: "pending", Help: "changes that CPUs have not yet added to the counters", Get: func(r *freeTotal) output.Value { return output.Int(r.pending) }},
		{Name: "found", Help: "pages of all blocks that were found", Get: func(r *freeTotal) output.Value { return output.Int(r.found) }},
		{Name: "per_cpu", Help: "further free pages that CPUs keep for themselves", Get: func(r *freeTotal) output.Value { return output.Int(r.kept) }},
	},
	Text: func(b []byte, r *freeTotal) []byte {
		if r.counter == r.found {
			return fmt.Appendf(b, "nr_free_pages: %d  (verified)\n", r.counter)
		}
		return fmt.Appendf(b, "nr_free_pages: %d  (found %d)\n", r.counter, r.found)
	},
}

// freePageRow is a free page with its block.
type freePageRow struct {
	*mm.Free
	zone   zoneRow
	name   string // of the migrate type
	asked  uint64 // the operand
	number uint64 // of the page in the block, from 0

	physical bool // the operand is a physical address
}

var freePageRecord = &output.Record[freePageRow]{
	Type: "free_page",
	Help: "a free page with the block and the list that it is on",
	Columns: []output.Column[freePageRow]{
		{Name: "address", Help: "the address asked for", Get: func(r *freePageRow) output.Value { return output.Addr(r.asked) }},
		{Name: "block", Help: "address of the page structure of the block's first page", Get: func(r *freePageRow) output.Value { return output.Addr(r.Page) }},
		{Name: "number", Help: "number of the page in the block, the first is 0", Get: func(r *freePageRow) output.Value { return output.Uint(r.number) }},
		{Name: "order", Help: "the block has 1 << order pages", Get: func(r *freePageRow) output.Value { return output.Int(r.Order) }},
		{Name: "type_name", Help: "the kernel's name of the migrate type, null if it is not known", Get: func(r *freePageRow) output.Value { return optional(r.name) }},
		{Name: "list", Help: "address of the list_head, null if no list has the block", Get: func(r *freePageRow) output.Value { return optionalAddr(r.List) }},
		{Name: "cpu", Help: "the CPU that keeps the page, null if it is on a list of the zone", Get: func(r *freePageRow) output.Value { return atLeastZero(r.CPU) }},
		{Name: "zone", Help: "the zone", Get: func(r *freePageRow) output.Value { return zoneFreeRecord.Value(&r.zone) }},
	},
	Text: func(b []byte, r *freePageRow) []byte {
		if r.Order == 0 {
			return fmt.Appendf(b, "%16x  \n", r.Page)
		}
		in := ""
		if r.asked%kernel.PageSize != 0 && r.physical {
			in = "in "
		}
		return fmt.Appendf(b, "%16x  (%x is %s%s of %d pages)\n", r.Page, r.asked, in, ordinal(r.number+1), 1<<r.Order)
	},
}

func ordinal(n uint64) string {
	suffix := "th"
	if n/10%10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprintf("%d%s", n, suffix)
}
