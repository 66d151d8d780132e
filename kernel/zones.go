package kernel

import (
	"context"
	"iter"
)

// The layout of the upper end of the address space, the same with 4 and 5 levels
// of page tables (Documentation/arch/x86/x86_64/mm.rst). From cpuEntryAreas to
// the image mapping are the exception stacks of the CPUs, which are per-CPU memory,
// stacks of espfix, and mappings of the firmware: other addresses of memory that
// is found elsewhere.
const (
	kernelHalf    = 1 << 63
	cpuEntryAreas = 0xfffffe0000000000
	modulesEnd    = 0xffffffffff000000

	maxImageSize = 1 << 30 // KERNEL_IMAGE_SIZE with KASLR; modules follow
)

// Zone is a range of kernel virtual memory by its use.
type Zone struct {
	Kind        ZoneKind
	Start, Last uint64
}

// ZoneKind is what a zone is for.
type ZoneKind uint8

// The zones by rising address, but that the direct map may lie behind a part of
// the dynamic zone.
const (
	ZoneDirect  ZoneKind = iota // all of physical memory
	ZoneDynamic                 // vmalloc and vmemmap
	ZoneImage                   // the kernel image
	ZoneModules
)

// Zones are the ranges where the kernel's own memory is, by address.
func (k *Kernel) Zones() []Zone {
	imageSize := int64(maxImageSize)
	if v := k.VMCoreInfo(); v != nil {
		if n, ok := v.Number("KERNEL_IMAGE_SIZE"); ok && n > 0 && n <= maxImageSize {
			imageSize = n
		}
	}
	modules := StartKernelMap + uint64(imageSize)
	var zones []Zone
	next := uint64(kernelHalf)
	if start, end, ok := k.DirectMap(); ok {
		if start > next {
			zones = append(zones, Zone{ZoneDynamic, next, start - 1})
		}
		zones = append(zones, Zone{ZoneDirect, start, end - 1})
		next = end
	}
	return append(zones,
		Zone{ZoneDynamic, next, cpuEntryAreas - 1},
		Zone{ZoneImage, StartKernelMap, modules - 1},
		Zone{ZoneModules, modules, modulesEnd - 1})
}

// Extents yields the memory of a zone from start to last, both included, by
// address: of the direct map what the dump holds, of the others what the page
// tables map.
func (k *Kernel) Extents(ctx context.Context, z Zone, start, last uint64) iter.Seq2[Extent, error] {
	start, last = max(start, z.Start), min(last, z.Last)
	return func(yield func(Extent, error) bool) {
		if start > last {
			return
		}
		if z.Kind != ZoneDirect {
			if k.place.tables != nil {
				k.place.tables.Mappings(ctx, start, last)(yield)
			}
			return
		}
		for e := range k.PhysExtents(start-z.Start, last-z.Start) {
			e.Vaddr += z.Start
			if !yield(e, nil) {
				return
			}
		}
	}
}

// PhysExtents yields the physical memory that the dump holds from start to last,
// both included; Vaddr is Paddr.
func (k *Kernel) PhysExtents(start, last uint64) iter.Seq[Extent] {
	return func(yield func(Extent) bool) {
		for run := range k.Dump.Runs() {
			lo, hi := max(run.Start, start), run.End-1
			if hi < start || hi < lo {
				continue
			}
			if lo > last {
				return
			}
			hi = min(hi, last)
			if !yield(Extent{Vaddr: lo, Paddr: lo, Size: hi - lo + 1}) {
				return
			}
		}
	}
}
