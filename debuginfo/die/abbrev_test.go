package die

import (
	"debug/dwarf"
	"slices"
	"testing"
)

// What Skip passes over is what Next reads, also where numbers take more bytes than
// they need or are no form.
func TestSkipIsNext(t *testing.T) {
	table := slices.Concat(
		[]byte{1, byte(dwarf.TagVariable), 0, 3, 0x0e, 0, 0},
		[]byte{2, byte(dwarf.TagVariable), 1, 0x3b, byte(FormImplicitConst), 0xfd, 0x00, 3, 0x0e, 0, 0},
		[]byte{3, byte(dwarf.TagVariable), 0, 0xb7, 0x42, 0x0b, 0x3b, 0xa1, 0x00, 0xfd, 0x00, 0, 0},
		[]byte{4, byte(dwarf.TagVariable), 0, 0x3b, 0xa1, 0x80, 0x04, 3, 0x0e, 0, 0}, // form 0x10021
		[]byte{5, byte(dwarf.TagVariable), 0, 0x80, 0x00, 0x80, 0x00},
		[]byte{0},
	)
	next, skip := ReadAbbrevs(table, 0), ReadAbbrevs(table, 0)
	for next.Next() {
		if !skip.Skip() || skip.Code != next.Code || skip.Pos() != next.Pos() {
			t.Fatalf("Skip comes to %#x behind declaration %d, Next to %#x behind %d", skip.Pos(), skip.Code, next.Pos(), next.Code)
		}
	}
	if skip.Skip() || skip.Err != nil || next.Err != nil || skip.Code != 0 || next.Len() != len(table) {
		t.Errorf("the end: %v, %v, after %d of %d bytes", skip.Err, next.Err, next.Len(), len(table))
	}
}
