package kernel

import (
	"fmt"
	"slices"
	"testing"

	"github.com/kdive/kdive/fault"
)

func TestRuns(t *testing.T) {
	const base = 0x7f0000000000
	m := tables(base, 4, LevelPTE, 0x5000|PtePresent, 0)
	const pte, pmd = 0x4000, 0x3000
	m.put(pte+2*8, ^uint64(0x9000)&physBits|PteProtNone)
	m.put(pte+3*8, 0x1234<<9) // in swap
	m.put(pmd+1*8, 0x40000000|PtePresent|PtePSE)
	m.put(pmd+2*8, 0xbad000|PtePresent)                // a table that is not in the dump
	m.put(pmd+3*8, 0x40000000|1<<14|PtePresent|PtePSE) // reserved bits
	m.put(pmd+4*8, ^uint64(0x80000000)&physBits|PteProtNone|PtePSE)
	walked := NewPageTables(m, 0x1000, 4, 0)
	show := func(start, end uint64) (got []string) {
		for r := range walked.Runs(start, end) {
			s := fmt.Sprintf("%x+%x", r.Vaddr-base, r.Size)
			switch {
			case r.Err != nil:
				s += " " + fault.ReasonOf(r.Err).String()
			case r.Mapped:
				s += fmt.Sprintf(" %x", r.Paddr)
			case r.Entry != 0:
				s += fmt.Sprintf(" %v entry %x", r.Level, r.Entry)
			}
			got = append(got, s)
		}
		return got
	}
	tests := []struct {
		start, end uint64
		want       []string
	}{
		{0, 0x5000, []string{"0+1000 5000", "1000+1000", "2000+1000 9000", "3000+1000 PTE entry 246800", "4000+1000"}},
		{0x1ff000, 0x203000, []string{"1ff000+1000", "200000+3000 40000000"}},
		{0x3fe000, 0x403000, []string{"3fe000+2000 401fe000", "400000+3000 excluded"}},
		{0x600000, 0x900000, []string{"600000+200000 not mapped", "800000+100000 80000000"}},
		{0xa00000, 1 << 31, []string{"a00000+200000", "c00000+200000"}},
		{0x1000, 0x1000, nil},
	}
	for _, tt := range tests {
		got := show(base+tt.start, base+tt.end)
		if len(got) > len(tt.want) && len(tt.want) == 2 {
			got = got[:2] // of many empty entries the first
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%x-%x: %q, want %q", tt.start, tt.end, got, tt.want)
		}
	}
	var size uint64
	for r := range walked.Runs(0, 1<<47) {
		size += r.Size
	}
	if size != 1<<47 {
		t.Errorf("all of user space: runs of %#x bytes", size)
	}
	for r := range walked.Runs(1<<47, 1<<48) {
		t.Errorf("an address that is not canonical: %+v", r)
	}
}
