package walk

import (
	"errors"
	"iter"

	"github.com/kdive/kdive/kernel"
)

// radixNeeds are those of the radix tree as it was before xarrays replaced it
// (4.20). Nodes know their shift since 4.7, and their height before.
type radixNeeds struct {
	Root   kernel.Field `need:"radix_tree_root.rnode"`
	Slots  kernel.Field `need:"radix_tree_node.slots"`
	Shift  kernel.Field `need:"?radix_tree_node.shift"`
	Height kernel.Field `need:"?radix_tree_node.path|radix_tree_node.height"`
	Size   kernel.Size  `need:"radix_tree_node"`
}

// Radix yields the entries of the radix_tree_root at addr in index order, on
// kernels that have one.
func (w *Walker) Radix(addr uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		n, err := w.radixs.Get(w.k)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		slots := int(n.Slots.Size() / 8)
		if slots < 2 || slots&(slots-1) != 0 || slots > 1<<12 {
			yield(Entry{}, errors.New("radix_tree_node.slots is no array of a power of two"))
			return
		}
		root, err := n.Root.Uint(w.k, addr)
		if err != nil {
			yield(Entry{}, notFollowed("radix tree", addr, addr, err))
			return
		}
		// Bit 0 without bit 1 marks a pointer to a node (RADIX_TREE_INTERNAL_NODE).
		switch {
		case root == 0:
		case root&3 != 1:
			yield(Entry{Raw: root}, nil)
		default:
			t := radixWalk{w: w, n: n, slots: slots, yield: yield}
			t.visit(root&^3, addr, 0, -1, nil)
		}
	}
}

type radixWalk struct {
	w     *Walker
	n     *radixNeeds
	slots int
	seen  visited
	yield func(Entry, error) bool
}

// shift of the node in buf: the number of index bits below its slots.
func (t *radixWalk) shift(buf []byte) (int, error) {
	if t.n.Shift.Present() {
		return int(t.n.Shift.In(buf)), nil
	}
	if !t.n.Height.Present() {
		return 0, errors.New("radix_tree_node has neither shift nor height")
	}
	bits := 0
	for 1<<bits < t.slots {
		bits++
	}
	// The low bits of path are the height; a lone node has height 1.
	const heightMask = 0xf
	return (int(t.n.Height.In(buf)&heightMask) - 1) * bits, nil
}

func (t *radixWalk) visit(addr, parent, base uint64, above int, path []byte) bool {
	at := Entry{Index: base, Last: base, Node: addr, path: string(path)}
	if t.seen.again(addr) {
		return t.yield(at, &LoopError{Addr: addr, From: parent})
	}
	buf := make([]byte, t.n.Size)
	if err := t.w.k.Read(buf, addr); err != nil {
		return t.yield(at, notFollowed("radix tree node", addr, parent, err))
	}
	shift, err := t.shift(buf)
	if err == nil && (shift < 0 || shift > 63 || above >= 0 && shift >= above) {
		err = errShift
	}
	if err != nil {
		return t.yield(at, notFollowed("radix tree node", addr, parent, err))
	}
	for i := range t.slots {
		raw := word(buf, t.n.Slots.Offset+int64(i)*8)
		first := base + uint64(i)<<shift
		switch {
		case raw == 0:
		case raw&3 == 1 && t.sibling(raw, addr):
		case shift > 0 && (raw&3 == 1 || !t.n.Shift.Present()):
			// Before 4.6 only the root's pointer was marked.
			if !t.visit(raw&^3, addr, first, shift, step(path, i)) {
				return false
			}
		default:
			e := Entry{Index: first, Last: first + 1<<shift - 1, Raw: raw, Node: addr, path: string(step(path, i))}
			if !t.yield(e, nil) {
				return false
			}
		}
	}
	return true
}

// sibling reports whether a marked pointer is one to a slot of the node itself:
// the rest of an entry that covers several slots.
func (t *radixWalk) sibling(raw, node uint64) bool {
	slots := node + uint64(t.n.Slots.Offset)
	return raw&^3-slots < uint64(t.slots)*8
}
