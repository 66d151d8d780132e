package vmcore_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/vmcore"
	"github.com/kdive/kdive/vmcore/vmcoretest"
)

func TestSplit(t *testing.T) {
	m := sample()
	parts := split(m, 0, 8, 0x50, 0x9006)
	other := sample()
	other.Notes[0] = vmcoretest.PRStatus(77, [27]uint64{7, 7, 7, 7})
	foreign := split(other, 0, 8, 0x50, 0x9006)
	damagedNotes, damagedName := bytes.Clone(parts[1]), bytes.Clone(parts[2])
	damagedNotes[page+104+40] ^= 0x10
	damagedName[12+65] ^= 0x10 // nodename
	tests := []struct {
		name    string
		files   [][]byte
		err     string // names a file and what is wrong with it
		warning string
	}{
		{name: "in order", files: parts},
		{name: "backwards", files: [][]byte{parts[2], parts[1], parts[0]}},
		{name: "first missing", files: parts[1:], warning: "frames 0x0 to 0x8 is missing"},
		{name: "middle missing", files: [][]byte{parts[2], parts[0]}, warning: "frames 0x8 to 0x50 is missing"},
		{name: "last missing", files: parts[:2], warning: "frames 0x50 to 0x9006 is missing"},
		{name: "only one", files: parts[1:2], warning: "frames 0x50 to 0x9006 is missing"},
		{name: "foreign", files: [][]byte{parts[0], foreign[1], parts[2]}, err: "dump.0 and dump.1 are parts of different dumps: their notes are not the same"},
		{name: "damaged notes", files: [][]byte{parts[0], damagedNotes, parts[2]}, warning: "dump.1: taken for a part of the same dump as"},
		{name: "damaged name", files: [][]byte{parts[0], parts[1], damagedName}, warning: "dump.2: taken for a part of the same dump as"},
		{name: "twice", files: [][]byte{parts[0], parts[1], parts[0]}, err: "dump.0 and dump.2 both hold page frames 0x0 to 0x8"},
		{name: "not a part", files: [][]byte{parts[0], m.Kdump(vmcoretest.Kdump{})}, err: "dump.1: not part of a split dump"},
		{name: "an ELF core", files: [][]byte{parts[0], m.ELF(0, nil)}, err: "dump.1: ELF core; several files can only be the parts"},
		{name: "two ELF cores", files: [][]byte{m.ELF(0, nil), m.ELF(0, nil)}, err: "dump.1: ELF core; several files can only be the parts"},
		{name: "not a dump", files: [][]byte{parts[0], []byte("hello")}, err: "dump.1: file of unknown format, not a dump"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			paths := write(t, tt.files...)
			d, err := vmcore.Open(paths)
			if tt.err != "" {
				if err == nil {
					d.Close()
					t.Fatal("opens")
				}
				if said := strings.ReplaceAll(err.Error(), strings.TrimSuffix(paths[0], "dump.0"), ""); !strings.HasPrefix(said, tt.err) {
					t.Fatalf("%s, want %s", said, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if w := strings.Join(d.Warnings(), "; "); !strings.Contains(w, tt.warning) || tt.warning == "" && w != "" {
				t.Errorf("warnings %q, want %q", w, tt.warning)
			}
			if d.Info().Incomplete != strings.Contains(tt.warning, "missing") {
				t.Errorf("incomplete: %v", d.Info().Incomplete)
			}
			checkPages(t, d, m, fault.Truncated)
		})
	}
}

// checkPages fails on wrong bytes and on faults for another reason.
func checkPages(t *testing.T, d *vmcore.Dump, m *vmcoretest.Memory, allowed ...fault.Reason) (read int) {
	t.Helper()
	got := make([]byte, page)
	for pfn, want := range m.Pages {
		err := d.ReadPhys(got, pfn*page)
		switch {
		case err == nil && !bytes.Equal(got, want):
			t.Errorf("frame %#x has wrong bytes", pfn)
		case err == nil:
			read++
		case !slices.Contains(allowed, fault.ReasonOf(err)):
			t.Errorf("frame %#x: %v", pfn, err)
		}
	}
	return read
}

// A dump cut off anywhere opens or says why not, and never gives wrong bytes.
func TestTruncated(t *testing.T) {
	m := sample()
	for name, files := range variants() {
		if len(files) > 1 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			whole := files[0]
			opened, before := 0, -1
			for i := range 20 {
				n := len(whole) * (i + 1) / 21
				paths := write(t, whole[:n])
				d, err := vmcore.Open(paths)
				if err != nil {
					if !strings.Contains(err.Error(), "dump.0") {
						t.Errorf("cut at %d: %v", n, err)
					}
					continue
				}
				opened++
				read := checkPages(t, d, m, fault.Truncated)
				missing := len(m.Pages) - read
				info := d.Info()
				if missing > 0 && (!info.Incomplete || len(d.Warnings()) == 0) {
					t.Errorf("cut at %d: %d pages missing and not said: %+v", n, missing, info)
				}
				if info.Missing > 0 && info.Missing/page > uint64(missing) {
					t.Errorf("cut at %d: %d pages missing, said %d", n, missing, info.Missing/page)
				}
				// A flattened stream is shuffled here; in the others more bytes are more pages.
				if !info.Flattened && read < before {
					t.Errorf("cut at %d: %d pages, with less %d", n, read, before)
				}
				before = read
				d.Close()
			}
			if opened < 10 && !strings.HasSuffix(name, "flattened") {
				t.Errorf("only %d of 20 open", opened)
			}
		})
	}
}

