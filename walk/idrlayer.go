package walk

import (
	"errors"

	"github.com/kdive/kdive/kernel"
)

// layerNeeds are those of the IDR as it was before it became a radix tree
// (4.11, lib/idr.c): a tree of layers with an array of pointers each, those of
// layer 0 being the entries.
type layerNeeds struct {
	Top   kernel.Field `need:"idr.top"`
	Layer kernel.Field `need:"idr_layer.layer"`
	Array kernel.Field `need:"idr_layer.ary"`
	Size  kernel.Size  `need:"idr_layer"`
}

// layeredIDR yields the entries of the struct idr at addr.
func (w *Walker) layeredIDR(n *layerNeeds, addr uint64, yield func(Entry, error) bool) {
	slots, bits := int(n.Array.Size()/8), 0
	for 1<<bits < slots {
		bits++
	}
	if slots < 2 || slots != 1<<bits || slots > 1<<12 || n.Size > 1<<16 {
		yield(Entry{}, errors.New("idr_layer.ary is no array of a power of two"))
		return
	}
	top, err := n.Top.Uint(w.k, addr)
	if err != nil {
		yield(Entry{}, notFollowed("idr", addr, addr, err))
		return
	}
	if top != 0 {
		t := layerWalk{w: w, n: n, slots: slots, bits: bits, yield: yield}
		t.visit(top, addr, 0, -1, nil)
	}
}

type layerWalk struct {
	w     *Walker
	n     *layerNeeds
	slots int
	bits  int // of the index in one layer
	seen  visited
	yield func(Entry, error) bool
}

func (t *layerWalk) visit(addr, parent, base uint64, above int, path []byte) bool {
	at := Entry{Index: base, Last: base, Node: addr, path: string(path)}
	if t.seen.again(addr) {
		return t.yield(at, &LoopError{Addr: addr, From: parent})
	}
	buf := make([]byte, t.n.Size)
	if err := t.w.k.Read(buf, addr); err != nil {
		return t.yield(at, notFollowed("idr layer", addr, parent, err))
	}
	layer := int(int32(t.n.Layer.In(buf)))
	if layer < 0 || layer*t.bits > 63 || above >= 0 && layer >= above {
		return t.yield(at, notFollowed("idr layer", addr, parent, errShift))
	}
	for i := range t.slots {
		raw := word(buf, t.n.Array.Offset+int64(i)*8)
		first := base + uint64(i)<<(layer*t.bits)
		switch {
		case raw == 0:
		case layer > 0:
			if !t.visit(raw, addr, first, layer, step(path, i)) {
				return false
			}
		case !t.yield(Entry{Index: first, Last: first, Raw: raw, Node: addr, path: string(step(path, i))}, nil):
			return false
		}
	}
	return true
}
