package kernel

// PteFlags names the flags of a page-table entry, lowest bit first and NX last.
// Bit 8 is GLOBAL in an entry that maps a page and PROTNONE in one that does not
// (arch/x86/include/asm/pgtable_types.h).
func PteFlags(entry uint64) []string {
	var names []string
	for _, f := range [...]struct {
		bit  uint64
		name string
	}{
		{PtePresent, "PRESENT"}, {PteRW, "RW"}, {PteUser, "USER"}, {PtePWT, "PWT"}, {PtePCD, "PCD"},
		{PteAccessed, "ACCESSED"}, {PteDirty, "DIRTY"}, {PtePSE, "PSE"}, {PteGlobal, "GLOBAL"}, {PteNX, "NX"},
	} {
		switch {
		case entry&f.bit == 0:
		case f.bit == PteGlobal && entry&PtePresent == 0:
			names = append(names, "PROTNONE")
		default:
			names = append(names, f.name)
		}
	}
	return names
}

// PteKind is what an entry of the last level, or a large page's, stands for.
type PteKind uint8

// The kinds of entries.
const (
	PteNone   PteKind = iota // nothing: the entry is 0
	PteMapped                // a page
	PteSwap                  // a page in swap, or on its way (migration, hwpoison)
)

// DecodePte tells what an entry stands for: the physical address of its page, or
// the number of the swap area and the page's place in it. A page without access
// rights (PROT_NONE) has its frame number inverted, and a swap entry its offset,
// so that a CPU that speculates finds no memory there (L1TF; pgtable-invert.h,
// __swp_offset in pgtable_64.h).
func DecodePte(entry, encMask uint64) (kind PteKind, paddr uint64, swapType int, swapOffset uint64) {
	const (
		typeShift  = 64 - 5 // SWP_TYPE_BITS
		offsetLow  = 9      // SWP_OFFSET_FIRST_BIT
		offsetMask = 1<<(typeShift-offsetLow) - 1
	)
	switch {
	case entry&PtePresent != 0:
		return PteMapped, entry & physBits &^ encMask, 0, 0
	case entry&PteProtNone != 0:
		return PteMapped, ^entry & physBits &^ encMask, 0, 0
	case entry == 0:
		return PteNone, 0, 0, 0
	}
	return PteSwap, 0, int(entry >> typeShift), ^entry >> offsetLow & offsetMask
}