// A page whose stored bytes are damaged is a fault that says so, or where the
// format has no check sum other bytes; the other pages stay as they are.
func TestMutations(t *testing.T) {
	m := sample()
	r := rand.New(rand.NewPCG(9, 10))
	opened, refused := 0, 0
	for name, files := range variants() {
		if len(files) > 1 {
			continue
		}
		whole := files[0]
		pages := dataStart(whole)
		for range 60 {
			b := bytes.Clone(whole)
			at := r.IntN(len(b))
			if r.IntN(2) == 0 {
				at = r.IntN(min(len(b), 2*page)) // headers are small: look there as often
			}
			b[at] ^= byte(1 + r.IntN(255))
			d, err := vmcore.Open(write(t, b))
			if err != nil {
				refused++
				if at >= pages {
					t.Errorf("%s: byte %#x is no header's, and: %v", name, at, err)
				}
				continue
			}
			opened++
			touched := 0
			for pfn, want := range m.Pages {
				got := make([]byte, page)
				if err := d.ReadPhys(got, pfn*page); err != nil || !bytes.Equal(got, want) {
					touched++
				}
			}
			// The shared zero page comes first and is many pages' bytes.
			shared := strings.HasSuffix(name, "zero page") && at >= pages+24*len(m.Pages) && at < pages+24*len(m.Pages)+page
			if at >= pages && touched > 1 && !shared {
				t.Errorf("%s: byte %#x is no header's, and touches %d pages", name, at, touched)
			}
			for range d.Runs() {
			}
			d.Close()
		}
	}
	t.Logf("%d of %d mutated dumps open", opened, opened+refused)
}

// dataStart is where headers, notes and bitmaps end. In a flattened stream
// record headers are everywhere, so that all of it counts as header.
func dataStart(b []byte) int {
	le := binary.LittleEndian
	switch {
	case bytes.HasPrefix(b, []byte("makedumpfile")):
		return len(b)
	case bytes.HasPrefix(b, []byte("\x7fELF")):
		last := uint64(0)
		for ph := le.Uint64(b[32:]); ; ph += 56 {
			if typ := le.Uint32(b[ph:]); typ == 4 {
				last = le.Uint64(b[ph+8:]) + le.Uint64(b[ph+32:])
				return int(last)
			}
		}
	}
	return int(1+le.Uint32(b[432:])+le.Uint32(b[436:])) * page
}

