package mm

import (
	"errors"
	"fmt"

	"github.com/kdive/kdive/kernel"
)

type nodeNeeds struct {
	ID      kernel.Field `need:"pglist_data.node_id"`
	Start   kernel.Field `need:"pglist_data.node_start_pfn"`
	Spanned kernel.Field `need:"pglist_data.node_spanned_pages"`
	Present kernel.Field `need:"pglist_data.node_present_pages"`
	Zones   kernel.Field `need:"pglist_data.node_zones"`
	Bdata   kernel.Field `need:"?pglist_data.bdata"`
}

// Node is a NUMA node, or all of a machine that has none.
type Node struct {
	Addr      uint64 // of the struct pglist_data
	ID        int
	Start     uint64 // first page frame
	Spanned   uint64 // pages from the first to the last, holes included
	Present   uint64 // pages that exist
	ZonesAddr uint64 // of the array of struct zone
	Zones     []*Zone
	BootMem   uint64 // of its bootmem_data; 0 in kernels without (4.20 and later)
}

// LoadNodes reads the nodes that are online, in the order of their numbers. With
// an error come the nodes, and of nodes the zones, that could be read.
func LoadNodes(k kernel.View) ([]*Node, error) {
	var n nodeNeeds
	var z zoneNeeds
	if err := errors.Join(k.Bind(&n), k.Bind(&z)); err != nil {
		return nil, fmt.Errorf("nodes: %w", err)
	}
	zones, errs := LoadZones(k)
	var nodes []*Node
	for addr, err := range z.nodes(k) {
		if err != nil {
			continue // LoadZones said so
		}
		id, err1 := n.ID.Int(k, addr)
		start, err2 := n.Start.Uint(k, addr)
		spanned, err3 := n.Spanned.Uint(k, addr)
		present, err4 := n.Present.Uint(k, addr)
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			errs = errors.Join(errs, fmt.Errorf("node at %#x: %w", addr, err))
			continue
		}
		x := &Node{Addr: addr, ID: int(id), Start: start, Spanned: spanned, Present: present, ZonesAddr: n.Zones.At(addr)}
		if n.Bdata.Present() {
			x.BootMem, _ = n.Bdata.Uint(k, addr)
		}
		size := uint64(z.Zones.Size())
		for _, y := range zones {
			if y.Addr >= x.ZonesAddr && y.Addr-x.ZonesAddr < size {
				x.Zones = append(x.Zones, y)
			}
		}
		nodes = append(nodes, x)
	}
	return nodes, errs
}
