package hostile

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kdive/kdive/vmcore"
	"github.com/kdive/kdive/vmcore/vmcoretest"
)

var dumpWeights = []weight{{classHeader, 14}, {classNotes, 8}, {classBitmap, 12}, {classDescriptors, 20}, {classData, 30}, {truncated, 10}, {scattered, 6}}

// TestDump damages the bundled dump.
func TestDump(t *testing.T) {
	b := theBench(t)
	data, err := os.ReadFile(b.dump)
	if err != nil {
		t.Fatal(err)
	}
	b.mutateDump(t, 1, [][]byte{data}, dumpWeights, count(t, 16))
}

// TestFlattened damages the bundled dump as a flattened stream.
func TestFlattened(t *testing.T) {
	b := theBench(t)
	data, err := os.ReadFile(b.dump)
	if err != nil {
		t.Fatal(err)
	}
	flat := vmcoretest.Flatten(vmcoretest.Records(data, 30000))
	b.mutateDump(t, 2, [][]byte{flat}, append([]weight{{classRecords, 20}}, dumpWeights...), count(t, 4))
}

// TestSplit damages one part of a split dump of the same memory.
func TestSplit(t *testing.T) {
	b := theBench(t)
	m := memoryOf(t, b.dump)
	end := uint64(0)
	for _, set := range []iter.Seq[uint64]{maps.Keys(m.Pages), maps.Keys(m.Excluded)} {
		for pfn := range set {
			end = max(end, pfn+1)
		}
	}
	var parts [][]byte
	for i, bounds := range [][2]uint64{{0, 0x1000}, {0x1000, 0x2200}, {0x2200, end}} {
		part := m.Kdump(vmcoretest.Kdump{Codec: []vmcoretest.Codec{vmcoretest.LZO, vmcoretest.Snappy, vmcoretest.Zstd}[i], Split: true, Start: bounds[0], End: bounds[1]})
		parts = append(parts, part)
	}
	b.mutateDump(t, 3, parts, dumpWeights, count(t, 4))
}

// TestELF damages an ELF core of the same memory.
func TestELF(t *testing.T) {
	b := theBench(t)
	weights := []weight{{classHeader, 16}, {classNotes, 20}, {classData, 36}, {truncated, 12}, {scattered, 16}}
	b.mutateDump(t, 4, [][]byte{memoryOf(t, b.dump).ELF(vmcoretest.HeadersFirst, nil)}, weights, count(t, 4))
}

