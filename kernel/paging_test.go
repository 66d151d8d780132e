package kernel

import (
	"encoding/binary"
	"testing"

	"github.com/kdive/kdive/fault"
)

// physMap is physical memory by page.
type physMap map[uint64]*[PageSize]byte

func (m physMap) ReadPhys(p []byte, paddr uint64) error {
	for len(p) > 0 {
		page := m[paddr&^(PageSize-1)]
		if page == nil {
			return &fault.Error{Addr: paddr, Space: fault.Physical, Reason: fault.Excluded}
		}
		n := copy(p, page[paddr&(PageSize-1):])
		p, paddr = p[n:], paddr+uint64(n)
	}
	return nil
}

func (m physMap) put(paddr, v uint64) {
	page := m[paddr&^(PageSize-1)]
	if page == nil {
		page = new([PageSize]byte)
		m[paddr&^(PageSize-1)] = page
	}
	binary.LittleEndian.PutUint64(page[paddr&(PageSize-1):], v)
}

// tables maps va through fresh tables at 0x1000, 0x2000, ... and returns the
// memory and the address of the entry that decides.
func tables(va uint64, levels int, last Level, entry, enc uint64) physMap {
	m := physMap{}
	table := uint64(0x1000)
	for l := levels; l > int(last); l-- {
		m.put(table+va>>(12+9*(l-1))&511*8, (table+0x1000)|enc|PtePresent|PteRW)
		table += 0x1000
	}
	m.put(table+va>>(12+9*(int(last)-1))&511*8, entry)
	return m
}

func TestWalk(t *testing.T) {
	const sme = 1 << 47
	tests := []struct {
		name   string
		va     uint64
		levels int
		last   Level
		entry  uint64
		enc    uint64
		paddr  uint64
		size   uint64
		reason fault.Reason
	}{
		{"4 KiB", 0xffffc90000123456, 4, LevelPTE, 0x5000 | PtePresent | PteNX, 0, 0x5456, 1 << 12, 0},
		{"2 MiB", 0xffffffff81234567, 4, LevelPMD, 0x40000000 | PtePresent | PtePSE, 0, 0x40034567, 1 << 21, 0},
		{"1 GiB", 0xffff888012345678, 4, LevelPUD, 0x80000000 | PtePresent | PtePSE, 0, 0x92345678, 1 << 30, 0},
		{"2 MiB with PAT bit", 0xffffffff81234567, 4, LevelPMD, 0x40001000 | PtePresent | PtePSE, 0, 0x40034567, 1 << 21, 0},
		{"5 levels", 0xff11000012345678, 5, LevelPTE, 0x7000 | PtePresent, 0, 0x7678, 1 << 12, 0},
		{"encrypted", 0xffffc90000123456, 4, LevelPTE, 0x5000 | sme | PtePresent, sme, 0x5456, 1 << 12, 0},
		{"prot none, inverted", 0x7f0000001234, 4, LevelPTE, (^uint64(0x9000)&physBits | PteProtNone), 0, 0x9234, 1 << 12, 0},
		{"not mapped", 0xffffc90000123456, 4, LevelPTE, 0, 0, 0, 0, fault.Unmapped},
		{"nothing at the PUD", 0xffffc90000123456, 4, LevelPUD, 0, 0, 0, 0, fault.Unmapped},
		{"swap entry", 0x7f0000001234, 4, LevelPTE, 0x123456 << 9 &^ PteProtNone &^ 1, 0, 0, 0, fault.SwappedOut},
		{"not canonical", 0x0123456789abcdef, 4, LevelPTE, 0x5000 | PtePresent, 0, 0, 0, fault.Unmapped},
		{"5-level address, 4 levels", 0xff11000012345678, 4, LevelPTE, 0x5000 | PtePresent, 0, 0, 0, fault.Unmapped},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pt := NewPageTables(tables(tt.va, tt.levels, tt.last, tt.entry, tt.enc), 0x1000, tt.levels, tt.enc)
			for range 2 { // the second time from the cache
				paddr, _, err := pt.Translate(tt.va)
				if got := fault.ReasonOf(err); got != tt.reason {
					t.Fatalf("error %v, want reason %v", err, tt.reason)
				}
				if paddr != tt.paddr {
					t.Errorf("physical %#x, want %#x", paddr, tt.paddr)
				}
			}
			if m, err := pt.Walk(tt.va); err == nil && m.Size != tt.size {
				t.Errorf("size %#x, want %#x", m.Size, tt.size)
			}
		})
	}
}

func TestWalkUnreadableTable(t *testing.T) {
	m := tables(0xffffc90000123456, 4, LevelPTE, 0x5000|PtePresent, 0)
	delete(m, 0x3000)
	mapping, err := NewPageTables(m, 0x1000, 4, 0).Walk(0xffffc90000123456)
	if fault.ReasonOf(err) != fault.Excluded || len(mapping.Steps) != 2 {
		t.Errorf("error %v after %d steps, want excluded after 2", err, len(mapping.Steps))
	}
}

func TestReadAcrossPages(t *testing.T) {
	va := uint64(0xffffc90000123ffc)
	m := tables(va, 4, LevelPTE, 0x8000|PtePresent, 0)
	m.put(0x4000+(va+8)>>12&511*8, 0xa000|PtePresent)
	m.put(0x8ff8, 0x1122334455667788)
	pt := NewPageTables(m, 0x1000, 4, 0)
	var b [8]byte
	err := pt.Read(b[:], va)
	if e, ok := err.(*fault.Error); !ok || e.Addr != va+4 || e.Space != fault.Virtual || e.Reason != fault.Excluded {
		t.Errorf("error %v, want excluded at %#x", err, va+4)
	}
	if binary.LittleEndian.Uint32(b[:]) != 0x11223344 {
		t.Errorf("bytes before the fault: % x", b)
	}
}
