package mm

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/kernel/kerneltest"
)

// oneTable is physical memory that has one table of every level, at 0x1000 to
// 0x4000, for the addresses from 0 on.
type oneTable struct{ ptes []uint64 }

func (m oneTable) ReadPhys(p []byte, paddr uint64) error {
	table := paddr >> 12
	if table < 1 || table > 4 {
		return &fault.Error{Addr: paddr, Space: fault.Physical, Reason: fault.Excluded}
	}
	clear(p)
	switch {
	case table == 4:
		for i, e := range m.ptes {
			binary.LittleEndian.PutUint64(p[i*8:], e)
		}
	default:
		binary.LittleEndian.PutUint64(p, (table+1)<<12|kernel.PtePresent)
		if table == 3 {
			binary.LittleEndian.PutUint64(p[8:], 0x99000|kernel.PtePresent)
		}
	}
	return nil
}

func TestPlaces(t *testing.T) {
	swapped := uint64(3)<<59 | ^uint64(77<<9)&(1<<59-1)
	tables := kernel.NewPageTables(oneTable{[]uint64{0, 0x7000 | kernel.PtePresent, swapped &^ 0x101}}, 0x1000, 4, 0)
	show := func(area Area) (got []string) {
		for p := range area.Places(tables) {
			s := fmt.Sprintf("%x+%x", p.Vaddr, p.Size)
			switch p.Where {
			case InMemory:
				s += fmt.Sprintf(" at %x", p.Paddr)
			case InSwap:
				s += fmt.Sprintf(" swap %d %d", p.Swap, p.Offset)
			case InFile:
				s += fmt.Sprintf(" file %x", p.Offset)
			case Unknown:
				s += " " + fault.ReasonOf(p.Err).String()
			}
			got = append(got, s)
		}
		return got
	}
	if got, want := show(Area{Start: 0x1000, End: 0x4000}), []string{"1000+1000 at 7000", "2000+1000 swap 3 77", "3000+1000"}; !slices.Equal(got, want) {
		t.Errorf("anonymous: %q, want %q", got, want)
	}
	if got, want := show(Area{Start: 0x3000, End: 0x5000, File: 1, Offset: 0x8000}), []string{"3000+1000 file 8000", "4000+1000 file 9000"}; !slices.Equal(got, want) {
		t.Errorf("of a file: %q, want %q", got, want)
	}
	if got, want := show(Area{Start: 0x200000, End: 0x203000, File: 1}), []string{"200000+3000 excluded"}; !slices.Equal(got, want) {
		t.Errorf("without a table: %q, want %q", got, want)
	}
}

const flagDecls = "struct trace_print_flags { unsigned long mask; char *name; };"

func TestAreaFlags(t *testing.T) {
	k := kerneltest.New(t, flagDecls)
	const table = 0x1000
	k.DefineSymbol("vmaflag_names", table)
	k.Map(0x2000, 0x1000)
	k.Bytes(0x2000, []byte("read\x00"))
	k.Bytes(0x2100, []byte("soft dirty\x00"))
	k.Bytes(0x2200, []byte("nothing here\x00"))
	k.Words(table, 1, 0x2000, 1<<63, 0x2100, 0, 0x2200, 0, 0)
	f, err := LoadAreaFlags(k)
	if got := f.Names(1 | 1<<40 | 1<<63); err != nil || !slices.Equal(got, []string{"READ", "0x10000000000", "SOFT DIRTY"}) {
		t.Errorf("%q, %v", got, err)
	}
	k.Words(table+16, 2, 0xbad0000) // a name that is not there
	f, err = LoadAreaFlags(k)
	if got := f.Names(3); fault.ReasonOf(err) != fault.Unmapped || !slices.Equal(got, []string{"READ", "WRITE"}) {
		t.Errorf("%q, %v", got, err)
	}
	k = kerneltest.New(t, flagDecls)
	k.DefineSymbol("vmaflag_names", table)
	k.Bytes(0x2000, make([]byte, 32))
	for i := range uint64(200) {
		k.Words(table+i*16, 1, 0x2000)
	}
	if _, err = LoadAreaFlags(k); err == nil || !strings.Contains(err.Error(), "no end") {
		t.Errorf("a table without end: %v", err)
	}
	if f, err = LoadAreaFlags(kerneltest.New(t, flagDecls)); err == nil || f[0] != "READ" {
		t.Errorf("no table: %q, %v", f[0], err)
	}
}

// TestAreasListBack follows lists that lead round in a circle.
func TestAreasListBack(t *testing.T) {
	k := kerneltest.New(t, fileDecls, `
struct mm_struct { void *mmap; };
struct vm_area_struct { unsigned long vm_start; unsigned long vm_end; void *vm_next; unsigned long vm_flags; unsigned long vm_pgoff; void *vm_file; };`)
	k.Put(0x5000, "mm_struct.mmap", 0x6000)
	for i := range uint64(3) {
		at := 0x6000 + i*0x100
		k.Put(at, "vm_area_struct.vm_start", (i+1)<<20)
		k.Put(at, "vm_area_struct.vm_end", (i+1)<<20+0x1000)
		k.Put(at, "vm_area_struct.vm_next", at+0x100)
	}
	a, err := LoadAreas(k)
	if err != nil {
		t.Fatal(err)
	}
	for _, next := range []uint64{0x6000, 0x6100, 0x6200} {
		k.Put(0x6200, "vm_area_struct.vm_next", next)
		n := 0
		var last error
		for _, err := range a.All(0x5000) {
			n++
			last = err
		}
		if n != 4 || last == nil || !strings.Contains(last.Error(), "goes back") {
			t.Errorf("next %#x: %d areas, %v", next, n, last)
		}
	}
}