// TestOther damages the dump that KDIVE_HOSTILE_DUMP names.
func TestOther(t *testing.T) {
	path := os.Getenv("KDIVE_HOSTILE_DUMP")
	if path == "" {
		t.Skip("KDIVE_HOSTILE_DUMP names no dump")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	l, err := layoutOf(data, 0)
	if err != nil {
		t.Fatal(err)
	}
	var weights []weight
	for _, w := range append([]weight{{classRecords, 12}}, dumpWeights...) {
		for _, g := range l.regions {
			if g.class == w.class || w.class == truncated || w.class == scattered {
				weights = append(weights, w)
				break
			}
		}
	}
	theBench(t).mutateDump(t, 5, [][]byte{data}, weights, count(t, 4))
}

// memoryOf reads a dump into memory to be written in other formats.
func memoryOf(t *testing.T, path string) *vmcoretest.Memory {
	t.Helper()
	d, err := vmcore.Open([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	m := &vmcoretest.Memory{}
	page := make([]byte, pageSize)
	for pfn := range d.Info().MaxPhys / pageSize {
		switch err := d.ReadPhys(page, pfn*pageSize); {
		case err == nil:
			m.Write(pfn*pageSize, page)
		case d.State(pfn*pageSize).String() == "excluded":
			m.Exclude(pfn)
		}
	}
	for _, n := range d.Notes() {
		m.Notes = append(m.Notes, vmcoretest.Note{Name: n.Name, Type: n.Type, Desc: n.Desc})
	}
	return m
}

// TestOpeningPages damages, one at a time, the pages that opening reads. The
// program must do without any one of them.
func TestOpeningPages(t *testing.T) {
	b := theBench(t)
	data, err := os.ReadFile(b.dump)
	if err != nil {
		t.Fatal(err)
	}
	l, err := layoutOf(data, 0)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	list := []string{"sys", "ps", "log", "rd linux_banner", "rd init_task"}
	s := session{dir: dir, files: []string{b.vmlinux, "vmcore"}, cache: b.cache, lines: list}
	opening := b.traceReads(t, []string{b.dump}, list[:1]).opening
	for _, x := range l.extents {
		if !opening[x.pfn] || x.class != classDescriptors {
			continue
		}
		damaged := bytes.Clone(data)
		damaged[x.start+12] = 0xff // such a codec there is not
		if err := os.WriteFile(filepath.Join(dir, "vmcore"), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		o := b.run(s)
		if o.broken != nil || o.status == 2 {
			t.Errorf("page frame %#x damaged: status %d, %v, %s", x.pfn, o.status, o.broken, o.stderr)
			continue
		}
		whole := 0
		for _, a := range o.answers {
			if !strings.Contains(a, "damaged") {
				whole++
			}
		}
		t.Logf("page frame %#x damaged: %d of %d answers do without it", x.pfn, whole, len(o.answers))
	}
}

// mutateDump damages one of the files of a dump at a time.
func (b *bench) mutateDump(t *testing.T, seed uint64, files [][]byte, weights []weight, n int) {
	dir := filepath.Join(b.dir, t.Name())
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	u := mutator{seed: seed, weights: weights}
	var layouts []*layout
	var names, originals []string
	for i, data := range files {
		l, err := layoutOf(data, i)
		if err != nil {
			t.Fatal(err)
		}
		layouts = append(layouts, l)
		u.regions = append(u.regions, l.regions...)
		u.sizes = append(u.sizes, int64(len(data)))
		names = append(names, fmt.Sprintf("vmcore.%d", i))
		originals = append(originals, filepath.Join(dir, names[i]))
		if err := os.WriteFile(originals[i], data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list := lines(t)
	reads := b.readsOf(t, originals, list)
	u.prefer = preferred(layouts, reads.few)
	t.Logf("%d files, opening reads %d pages, all %d commands %d pages of %d, without those that search %d",
		len(files), len(reads.opening), len(list), len(reads.all), pages(layouts), len(reads.few))

	h := harness{t: t, mutator: &u, originals: originals, names: names,
		session: session{files: append([]string{"vmlinux"}, names...), lines: list, cache: b.cache}, bench: b}
	h.judge = func(r *result) {
		pfns, contained := layouts[r.m.file].touched(r.m)
		if !contained {
			return
		}
		if r.o.status == 2 {
			if r.excused = !disjoint(reads.opening, pfns); !r.excused {
				r.o.broken = errors.New("not opened, though no header, note or bitmap and no page that opening reads is damaged: " + r.o.reason())
			}
			return
		}
		for _, i := range r.changed {
			if list[i] == "sys" && r.m.xor == 0 && unmarked(r.o.answers[i]) == unmarked(h.clean.answers[i]) {
				continue // it says that the file is cut off, too
			}
			if disjoint(reads.opening, pfns) && reads.independent(i, pfns) {
				r.o.broken = fmt.Errorf("%q did not read the damaged page and changed:\n%s", list[i], difference(h.clean.answers[i], r.o.answers[i]))
			}
		}
	}
	h.run(n)
}

// unmarked is the answer of sys without what it says of the file.
func unmarked(sys string) string { return strings.Replace(sys, "  [INCOMPLETE]", "", 1) }

func pages(layouts []*layout) int {
	all := map[uint64]bool{}
	for _, l := range layouts {
		for _, x := range l.extents {
			all[x.pfn] = true
		}
	}
	return len(all)
}