// Header fields that lie: the dump is refused with a reason, or what can be
// had is had and the lie is told.
func TestLyingHeaders(t *testing.T) {
	m := sample()
	kdump := m.Kdump(vmcoretest.Kdump{Codec: vmcoretest.Zlib})
	elf := m.ELF(vmcoretest.HeadersFirst, nil)
	u32 := func(at int, v uint32) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint32(b[at:], v) }
	}
	u64 := func(at int, v uint64) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint64(b[at:], v) }
	}
	tests := []struct {
		name    string
		file    []byte
		change  func([]byte)
		err     string
		warning string
		all     bool // every page can still be read
	}{
		{"block size 64 KiB", kdump, u32(428, 65536), "block size 65536 is not supported", "", false},
		{"version 7", kdump, u32(8, 7), "header version 7 is not supported", "", false},
		{"no page frames, 64 bit", kdump, u64(page+96, 0), "", "in one place and 0x9006 in another", true},
		{"many page frames, 64 bit", kdump, u64(page+96, 1<<50), "", "taking 0x9006", true},
		{"many page frames, 32 bit", kdump, u32(440, 0x80000000), "", "taking 0x9006", true},
		{"bitmaps too long", kdump, u32(436, 0x10004), "", "taking 1 and 4", true},
		{"no bitmaps", kdump, u32(436, 0), "", "taking 1 and 4", true},
		{"sub-header too long", kdump, u32(432, 0x7fffffff), "", "taking 1 and 4", true},
		{"notes beyond the end", kdump, u64(page+48, 1<<40), "", "notes at 0x10000000000", true},
		{"notes of all memory", kdump, u64(page+56, 1<<62), "", "notes at", true},
		{"vmcoreinfo elsewhere", kdump, u64(page+32, 64), "", "vmcoreinfo", true},
		{"part of a split dump", kdump, u32(page+12, 0x80), "", "taking it for a whole dump", true},
		{"a bit too many in the bitmap", kdump, func(b []byte) { b[3*page+2*page] |= 1 << 5 }, "", "one of them is damaged", false},
		{"ELF for another machine", elf, u32(18, 183), "ELF core of machine 183", "", false},
		{"ELF of 32 bits", elf, func(b []byte) { b[4] = 1 }, "32-bit ELF core", "", false},
		{"ELF, big endian", elf, func(b []byte) { b[5], b[16], b[17] = 2, 0, 4 }, "big-endian", "", false},
		{"program headers beyond the end", elf, u64(32, 1<<50), "lie beyond the end of the dump", "", false},
		{"no program headers", elf, func(b []byte) { b[56], b[57] = 0, 0 }, "no program headers", "", false},
		{"too many program headers", elf, func(b []byte) { b[56], b[57] = 0xfe, 0xff }, "", "lie beyond the end of the dump", false},
		{"size of program headers", elf, func(b []byte) { b[54] = 1 }, "", "program headers have 1 bytes", true},
		{"segment beyond the file", elf, u64(64+56+8, 1<<59), "", "cut off", false},
		{"segment at an impossible offset", elf, u64(64+56+8, 1<<63), "", "impossible file offset", false},
		{"segment beyond physical memory", elf, u64(64+56+24, 1<<60), "", "beyond 52 bits", false},
		{"segment of all memory", elf, u64(64+56+40, 1<<63), "", "beyond 52 bits", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := bytes.Clone(tt.file)
			tt.change(b)
			d, err := vmcore.Open(write(t, b))
			if tt.err != "" || err != nil {
				if err == nil || tt.err == "" || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want %q", err, tt.err)
				}
				return
			}
			defer d.Close()
			if w := strings.Join(d.Warnings(), "; "); !strings.Contains(w, tt.warning) {
				t.Errorf("warnings %q lack %q", w, tt.warning)
			}
			if tt.all {
				checkPages(t, d, m)
			}
		})
	}
}

