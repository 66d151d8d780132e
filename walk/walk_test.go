package walk

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel/kerneltest"
)

const decls = `
struct list_head { struct list_head *next, *prev; };
struct hlist_node { struct hlist_node *next, **pprev; };
struct hlist_head { struct hlist_node *first; };
struct llist_node { struct llist_node *next; };
struct llist_head { struct llist_node *first; };
struct rb_node { unsigned long __rb_parent_color; struct rb_node *rb_right; struct rb_node *rb_left; };
struct rb_root { struct rb_node *rb_node; };
struct xarray { u32 xa_lock; u32 xa_flags; void *xa_head; };
struct xa_node { u8 shift; u8 offset; u8 count; u8 nr_values; struct xa_node *parent; struct xarray *array;
	struct list_head private_list; void *slots[4]; unsigned long tags[3][1]; };
struct idr { struct xarray idr_rt; unsigned int idr_base; unsigned int idr_next; };
`

// collect turns a walk into words: the entries, and "!" with the text of errors.
func collect[T any](seq iter.Seq2[T, error], show func(T) string) []string {
	var out []string
	for v, err := range seq {
		if err != nil {
			out = append(out, "!"+err.Error())
		} else {
			out = append(out, show(v))
		}
		if len(out) > 1000 {
			return append(out, "endless")
		}
	}
	return out
}

func hex(a uint64) string { return fmt.Sprintf("%x", a) }

