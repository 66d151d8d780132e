package command

import (
	"context"
	"fmt"

	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// kmemStatPart is kmem -V, kmemZonePart kmem -z.
var kmemStatPart = kmemPart{
	synopsis: "-V",
	options:  []repl.Option{{Name: "V", Help: "the counters of the memory management, by zone and by node, and events"}},
	records:  []output.Describer{statRecord},
	run:      kmemStats,
}

var kmemZonePart = kmemPart{
	synopsis: "-z",
	options:  []repl.Option{{Name: "z", Help: "the zones with sizes, watermarks and counters"}},
	records:  []output.Describer{zoneRecord, statRecord},
	run:      kmemZones,
}

// statRow is a counter in a group.
type statRow struct {
	mm.Stat
	group string
	zone  *mm.Zone // nil if it counts all of the system
	width int      // of the longest name
}

var statRecord = &output.Record[statRow]{
	Type: "memory_counter",
	Help: "a counter of the memory management",
	Columns: []output.Column[statRow]{
		{Name: "group", Help: "the array that it is in: VM_ZONE_STAT, VM_NODE_STAT, VM_NUMA_STAT, VM_EVENT_STATES; of one zone VM_STAT", Get: func(r *statRow) output.Value { return output.String(r.group) }},
		{Name: "zone", Help: "address of its struct zone, null of a counter of the system", Get: func(r *statRow) output.Value {
			if r.zone == nil {
				return output.Null()
			}
			return output.Addr(r.zone.Addr)
		}},
		{Name: "name", Help: "the kernel's name", Get: func(r *statRow) output.Value { return output.String(r.Name) }},
		{Name: "value", Help: "its value; pages, but for events and names that tell a unit", Get: func(r *statRow) output.Value { return output.Int(r.Value) }},
		{Name: "pending", Help: "what CPUs have counted and not yet added to it", Get: func(r *statRow) output.Value { return output.Int(r.Pending) }},
	},
	Text: func(b []byte, r *statRow) []byte {
		return fmt.Appendf(b, "%*s: %d\n", r.width, r.Name, r.Value)
	},
}

// kmemStats shows the counters of the system.
func kmemStats(_ context.Context, t *Target, c *repl.Call) error {
	s, err := fromInfo(t, mm.LoadStats)
	if err != nil {
		return err
	}
	groups := s.Groups()
	width := 0
	for _, g := range groups {
		if g.Name != "VM_EVENT_STATES" {
			width = max(width, longestName(g))
		}
	}
	for i, g := range groups {
		if i > 0 {
			c.Out.Print("\n")
		}
		if g.Name == "VM_EVENT_STATES" {
			width = longestName(g)
		}
		c.Out.Printf("  %s:\n", g.Name)
		showStats(c, g, nil, width)
	}
	return nil
}

func longestName(g *mm.StatGroup) (n int) {
	for _, s := range g.Stats {
		n = max(n, len(s.Name))
	}
	return n
}

func showStats(c *repl.Call, g *mm.StatGroup, z *mm.Zone, width int) {
	for _, s := range g.Stats {
		statRecord.Emit(c.Out, &statRow{s, g.Name, z, width})
	}
	if g.Err != nil {
		c.Error(g.Err)
	}
}

// zoneDetail is a zone with what it does when memory gets short.
type zoneDetail struct {
	*mm.Zone
	mm.Watermarks
	counters *mm.StatGroup
}

var zoneRecord = &output.Record[zoneDetail]{
	Type: "zone",
	Help: "a zone of memory; its counters follow",
	Columns: []output.Column[zoneDetail]{
		{Name: "node", Help: "number of its node", Get: func(r *zoneDetail) output.Value { return output.Int(r.Node) }},
		{Name: "index", Help: "its number in the node", Get: func(r *zoneDetail) output.Value { return output.Int(r.Index) }},
		{Name: "zone", Help: "address of its struct zone", Get: func(r *zoneDetail) output.Value { return output.Addr(r.Addr) }},
		{Name: "name", Help: "its name", Get: func(r *zoneDetail) output.Value { return output.String(r.Name) }},
		{Name: "start", Help: "first page frame number", Get: func(r *zoneDetail) output.Value { return output.Uint(r.Start) }},
		{Name: "spanned", Help: "pages from the first to the last, with holes", Get: func(r *zoneDetail) output.Value { return output.Uint(r.Spanned) }},
		{Name: "present", Help: "pages without holes", Get: func(r *zoneDetail) output.Value { return output.Uint(r.Present) }},
		{Name: "managed", Help: "pages that the page allocator has", Get: func(r *zoneDetail) output.Value { return output.Uint(r.Managed) }},
		{Name: "min", Help: "free pages below which only urgent needs are met", Get: func(r *zoneDetail) output.Value { return output.Uint(r.Min) }},
		{Name: "low", Help: "free pages below which kswapd is woken", Get: func(r *zoneDetail) output.Value { return output.Uint(r.Low) }},
		{Name: "high", Help: "free pages at which kswapd sleeps again", Get: func(r *zoneDetail) output.Value { return output.Uint(r.High) }},
		{Name: "boost", Help: "pages that are added to the three for a while after fragmentation", Get: func(r *zoneDetail) output.Value { return output.Uint(r.Boost) }},
	},
	Text: func(b []byte, r *zoneDetail) []byte {
		b = fmt.Appendf(b, "NODE: %d  ZONE: %d  ADDR: %x  NAME: \"%s\"\n", r.Node, r.Index, r.Addr, r.Name)
		if r.Spanned == 0 {
			return append(b, "  [unpopulated]\n"...)
		}
		b = fmt.Appendf(b, "  SIZE: %d", r.Spanned)
		if r.Present < r.Spanned {
			b = fmt.Appendf(b, "  PRESENT: %d", r.Present)
		}
		return fmt.Appendf(b, "  MIN/LOW/HIGH: %d/%d/%d\n  VM_STAT:\n", r.Min, r.Low, r.High)
	},
}

// kmemZones shows the zones with their counters.
func kmemZones(_ context.Context, t *Target, c *repl.Call) error {
	s, err := fromInfo(t, mm.LoadStats)
	if err != nil {
		return err
	}
	zones, broken := mm.LoadZones(t.Opened.Kernel)
	for _, z := range zones {
		r := zoneDetail{Zone: z}
		r.Watermarks, r.counters = s.Zone(z)
		zoneRecord.Emit(c.Out, &r)
		if z.Spanned > 0 {
			showStats(c, r.counters, z, longestName(r.counters))
			c.Out.Print("\n")
		}
		c.Out.Print("\n")
	}
	return broken
}
