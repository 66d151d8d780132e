package die_test

import (
	"debug/dwarf"
	"fmt"
	"testing"

	"github.com/kdive/kdive/debuginfo/die"
	. "github.com/kdive/kdive/debuginfo/dwarftest"
)

func u64(v uint64) uint64 { return v }

// TestLists reads range and location lists of both generations.
func TestLists(t *testing.T) {
	all := ^uint64(0)
	tests := []struct {
		name        string
		version     int
		ranges, loc []byte
		wantRanges  string
		wantLoc     string
	}{
		{"4", 4,
			Bytes(u64(0x10), u64(0x20), all, u64(0x5000), u64(1), u64(3), u64(9), u64(9), u64(0), u64(0)),
			Bytes(u64(0x10), u64(0x20), 2, 0, 0x50, 0x51, all, u64(0x5000), u64(1), u64(3), 1, 0, 0x52, u64(0), u64(0)),
			"[{4112 4128} {20481 20483}]", "1010-1020:5051 5001-5003:52 "},
		{"5", 5,
			Bytes(4, 0x10, 0x20, 5, u64(0x5000), 4, 1, 3, 6, u64(0x100), u64(0x180), 7, u64(0x200), 8, 4, 9, 9, 0),
			Bytes(4, 0x10, 0x20, 2, 0x50, 0x51, 9, 1, 2, 6, u64(0x5000), 4, 1, 3, 1, 0x52, 7, u64(0x100), u64(0x180), 0, 8, u64(0x200), 8, 1, 0x53, 5, 1, 0x54, 0),
			"[{4112 4128} {20481 20483} {256 384} {512 520}]", "1010-1020:5051 5001-5003:52 100-180: 200-208:53 0-0:54 "},
	}
	for _, tt := range tests {
		v := E(dwarf.TagVariable, A(dwarf.AttrLocation, die.FormSecOffset, 0))
		f := E(dwarf.TagSubprogram, A(dwarf.AttrRanges, die.FormSecOffset, 0))
		s := Build(Unit{Version: tt.version, Root: E(dwarf.TagCompileUnit, A(dwarf.AttrLowpc, die.FormAddr, 0x1000), v, f)})
		s.Ranges, s.RngLists, s.Loc, s.LocLists = tt.ranges, tt.ranges, tt.loc, tt.loc
		u, err := die.New(s).Unit(0)
		if err != nil {
			t.Fatal(err)
		}
		root := u.Root()
		for e, err := range root.Kids() {
			if err != nil {
				t.Fatal(err)
			}
			if e.Tag == dwarf.TagSubprogram {
				if got, err := e.Ranges(); fmt.Sprint(got) != tt.wantRanges || err != nil {
					t.Errorf("version %s: ranges %v, %v", tt.name, got, err)
				}
				continue
			}
			loc, _ := e.Attr(dwarf.AttrLocation)
			list, err := u.Locations(loc)
			got := ""
			for _, l := range list {
				got += fmt.Sprintf("%x-%x:%x ", l.Low, l.High, l.Expr)
			}
			if got != tt.wantLoc || err != nil {
				t.Errorf("version %s: locations %s, %v", tt.name, got, err)
			}
		}
	}
}
