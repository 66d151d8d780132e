package kerneltest

import (
	"iter"
	"testing"

	"github.com/kdive/kdive/kernel"
)

// Where physical memory is mapped: all of it in the direct map, and, from its
// start too, as the kernel's image.
const (
	DirectMapBase = 0xffff888000000000
	ImageBase     = 0xffffffff81000000
)

// Physical is a fake kernel that knows where its physical memory is. What was put
// into one of the mappings is not in the other.
type Physical struct {
	*Kernel
	Size    uint64          // bytes of physical memory
	Extents []kernel.Extent // what of it the dump holds
}

// NewPhysical makes a fake kernel with size bytes of memory, all in the dump.
func NewPhysical(t testing.TB, size uint64, decls ...string) *Physical {
	return &Physical{New(t, decls...), size, []kernel.Extent{{Size: size}}}
}

// DirectMap is where all of physical memory is mapped one to one.
func (k *Physical) DirectMap() (start, end uint64, ok bool) {
	return DirectMapBase, DirectMapBase + k.Size, true
}

// Translate maps a virtual address of the direct map or the image to a physical one.
func (k *Physical) Translate(vaddr uint64) (paddr, n uint64, err error) {
	for _, base := range [...]uint64{DirectMapBase, ImageBase} {
		if vaddr-base < k.Size {
			return vaddr - base, k.Size - (vaddr - base), nil
		}
	}
	var b [1]byte
	return 0, 0, k.Read(b[:], vaddr)
}

// PhysExtents yields the extents, whatever range is asked for.
func (k *Physical) PhysExtents(_, _ uint64) iter.Seq[kernel.Extent] {
	return func(yield func(kernel.Extent) bool) {
		for _, e := range k.Extents {
			if !yield(e) {
				return
			}
		}
	}
}
