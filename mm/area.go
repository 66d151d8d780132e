package mm

import (
	"fmt"
	"iter"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/walk"
)

type areaNeeds struct {
	Tree  kernel.Field `need:"?mm_struct.mm_mt"` // a maple tree since 6.1
	List  kernel.Field `need:"?mm_struct.mmap"`  // a list before
	Next  kernel.Field `need:"?vm_area_struct.vm_next"`
	Start kernel.Field `need:"vm_area_struct.vm_start"`
	End   kernel.Field `need:"vm_area_struct.vm_end"`
	Flags kernel.Field `need:"vm_area_struct.vm_flags|vm_area_struct.flags"`
	Pgoff kernel.Field `need:"vm_area_struct.vm_pgoff"`
	File  kernel.Field `need:"vm_area_struct.vm_file"`
}

// Areas reads the virtual memory areas of user address spaces.
type Areas struct {
	k     kernel.View
	n     areaNeeds
	w     *walk.Walker
	paths *Paths
}

// Area is one virtual memory area. Start and End are user virtual.
type Area struct {
	Addr       uint64 // of the vm_area_struct
	Start, End uint64
	Flags      uint64 // VM_*
	Offset     uint64 // of Start in the file, in bytes
	File       uint64 // struct file, 0 of anonymous memory
}

// LoadAreas prepares access to areas.
func LoadAreas(k kernel.View) (*Areas, error) {
	a := &Areas{k: k, w: walk.New(k)}
	if err := k.Bind(&a.n); err != nil {
		return nil, fmt.Errorf("virtual memory areas: %w", err)
	}
	if !a.n.Tree.Present() && !(a.n.List.Present() && a.n.Next.Present()) {
		return nil, fmt.Errorf("virtual memory areas: %w", &kernel.MissingError{Needs: []string{"mm_struct.mm_mt|mm_struct.mmap"}})
	}
	a.paths = NewPaths(k)
	return a, nil
}

// maxAreas bounds the walk of an address space (the kernel's default limit is
// 65530, sysctl max_map_count; it can be raised).
const maxAreas = 1 << 22

// All yields the areas of the mm_struct at addr by address. What cannot be read
// is yielded as an error.
func (a *Areas) All(mm uint64) iter.Seq2[Area, error] {
	return func(yield func(Area, error) bool) {
		var end uint64
		for addr, err := range a.addresses(mm) {
			var area Area
			if err == nil {
				area, err = a.read(addr)
			}
			if err != nil {
				if !yield(Area{}, err) {
					return
				}
				continue
			}
			// A list goes upwards; one that does not may lead round in a circle.
			if area.Start < end && !a.n.Tree.Present() {
				yield(Area{}, fmt.Errorf("mm %#x: the list of areas goes back from %#x to %#x at vm_area_struct %#x", mm, end, area.Start, addr))
				return
			}
			end = area.End
			if !yield(area, nil) {
				return
			}
		}
	}
}

// Find is the area that holds the user address vaddr; ok is false if there is
// none. An error means that there may be one that cannot be read.
func (a *Areas) Find(mm, vaddr uint64) (area Area, ok bool, err error) {
	var errs fault.Several
	for area, err := range a.All(mm) {
		if err != nil {
			errs.Add(err)
			continue
		}
		if vaddr >= area.Start && vaddr < area.End {
			return area, true, nil
		}
	}
	return Area{}, false, errs.Err()
}

// Path is the name of the area's file, "" of anonymous memory.
func (a *Areas) Path(area *Area) (string, error) {
	if area.File == 0 {
		return "", nil
	}
	return a.paths.File(area.File)
}

func (a *Areas) addresses(mm uint64) iter.Seq2[uint64, error] {
	return func(yield func(uint64, error) bool) {
		if a.n.Tree.Present() {
			for e, err := range a.w.Maple(a.n.Tree.At(mm)) {
				if !yield(e.Raw, err) {
					return
				}
			}
			return
		}
		addr, err := a.n.List.Uint(a.k, mm)
		for n := 0; err == nil && addr != 0; n++ {
			if n == maxAreas {
				yield(0, fmt.Errorf("mm %#x: its list of areas has no end", mm))
				return
			}
			if !yield(addr, nil) {
				return
			}
			addr, err = a.n.Next.Uint(a.k, addr)
		}
		if err != nil {
			yield(0, fmt.Errorf("mm %#x: %w", mm, err))
		}
	}
}

func (a *Areas) read(addr uint64) (Area, error) {
	area := Area{Addr: addr}
	for _, f := range [...]struct {
		field *kernel.Field
		dst   *uint64
	}{{&a.n.Start, &area.Start}, {&a.n.End, &area.End}, {&a.n.Flags, &area.Flags}, {&a.n.Pgoff, &area.Offset}, {&a.n.File, &area.File}} {
		v, err := f.field.Uint(a.k, addr)
		if err != nil {
			return area, fmt.Errorf("vm_area_struct at %#x: %w", addr, err)
		}
		*f.dst = v
	}
	area.Offset <<= kernel.PageShift
	return area, nil
}
