package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// kmemNodePart is kmem -n.
var kmemNodePart = kmemPart{
	synopsis: "-n",
	options:  []repl.Option{{Name: "n", Help: "the nodes with their zones, and the sections and blocks of physical memory"}},
	records:  []output.Describer{nodeRecord, nodeZoneRecord, sectionRecord, memoryBlockRecord},
	run:      kmemNodes,
}

// nodeRow is a node with the page structure of its first page.
type nodeRow struct {
	*mm.Node
	memMap uint64
}

var nodeRecord = &output.Record[nodeRow]{
	Type: "node",
	Help: "a NUMA node, or all of a machine that has none",
	Columns: []output.Column[nodeRow]{
		{Name: "node", Help: "its number", Get: func(r *nodeRow) output.Value { return output.Int(r.ID) }},
		{Name: "spanned", Help: "pages from the first to the last, with holes", Get: func(r *nodeRow) output.Value { return output.Uint(r.Spanned) }},
		{Name: "present", Help: "pages without holes", Get: func(r *nodeRow) output.Value { return output.Uint(r.Present) }},
		{Name: "pglist_data", Help: "address of its pglist_data", Get: func(r *nodeRow) output.Value { return output.Addr(r.Addr) }},
		{Name: "bootmem_data", Help: "address of its bootmem_data, null in kernels without", Get: func(r *nodeRow) output.Value { return optionalAddr(r.BootMem) }},
		{Name: "mem_map", Help: "address of the page structure of its first page", Get: func(r *nodeRow) output.Value { return output.Addr(r.memMap) }},
		{Name: "start", Help: "first page frame number", Get: func(r *nodeRow) output.Value { return output.Uint(r.Start) }},
	},
	Text: nodeText,
}

func nodeText(b []byte, r *nodeRow) []byte {
	b = append(b, "NODE    SIZE      PGLIST_DATA       BOOTMEM_DATA       NODE_ZONES   \n"...)
	boot := centreHead("----", 16)
	if r.BootMem != 0 {
		boot = centreHead(fmt.Sprintf("%x", r.BootMem), 16)
	}
	b = fmt.Appendf(b, " %2d   %s  %-16x  %s", r.ID, centreHead(fmt.Sprint(r.Spanned), 8), r.Addr, boot)
	size := zoneSize(r.Zones)
	for i := range max(1, len(r.Zones)) {
		if i > 0 {
			b = append(b, strings.Repeat(" ", 50)...)
		}
		b = fmt.Appendf(b, "  %x\n", r.ZonesAddr+uint64(i)*size)
	}
	b = append(b, "    MEM_MAP          START_PADDR    START_MAPNR\n"...)
	return fmt.Appendf(b, "%016x  %s  %s\n", r.memMap, centre(fmt.Sprintf("%x", r.Start<<kernel.PageShift), 16), centre(fmt.Sprint(r.Start), 11))
}

// zoneSize is the distance of the zones of a node.
func zoneSize(zones []*mm.Zone) uint64 {
	if len(zones) < 2 {
		return 0
	}
	return zones[1].Addr - zones[0].Addr
}

// nodeZoneRow is a zone in the list of a node.
type nodeZoneRow struct {
	*mm.Zone
	memMap uint64
}

var nodeZoneRecord = &output.Record[nodeZoneRow]{
	Type: "node_zone",
	Help: "a zone of a node",
	Columns: []output.Column[nodeZoneRow]{
		{Name: "index", Head: "ZONE  ", Verb: " %2d   ", Help: "its number in the node", Get: func(r *nodeZoneRow) output.Value { return output.Int(r.Index) }},
		{Name: "name", Head: "NAME       ", Verb: "%-9s ", Help: "its name", Get: func(r *nodeZoneRow) output.Value { return output.String(r.Name) }},
		{Name: "spanned", Head: "  SIZE  ", Verb: "%7d  ", Help: "pages from the first to the last, with holes", Get: func(r *nodeZoneRow) output.Value { return output.Uint(r.Spanned) }},
		{Name: "mem_map", Head: "     MEM_MAP      ", Verb: "%16x  ", Help: "address of the page structure of its first page, 0 if it has none", Get: func(r *nodeZoneRow) output.Value { return output.Addr(r.memMap) }},
		{Name: "start_paddr", Head: "START_PADDR  ", Verb: "%11x  ", Help: "physical address of its first page", Get: func(r *nodeZoneRow) output.Value { return output.Addr(r.Start << kernel.PageShift) }},
		{Name: "start", Head: "START_MAPNR", Verb: "%11d", Help: "first page frame number", Get: func(r *nodeZoneRow) output.Value { return output.Uint(r.Start) }},
		{Name: "node", Help: "number of its node", Get: func(r *nodeZoneRow) output.Value { return output.Int(r.Node) }},
		{Name: "zone", Help: "address of its struct zone", Get: func(r *nodeZoneRow) output.Value { return output.Addr(r.Addr) }},
	},
}

