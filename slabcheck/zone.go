package slabcheck

import (
	"math/bits"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slabcheck/rules"
	"github.com/kdive/kdive/value"
)

// zoneNeeds are where memory is (include/linux/mmzone.h).
type zoneNeeds struct {
	Nodes    kernel.Sym   `need:"?node_data"`
	Single   kernel.Sym   `need:"?contig_page_data"`
	Zones    kernel.Field `need:"pglist_data.node_zones"`
	Start    kernel.Field `need:"zone.zone_start_pfn"`
	Spanned  kernel.Field `need:"zone.spanned_pages"`
	ZoneSize kernel.Size  `need:"zone"`
	Count    kernel.Enum  `need:"__MAX_NR_ZONES"`
	Slots    kernel.Field `need:"?kmem_cache.per_node|kmem_cache.node"`
}

// span is a zone of a node.
type span struct {
	first, pages uint64
	bits         uint64 // node and zone as in a page's flags
}

// zoneBits are where page flags have node and zone: the highest bits, as the
// array of page structures needs no section (include/linux/page-flags-layout.h).
type zoneBits struct {
	mask      uint64
	nodeShift int // 64: there is one node
	spans     []span
}

// loadZones reads the spans of all zones, if it can.
func (ck *checker) loadZones() {
	var n zoneNeeds
	if ck.k.Bind(&n) != nil || n.Count.Value < 1 || n.Count.Value > 8 || n.ZoneSize <= 0 {
		return
	}
	nodeWidth := 0
	if n.Slots.Present() {
		nodeWidth = bits.Len(uint(max(1, n.Slots.Type.Underlying().Count()) - 1))
	}
	zoneWidth := bits.Len(uint(n.Count.Value - 1))
	if nodeWidth+zoneWidth == 0 || nodeWidth > 16 {
		return
	}
	z := zoneBits{mask: ^uint64(0) << (64 - nodeWidth - zoneWidth), nodeShift: 64 - nodeWidth}
	for id := range ck.m.NodeCount() {
		pgdat := uint64(n.Single)
		if n.Nodes != 0 {
			var err error
			if pgdat, err = value.Word(ck.k, uint64(n.Nodes)+8*uint64(id)); err != nil {
				return
			}
		}
		if pgdat == 0 {
			continue
		}
		for i := range n.Count.Value {
			zone := n.Zones.At(pgdat) + uint64(i)*uint64(n.ZoneSize)
			first, err := n.Start.Uint(ck.k, zone)
			if err != nil {
				return
			}
			pages, err := n.Spanned.Uint(ck.k, zone)
			if err != nil {
				return
			}
			if pages != 0 && pages < 1<<40 {
				z.spans = append(z.spans, span{first, pages, (uint64(id)<<zoneWidth | uint64(i)) << (64 - nodeWidth - zoneWidth)})
			}
		}
	}
	ck.zones = &z
}

// trustZones drops the zones if most slabs do not agree with them.
func (ck *checker) trustZones() {
	z := ck.zones
	if z == nil {
		return
	}
	good, all := 0, 0
	for _, c := range ck.caches {
		for i := range c.slabs {
			if want, ok := z.of(ck, c.slabs[i].Addr); ok {
				if all++; want == c.slabs[i].flags&z.mask {
					good++
				}
			}
		}
	}
	if good <= all*9/10 {
		ck.zones = nil
	}
}

// of is the node and zone of a page; ok is false if no zone, or more than one,
// has it.
func (z *zoneBits) of(ck *checker, page uint64) (v uint64, ok bool) {
	pfn, ok := ck.m.FrameOf(page)
	if !ok {
		return 0, false
	}
	found := 0
	for _, s := range z.spans {
		if pfn >= s.first && pfn-s.first < s.pages {
			v = s.bits
			found++
		}
	}
	return v, found == 1
}

// nodeOf is the NUMA node of a slab's memory, whatever its page says.
func (ck *checker) nodeOf(s *slabRec) int {
	if ck.zones == nil {
		return s.Node
	}
	if v, ok := ck.zones.of(ck, s.Addr); ok {
		return int(v >> ck.zones.nodeShift)
	}
	return s.Node
}

// pageZone checks node and zone in the flags of a slab's page.
func (c *cacheCheck) pageZone(s *slabRec) {
	if c.zones == nil {
		return
	}
	want, ok := c.zones.of(c.checker, s.Addr)
	if !ok || s.flags&c.zones.mask == want {
		return
	}
	f := rules.New(rules.PageNode, "the page of slab %#x has another node or zone in its flags than its memory is of", s.Addr)
	f.Slab, f.Node = s.Slab, s.Node
	f.At, f.Member, f.Offset = c.n.PageFlags.At(s.Addr), c.n.PageFlags.Path, c.n.PageFlags.Offset
	f.Found, f.Expected = rules.Word(s.flags, 8), rules.Word(s.flags&^c.zones.mask|want, 8)
	c.add(f)
}
