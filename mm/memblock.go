package mm

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
	"github.com/kdive/kdive/walk"
)

// blockNeeds are of drivers/base/base.h, include/linux/memory.h and klist.h.
type blockNeeds struct {
	Subsys    kernel.Sym   `need:"memory_subsys"`
	BusPriv   kernel.Field `need:"?bus_type.p"` // until 6.3
	Kset      kernel.Sym   `need:"?bus_kset"`
	KsetList  kernel.Field `need:"?kset.list"`
	KobjEntry kernel.Field `need:"?kobject.entry"`
	KobjName  kernel.Field `need:"kobject.name"`
	PrivKobj  kernel.Field `need:"?subsys_private.subsys.kobj"`

	Devices    kernel.Field `need:"subsys_private.klist_devices.k_list"`
	Node       kernel.Field `need:"device_private.knode_bus.n_node"`
	Device     kernel.Field `need:"device_private.device"`
	DeviceKobj kernel.Field `need:"device.kobj"`

	Dev       kernel.Field `need:"memory_block.dev"`
	Start     kernel.Field `need:"memory_block.start_section_nr"`
	End       kernel.Field `need:"?memory_block.end_section_nr"`
	State     kernel.Field `need:"memory_block.state"`
	NodeID    kernel.Field `need:"?memory_block.nid"`
	BlockSize kernel.Sym   `need:"?memory_block_size_probed"` // bytes
}

// MemoryBlock is a unit of memory that can be taken offline.
type MemoryBlock struct {
	Addr  uint64 // of the struct memory_block
	Name  string
	Start uint64 // physical address
	End   uint64 // last physical address
	Nr    uint64 // of its first section
	Node  int    // -1 if the kernel does not say
	State string // name without MEM_: ONLINE, OFFLINE, GOING_OFFLINE ...; "" if the number has none
}

// blockStates are the states by bit until they became an enum (6.12,
// include/linux/memory.h).
var blockStates = [...]string{"ONLINE", "GOING_OFFLINE", "OFFLINE", "GOING_ONLINE", "CANCEL_ONLINE", "CANCEL_OFFLINE"}

// stateName is the name of a block's state.
func (n *blockNeeds) stateName(state uint64) string {
	if t := n.State.Type.Underlying(); t.Kind() == ctype.Enum {
		for _, e := range t.Enumerators() {
			if uint64(e.Value) == state {
				return strings.TrimPrefix(e.Name, "MEM_")
			}
		}
		return ""
	}
	for bit, name := range blockStates {
		if state == 1<<bit {
			return name
		}
	}
	return ""
}

// MemoryBlocks reads the blocks of memory in the order of their devices; none and
// no error if the kernel has no memory hotplug.
func (s *Sections) MemoryBlocks() ([]MemoryBlock, error) {
	if _, ok := s.k.ImageSymbol("memory_subsys"); !ok {
		return nil, nil
	}
	if _, err := s.k.StructType("memory_block"); err != nil {
		return nil, nil
	}
	var n blockNeeds
	if err := s.k.Bind(&n); err != nil {
		return nil, fmt.Errorf("blocks of memory: %w", err)
	}
	private, err := n.private(s.k)
	if err != nil {
		return nil, fmt.Errorf("blocks of memory: %w", err)
	}
	size := uint64(0)
	if n.BlockSize != 0 {
		if size, err = value.Word(s.k, uint64(n.BlockSize)); err != nil {
			return nil, fmt.Errorf("memory_block_size_probed: %w", err)
		}
	}
	var list []MemoryBlock
	for node, err := range walk.New(s.k).List(n.Devices.At(private), n.Node.Offset) {
		if err != nil {
			return list, fmt.Errorf("blocks of memory: %w", err)
		}
		device, err := n.Device.Uint(s.k, node)
		if err != nil {
			return list, fmt.Errorf("blocks of memory: %w", err)
		}
		b, err := n.read(s, device-uint64(n.Dev.Offset), size)
		if err != nil {
			return list, fmt.Errorf("block of memory at %#x: %w", device-uint64(n.Dev.Offset), err)
		}
		list = append(list, b)
	}
	return list, nil
}

// private is the subsys_private of the memory devices: the bus has a pointer, or
// since 6.3 it is found by name among all buses.
func (n *blockNeeds) private(k kernel.View) (uint64, error) {
	if n.BusPriv.Present() {
		return n.BusPriv.Uint(k, uint64(n.Subsys))
	}
	if n.Kset == 0 || !n.KsetList.Present() || !n.KobjEntry.Present() || !n.PrivKobj.Present() {
		return 0, errors.New("the bus of memory devices cannot be found in this kernel")
	}
	kset, err := value.Word(k, uint64(n.Kset))
	if err != nil {
		return 0, fmt.Errorf("bus_kset: %w", err)
	}
	for kobj, err := range walk.New(k).List(n.KsetList.At(kset), n.KobjEntry.Offset) {
		if err != nil {
			return 0, fmt.Errorf("buses: %w", err)
		}
		if name, err := n.name(k, kobj); err == nil && name == "memory" {
			return kobj - uint64(n.PrivKobj.Offset), nil
		}
	}
	return 0, errors.New("there is no bus called memory")
}

func (n *blockNeeds) name(k kernel.View, kobj uint64) (string, error) {
	at, err := n.KobjName.Uint(k, kobj)
	if err != nil {
		return "", err
	}
	return value.CString(k, at, 64)
}

func (n *blockNeeds) read(s *Sections, addr, size uint64) (MemoryBlock, error) {
	b := MemoryBlock{Addr: addr, Node: -1}
	var err1, err3, err4, err5 error
	b.Nr, err1 = n.Start.Uint(s.k, addr)
	state, err2 := n.State.Uint(s.k, addr)
	b.State = n.stateName(state)
	b.Name, err3 = n.name(s.k, n.DeviceKobj.At(n.Dev.At(addr)))
	if n.NodeID.Present() {
		var id int64
		id, err4 = n.NodeID.Int(s.k, addr)
		b.Node = int(id)
	}
	last := b.Nr
	if n.End.Present() {
		last, err5 = n.End.Uint(s.k, addr)
	}
	shift := s.shift + kernel.PageShift
	b.Start = b.Nr << shift
	b.End = (last+1)<<shift - 1
	if size != 0 {
		b.End = b.Start + size - 1
	}
	return b, errors.Join(err1, err2, err3, err4, err5)
}
