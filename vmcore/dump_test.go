package vmcore_test

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/vmcore"
	"github.com/kdive/kdive/vmcore/vmcoretest"
)

func TestSameMemoryFromEveryFormat(t *testing.T) {
	m := sample()
	for name, files := range variants() {
		t.Run(name, func(t *testing.T) {
			d := open(t, files...)
			if w := d.Warnings(); len(w) != 0 && !strings.HasPrefix(name, "diskdump") && name != "kdump version 1" && name != "kdump version 2" {
				t.Errorf("warnings: %q", w)
			}
			r := d.NewReader()
			for pfn := range uint64(0x9010) {
				got, again := make([]byte, page), make([]byte, page)
				err := d.ReadPhys(got, pfn*page)
				if rerr := r.ReadPhys(again, pfn*page); (rerr == nil) != (err == nil) {
					t.Fatalf("frame %#x: Dump: %v, Reader: %v", pfn, err, rerr)
				}
				want := fault.Reason(0)
				switch {
				case m.Pages[pfn] != nil:
					if err != nil || !bytes.Equal(got, m.Pages[pfn]) || !bytes.Equal(again, got) {
						t.Fatalf("frame %#x differs, error %v", pfn, err)
					}
				case m.Excluded[pfn]:
					want = fault.Excluded
				default:
					want = fault.NotRAM
				}
				if s := d.State(pfn * page); s != want {
					t.Errorf("frame %#x: state %v, want %v", pfn, s, want)
				}
				if r := fault.ReasonOf(err); r != want {
					t.Errorf("frame %#x: %v, want %v", pfn, err, want)
				}
			}
		})
	}
}

func TestRuns(t *testing.T) {
	want := []vmcore.Run{{Start: 0, End: 5 * page}, {Start: 6 * page, End: 12 * page}, {Start: 0x40 * page, End: 0x44 * page},
		{Start: 0x47 * page, End: 0x60 * page}, {Start: 0x9005 * page, End: 0x9006 * page}}
	for name, files := range variants() {
		d := open(t, files...)
		if got := slices.Collect(d.Runs()); !slices.Equal(got, want) {
			t.Errorf("%s: %x, want %x", name, got, want)
		}
		for run := range d.Runs() { // stopping early is allowed
			if run.Start == 0 {
				break
			}
		}
	}
}

func TestNotesFromEveryFormat(t *testing.T) {
	for name, files := range variants() {
		switch name {
		case "diskdump", "kdump version 1", "kdump version 2":
			continue // these have none
		}
		t.Run(name, func(t *testing.T) {
			d := open(t, files...)
			v := d.VMCoreInfo()
			if v == nil || string(v.Raw()) != sampleInfo {
				t.Fatalf("VMCOREINFO %v", v)
			}
			if name == "kdump version 3" {
				return // has VMCOREINFO alone
			}
			if n := len(d.Notes()); n != 5 || d.Notes()[0].Name != "CORE" || d.Notes()[4].Name != "VMCOREINFO" {
				t.Errorf("%d notes", n)
			}
			cpus := d.CPUs()
			if len(cpus) != 2 {
				t.Fatalf("%d CPUs", len(cpus))
			}
			c := cpus[0]
			if !c.HasPRStatus || c.PID != 41 || c.Regs.R15 != 100 || c.Regs.Rip != 116 || c.Regs.Rsp != 119 || c.Regs.Gs != 126 {
				t.Errorf("PRSTATUS: %+v", c)
			}
			if !c.HasQEMU || c.CR3 != 0x1000 || c.CR4 != 0x20 || c.IDTBase != 0xfffffe0000000000 || !c.HasKernelGS || c.KernelGSBase != 9 {
				t.Errorf("QEMU: %+v", c)
			}
			if cpus[1].PID != 42 || cpus[1].CR3 != 0x2000 {
				t.Errorf("second CPU: %+v", cpus[1])
			}
		})
	}
}

func TestInfo(t *testing.T) {
	v := variants()
	tests := []struct {
		name, format string
		flat, split  bool
		level        int
	}{
		{"elf", "ELF core (QEMU)", false, false, -1},
		{"elf flattened", "ELF core (QEMU)", true, false, -1},
		{"kdump zlib", "compressed kdump v6, zlib", false, false, 0},
		{"kdump zero page", "compressed kdump v6, zlib", false, false, 1},
		{"kdump flattened", "compressed kdump v6, zstd", true, false, 0},
		{"kdump version 5", "compressed kdump v5, uncompressed", false, false, 0},
		{"diskdump", "diskdump v6, uncompressed", false, false, -1},
		{"split and flattened", "compressed kdump v6, lzo", true, true, 0},
	}
	for _, tt := range tests {
		i := open(t, v[tt.name]...).Info()
		if i.Format != tt.format || i.Flattened != tt.flat || i.Split != tt.split || i.DumpLevel != tt.level ||
			i.Incomplete || i.Missing != 0 || i.MaxPhys != 0x9006*page {
			t.Errorf("%s: %+v", tt.name, i)
		}
		if kd := strings.Contains(i.Format, "dump v"); kd != (i.Utsname.Release == "6.1.0-test") || kd != (i.Timestamp.Unix() == 1700000000) {
			t.Errorf("%s: %+v", tt.name, i)
		}
	}
}