var sectionRecord = &output.Record[mm.Section]{
	Type: "memory_section",
	Help: "a section of physical memory, whose page structures lie in one piece",
	Columns: []output.Column[mm.Section]{
		{Name: "section", Head: "NR ", Verb: "%2d  ", Help: "its number", Get: func(r *mm.Section) output.Value { return output.Uint(r.Nr) }},
		{Name: "address", Head: "     SECTION      ", Verb: "%16x  ", Help: "address of its mem_section", Get: func(r *mm.Section) output.Value { return output.Addr(r.Addr) }},
		{Name: "coded_mem_map", Head: "  CODED_MEM_MAP    ", Verb: "%16x  ", Help: "section_mem_map without flags", Get: func(r *mm.Section) output.Value { return output.Addr(r.Coded) }},
		{Name: "mem_map", Head: "    MEM_MAP       ", Verb: "%16x  ", Help: "address of the page structure of its first page", Get: func(r *mm.Section) output.Value { return output.Addr(r.MemMap) }},
		{Name: "state", Head: "STATE ", Verb: "%s ", Help: "letters: P present, M has page structures, O online, E since boot, D of a device", Get: func(r *mm.Section) output.Value { return output.String(r.State) },
			Text: func(r *mm.Section) string { return centreHead(r.State, 5) }},
		{Name: "start", Head: "PFN", Verb: "%-16d", Help: "first page frame number", Get: func(r *mm.Section) output.Value { return output.Uint(r.PFN) }},
		{Name: "pages", Help: "its size in pages", Get: func(r *mm.Section) output.Value { return output.Uint(r.Pages) }},
	},
}

var memoryBlockRecord = &output.Record[mm.MemoryBlock]{
	Type: "memory_block",
	Help: "a block of memory that can be taken offline",
	Columns: []output.Column[mm.MemoryBlock]{
		{Name: "block", Head: "   MEM_BLOCK     ", Verb: " %016x ", Help: "address of its memory_block", Get: func(r *mm.MemoryBlock) output.Value { return output.Addr(r.Addr) }},
		{Name: "name", Head: "   NAME    ", Verb: "%s ", Help: "name of its device", Get: func(r *mm.MemoryBlock) output.Value { return output.String(r.Name) },
			Text: func(r *mm.MemoryBlock) string {
				if r.Node < 0 {
					return centreHead(r.Name, 10)
				}
				return centreHead(r.Name, 12)
			}},
		{Name: "start", Head: "    PHYSICAL RANGE   ", Verb: "%8x - ", Help: "its first physical address", Get: func(r *mm.MemoryBlock) output.Value { return output.Addr(r.Start) }},
		{Name: "end", Verb: "%8x", Help: "its last physical address", Get: func(r *mm.MemoryBlock) output.Value { return output.Addr(r.End) }},
		{Name: "node", Head: "  NODE  ", Verb: " %s", Help: "NUMA node, null if the kernel does not say", Get: func(r *mm.MemoryBlock) output.Value { return atLeastZero(r.Node) },
			Text: func(r *mm.MemoryBlock) string {
				if r.Node < 0 {
					return ""
				}
				return centreHead(fmt.Sprint(r.Node), 4)
			}},
		{Name: "state", Head: "STATE   ", Verb: "  %-7s ", None: "UNKNOWN", Help: "its state, null if the number has no name", Get: func(r *mm.MemoryBlock) output.Value { return optional(r.State) }},
		{Name: "section", Head: "START_SECTION_NO", Verb: "%-12d", Help: "number of its first section", Get: func(r *mm.MemoryBlock) output.Value { return output.Uint(r.Nr) }},
	},
}

// kmemNodes shows the nodes, then the sections and blocks of memory.
func kmemNodes(_ context.Context, t *Target, c *repl.Call) error {
	k, _, err := t.info()
	if err != nil {
		return err
	}
	pages, err := t.pages()
	if err != nil {
		return err
	}
	nodes, broken := mm.LoadNodes(k)
	for i, n := range nodes {
		if i > 0 {
			c.Out.Print("\n" + strings.Repeat("-", 67) + "\n\n")
		}
		nodeRecord.Emit(c.Out, &nodeRow{n, pages.Address(n.Start)})
		c.Out.Print("\n")
		nodeZoneRecord.Head(c.Out)
		for _, z := range n.Zones {
			row := nodeZoneRow{Zone: z}
			if z.Spanned > 0 {
				row.memMap = pages.Address(z.Start)
			}
			nodeZoneRecord.Emit(c.Out, &row)
		}
	}
	return errors.Join(broken, showSections(k, c))
}

func showSections(k *kernel.Kernel, c *repl.Call) error {
	s, err := mm.LoadSections(k)
	if errors.Is(err, mm.ErrFlat) {
		return nil
	}
	if err != nil {
		return err
	}
	sections, broken := s.All()
	c.Out.Print("\n" + strings.Repeat("-", 67) + "\n\n")
	sectionRecord.Head(c.Out)
	for i := range sections {
		sectionRecord.Emit(c.Out, &sections[i])
	}
	blocks, err := s.MemoryBlocks()
	if len(blocks) > 0 {
		c.Out.Print("\n")
		memoryBlockRecord.Head(c.Out)
	}
	for i := range blocks {
		memoryBlockRecord.Emit(c.Out, &blocks[i])
	}
	return errors.Join(broken, err)
}