func TestIncompleteFlag(t *testing.T) {
	m := sample()
	elf := m.ELF(vmcoretest.HeadersFirst, nil)
	elf[48] |= 1
	for name, b := range map[string][]byte{"kdump": m.Kdump(vmcoretest.Kdump{Status: 8}), "elf": elf} {
		d := open(t, b)
		if w := strings.Join(d.Warnings(), "; "); !d.Info().Incomplete || w != "the dump is marked incomplete by its writer" {
			t.Errorf("%s: %+v, warnings %q", name, d.Info(), w)
		}
	}
}

// A descriptor that was never written reads as zeros in the sparse file.
func TestDescriptorNeverWritten(t *testing.T) {
	m := sample()
	b := m.Kdump(vmcoretest.Kdump{Codec: vmcoretest.Zlib})
	table := dataStart(b)
	clear(b[table+24*30 : table+24*len(m.Pages)])
	d := open(t, b)
	if n := checkPages(t, d, m, fault.Truncated); n != 30 {
		t.Errorf("%d pages, want 30", n)
	}
	if want := uint64(len(m.Pages)-30) * page; d.Info().Missing != want {
		t.Errorf("missing %d, want %d", d.Info().Missing, want)
	}
}

func TestDamagedPage(t *testing.T) {
	for name, codec := range vmcoretest.Codecs {
		if codec == vmcoretest.Raw {
			continue
		}
		m := sample()
		b := m.Kdump(vmcoretest.Kdump{Codec: codec})
		at := dataStart(b) + 24*2 // the third page, which compresses
		off := binary.LittleEndian.Uint64(b[at:])
		size := binary.LittleEndian.Uint32(b[at+8:])
		for what, change := range map[string]func(b []byte){
			"bytes":          func(b []byte) { copy(b[off:off+uint64(size)], bytes.Repeat([]byte{0xff}, int(size))) },
			"size 0":         func(b []byte) { clear(b[at+8 : at+12]) },
			"size too large": func(b []byte) { b[at+9] = 0x80 },
			"size too small": func(b []byte) { b[at+8]-- },
			"codec":          func(b []byte) { b[at+12] = 0x3 },
			"raw":            func(b []byte) { b[at+12] = 0 },
		} {
			c := bytes.Clone(b)
			change(c)
			err := open(t, c).ReadPhys(make([]byte, 8), 2*page+16)
			if fault.ReasonOf(err) != fault.Damaged || !strings.Contains(err.Error(), "physical address 0x2010: page data damaged (") {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
}

func TestDamagedNotes(t *testing.T) {
	m := sample()
	m.Notes[0].Desc = m.Notes[0].Desc[:100]
	m.Notes[3].Desc[0] = 9
	m.VMCoreInfo = sampleInfo + "\x01\x02 no key\n"
	for _, b := range [][]byte{m.ELF(0, nil), m.Kdump(vmcoretest.Kdump{})} {
		d := open(t, b)
		w := strings.Join(d.Warnings(), "; ")
		for _, want := range []string{"PRSTATUS note of CPU 0 has 100 bytes", "QEMU note of CPU 1: version 9 is unknown", "vmcoreinfo: 1 damaged lines"} {
			if !strings.Contains(w, want) {
				t.Errorf("warnings %q lack %q", w, want)
			}
		}
		if c := d.CPUs(); len(c) != 2 || c[0].HasPRStatus || !c[0].HasQEMU || c[0].Regs.Rip != 7 || !c[1].HasPRStatus || c[1].HasQEMU {
			t.Errorf("CPUs %+v", c)
		}
		if s, ok := d.VMCoreInfo().Get("OSRELEASE"); !ok || s != "6.1.0-test" {
			t.Errorf("OSRELEASE %q", s)
		}
	}
}
