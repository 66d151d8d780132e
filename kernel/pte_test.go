package kernel

import (
	"strings"
	"testing"
)

func TestDecodePte(t *testing.T) {
	tests := []struct {
		entry, encMask uint64
		kind           PteKind
		paddr          uint64
		area           int
		offset         uint64
		flags          string
	}{
		{0, 0, PteNone, 0, 0, 0, ""},
		{0xd8e067, 0, PteMapped, 0xd8e000, 0, 0, "PRESENT|RW|USER|ACCESSED|DIRTY"},
		{0x800000001fe50163, 0, PteMapped, 0x1fe50000, 0, 0, "PRESENT|RW|ACCESSED|DIRTY|GLOBAL|NX"},
		{0x8008000001fe5063, 1 << 51, PteMapped, 0x1fe5000, 0, 0, "PRESENT|RW|ACCESSED|DIRTY|NX"},
		// Without access rights: the frame number is inverted.
		{^uint64(0x1234000)&0x000ffffffffff000 | 0x100 | 1<<63, 0, PteMapped, 0x1234000, 0, 0, "PROTNONE|NX"},
		// Swap area 3, slot 0x55.
		{3<<59 | (1<<59-1)&^(0x55<<9|0x1ff), 0, PteSwap, 0, 3, 0x55, ""},
	}
	for _, tt := range tests {
		kind, paddr, area, offset := DecodePte(tt.entry, tt.encMask)
		if kind != tt.kind || paddr != tt.paddr || area != tt.area || offset != tt.offset {
			t.Errorf("%#x: %v %#x %d %#x", tt.entry, kind, paddr, area, offset)
		}
		if got := strings.Join(PteFlags(tt.entry), "|"); kind == PteMapped && got != tt.flags {
			t.Errorf("%#x: flags %s", tt.entry, got)
		}
	}
}
