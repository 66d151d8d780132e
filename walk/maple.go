package walk

import (
	"errors"
	"fmt"
	"iter"

	"github.com/kdive/kdive/kernel"
)

type mapleNeeds struct {
	Root   kernel.Field `need:"maple_tree.ma_root"`
	Flags  kernel.Field `need:"maple_tree.ma_flags"`
	Parent kernel.Field `need:"maple_node.parent"`
	Slots  kernel.Field `need:"maple_node.slot"`
	Size   kernel.Size  `need:"maple_node"`

	RangePivots kernel.Field `need:"maple_node.mr64.pivot"`
	RangeSlots  kernel.Field `need:"maple_node.mr64.slot"`
	RangeEnd    kernel.Field `need:"maple_node.mr64.meta.end"`
	RangeGap    kernel.Field `need:"maple_node.mr64.meta.gap"`

	AllocPivots kernel.Field `need:"maple_node.ma64.pivot"`
	AllocSlots  kernel.Field `need:"maple_node.ma64.slot"`
	AllocGaps   kernel.Field `need:"maple_node.ma64.gap"`
	AllocEnd    kernel.Field `need:"maple_node.ma64.meta.end"`
	AllocGap    kernel.Field `need:"maple_node.ma64.meta.gap"`

	Dense  kernel.Enum `need:"maple_dense"`
	Leaf   kernel.Enum `need:"maple_leaf_64"`
	Range  kernel.Enum `need:"maple_range_64"`
	Arange kernel.Enum `need:"maple_arange_64"`
}

// Facts of the encoding (include/linux/maple_tree.h, lib/maple_tree.c): nodes
// are aligned to 256 bytes, pointers to them carry the type in bits 3 to 6; the
// height is in bits 2 to 6 of ma_flags; bit 0 of the root's parent is set.
const (
	mapleNodeMask    = 0xff
	mapleTypeShift   = 3
	mapleTypeMask    = 0xf
	mapleHeightShift = 2
	mapleHeightMask  = 0x7c
	maxMapleDepth    = 31 // MAPLE_HEIGHT_MAX
)

// MapleHead is a struct maple_tree.
type MapleHead struct {
	Addr  uint64
	Flags uint64
	Root  uint64 // an encoded node, or the only entry, at index 0
}

// Height is the number of levels of nodes.
func (h MapleHead) Height() int { return int(h.Flags & mapleHeightMask >> mapleHeightShift) }

// HasNodes reports whether Root is a node and not the only entry.
func (h MapleHead) HasNodes() bool { return xaNode(h.Root) }

// MapleNode is one node of a maple tree.
type MapleNode struct {
	Addr     uint64
	Encoded  uint64 // as its parent's slot holds it, with its type
	Type     int    // enum maple_type
	TypeName string // "maple_leaf_64"
	Leaf     bool
	Depth    int // 0 for the root
	Min, Max uint64
	Parent   uint64 // as stored, with its flag bits
	Pivots   []uint64
	Slots    []uint64 // all, also those beyond End
	Gaps     []uint64 // maple_arange_64 only
	MetaEnd  uint64   // meta.end; meaningless in a full maple_leaf_64 or maple_range_64
	MetaGap  uint64
	// Lasts holds the last index of every slot in use.
	Lasts []uint64
	path  string
}

// entry is what slot i holds.
func (m *MapleNode) entry(i int) Entry {
	first := m.Min
	if i > 0 {
		first = m.Lasts[i-1] + 1
	}
	return Entry{Index: first, Last: m.Lasts[i], Raw: m.Slots[i], Node: m.Addr, path: string(step([]byte(m.path), i))}
}

// MapleHead reads the struct maple_tree at addr.
func (w *Walker) MapleHead(addr uint64) (MapleHead, error) {
	n, err := w.maples.Get(w.k)
	if err != nil {
		return MapleHead{}, err
	}
	root, err := n.Root.Uint(w.k, addr)
	if err != nil {
		return MapleHead{}, notFollowed("maple tree", addr, addr, err)
	}
	flags, err := n.Flags.Uint(w.k, addr)
	if err != nil {
		return MapleHead{}, notFollowed("maple tree", addr, addr, err)
	}
	return MapleHead{Addr: addr, Flags: flags, Root: root}, nil
}

// Maple yields the entries of the maple tree at addr in index order, with their
// ranges; empty and reserved ranges are passed over.
func (w *Walker) Maple(addr uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		h, err := w.MapleHead(addr)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		if !h.HasNodes() {
			if h.Root != 0 && !xaInternal(h.Root) {
				yield(Entry{Raw: h.Root}, nil)
			}
			return
		}
		for node, err := range w.MapleNodes(addr) {
			if err != nil {
				if !yield(Entry{Index: node.Min, Last: node.Max, Node: node.Addr, path: node.path}, err) {
					return
				}
				continue
			}
			if !node.Leaf {
				continue
			}
			for i := range node.Lasts {
				if raw := node.Slots[i]; raw != 0 && !xaInternal(raw) && !yield(node.entry(i), nil) {
					return
				}
			}
		}
	}
}

