package mm

import (
	"errors"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel/kerneltest"
)

// A maple tree of one node with four slots, as kernels since 6.1 keep areas.
const mapleDecls = fileDecls + `
enum maple_type { maple_dense, maple_leaf_64, maple_range_64, maple_arange_64 };
struct maple_metadata { unsigned char end; unsigned char gap; };
struct maple_range_64 { void *parent; unsigned long pivot[3]; union { void *slot[4]; struct { void *pad[3]; struct maple_metadata meta; }; }; };
struct maple_arange_64 { void *parent; unsigned long pivot[3]; void *slot[4]; unsigned long gap[4]; struct maple_metadata meta; };
struct maple_node { union { struct { void *parent; void *slot[14]; }; struct maple_range_64 mr64; struct maple_arange_64 ma64; }; };
struct maple_tree { u64 ma_lock; unsigned int ma_flags; void *ma_root; };
struct mm_struct { int users; struct maple_tree mm_mt; };
struct vm_area_struct { unsigned long vm_start; unsigned long vm_end; unsigned long vm_flags; unsigned long vm_pgoff; void *vm_file; };`

func TestAreasTree(t *testing.T) {
	const leaf, root = 1<<3 | 6, 0x7000
	k := kerneltest.New(t, mapleDecls)
	k.Put(0x5000, "mm_struct.mm_mt.ma_flags", 1<<2)
	k.Put(0x5000, "mm_struct.mm_mt.ma_root", root|leaf)
	k.Map(root, 256)
	k.Put(root, "maple_node.parent", 0x5008|1) // mm_mt
	k.Words(root+k.Offset("maple_node.mr64.pivot"), 0xfff, 0x1fff, 0x2fff)
	k.Words(root+k.Offset("maple_node.mr64.slot"), 0x6000, 0, 0x6100, 0)
	for i, at := range []uint64{0x6000, 0x6100} {
		k.Put(at, "vm_area_struct.vm_start", uint64(i)*0x2000)
		k.Put(at, "vm_area_struct.vm_end", uint64(i)*0x2000+0x1000)
	}
	a, err := LoadAreas(k)
	if err != nil {
		t.Fatal(err)
	}
	walk := func() (areas int, errs error) {
		for _, err := range a.All(0x5000) {
			if err == nil {
				areas++
			}
			errs = errors.Join(errs, err)
		}
		return areas, errs
	}
	if n, err := walk(); n != 2 || err != nil {
		t.Errorf("%d areas, %v", n, err)
	}
	// An area that is not there; the one behind it is.
	k.Words(root+k.Offset("maple_node.mr64.slot"), 0xbad0000)
	if n, err := walk(); n != 1 || fault.ReasonOf(err) != fault.Unmapped {
		t.Errorf("%d areas, %v", n, err)
	}
	// A node below itself ends.
	k.Put(0x5000, "mm_struct.mm_mt.ma_flags", 2<<2)
	k.Put(0x5000, "mm_struct.mm_mt.ma_root", root|2<<3|6)
	k.Words(root+k.Offset("maple_node.mr64.slot"), root|2<<3|6)
	if _, err := walk(); err == nil {
		t.Error("a tree that leads to itself: no error")
	}
	k.Fail(root, fault.Excluded)
	if n, err := walk(); n != 0 || fault.ReasonOf(err) != fault.Excluded {
		t.Errorf("no node: %d areas, %v", n, err)
	}
}
