package command

import (
	"context"
	"fmt"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/walk"
)

var mapleNodeRecord = &output.Record[walk.MapleNode]{
	Type: "maple_node",
	Help: "one node of a maple tree (-v)",
	Columns: []output.Column[walk.MapleNode]{
		{Name: "address", Help: "address of the node", Get: func(n *walk.MapleNode) output.Value { return output.Addr(n.Addr) }},
		{Name: "kind", Help: "type of the node", Get: func(n *walk.MapleNode) output.Value { return output.String(n.TypeName) }},
		{Name: "depth", Help: "number of nodes above it", Get: func(n *walk.MapleNode) output.Value { return output.Int(n.Depth) }},
		{Name: "min", Help: "first index that it covers", Get: func(n *walk.MapleNode) output.Value { return output.Uint(n.Min) }},
		{Name: "max", Help: "last index that it covers", Get: func(n *walk.MapleNode) output.Value { return output.Uint(n.Max) }},
		{Name: "parent", Help: "its parent pointer with the flags in it", Get: func(n *walk.MapleNode) output.Value { return output.Addr(n.Parent) }},
		{Name: "slots", Help: "its slots in use, with the last index of each", Get: mapleSlots},
		{Name: "gaps", Help: "the largest gap below each slot, where the node keeps them", Get: func(n *walk.MapleNode) output.Value {
			if n.Gaps == nil {
				return output.Null()
			}
			return uints(n.Gaps)
		}},
	},
	Text: func(b []byte, n *walk.MapleNode) []byte {
		b = fmt.Appendf(b, "%*s%d-%d: node 0x%x depth %d %s parent 0x%x contents:", 2*n.Depth, "", n.Min, n.Max, n.Addr, n.Depth, n.TypeName, n.Parent)
		for i, last := range n.Lasts {
			if i < len(n.Slots) {
				b = fmt.Appendf(b, " 0x%x %d", n.Slots[i], last)
			}
		}
		return appendRanges(append(b, '\n'), n)
	},
}

// appendRanges adds a line for each range of a leaf and what it holds.
func appendRanges(b []byte, n *walk.MapleNode) []byte {
	if !n.Leaf {
		return b
	}
	first := n.Min
	for i, last := range n.Lasts {
		if i >= len(n.Slots) {
			break
		}
		b = fmt.Appendf(b, "%*s%d", 2*n.Depth+2, "", first)
		if last != first {
			b = fmt.Appendf(b, "-%d", last)
		}
		b = fmt.Appendf(b, ": %x\n", n.Slots[i])
		first = last + 1
	}
	return b
}

func mapleSlots(n *walk.MapleNode) output.Value {
	var slots []output.Value
	for i, last := range n.Lasts {
		if i < len(n.Slots) {
			slots = append(slots, output.Object(output.Field{Name: "entry", Value: output.Addr(n.Slots[i])}, output.Field{Name: "last", Value: output.Uint(last)}))
		}
	}
	return output.List(slots...)
}

func uints(list []uint64) output.Value {
	v := make([]output.Value, len(list))
	for i, n := range list {
		v[i] = output.Uint(n)
	}
	return output.List(v...)
}

// mapleNodes prints the nodes of a maple tree, parents first.
func mapleNodes(ctx context.Context, c *repl.Call, w *walk.Walker, root uint64) error {
	head, err := w.MapleHead(root)
	if err != nil {
		return err
	}
	c.Out.Printf("maple_tree(%x) flags %X, height %d root 0x%x\n", head.Addr, head.Flags, head.Height(), head.Root)
	for n, err := range w.MapleNodes(root) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			c.Error(err)
			continue
		}
		mapleNodeRecord.Emit(c.Out, &n)
	}
	return nil
}
