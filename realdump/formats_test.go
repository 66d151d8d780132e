package realdump

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kdive/kdive"
	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/value"
)

const pageSize = 4096

// TestTinyFormats compares the bundled dump with the whole memory that it is a
// part of: the same bytes at the same addresses, physical and virtual, or the
// dump filter as the reason.
func TestTinyFormats(t *testing.T) {
	whole := tinyELF(t)
	part := bundled(t)
	var m memories
	m.compare(t, "whole", whole)
	m.compare(t, "kdump", part)
}

// TestVirtualFormats compares virtual memory in dumps of one memory in many
// formats: KDIVE_FORMATS is as in package vmcore, KDIVE_FORMATS_VMLINUX the
// kernel. Physical memory is compared there.
func TestVirtualFormats(t *testing.T) {
	dir, vmlinux := os.Getenv("KDIVE_FORMATS"), os.Getenv("KDIVE_FORMATS_VMLINUX")
	if dir == "" || vmlinux == "" {
		t.Skip("KDIVE_FORMATS and KDIVE_FORMATS_VMLINUX name no dumps")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	sets := map[string][]string{}
	part := regexp.MustCompile(`\.[0-9]+$`)
	for _, e := range entries {
		if !e.IsDir() {
			name := part.ReplaceAllString(e.Name(), "")
			sets[name] = append(sets[name], filepath.Join(dir, e.Name()))
		}
	}
	m := memories{virtualOnly: true}
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		if strings.HasPrefix(name, "trunc") || strings.HasPrefix(name, "incomplete") {
			continue // without page tables there is no virtual memory
		}
		t.Run(name, func(t *testing.T) { m.compare(t, name, files{dump: sets[name], vmlinux: vmlinux}) })
	}
}

// memories remembers what each page held where it was seen first.
type memories struct {
	virtualOnly bool
	seen        map[place]seenPage
}

// place is where a page is: "physical", "kernel" or a process, and the address.
type place struct {
	space string
	addr  uint64
}

func (p place) String() string { return fmt.Sprintf("%s %#x", p.space, p.addr) }

type seenPage struct {
	sum  [sha256.Size]byte
	from string
}

// compare reads a dump and compares each page with what others held there.
func (m *memories) compare(t *testing.T, name string, f files) {
	t.Helper()
	opened, err := kdive.Open(context.Background(), kdive.Options{Files: append([]string{f.vmlinux}, f.dump...), Cache: cache(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	k := opened.Kernel
	c := counts{m: m, name: name, reasons: map[fault.Reason]int{}}
	if !m.virtualOnly {
		for addr := uint64(0); addr < k.Dump.Info().MaxPhys; addr += pageSize {
			c.page(t, "physical", addr, k.ReadPhys)
		}
	}
	for addr := range kernelPages(t, k) {
		c.page(t, "kernel", addr, k.Read)
	}
	userPages(t, k, func(pid int32, addr uint64, user value.Memory) {
		c.page(t, fmt.Sprintf("process %d", pid), addr, user.Read)
	})
	t.Logf("%s: %s: %d pages read, %d of them seen before, %d excluded", name, k.Dump.Info().Format, c.reasons[0], c.again, c.reasons[fault.Excluded])
	if c.reasons[0] < 1000 || len(m.seen) > c.reasons[0] && c.again < 1000 {
		t.Errorf("%d pages are too few to compare", c.reasons[0])
	}
}

// counts is the comparison of one dump.
type counts struct {
	m       *memories
	name    string
	again   int
	buf     [pageSize]byte
	reasons map[fault.Reason]int
}

func (c *counts) page(t *testing.T, space string, addr uint64, read func([]byte, uint64) error) {
	b := c.buf[:]
	err := read(b, addr)
	reason := fault.ReasonOf(err)
	c.reasons[reason]++
	if err != nil {
		switch reason {
		case fault.Excluded, fault.Unmapped, fault.NotRAM:
		default:
			t.Errorf("%s %#x: %v", space, addr, err)
		}
		return
	}
	if c.m.seen == nil {
		c.m.seen = map[place]seenPage{}
	}
	key, sum := place{space, addr}, sha256.Sum256(b)
	if first, ok := c.m.seen[key]; !ok {
		c.m.seen[key] = seenPage{sum, c.name}
	} else if c.again++; first.sum != sum {
		t.Errorf("%s differs from %s", key, first.from)
	}
}

// kernelPages are virtual pages of all kinds: the kernel's image, modules, tasks
// and their stacks, per-CPU areas, and samples of the direct map.
func kernelPages(t *testing.T, k *kernel.Kernel) map[uint64]bool {
	t.Helper()
	pages := map[uint64]bool{}
	add := func(addr, size uint64) {
		for a := addr &^ (pageSize - 1); a < addr+max(size, 1); a += pageSize {
			pages[a] = true
		}
	}
	for s := range k.ImageSymbols() {
		if k.IsKernelAddress(s.Addr) {
			add(s.Addr, 1)
		}
	}
	modules, err := k.Modules()
	if err != nil {
		t.Errorf("modules: %v", err)
	}
	for _, m := range modules {
		for _, r := range m.Regions {
			add(r.Base, r.Size)
		}
	}
	table, err := task.Load(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range table.Tasks {
		add(x.Addr, 1)
		if x.Stack != 0 {
			add(x.Stack, table.StackSize())
		}
	}
	cpus, err := k.OnlineCPUs()
	if err != nil {
		t.Error(err)
	}
	for _, cpu := range cpus {
		if addr, err := k.PerCPU("runqueues", cpu); err == nil {
			add(addr, 1)
		} else {
			t.Error(err)
		}
	}
	const sample = 64 * pageSize
	if start, _, ok := k.DirectMap(); ok {
		for p := uint64(0); p < k.Dump.Info().MaxPhys; p += sample {
			add(start+p, 1)
		}
	} else {
		t.Error("no direct map")
	}
	return pages
}

// userPages calls f for pages of the stacks, heaps and programs of processes.
func userPages(t *testing.T, k *kernel.Kernel, f func(pid int32, addr uint64, user value.Memory)) {
	t.Helper()
	table, err := task.Load(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range table.Tasks {
		if x.Kernel() || x.Exiting() || !x.IsLeader() {
			continue
		}
		obj, err := k.Object("struct task_struct", x.Addr)
		if err != nil {
			t.Fatal(err)
		}
		pgd := uintAt(t, obj, "mm->pgd")
		user, err := k.UserMemory(pgd)
		if err != nil {
			t.Errorf("process %d: %v", x.PID, err)
			continue
		}
		for _, member := range []string{"mm->start_stack", "mm->start_code", "mm->start_data", "mm->start_brk", "mm->arg_start"} {
			f(x.PID, uintAt(t, obj, member)&^(pageSize-1), user)
		}
	}
}

func uintAt(t *testing.T, obj value.Value, path string) uint64 {
	t.Helper()
	v, err := obj.Path(path)
	if err != nil {
		t.Fatal(err)
	}
	n, err := v.Uint()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return n
}
