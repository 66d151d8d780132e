package mm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// zoneNeeds are of include/linux/mmzone.h.
type zoneNeeds struct {
	Nodes  kernel.Sym `need:"?node_data"`        // NUMA: an array of pointers
	Single kernel.Sym `need:"?contig_page_data"` // the only node of other kernels
	IDs    kernel.Sym `need:"?nr_node_ids"`

	Zones     kernel.Field `need:"pglist_data.node_zones"`
	NodeID    kernel.Field `need:"pglist_data.node_id"`
	NodeStart kernel.Field `need:"pglist_data.node_start_pfn"`

	Size    kernel.Size  `need:"zone"`
	Name    kernel.Field `need:"zone.name"`
	Start   kernel.Field `need:"zone.zone_start_pfn"`
	Spanned kernel.Field `need:"zone.spanned_pages"`
	Present kernel.Field `need:"zone.present_pages"`
	Managed kernel.Field `need:"?zone.managed_pages"`
	Stat    kernel.Field `need:"?zone.vm_stat"`
	Free    kernel.Enum  `need:"?NR_FREE_PAGES"`
}

// Zone is a struct zone: memory of one node for one kind of use.
type Zone struct {
	Addr      uint64 // of the struct zone
	Node      int    // id of its node
	Index     int    // in the node's zones
	Name      string
	Start     uint64 // first page frame, 0 if the zone is empty
	Spanned   uint64 // pages from the first to the last, holes included
	Present   uint64 // pages that exist
	Managed   uint64 // pages that the page allocator has
	NodeStart uint64 // first page frame of its node
	Free      int64  // free pages by the zone's counter, without what CPUs have not added yet
}

// Holds reports whether the zone spans a page frame.
func (z *Zone) Holds(pfn uint64) bool { return pfn >= z.Start && pfn-z.Start < z.Spanned }

// maxZones bounds the zones of a node (MAX_NR_ZONES is 6 at most), maxNodes the
// nodes (CONFIG_NODES_SHIFT is 10 at most).
const (
	maxZones = 16
	maxNodes = 1024
)

// LoadZones reads the zones of all nodes, by node and index, empty ones
// included. With an error come the zones that could be read.
func LoadZones(k kernel.View) ([]*Zone, error) {
	var n zoneNeeds
	if err := k.Bind(&n); err != nil {
		return nil, fmt.Errorf("zones: %w", err)
	}
	var zones []*Zone
	var errs fault.Several
	for node, err := range n.nodes(k) {
		if err != nil {
			errs.Add(err)
			continue
		}
		count := min(n.Zones.Type.Underlying().Count(), maxZones)
		for i := range count {
			z, err := n.read(k, node, int(i))
			if err != nil {
				errs.Add(fmt.Errorf("zone %d of the node at %#x: %w", i, node, err))
				continue
			}
			zones = append(zones, z)
		}
	}
	if zones == nil {
		errs.Add(errors.New("zones: no node of memory was found"))
	}
	return zones, errs.Err()
}

// nodes yields the addresses of the struct pglist_data of all nodes.
func (n *zoneNeeds) nodes(k kernel.View) iter.Seq2[uint64, error] {
	return func(yield func(uint64, error) bool) {
		if n.Nodes == 0 {
			if n.Single != 0 {
				yield(uint64(n.Single), nil)
			}
			return
		}
		ids := 1
		if n.IDs != 0 {
			var b [4]byte
			if err := k.Read(b[:], uint64(n.IDs)); err == nil {
				ids = int(binary.LittleEndian.Uint32(b[:]))
			}
		}
		for i := range uint64(max(1, min(ids, maxNodes))) {
			node, err := value.Word(k, uint64(n.Nodes)+i*8)
			if err != nil {
				err = fmt.Errorf("node_data[%d]: %w", i, err)
			} else if node == 0 {
				continue // an id without a node
			}
			if !yield(node, err) {
				return
			}
		}
	}
}

func (n *zoneNeeds) read(k kernel.View, node uint64, index int) (*Zone, error) {
	z := &Zone{Addr: n.Zones.At(node) + uint64(index)*uint64(n.Size), Index: index}
	obj := make([]byte, max(0, min(int64(n.Size), 1<<16)))
	id, err1 := n.NodeID.Int(k, node)
	start, err2 := n.NodeStart.Uint(k, node)
	if err := errors.Join(err1, err2, k.Read(obj, z.Addr)); err != nil {
		return nil, err
	}
	z.Node, z.NodeStart = int(id), start
	z.Start, z.Spanned, z.Present = n.Start.In(obj), n.Spanned.In(obj), n.Present.In(obj)
	if n.Managed.Present() {
		z.Managed = n.Managed.In(obj)
	}
	if n.Stat.Present() && n.Free.Present() {
		free := n.Stat
		free.Offset += n.Free.Value * 8
		z.Free = int64(free.In(obj))
	}
	var err error
	z.Name, err = value.CString(k, n.Name.In(obj), 64)
	return z, err
}
