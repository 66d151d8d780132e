package walk

import (
	"errors"
	"iter"
	"strconv"

	"github.com/kdive/kdive/kernel"
)

var errDepth = errors.New("the tree is deeper than it can be")

type xaNeeds struct {
	Head   kernel.Field `need:"xarray.xa_head"`
	Shift  kernel.Field `need:"xa_node.shift"`
	Parent kernel.Field `need:"xa_node.parent"`
	Slots  kernel.Field `need:"xa_node.slots"`
	Size   kernel.Size  `need:"xa_node"`
}

// Entry is what a radix tree, an xarray or a maple tree holds for a range of
// indices.
type Entry struct {
	Index, Last uint64 // the range, both ends included
	Raw         uint64 // the word in the slot
	Node        uint64 // the node that holds the slot, 0 for an entry in the root
	path        string // slot numbers, two bytes each
}

// IsValue reports whether the entry is an integer and not a pointer
// (xa_is_value, include/linux/xarray.h).
func (e Entry) IsValue() bool { return e.Raw&1 != 0 }

// Value is the integer that the entry holds.
func (e Entry) Value() uint64 { return e.Raw >> 1 }

// Position is the way from the root through the slots: "root/0/5".
func (e Entry) Position() string {
	b := []byte("root")
	for i := 0; i+1 < len(e.path); i += 2 {
		b = append(b, '/')
		b = strconv.AppendUint(b, uint64(e.path[i])<<8|uint64(e.path[i+1]), 10)
	}
	return string(b)
}

// Depth is the number of nodes above the entry.
func (e Entry) Depth() int { return len(e.path) / 2 }

func step(path []byte, slot int) []byte { return append(path, byte(slot>>8), byte(slot)) }

// Internal entries have the low bits 10. Small ones are siblings (the number of
// the slot that holds the entry), above them lie retry and zero entries, and
// addresses of nodes are above 4096 (include/linux/xarray.h).
func xaInternal(e uint64) bool { return e&3 == 2 }
func xaNode(e uint64) bool     { return xaInternal(e) && e > 4096 }

// maxXADepth is the depth of an xarray with two slots a node.
const maxXADepth = 64

// XArray yields the entries of the xarray at addr in index order. Entries that
// cover several indices come once, with their range; zero and retry entries do
// not come at all. A node that cannot be read is an error, the rest goes on.
func (w *Walker) XArray(addr uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		n, err := w.xas.Get(w.k)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		head, err := n.Head.Uint(w.k, addr)
		if err != nil {
			yield(Entry{}, notFollowed("xarray", addr, addr, err))
			return
		}
		w.xaHead(n, head, 0, yield)
	}
}

// XANode is XArray for the tree below the xa_node at addr; indices count from
// its first one.
func (w *Walker) XANode(addr uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		n, err := w.xas.Get(w.k)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		parent, _ := n.Parent.Uint(w.k, addr)
		w.xaHead(n, addr|2, parent, yield)
	}
}

func (w *Walker) xaHead(n *xaNeeds, head, parent uint64, yield func(Entry, error) bool) {
	if !xaNode(head) {
		if head != 0 && !xaInternal(head) {
			yield(Entry{Raw: head}, nil)
		}
		return
	}
	elem := n.Slots.Type.Underlying().Elem()
	if elem == nil || elem.Size() != 8 || n.Slots.Size() < 8 {
		yield(Entry{}, errors.New("xa_node.slots is no array of pointers"))
		return
	}
	t := xaWalk{w: w, n: n, slots: int(n.Slots.Size() / 8), yield: yield}
	t.visit(head-2, parent, 0, -1, nil)
}

type xaWalk struct {
	w     *Walker
	n     *xaNeeds
	slots int
	seen  visited
	yield func(Entry, error) bool
}

// visit walks the node at addr, whose first index is base. above is the shift
// of the parent, -1 if there is none.
func (t *xaWalk) visit(addr, parent, base uint64, above int, path []byte) bool {
	at := Entry{Index: base, Last: base, Node: addr, path: string(path)}
	if t.seen.again(addr) {
		return t.yield(at, &LoopError{Addr: addr, From: parent})
	}
	buf := make([]byte, t.n.Size)
	if err := t.w.k.Read(buf, addr); err != nil {
		return t.yield(at, notFollowed("xarray node", addr, parent, err))
	}
	shift := int(t.n.Shift.In(buf))
	if shift > 63 || above >= 0 && shift >= above || len(path)/2 > maxXADepth {
		return t.yield(at, notFollowed("xarray node", addr, parent, errShift))
	}
	if have := t.n.Parent.In(buf); have != parent {
		if !t.yield(at, &LinkError{Addr: addr, Have: have, Want: parent}) {
			return false
		}
	}
	for i := 0; i < t.slots; i++ {
		raw := word(buf, t.n.Slots.Offset+int64(i)*8)
		first := base + uint64(i)<<shift
		switch {
		case raw == 0:
		case xaNode(raw) && shift > 0:
			if !t.visit(raw-2, addr, first, shift, step(path, i)) {
				return false
			}
		case xaInternal(raw): // sibling without its entry, zero, retry
		default:
			last := i
			for last+1 < t.slots && word(buf, t.n.Slots.Offset+int64(last+1)*8) == uint64(i)<<2|2 {
				last++
			}
			e := Entry{Index: first, Last: base + uint64(last+1)<<shift - 1, Raw: raw, Node: addr, path: string(step(path, i))}
			if !t.yield(e, nil) {
				return false
			}
			i = last
		}
	}
	return true
}

var errShift = errors.New("its shift is not below that of its parent")

type idrNeeds struct {
	Tree kernel.Field `need:"idr.idr_rt"`
	Base kernel.Field `need:"?idr.idr_base"`
}

// IDR yields the entries of the struct idr at addr; indices are identifiers.
func (w *Walker) IDR(addr uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		n, err := w.idrs.Get(w.k)
		if err != nil {
			if layers, lerr := w.layers.Get(w.k); lerr == nil {
				w.layeredIDR(layers, addr, yield)
				return
			}
			yield(Entry{}, err)
			return
		}
		var base uint64
		if n.Base.Present() {
			if base, err = n.Base.Uint(w.k, addr); err != nil {
				yield(Entry{}, notFollowed("idr", addr, addr, err))
				return
			}
		}
		for e, err := range w.Indexed(n.Tree.At(addr)) {
			e.Index += base
			e.Last += base
			if !yield(e, err) {
				return
			}
		}
	}
}

// Indexed yields the entries of the xarray at addr, or of the radix tree there
// on kernels that have their own struct for that.
func (w *Walker) Indexed(addr uint64) iter.Seq2[Entry, error] {
	if _, err := w.xas.Get(w.k); err != nil {
		if _, rerr := w.radixs.Get(w.k); rerr == nil {
			return w.Radix(addr)
		}
	}
	return w.XArray(addr)
}
