package kernel

import (
	"context"
	"encoding/binary"
)

// directMapBases are the addresses of the direct map when memory is not
// randomised: 4 and 5 levels since 4.20, 4 levels before
// (__PAGE_OFFSET_BASE_*, arch/x86/include/asm/page_64_types.h).
var directMapBases = [...]uint64{0xffff888000000000, 0xff11000000000000, 0xffff880000000000}

// locateDirectMap finds where physical memory is mapped one to one.
func (k *Kernel) locateDirectMap() {
	base, ok := k.directMapBase()
	if !ok {
		k.note("the direct map was not found; its addresses are read through the page tables")
		return
	}
	size := k.Dump.Info().MaxPhys
	k.direct = span{start: base, end: base + size}
}

// directMapBase takes the kernel's own variable if there is one, else the first
// candidate that the page tables map to low physical memory, else what the page
// tables map that way.
func (k *Kernel) directMapBase() (uint64, bool) {
	if addr, ok := k.Symbol("page_offset_base"); ok {
		var b [8]byte
		if k.place.tables.Read(b[:], addr) == nil {
			if v := binary.LittleEndian.Uint64(b[:]); v&(1<<30-1) == 0 && k.mapsLow(v) {
				return v, true
			}
		}
	}
	for _, s := range k.Dump.Segments() {
		if base := s.Vaddr - s.Paddr; s.Vaddr < StartKernelMap && int64(s.Vaddr) < 0 && k.mapsLow(base) {
			return base, true
		}
	}
	for _, base := range directMapBases {
		if k.mapsLow(base) {
			return base, true
		}
	}
	return k.directMapInTables()
}

// directMapInTables looks for a mapping of low memory at an address where the
// direct map can begin: randomised, it lies on 1 GiB (arch/x86/mm/kaslr.c).
func (k *Kernel) directMapInTables() (uint64, bool) {
	const kernelHalf, maxTried = 1 << 63, 1 << 16
	tried := 0
	for e, err := range k.place.tables.Mappings(context.Background(), kernelHalf, StartKernelMap-1) {
		if base := e.Vaddr - e.Paddr; err == nil && base&(1<<30-1) == 0 && k.mapsLow(base) {
			return base, true
		}
		if tried++; tried == maxTried { // it is the lowest area of the kernel's half
			break
		}
	}
	return 0, false
}

// mapsLow reports whether base maps some of the first megabytes of physical
// memory one to one.
func (k *Kernel) mapsLow(base uint64) bool {
	if !k.place.tables.Canonical(base) {
		return false
	}
	for _, p := range [...]uint64{0x1000, 0x100000, 0x1000000, 0x2000000} {
		if at, _, err := k.place.tables.Translate(base + p); err == nil && at == p {
			return true
		}
	}
	return false
}