func TestReadStopsAtFirstBadByte(t *testing.T) {
	m := sample()
	for name, files := range variants() {
		d := open(t, files...)
		for _, r := range []interface {
			ReadPhys([]byte, uint64) error
		}{d, d.NewReader()} {
			got := make([]byte, 3*page)
			err := r.ReadPhys(got, 0x43*page-100)
			var f *fault.Error
			if !errors.As(err, &f) || f.Addr != 0x44*page || f.Reason != fault.Excluded || f.Space != fault.Physical {
				t.Errorf("%s: %v", name, err)
			}
			want := append(slices.Clone(m.Pages[0x42][page-100:]), m.Pages[0x43]...)
			if !bytes.Equal(got[:len(want)], want) {
				t.Errorf("%s: bytes before the fault differ", name)
			}
			if err := r.ReadPhys(got[:8], 5*page+12); !errors.As(err, &f) || f.Addr != 5*page+12 {
				t.Errorf("%s: %v", name, err)
			}
			if err := r.ReadPhys(got[:20], ^uint64(0)-9); fault.ReasonOf(err) != fault.NotRAM {
				t.Errorf("%s: read around the end of the address space: %v", name, err)
			}
			if err := r.ReadPhys(nil, 5*page); err != nil {
				t.Errorf("%s: empty read: %v", name, err)
			}
		}
	}
}

func TestSegments(t *testing.T) {
	b := sample().ELF(vmcoretest.HeadersFirst, func(paddr uint64) uint64 { return paddr + 0xffffffff81000000 })
	s := open(t, b).Segments()
	if len(s) != 5 || s[2].Vaddr != 0xffffffff81040000 || s[2].Paddr != 0x40*page || s[2].Filesz != 4*page || s[2].Memsz != 7*page {
		t.Errorf("%+v", s)
	}
}

func TestOneBitmapStandsForBoth(t *testing.T) {
	m := sample()
	m.Excluded = nil
	d := open(t, m.Kdump(vmcoretest.Kdump{Diskdump: true, OneBitmap: true}))
	for pfn, want := range m.Pages {
		got := make([]byte, page)
		if err := d.ReadPhys(got, pfn*page); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("frame %#x: %v", pfn, err)
		}
	}
	if s := d.State(5 * page); s != fault.NotRAM {
		t.Errorf("hole: %v", s)
	}
}

// Where two segments describe the same memory, bytes win over none and the
// earlier program header wins over the later.
func TestOverlappingSegments(t *testing.T) {
	m := &vmcoretest.Memory{}
	for pfn := range uint64(8) {
		m.Write(pfn*2*page, bytes.Repeat([]byte{byte(pfn + 1)}, page)) // eight segments
	}
	b := m.ELF(vmcoretest.HeadersFirst, nil)
	move := func(i int, paddr uint64, filesz, memsz uint64) {
		ph := 64 + 56*(1+i)
		put64(b[ph+24:], paddr)
		put64(b[ph+32:], filesz)
		put64(b[ph+40:], memsz)
	}
	move(0, 0x0, 0, 0x8000)       // nothing held
	move(1, 0x2000, page, page)   // 2
	move(2, 0x2800, page, page)   // 3, half hidden
	move(3, 0x1000, page, 0x4000) // 4
	d := open(t, b)
	for paddr, want := range map[uint64]byte{0x1000: 4, 0x1fff: 4, 0x2000: 2, 0x2fff: 2, 0x3000: 3, 0x37ff: 3} {
		var got [1]byte
		if err := d.ReadPhys(got[:], paddr); err != nil || got[0] != want {
			t.Errorf("%#x: %d, %v, want %d", paddr, got[0], err, want)
		}
	}
	for paddr, want := range map[uint64]fault.Reason{0: fault.Excluded, 0x3800: fault.Excluded, 0x7fff: fault.Excluded, 0x9000: fault.NotRAM} {
		if s := d.State(paddr); s != want {
			t.Errorf("%#x: %v, want %v", paddr, s, want)
		}
	}
}

func TestFileCutOffDuringSession(t *testing.T) {
	m := sample()
	for name, files := range variants() {
		t.Run(name, func(t *testing.T) {
			paths := write(t, files...)
			d, err := vmcore.Open(paths)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			for i, path := range paths {
				if err := os.Truncate(path, int64(len(files[i]))*2/3); err != nil {
					t.Fatal(err)
				}
			}
			faults := 0
			for pfn, want := range m.Pages {
				got := make([]byte, page)
				switch err := d.ReadPhys(got, pfn*page); {
				case err == nil && !bytes.Equal(got, want):
					t.Errorf("frame %#x has wrong bytes", pfn)
				case err != nil && fault.ReasonOf(err) != fault.Truncated:
					t.Errorf("frame %#x: %v", pfn, err)
				case err != nil:
					faults++
				}
			}
			if faults == 0 || faults == len(m.Pages) && !d.Info().Flattened && !d.Info().Split {
				t.Errorf("%d of %d pages are gone", faults, len(m.Pages))
			}
		})
	}
}

func put64(b []byte, v uint64) {
	for i := range 8 {
		b[i] = byte(v >> (8 * i))
	}
}
