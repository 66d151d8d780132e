package vmcore_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/kdive/kdive/vmcore"
	"github.com/kdive/kdive/vmcore/vmcoretest"
)

const page = vmcoretest.PageSize

const sampleInfo = "OSRELEASE=6.1.0-test\nPAGESIZE=4096\nSYMBOL(_stext)=ffffffff81000000\n" +
	"NUMBER(phys_base)=-16777216\nSIZE(page)=64\nOFFSET(page.flags)=0\nLENGTH(mem_section)=2048\nKERNELOFFSET=1000000\n"

// sample is memory with all that a dump can have: compressible, incompressible
// and zero pages, holes, excluded pages.
func sample() *vmcoretest.Memory {
	r := rand.New(rand.NewPCG(5, 6))
	m := &vmcoretest.Memory{VMCoreInfo: sampleInfo}
	fill := func(pfn uint64) {
		p := make([]byte, page)
		for i := range p {
			switch pfn % 4 {
			case 0:
				p[i] = byte(r.Uint32())
			case 1:
				p[i] = byte(uint64(i) / 64 * pfn)
			case 2:
				p[i] = "the page of frame %d\n"[i%20]
			}
		}
		m.Write(pfn*page, p)
	}
	for pfn := range uint64(12) {
		fill(pfn)
	}
	for pfn := uint64(0x40); pfn < 0x60; pfn++ {
		fill(pfn)
	}
	fill(0x9005) // beyond one block of the rank index
	for _, pfn := range []uint64{5, 0x44, 0x45, 0x46} {
		delete(m.Pages, pfn)
		m.Exclude(pfn)
	}
	var regs [27]uint64
	for i := range regs {
		regs[i] = uint64(100 + i)
	}
	m.Notes = []vmcoretest.Note{
		vmcoretest.PRStatus(41, regs),
		vmcoretest.PRStatus(42, regs),
		vmcoretest.QEMUState{Rip: 7, CR3: 0x1000, CR4: 0x20, IDTBase: 0xfffffe0000000000, KernelGSBase: 9}.Note(),
		vmcoretest.QEMUState{CR3: 0x2000}.Note(),
	}
	return m
}

// variants are the files of the sample in every format.
func variants() map[string][][]byte {
	m := sample()
	v := map[string][][]byte{
		"elf":                 {m.ELF(vmcoretest.HeadersFirst, nil)},
		"elf sections first":  {m.ELF(vmcoretest.SectionsFirst, nil)},
		"elf extended number": {m.ELF(vmcoretest.ExtendedNumbers, nil)},
		"kdump zero page":     {m.Kdump(vmcoretest.Kdump{ZeroPage: true, Codec: vmcoretest.Zlib})},
		"diskdump":            {m.Kdump(vmcoretest.Kdump{Diskdump: true})},
	}
	for name, c := range vmcoretest.Codecs {
		v["kdump "+name] = [][]byte{m.Kdump(vmcoretest.Kdump{Codec: c})}
	}
	for version := 1; version <= 5; version++ {
		v[fmt.Sprintf("kdump version %d", version)] = [][]byte{m.Kdump(vmcoretest.Kdump{Version: version})}
	}
	v["elf flattened"] = [][]byte{flatten(v["elf"][0])}
	v["kdump flattened"] = [][]byte{flatten(v["kdump zstd"][0])}
	parts := split(m, 0, 8, 0x50, 0x50, 0x9006)
	v["split"] = parts
	v["split and flattened"] = [][]byte{flatten(parts[2]), parts[0], flatten(parts[1]), parts[3]}
	return v
}

func split(m *vmcoretest.Memory, bounds ...uint64) (parts [][]byte) {
	for i := range bounds[1:] {
		parts = append(parts, m.Kdump(vmcoretest.Kdump{Codec: vmcoretest.LZO, Split: true, Start: bounds[i], End: bounds[i+1]}))
	}
	return parts
}

// flatten writes a file's records in an order that no reader would like, with
// one place written twice.
func flatten(file []byte) []byte {
	records := vmcoretest.Records(file, 3000)
	rand.New(rand.NewPCG(7, 8)).Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	wrong := vmcoretest.Record{Offset: 100, Data: bytes.Repeat([]byte{0xee}, 5000)}
	return vmcoretest.Flatten(append([]vmcoretest.Record{wrong}, records...))
}

func write(t testing.TB, files ...[]byte) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	for i, b := range files {
		path := filepath.Join(dir, fmt.Sprintf("dump.%d", i))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func open(t testing.TB, files ...[]byte) *vmcore.Dump {
	t.Helper()
	d, err := vmcore.Open(write(t, files...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}
