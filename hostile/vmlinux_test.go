package hostile

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// vmlinuxClass groups sections: those that are parsed have a class of their own.
func vmlinuxClass(section string) string {
	switch {
	case strings.HasPrefix(section, ".debug_"), strings.HasPrefix(section, ".orc_unwind"):
		return section
	case section == ".symtab", section == ".strtab", section == ".shstrtab", section == ".notes", section == ".rodata":
		return section
	}
	return "other sections"
}

// vmlinuxRegions reads the layout of the undamaged vmlinux.
func vmlinuxRegions(t *testing.T, path string) (regions []region, size int64) {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	end := int64(0)
	for _, s := range f.Sections {
		if s.Type == elf.SHT_NOBITS || s.Type == elf.SHT_NULL || s.FileSize == 0 {
			continue
		}
		at, n := int64(s.Offset), int64(s.FileSize)
		regions = append(regions, region{vmlinuxClass(s.Name), 0, at, at + n})
		end = max(end, at+n)
	}
	programs := int64(64 + 56*len(f.Progs))
	return append(regions, region{"ELF header", 0, 0, 64}, region{"program headers", 0, 64, programs},
		region{"section table", 0, (end + 7) &^ 7, st.Size()}), st.Size()
}

// TestVmlinux damages the vmlinux. Every run has a cache of its own; in every
// fourth it holds the index of the undamaged file, as it would if the file was
// damaged later.
func TestVmlinux(t *testing.T) {
	b := theBench(t)
	regions, size := vmlinuxRegions(t, b.vmlinux)
	u := mutator{seed: 10, regions: regions, sizes: []int64{size}}
	u.weights = []weight{{truncated, 12}, {scattered, 40}}
	for _, g := range regions {
		if w := (weight{g.class, 8}); !slices.Contains(u.weights, w) {
			u.weights = append(u.weights, w)
		}
	}
	list := lines(t)
	h := harness{t: t, mutator: &u, originals: []string{b.vmlinux}, names: []string{"vmlinux"}, bench: b,
		session: session{files: []string{"vmlinux", filepath.Base(b.dump)}, lines: list, cache: "cache"}}
	h.prepare = func(dir string, i int) error {
		cache := filepath.Join(dir, "cache")
		if err := os.RemoveAll(cache); err != nil {
			return err
		}
		if i%4 == 3 {
			return copyTree(b.cache, cache)
		}
		return nil
	}
	h.run(count(t, 4))
}

// TestPacked damages the packed vmlinux, as it is unpacked.
func TestPacked(t *testing.T) {
	b := theBench(t)
	packed := filepath.Join(b.modules, "vmlinux.zst")
	st, err := os.Stat(packed)
	if err != nil {
		t.Fatal(err)
	}
	size := st.Size()
	u := mutator{seed: 11, sizes: []int64{size}, regions: []region{{"frame header", 0, 0, 32}, {"blocks", 0, 32, size}},
		weights: []weight{{"frame header", 30}, {"blocks", 60}, {truncated, 10}}}
	h := harness{t: t, mutator: &u, originals: []string{packed}, names: []string{"vmlinux.zst"}, bench: b,
		session: session{files: []string{"vmlinux.zst", filepath.Base(b.dump)}, lines: lines(t), cache: "cache"}}
	h.prepare = func(dir string, _ int) error { return os.RemoveAll(filepath.Join(dir, "cache")) }
	h.judge = sameOrRefused(&h)
	h.run(max(1, count(t, 1)/10)) // unpacking takes most of the time
}

// sameOrRefused fails on answers that are not those of the undamaged files.
func sameOrRefused(h *harness) func(*result) {
	return func(r *result) {
		if r.o.status != 2 && len(r.changed) > 0 {
			k := r.changed[0]
			r.o.broken = fmt.Errorf("%q changed:\n%s", h.session.lines[k], difference(h.clean.answers[k], r.o.answers[k]))
		}
	}
}

// TestIndex damages the stored index of the vmlinux. It must be noticed, or
// make no difference.
func TestIndex(t *testing.T) {
	b := theBench(t)
	indexes, err := filepath.Glob(filepath.Join(b.cache, "index", "*.index"))
	if err != nil || len(indexes) == 0 {
		t.Fatalf("no index in the cache: %v", err)
	}
	name, size := "", int64(0)
	for _, path := range indexes { // the kernel's; modules have smaller ones
		if st, err := os.Stat(path); err == nil && st.Size() > size {
			name, size = path, st.Size()
		}
	}
	rel, err := filepath.Rel(b.dir, name)
	if err != nil {
		t.Fatal(err)
	}
	u := mutator{seed: 12, sizes: []int64{size}, regions: []region{{"header", 0, 0, 512}, {"body", 0, 512, size}},
		weights: []weight{{"header", 30}, {"body", 60}, {truncated, 10}}}
	rebuilt, idle := 0, 0
	var mu sync.Mutex
	h := harness{t: t, mutator: &u, originals: []string{name}, names: []string{rel}, bench: b,
		session: session{files: []string{"vmlinux", filepath.Base(b.dump)}, lines: lines(t), cache: "cache"}}
	h.prepare = func(dir string, _ int) error { return copyTree(b.cache, filepath.Join(dir, "cache")) }
	h.judge = func(r *result) {
		if r.o.status == 2 {
			r.o.broken = fmt.Errorf("not opened: %s", r.o.reason())
		}
		sameOrRefused(&h)(r)
		now, err := os.ReadFile(filepath.Join(r.dir, rel))
		want, werr := os.ReadFile(name)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil || werr != nil:
			r.o.broken = errors.Join(err, werr)
		case bytes.Equal(now, want):
			rebuilt++
		default: // in bytes that no table has
			idle++
		}
	}
	h.run(count(t, 6))
	t.Logf("%d indexes were rebuilt, %d damages concern nothing", rebuilt, idle)
}