// MapleNodes yields the nodes of the maple tree at addr, parents first, in
// index order. An error comes with what is known of its node.
func (w *Walker) MapleNodes(addr uint64) iter.Seq2[MapleNode, error] {
	return func(yield func(MapleNode, error) bool) {
		n, err := w.maples.Get(w.k)
		var h MapleHead
		if err == nil {
			h, err = w.MapleHead(addr)
		}
		if err != nil {
			yield(MapleNode{}, err)
			return
		}
		if h.HasNodes() {
			t := mapleWalk{w: w, n: n, yield: yield}
			t.visit(h.Root, addr, MapleNode{Max: ^uint64(0)})
		}
	}
}

type mapleWalk struct {
	w     *Walker
	n     *mapleNeeds
	seen  visited
	yield func(MapleNode, error) bool
}

// visit walks the node that enode names. m brings its range, depth and path;
// parent is the address of the node above, or of the tree.
func (t *mapleWalk) visit(enode, parent uint64, m MapleNode) bool {
	m.Encoded, m.Addr = enode, enode&^mapleNodeMask
	m.Type = int(enode >> mapleTypeShift & mapleTypeMask)
	if t.seen.again(m.Addr) {
		return t.yield(m, &LoopError{Addr: m.Addr, From: parent})
	}
	if m.Depth > maxMapleDepth {
		return t.yield(m, notFollowed("maple node", m.Addr, parent, errDepth))
	}
	buf := make([]byte, t.n.Size)
	if err := t.w.k.Read(buf, m.Addr); err != nil {
		return t.yield(m, notFollowed("maple node", m.Addr, parent, err))
	}
	if err := t.decode(&m, buf); err != nil {
		return t.yield(m, notFollowed("maple node", m.Addr, parent, err))
	}
	if err := checkMapleParent(&m, parent); err != nil && !t.yield(m, err) {
		return false
	}
	broken := m.limits()
	if broken != nil && !t.yield(m, notFollowed("maple node", m.Addr, parent, broken)) {
		return false
	}
	if !t.yield(m, nil) {
		return false
	}
	if m.Leaf {
		return true
	}
	for i := range m.Lasts {
		e := m.entry(i)
		if e.Raw == 0 {
			continue
		}
		if !t.visit(e.Raw, m.Addr, MapleNode{Min: e.Index, Max: e.Last, Depth: m.Depth + 1, path: e.path}) {
			return false
		}
	}
	return true
}

func checkMapleParent(m *MapleNode, parent uint64) error {
	have := m.Parent &^ mapleNodeMask
	if m.Depth == 0 {
		have = m.Parent &^ 1
	}
	if have != parent {
		return &LinkError{Addr: m.Addr, Have: have, Want: parent}
	}
	return nil
}

// decode takes the arrays of the node's type out of buf.
func (t *mapleWalk) decode(m *MapleNode, buf []byte) error {
	m.Parent = t.n.Parent.In(buf)
	switch int64(m.Type) {
	case t.n.Dense.Value:
		m.TypeName, m.Leaf = "maple_dense", true
		m.Slots = array(&t.n.Slots, buf)
	case t.n.Leaf.Value, t.n.Range.Value:
		m.TypeName = "maple_range_64"
		if m.Leaf = int64(m.Type) == t.n.Leaf.Value; m.Leaf {
			m.TypeName = "maple_leaf_64"
		}
		m.Pivots, m.Slots = array(&t.n.RangePivots, buf), array(&t.n.RangeSlots, buf)
		m.MetaEnd, m.MetaGap = t.n.RangeEnd.In(buf), t.n.RangeGap.In(buf)
	case t.n.Arange.Value:
		m.TypeName = "maple_arange_64"
		m.Pivots, m.Slots = array(&t.n.AllocPivots, buf), array(&t.n.AllocSlots, buf)
		m.Gaps = array(&t.n.AllocGaps, buf)
		m.MetaEnd, m.MetaGap = t.n.AllocEnd.In(buf), t.n.AllocGap.In(buf)
	default:
		return fmt.Errorf("node type %d is unknown", m.Type)
	}
	if len(m.Slots) == 0 {
		return errors.New("nodes of its type have no slots")
	}
	return nil
}

// array is a member that is an array of 64-bit words.
func array(f *kernel.Field, buf []byte) []uint64 {
	b := f.Bytes(buf)
	words := make([]uint64, len(b)/8)
	for i := range words {
		words[i] = word(b, int64(i)*8)
	}
	return words
}

// limits fills Lasts. A pivot of 0, but for the first, and the slot behind the
// last pivot mean the node's maximum.
func (m *MapleNode) limits() error {
	first := m.Min
	for i := range m.Slots {
		last := m.Max
		switch {
		case m.TypeName == "maple_dense":
			last = first
		case i < len(m.Pivots) && (m.Pivots[i] != 0 || i == 0):
			last = m.Pivots[i]
		}
		if last < first || last > m.Max {
			return fmt.Errorf("pivot %d is %#x, outside %#x-%#x", i, last, first, m.Max)
		}
		m.Lasts = append(m.Lasts, last)
		if last == m.Max {
			break
		}
		first = last + 1
	}
	return nil
}
