package walk

import (
	"iter"

	"github.com/kdive/kdive/kernel"
)

type rbNeeds struct {
	Root   kernel.Field `need:"rb_root.rb_node"`
	Parent kernel.Field `need:"rb_node.__rb_parent_color"`
	Left   kernel.Field `need:"rb_node.rb_left"`
	Right  kernel.Field `need:"rb_node.rb_right"`
	Size   kernel.Size  `need:"rb_node"`
}

// Order in which the nodes of a tree are yielded.
type Order uint8

// Orders of RBTree.
const (
	InOrder  Order = iota // sorted, as rb_first and rb_next give them
	PreOrder              // a node before its subtrees
)

// RBNode is a node of a red-black tree.
type RBNode struct {
	Addr uint64 // of the rb_node
	path string
}

// Position is the way from the root: "root/l/r" is the right child of the
// root's left child.
func (n RBNode) Position() string {
	b := []byte("root")
	for i := range len(n.path) {
		b = append(b, '/', n.path[i])
	}
	return string(b)
}

// Depth is the number of steps from the root.
func (n RBNode) Depth() int { return len(n.path) }

// maxRBDepth bounds a red-black tree: twice the logarithm of the number of
// nodes that fit into 64 bits of addresses.
const maxRBDepth = 128

// RBTree yields the nodes of the tree whose rb_root (or rb_root_cached) is at
// root. A node that cannot be read, or whose parent pointer disagrees
// (*LinkError, the node follows), is reported in its place.
func (w *Walker) RBTree(root uint64, order Order) iter.Seq2[RBNode, error] {
	return func(yield func(RBNode, error) bool) {
		n, err := w.rbs.Get(w.k)
		if err != nil {
			yield(RBNode{}, err)
			return
		}
		top, err := n.Root.Uint(w.k, root)
		if err != nil {
			yield(RBNode{}, notFollowed("tree root", root, root, err))
			return
		}
		w.rbFrom(n, top, 0, order, yield)
	}
}

// RBSubtree is RBTree for the tree below the rb_node at node, itself included.
func (w *Walker) RBSubtree(node uint64, order Order) iter.Seq2[RBNode, error] {
	return func(yield func(RBNode, error) bool) {
		n, err := w.rbs.Get(w.k)
		if err != nil {
			yield(RBNode{}, err)
			return
		}
		parent, _ := n.Parent.Uint(w.k, node)
		w.rbFrom(n, node, parent&^3, order, yield)
	}
}

func (w *Walker) rbFrom(n *rbNeeds, top, parent uint64, order Order, yield func(RBNode, error) bool) {
	t := rbWalk{w: w, n: n, order: order, yield: yield, buf: make([]byte, n.Size)}
	t.visit(top, parent, nil)
}

type rbWalk struct {
	w     *Walker
	n     *rbNeeds
	order Order
	seen  visited
	buf   []byte
	yield func(RBNode, error) bool
}

// visit reports whether the walk goes on.
func (t *rbWalk) visit(addr, parent uint64, path []byte) bool {
	if addr == 0 {
		return true
	}
	node := RBNode{Addr: addr, path: string(path)}
	if t.seen.again(addr) {
		return t.yield(node, &LoopError{Addr: addr, From: parent})
	}
	if len(path) > maxRBDepth {
		return t.yield(node, notFollowed("tree node", addr, parent, errDepth))
	}
	if err := t.w.k.Read(t.buf, addr); err != nil {
		return t.yield(node, notFollowed("tree node", addr, parent, err))
	}
	// The two low bits of the parent pointer hold the colour.
	left, right := t.n.Left.In(t.buf), t.n.Right.In(t.buf)
	if have := t.n.Parent.In(t.buf) &^ 3; have != parent {
		if !t.yield(node, &LinkError{Addr: addr, Have: have, Want: parent}) {
			return false
		}
	}
	if t.order == PreOrder && !t.yield(node, nil) {
		return false
	}
	if !t.visit(left, addr, append(path, 'l')) {
		return false
	}
	if t.order == InOrder && !t.yield(node, nil) {
		return false
	}
	return t.visit(right, addr, append(path, 'r'))
}
