package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/kdive/kdive/fault"
)

// collect lists the mappings as "vaddr>paddr+size" or the reason of a fault.
func collect(t *PageTables, start, last uint64) (out []string) {
	for e, err := range t.Mappings(context.Background(), start, last) {
		if err != nil {
			out = append(out, fault.ReasonOf(err).String())
			continue
		}
		out = append(out, fmt.Sprintf("%x>%x+%x", e.Vaddr, e.Paddr, e.Size))
	}
	return out
}

// fourLevels has, from 0xffffc90000000000 on: two pages that join, a page that
// does not, a page without rights, a large page, a shared table, a missing one.
func fourLevels() physMap {
	const flags = PtePresent | PteRW
	m := physMap{}
	m.put(0x1000+0x192*8, 0x2000|flags) // PGD entry of 0xffffc90000000000
	m.put(0x2000, 0x3000|flags)         // PUD
	m.put(0x2000+8, 0x40000000|flags|PtePSE)
	m.put(0x3000, 0x4000|flags)   // PMD: a table of pages
	m.put(0x3000+8, 0x4000|flags) // the same again
	m.put(0x3000+16, 0x600000|flags|PtePSE|1<<12)
	m.put(0x3000+24, 0x9000|flags)          // not in the dump
	m.put(0x3000+32, 0x602000|flags|PtePSE) // no address of a large page
	m.put(0x2000+16, 0x40200000|flags|PtePSE)
	m.put(0x3000+511*8, 0x3fe00000|flags|PtePSE)
	m.put(0x4000, 0x10000|flags|PteNX)
	m.put(0x4000+8, 0x11000|flags)
	m.put(0x4000+24, 0x50000|flags)
	m.put(0x4000+32, ^uint64(0x70000)&physBits|PteProtNone)
	m.put(0x4000+40, 0x123400) // swapped out
	return m
}

func TestMappings(t *testing.T) {
	pt := NewPageTables(fourLevels(), 0x1000, 4, 0)
	const base = 0xffffc90000000000
	tests := []struct {
		start, last uint64
		want        string
	}{
		{0, ^uint64(0), "[ffffc90000000000>10000+2000 ffffc90000003000>50000+1000 ffffc90000004000>70000+1000 " +
			"ffffc90000400000>600000+200000 excluded not mapped ffffc9003fe00000>3fe00000+40200000 not mapped]"},
		{base + 0x800, base + 0x17ff, "[ffffc90000000800>10800+1000]"},
		{base + 0x2000, base + 0x2fff, "[]"},
		{base + 0x500000, base + 0x500fff, "[ffffc90000500000>700000+1000]"},
		{0, base - 1, "[]"},
		{base + 3<<30, ^uint64(0), "[]"},
	}
	for _, tt := range tests {
		if got := fmt.Sprint(collect(pt, tt.start, tt.last)); got != tt.want {
			t.Errorf("%#x to %#x:\n%s\nwant\n%s", tt.start, tt.last, got, tt.want)
		}
	}
	for _, vaddr := range [...]uint64{base + 0x800000, base + 0x80000000} {
		if _, err := pt.Walk(vaddr); fault.ReasonOf(err) != fault.Unmapped {
			t.Errorf("%#x: %v", vaddr, err)
		}
	}
	for e, err := range pt.Mappings(context.Background(), 0, ^uint64(0)) {
		if err != nil {
			continue
		}
		for _, off := range [...]uint64{0, e.Size / 2, e.Size - 1} {
			if p, _, err := pt.Translate(e.Vaddr + off); err != nil || p != e.Paddr+off {
				t.Errorf("%#x: %#x by the tables, %#x by the walk (%v)", e.Vaddr+off, e.Paddr+off, p, err)
			}
		}
	}
}

func TestMappingsEnd(t *testing.T) {
	// Tables that contain themselves at every level.
	m := physMap{}
	for i := range uint64(512) {
		m.put(0x1000+i*8, 0x1000|PtePresent)
	}
	n := 0
	for range NewPageTables(m, 0x1000, 5, 0).Mappings(context.Background(), 0, ^uint64(0)) {
		n++
	}
	if n != 512 {
		t.Errorf("%d mappings", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, err := range NewPageTables(m, 0x1000, 4, 0).Mappings(ctx, 0, ^uint64(0)) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
	for range NewPageTables(fourLevels(), 0x1000, 4, 0).Mappings(context.Background(), 0, ^uint64(0)) {
		break
	}
}

// FuzzMappings walks tables made of arbitrary bytes: it must end, in order,
// within the range, and agree with the walk of single addresses.
func FuzzMappings(f *testing.F) {
	entry := func(entries ...uint64) (b []byte) {
		for _, e := range entries {
			b = binary.LittleEndian.AppendUint64(b, e)
		}
		return b
	}
	f.Add(entry(0x1003, 0x2003, 0x3003, 0x4003, 0x80000000000000e3, 0x1ff), false, uint64(0), ^uint64(0))
	f.Add(entry(0x1001, 0x1001), true, uint64(1<<47), uint64(1<<63))
	f.Fuzz(func(t *testing.T, data []byte, five bool, start, last uint64) {
		m := physMap{}
		for i := 0; i+8 <= len(data) && i < 16*PageSize; i += 8 {
			// Spread over pages: each entry at a place of its own.
			m.put(uint64(i/8%16)<<12|uint64(i*31)%PageSize&^7, binary.LittleEndian.Uint64(data[i:]))
		}
		levels := 4
		if five {
			levels = 5
		}
		pt := NewPageTables(m, 0x1000, levels, 0)
		next, n := uint64(0), 0
		for e, err := range pt.Mappings(context.Background(), start, last) {
			if n++; n > 1<<20 {
				t.Fatal("no end")
			}
			if err != nil {
				continue
			}
			if e.Size == 0 || e.Vaddr < next || e.Vaddr < start || e.Vaddr+e.Size-1 > last || e.Vaddr+e.Size-1 < e.Vaddr {
				t.Fatalf("%#x: %#x bytes, after %#x, from %#x to %#x", e.Vaddr, e.Size, next, start, last)
			}
			if next = e.Vaddr + e.Size; n > 64 || e.Vaddr+e.Size == 0 {
				continue
			}
			if got, err := pt.Walk(e.Vaddr); err != nil || got.Paddr != e.Paddr {
				t.Fatalf("%#x: %#x, the walk says %#x, %v", e.Vaddr, e.Paddr, got.Paddr, err)
			}
		}
	})
}
