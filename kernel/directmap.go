package kernel

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
	if addr, ok := k.ImageSymbol("page_offset_base"); ok {
		if v, err := k.U64(addr); err == nil && v&(1<<30-1) == 0 {
			// A dump without its page tables cannot confirm it.
			if mapped, known := k.mapsLow(v); mapped || !known {
				return v, true
			}
		}
	}
	for _, s := range k.Dump.Segments() {
		if base := s.Vaddr - s.Paddr; s.Vaddr < StartKernelMap && int64(s.Vaddr) < 0 {
			if mapped, known := k.mapsLow(base); mapped || !known {
				return base, true
			}
		}
	}
	for _, base := range directMapBases {
		if mapped, _ := k.mapsLow(base); mapped {
			return base, true
		}
	}
	return k.directMapInTables()
}

// mapsLow reports whether base maps some of the first megabytes of physical
// memory one to one, and whether the dump has the page tables to tell.
func (k *Kernel) mapsLow(base uint64) (mapped, known bool) {
	if !k.place.tables.Canonical(base) {
		return false, true
	}
	for _, p := range [...]uint64{0x1000, 0x100000, 0x1000000, 0x2000000} {
		at, _, err := k.place.tables.Translate(base + p)
		if err == nil && at == p {
			return true, true
		}
		known = known || !missing(err)
	}
	return false, known
}