func check(t *testing.T, got []string, want ...string) {
	t.Helper()
	ok := len(got) == len(want)
	for i := range got {
		if !ok {
			break
		}
		// An error is given by a part of its text.
		ok = got[i] == want[i] || want[i][0] == '!' && got[i][0] == '!' && strings.Contains(got[i], want[i][1:])
	}
	if !ok {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestList(t *testing.T) {
	k := kerneltest.New(t, decls)
	w := New(k)
	k.Link(0x1000, 0x2010, 0x3010, 0x4010)
	check(t, collect(w.List(0x1000, 0x10), hex), "2000", "3000", "4000")
	check(t, collect(w.List(0x1000, 0x10, Reverse), hex), "4000", "3000", "2000")
	check(t, collect(w.List(0x1000, 0x10, CheckBack), hex), "2000", "3000", "4000")

	k.Words(0x3018, 0x7777) // 3000's prev
	check(t, collect(w.List(0x1000, 0x10), hex), "2000", "3000", "4000")
	check(t, collect(w.List(0x1000, 0x10, CheckBack), hex), "2000", "!entry 0x3010: its back pointer is 0x7777, not 0x2010", "3000", "4000")

	k.Words(0x4010, 0x2010) // 4000's next: a loop
	check(t, collect(w.List(0x1000, 0x10), hex), "2000", "3000", "4000", "!duplicate entry 0x2010: 0x4010 leads back")
	k.Words(0x4010, 0xdead000000000100)
	check(t, collect(w.List(0x1000, 0x10), hex), "2000", "3000", "4000", "!LIST_POISON1")
	k.Fail(0x3000, fault.Excluded)
	check(t, collect(w.List(0x1000, 0x10), hex), "2000", "!excluded")

	k.Link(0x9000)
	check(t, collect(w.List(0x9000, 0), hex))
	check(t, collect(w.List(0x8000, 0), hex), "!not mapped")
}

func TestListStopsWhenAsked(t *testing.T) {
	k := kerneltest.New(t, decls)
	k.Link(0x1000, 0x2000, 0x3000)
	for a := range New(k).List(0x1000, 0) {
		if a != 0x2000 {
			t.Fatalf("went on to %#x", a)
		}
		break
	}
}

func TestMissingLayout(t *testing.T) {
	k := kerneltest.New(t, `struct list_head { struct list_head *next; };`)
	check(t, collect(New(k).List(0x1000, 0), hex), "!list_head.prev")
	check(t, collect(New(k).Maple(0x1000), func(e Entry) string { return "" }), "!maple_tree.ma_root")
}

func TestChain(t *testing.T) {
	k := kerneltest.New(t)
	w := New(k)
	k.Words(0x1008, 0x2000)
	k.Words(0x2008, 0x3000)
	k.Words(0x3008, 0)
	check(t, collect(w.Chain(0x1000, Chain{Next: 8}), hex), "1000", "2000", "3000")
	check(t, collect(w.Chain(0x1000, Chain{Next: 8, End: 0x3000}), hex), "1000", "2000")
	k.Words(0x3008, 0x1000)
	check(t, collect(w.Chain(0x1000, Chain{Next: 8}), hex), "1000", "2000", "3000")
	k.Words(0x3008, 0x2000)
	check(t, collect(w.Chain(0x1000, Chain{Next: 8}), hex), "1000", "2000", "3000", "!duplicate entry 0x2000")
	k.Words(0x1008, 0x2003)
	k.Words(0x3008, 0x2003)
	check(t, collect(w.Chain(0x1000, Chain{Next: 8, Mask: 7}), hex), "1000", "2000", "3000", "!duplicate entry 0x2000")
}

func TestSingleLists(t *testing.T) {
	k := kerneltest.New(t, decls)
	w := New(k)
	k.Words(0x1000, 0x2008) // head
	k.Words(0x2008, 0x3008, 0x1000)
	k.Words(0x3008, 0, 0x2008)
	check(t, collect(w.HList(0x1000, 8), hex), "2000", "3000")
	check(t, collect(w.LList(0x1000, 8), hex), "2000", "3000")
	k.Words(0x3008, 0x2008)
	check(t, collect(w.HList(0x1000, 8), hex), "2000", "3000", "!duplicate entry 0x2008")
	k.Words(0x3008, 5<<1|1) // the end mark of hlist_nulls
	check(t, collect(w.HList(0x1000, 8), hex), "2000", "3000")
	k.Words(0x1000, 5<<1|1)
	check(t, collect(w.HList(0x1000, 8), hex))
	k.Words(0x1000, 0xffff888000002009) // hlist_bl: a locked head
	k.Words(0xffff888000002008, 0)
	check(t, collect(w.HList(0x1000, 8), hex), "ffff888000002000")
}

// rb stores a node with its parent, left and right.
func rb(k *kerneltest.Kernel, addr, parent, left, right uint64) {
	k.Put(addr, "rb_node.__rb_parent_color", parent|1)
	k.Put(addr, "rb_node.rb_left", left)
	k.Put(addr, "rb_node.rb_right", right)
}

func TestRBTree(t *testing.T) {
	show := func(n RBNode) string { return hex(n.Addr) + " " + n.Position() }
	k := kerneltest.New(t, decls)
	w := New(k)
	k.Words(0x1000, 0x4000)
	rb(k, 0x4000, 0, 0x2000, 0x6000)
	rb(k, 0x2000, 0x4000, 0, 0x3000)
	rb(k, 0x3000, 0x2000, 0, 0)
	rb(k, 0x6000, 0x4000, 0, 0)
	check(t, collect(w.RBTree(0x1000, InOrder), show), "2000 root/l", "3000 root/l/r", "4000 root", "6000 root/r")
	check(t, collect(w.RBTree(0x1000, PreOrder), show), "4000 root", "2000 root/l", "3000 root/l/r", "6000 root/r")
	check(t, collect(w.RBSubtree(0x2000, PreOrder), show), "2000 root", "3000 root/r")

	// One bad branch does not hide the other.
	rb(k, 0x4000, 0, 0x9000, 0x6000)
	check(t, collect(w.RBTree(0x1000, PreOrder), show), "4000 root", "!0x9000 (from 0x4000): kernel virtual address 0x9000: not mapped", "6000 root/r")
	rb(k, 0x4000, 0, 0x2000, 0x6000)
	rb(k, 0x3000, 0x2000, 0x4000, 0)
	check(t, collect(w.RBTree(0x1000, PreOrder), show), "4000 root", "2000 root/l", "3000 root/l/r", "!duplicate entry 0x4000", "6000 root/r")
	rb(k, 0x3000, 0x7000, 0, 0)
	check(t, collect(w.RBTree(0x1000, PreOrder), show), "4000 root", "2000 root/l", "!entry 0x3000: its back pointer is 0x7000, not 0x2000", "3000 root/l/r", "6000 root/r")
	k.Words(0x1000, 0)
	check(t, collect(w.RBTree(0x1000, InOrder), show))
}

func TestRBTreeDepth(t *testing.T) {
	k := kerneltest.New(t, decls)
	k.Words(0x1000, 0x2000)
	for i := range uint64(200) {
		at := 0x2000 + i*0x20
		rb(k, at, at-0x20, at+0x20, 0)
	}
	var errs, nodes int
	for _, err := range New(k).RBTree(0x1000, PreOrder) {
		var link *LinkError
		switch {
		case err == nil:
			nodes++
		case errors.Is(err, errDepth):
			errs++
		case !errors.As(err, &link):
			t.Error(err)
		}
	}
	if errs != 1 || nodes != maxRBDepth+1 {
		t.Errorf("%d nodes, %d depth errors", nodes, errs)
	}
}

func xa(k *kerneltest.Kernel, addr, parent, shift uint64, slots ...uint64) {
	k.Map(addr, 0x100)
	k.Put(addr, "xa_node.shift", shift)
	k.Put(addr, "xa_node.parent", parent)
	k.Words(addr+k.Offset("xa_node.slots"), slots...)
}

func showEntry(e Entry) string {
	s := fmt.Sprintf("%d:%x %s", e.Index, e.Raw, e.Position())
	if e.Last != e.Index {
		s = fmt.Sprintf("%d-%s", e.Index, strings.Replace(s, fmt.Sprintf("%d:", e.Index), fmt.Sprintf("%d:", e.Last), 1))
	}
	return s
}

func TestXArray(t *testing.T) {
	k := kerneltest.New(t, decls)
	w := New(k)
	head := uint64(0x1000)
	walk := func() []string { return collect(w.XArray(head), showEntry) }

	k.Put(head, "xarray.xa_head", 0)
	check(t, walk())
	k.Put(head, "xarray.xa_head", 0x5550)
	check(t, walk(), "0:5550 root")
	k.Put(head, "xarray.xa_head", 17<<1|1)
	check(t, walk(), "0:23 root")

	k.Put(head, "xarray.xa_head", 0x2000|2)
	xa(k, 0x2000, 0, 2, 0x3000|2, 0, 0x6660, 2<<2|2) // slot 2: an entry of 8 indices with a sibling
	xa(k, 0x3000, 0x2000, 0, 0xaaa0, 257<<2|2, 9<<1|1, 0xbbb0)
	check(t, walk(), "0:aaa0 root/0/0", "2:13 root/0/2", "3:bbb0 root/0/3", "8-15:6660 root/2")
	check(t, collect(w.XANode(0x3000), showEntry), "0:aaa0 root/0", "2:13 root/2", "3:bbb0 root/3")

	k.Put(0x1100, "idr.idr_rt.xa_head", 0x3000|2)
	k.Put(0x1100, "idr.idr_base", 1)
	xa(k, 0x3000, 0, 0, 0xaaa0, 0, 0, 0xbbb0)
	check(t, collect(w.IDR(0x1100), showEntry), "1:aaa0 root/0", "4:bbb0 root/3")

	// A missing node, a loop, a wrong parent, a wrong shift.
	xa(k, 0x2000, 0, 2, 0x3000|2, 0x9000|2, 0, 0xccc0)
	check(t, walk(), "!entry 0x3000: its back pointer is 0x0, not 0x2000", "0:aaa0 root/0/0", "3:bbb0 root/0/3", "!0x9000 (from 0x2000)", "12-15:ccc0 root/3")
	xa(k, 0x2000, 0, 2, 0x2000|2, 0xddd0, 0, 0)
	check(t, walk(), "!duplicate entry 0x2000", "4-7:ddd0 root/1")
	xa(k, 0x2000, 0, 2, 0x3000|2, 0xddd0, 0, 0)
	xa(k, 0x3000, 0x2000, 2, 1, 1, 1, 1)
	check(t, walk(), "!shift", "4-7:ddd0 root/1")
}

func TestRadix(t *testing.T) {
	const common = `struct radix_tree_root { unsigned int gfp_mask; void *rnode; };`
	for name, node := range map[string]string{
		"shift":  `struct radix_tree_node { unsigned char shift, offset; unsigned int count; void *parent; void *slots[4]; };`,
		"path":   `struct radix_tree_node { unsigned int path, count; void *parent; void *slots[4]; };`,
		"height": `struct radix_tree_node { unsigned int height, count; void *parent; void *slots[4]; };`,
	} {
		t.Run(name, func(t *testing.T) {
			k := kerneltest.New(t, common+node)
			w := New(k)
			mark, level := uint64(1), []uint64{0, 2}
			if name != "shift" {
				mark, level = 0, []uint64{1, 2} // heights; inner pointers are not marked
			}
			put := func(addr, lvl uint64, slots ...uint64) {
				k.Put(addr, "radix_tree_node."+name, lvl)
				k.Words(addr+k.Offset("radix_tree_node.slots"), slots...)
			}
			k.Put(0x1000, "radix_tree_root.rnode", 0x2000|1)
			put(0x2000, level[1], 0x3000|mark, 0, 0x4000|mark, 0)
			put(0x3000, level[0], 0, 0xaaa0, 0, 0)
			put(0x4000, level[0], 0xbbb0, 0, 0, 6<<2|2)
			check(t, collect(w.Indexed(0x1000), showEntry), "1:aaa0 root/0/1", "8:bbb0 root/2/0", "11:1a root/2/3")
			put(0x2000, level[1], 0x9000|mark, 0, 0x4000|mark, 0x2000|mark)
			check(t, collect(w.Radix(0x1000), showEntry), "!0x9000", "8:bbb0 root/2/0", "11:1a root/2/3", "!duplicate entry 0x2000")
		})
	}
}

func TestVisitedBeyondTheExactLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("needs some memory")
	}
	// A tail of exactLimit nodes, then a ring of 5.
	var v visited
	next := func(a uint64) uint64 {
		if a == exactLimit+14 {
			return exactLimit + 10
		}
		return a + 1
	}
	for a, steps := uint64(1), 0; ; a, steps = next(a), steps+1 {
		if v.again(a) {
			return
		}
		if steps > 3*exactLimit {
			t.Fatal("the ring was not noticed")
		}
	}
}
