package walk

import (
	"fmt"
	"testing"

	"github.com/kdive/kdive/kernel/kerneltest"
)

// A small maple tree: nodes of four slots. The enum is not the kernel's own
// order, so that a walk that knows numbers by heart fails.
const mapleDecls = `
enum maple_type { maple_arange_64, maple_dense, maple_leaf_64, maple_range_64, maple_copy };
struct maple_metadata { unsigned char end; unsigned char gap; };
struct maple_range_64 { void *parent; unsigned long pivot[3]; union { void *slot[4]; struct { void *pad[3]; struct maple_metadata meta; }; }; };
struct maple_arange_64 { void *parent; unsigned long pivot[3]; void *slot[4]; unsigned long gap[4]; struct maple_metadata meta; };
struct maple_node { union { struct { void *parent; void *slot[14]; }; struct maple_range_64 mr64; struct maple_arange_64 ma64; }; };
struct maple_tree { u64 ma_lock; unsigned int ma_flags; void *ma_root; };
`

const max64 = ^uint64(0)

type fakeMaple struct{ *kerneltest.Kernel }

func (k fakeMaple) node(addr, parent uint64, kind string, pivots, slots []uint64) {
	k.Map(addr, 256)
	k.Put(addr, "maple_node.parent", parent)
	k.Words(addr+k.Offset("maple_node."+kind+".pivot"), pivots...)
	k.Words(addr+k.Offset("maple_node."+kind+".slot"), slots...)
}

// enc is a pointer to a node as a slot or the root holds it.
func (k fakeMaple) enc(addr uint64, typ string) uint64 {
	v, ok := k.Enumerator(typ)
	if !ok {
		panic(typ)
	}
	return addr | uint64(v)<<3 | 6
}

func newMaple(t *testing.T) (fakeMaple, *Walker) {
	k := fakeMaple{kerneltest.New(t, mapleDecls)}
	const tree = 0x1000
	k.Put(tree, "maple_tree.ma_flags", 2<<2|1)
	k.Put(tree, "maple_tree.ma_root", k.enc(0x2000, "maple_arange_64"))
	k.node(0x2000, tree|1, "ma64", []uint64{0xfff, 0x1fff}, []uint64{k.enc(0x3000, "maple_leaf_64"), k.enc(0x4000, "maple_range_64"), k.enc(0x5000, "maple_leaf_64")})
	k.node(0x3000, 0x2006, "mr64", []uint64{0, 0x10, 0xff}, []uint64{0xa0, 0, 0xb0, 0xc0}) // full: the last slot ends with the node
	k.node(0x4000, 0x200e, "mr64", []uint64{0x1fff}, []uint64{k.enc(0x6000, "maple_dense")})
	k.node(0x5000, 0x2016, "mr64", []uint64{0x2fff}, []uint64{7<<1 | 1, 257<<2 | 2})
	k.Map(0x6000, 256)
	k.Put(0x6000, "maple_node.parent", 0x4006)
	k.Words(0x6008, 0, 0xd0)
	return k, New(k)
}

func TestMaple(t *testing.T) {
	k, w := newMaple(t)
	walk := func() []string { return collect(w.Maple(0x1000), showEntry) }
	healthy := []string{"0:a0 root/0/0", "17-255:b0 root/0/2", "256-4095:c0 root/0/3", "4097:d0 root/1/0/1", "8192-12287:f root/2/0"}
	check(t, walk(), healthy...)
	var nodes []string
	for n, err := range w.MapleNodes(0x1000) {
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, fmt.Sprintf("%x %s %d %x-%x", n.Addr, n.TypeName, n.Depth, n.Min, n.Max))
	}
	check(t, nodes, "2000 maple_arange_64 0 0-ffffffffffffffff", "3000 maple_leaf_64 1 0-fff", "4000 maple_range_64 1 1000-1fff",
		"6000 maple_dense 2 1000-1fff", "5000 maple_leaf_64 1 2000-ffffffffffffffff")

	h, err := w.MapleHead(0x1000)
	if err != nil || h.Height() != 2 || !h.HasNodes() {
		t.Errorf("%+v %v", h, err)
	}

	// A pivot that runs backwards, an unknown type, a wrong parent, a loop, a hole.
	k.node(0x3000, 0x2006, "mr64", []uint64{0, 0x10, 0x5}, nil)
	check(t, walk(), append([]string{"!pivot 2 is 0x5", "0:a0 root/0/0"}, healthy[3:]...)...)
	k.node(0x3000, 0x7706, "mr64", []uint64{0, 0x10, 0xff}, nil)
	check(t, walk(), append([]string{"!back pointer is 0x7700, not 0x2000"}, healthy...)...)
	k.Words(0x2000+k.Offset("maple_node.ma64.slot"), k.enc(0x3000, "maple_copy"))
	check(t, walk(), append([]string{"!type 4 is unknown"}, healthy[3:]...)...)
	k.Words(0x2000+k.Offset("maple_node.ma64.slot"), k.enc(0x2000, "maple_range_64"))
	check(t, walk(), append([]string{"!duplicate entry 0x2000"}, healthy[3:]...)...)
	k.Words(0x2000+k.Offset("maple_node.ma64.slot"), k.enc(0x9000, "maple_leaf_64"))
	check(t, walk(), append([]string{"!not mapped"}, healthy[3:]...)...)
}

func TestMapleRootOnly(t *testing.T) {
	k, w := newMaple(t)
	for root, want := range map[uint64][]string{0: nil, 0x5550: {"0:5550 root"}, 5<<1 | 1: {"0:b root"}, 257<<2 | 2: nil} {
		k.Put(0x1000, "maple_tree.ma_root", root)
		check(t, collect(w.Maple(0x1000), showEntry), want...)
	}
}

func TestMapleEndsAtMaximum(t *testing.T) {
	k, w := newMaple(t)
	k.Put(0x1000, "maple_tree.ma_root", k.enc(0x3000, "maple_leaf_64"))
	k.node(0x3000, 0x1001, "mr64", []uint64{5, max64, 9}, []uint64{0xa0, 0xb0, 0xc0, 0xd0})
	check(t, collect(w.Maple(0x1000), showEntry), "0-5:a0 root/0", fmt.Sprintf("6-%d:b0 root/1", max64))
}
