package slab

import "github.com/kdive/kdive/kernel"

// Flags are masks of Cache.Flags.
type Flags struct {
	RedZone   uint64 // SLAB_RED_ZONE
	Poison    uint64 // SLAB_POISON
	ObjPoison uint64 // __OBJECT_POISON: objects are poisoned, too
	StoreUser uint64 // SLAB_STORE_USER: users are tracked, full slabs are on a list
	ByRCU     uint64 // SLAB_TYPESAFE_BY_RCU
	Kmalloc   uint64 // SLAB_KMALLOC

	// SLAB's own (mm/slab.c): where the indexes of free objects are.
	ObjFreelist uint64 // CFLGS_OBJFREELIST_SLAB: in a free object
	OffSlab     uint64 // CFLGS_OFF_SLAB: in an object of their own
}

// flagNeeds are the numbers of the flags' bits since 6.9; before, masks were
// macros (include/linux/slab.h, mm/slub.c).
type flagNeeds struct {
	RedZone   kernel.Enum `need:"?_SLAB_RED_ZONE"`
	Poison    kernel.Enum `need:"?_SLAB_POISON"`
	ObjPoison kernel.Enum `need:"?_SLAB_OBJECT_POISON"`
	StoreUser kernel.Enum `need:"?_SLAB_STORE_USER"`
	ByRCU     kernel.Enum `need:"?_SLAB_TYPESAFE_BY_RCU"`
	Kmalloc   kernel.Enum `need:"?_SLAB_KMALLOC"`
}

// Flags are the masks of this kernel; of a flag that it does not have, 0.
func (m *Model) Flags() Flags { return m.flags }

func loadFlags(k kernel.View) Flags {
	var n flagNeeds
	_ = k.Bind(&n) // all optional
	mask := func(bit kernel.Enum, macro uint64) uint64 {
		switch {
		case n.Poison.Present() && !bit.Present():
			return 0 // a kernel that has the enum, and not this flag
		case bit.Present() && bit.Value >= 0 && bit.Value < 64:
			return 1 << bit.Value
		}
		return macro
	}
	return Flags{
		RedZone:   mask(n.RedZone, 0x400),
		Poison:    mask(n.Poison, 0x800),
		ObjPoison: mask(n.ObjPoison, 0x80000000),
		StoreUser: mask(n.StoreUser, 0x10000),
		ByRCU:     mask(n.ByRCU, 0x80000),
		Kmalloc:   mask(n.Kmalloc, 0x1000),

		ObjFreelist: 0x40000000,
		OffSlab:     0x80000000,
	}
}
