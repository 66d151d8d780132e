package realdump

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kdive/kdive/vmcore"
	"github.com/kdive/kdive/vmcore/vmcoretest"
)

// TestWrittenFormats writes the whole real memory in every format and compares
// physical, kernel and user memory in all of them with the original.
func TestWrittenFormats(t *testing.T) {
	whole := tinyELF(t)
	mem := load(t, whole.dump)
	dir := t.TempDir()
	var m memories
	m.compare(t, "the original", whole)
	pages := len(m.seen)
	try := func(name string, parts ...[]byte) {
		t.Run(name, func(t *testing.T) {
			f := files{vmlinux: whole.vmlinux}
			for i, b := range parts {
				path := filepath.Join(dir, fmt.Sprintf("%s.%d", name, i))
				if err := os.WriteFile(path, b, 0o644); err != nil {
					t.Fatal(err)
				}
				defer os.Remove(path)
				f.dump = append([]string{path}, f.dump...)
			}
			m.compare(t, name, f)
			if len(m.seen) != pages {
				t.Errorf("%d pages that the original does not have", len(m.seen)-pages)
			}
		})
	}
	try("elf", mem.ELF(vmcoretest.HeadersFirst, nil))
	try("elf-qemu", mem.ELF(vmcoretest.SectionsFirst, nil))
	try("elf-xnum", mem.ELF(vmcoretest.ExtendedNumbers, nil))
	for _, codec := range slices.Sorted(maps.Keys(vmcoretest.Codecs)) {
		try("kdump-"+codec, mem.Kdump(vmcoretest.Kdump{Codec: vmcoretest.Codecs[codec]}))
	}
	kdump := mem.Kdump(vmcoretest.Kdump{Codec: vmcoretest.LZO})
	records := vmcoretest.Records(kdump, 100_000)
	slices.Reverse(records)
	try("flattened", vmcoretest.Flatten(records))
	var plain, flat [][]byte
	for i := range uint64(3) {
		const each = 4000 // page frames; the last part has the rest
		end := (i + 1) * each
		if i == 2 {
			end = 1 << 20
		}
		b := mem.Kdump(vmcoretest.Kdump{Codec: vmcoretest.Snappy, Split: true, Start: i * each, End: end})
		plain = append(plain, b)
		flat = append(flat, vmcoretest.Flatten(vmcoretest.Records(b, 64<<10)))
	}
	try("split", plain...)
	try("split-flattened", flat...)
}

// load reads the physical memory and the notes of a dump.
func load(t *testing.T, paths []string) *vmcoretest.Memory {
	t.Helper()
	d, err := vmcore.Open(paths)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var mem vmcoretest.Memory
	b := make([]byte, pageSize)
	for run := range d.Runs() {
		for addr := run.Start; addr+pageSize <= run.End; addr += pageSize {
			if err := d.ReadPhys(b, addr); err != nil {
				t.Fatal(err)
			}
			mem.Write(addr, b)
		}
	}
	for _, n := range d.Notes() {
		if n.Name != "VMCOREINFO" {
			mem.Notes = append(mem.Notes, vmcoretest.Note{Name: n.Name, Type: n.Type, Desc: n.Desc})
		}
	}
	mem.VMCoreInfo = string(d.VMCoreInfo().Raw())
	return &mem
}
