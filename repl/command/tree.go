package command

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/value"
	"github.com/kdive/kdive/walk"
)

// treeRow is one entry of a tree.
type treeRow struct {
	addr     uint64 // of the object, or the raw entry
	value    bool   // the entry is an integer, not a pointer
	indexed  bool   // index and last mean something
	index    uint64
	last     uint64
	depth    int
	position string
	objects  []*object
	form     *treeForm
}

var treeRecord = &output.Record[treeRow]{
	Type: "tree_entry",
	Help: "one entry of a tree",
	Columns: []output.Column[treeRow]{
		{Name: "address", Help: "address of the object; null for an entry that is an integer", Get: func(r *treeRow) output.Value { return onlyIf(!r.value, output.Addr(r.addr)) }},
		{Name: "value", Help: "the integer that the entry holds, if it is one", Get: func(r *treeRow) output.Value { return onlyIf(r.value, output.Uint(r.addr)) }},
		{Name: "index", Help: "index of the entry, first of the range that it covers", Get: func(r *treeRow) output.Value { return r.ifIndexed(r.index) }},
		{Name: "last", Help: "last index that it covers", Get: func(r *treeRow) output.Value { return r.ifIndexed(r.last) }},
		{Name: "depth", Help: "number of nodes above it", Get: func(r *treeRow) output.Value { return output.Int(r.depth) }},
		{Name: "position", Help: "way from the root: left and right, or slots", Get: func(r *treeRow) output.Value { return output.String(r.position) }},
		{Name: "objects", Help: "what -s or -S asked for: objects as struct shows them", Get: func(r *treeRow) output.Value { return objectValues(r.objects) }},
	},
	Text: func(b []byte, r *treeRow) []byte { return r.appendText(b) },
}

func (r *treeRow) ifIndexed(n uint64) output.Value { return onlyIf(r.indexed, output.Uint(n)) }

func (r *treeRow) appendText(b []byte) []byte {
	if r.value {
		b = fmt.Appendf(b, "value %d\n", r.addr)
	} else {
		b = fmt.Appendf(b, "%x\n", r.addr)
	}
	switch {
	case r.form.positions && r.indexed && r.last != r.index:
		b = fmt.Appendf(b, "  index: %d-%d  position: %s\n", r.index, r.last, r.position)
	case r.form.positions && r.indexed:
		b = fmt.Appendf(b, "  index: %d  position: %s\n", r.index, r.position)
	case r.form.positions:
		b = fmt.Appendf(b, "  position: %s\n", r.position)
	}
	for _, o := range r.objects {
		b = o.appendText(b)
	}
	return b
}

// treeForm is what the options of tree ask for.
type treeForm struct {
	kind       byte  // r radix, b red-black, x xarray, m maple
	rootOffset int64 // of the root in the structure at the start address
	nodeOffset int64 // of the rb_node in its object
	positions  bool
	linear     bool
	node       bool // the start is a node
	shows      []listShow
	style      value.Style
}

// tree lists the entries of a tree.
func tree(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "tree",
		Synopsis: "[-t type] [-r offset] [-o offset] [-s struct[.member,...]] [-lpNxd] start\n-t maple -v [-r offset] start",
		Summary:  "list the entries of a red-black tree, radix tree, xarray or maple tree",
		Detail: `
The start is the address of the root (rb_root, radix_tree_root, xarray, maple_tree) or
of a structure that holds it, -r saying where. Offsets are numbers of bytes or
struct.member. Of a red-black tree the addresses of the nodes are shown, or those of
the objects that hold them if -o says where the rb_node lies; of the others the
entries, in the order of their indices.

Entries below a node that cannot be read are missing; the rest is listed, and an
error says which node it was.`,
		Options: []repl.Option{
			{Name: "t", Arg: "type", Help: "ra[dix], rb[tree], x[array] or m[aple]; rbtree if not given"},
			{Name: "r", Arg: "offset", Help: "where the root lies in the structure at the start address"},
			{Name: "o", Arg: "offset", Help: "where the rb_node lies in each object"},
			{Name: "s", Arg: "struct", Help: "print the object, or members of it, with each entry"},
			{Name: "S", Arg: "struct", Help: "as -s, one line for each member"},
			{Name: "l", Help: "red-black trees: sorted order in place of node, left, right"},
			{Name: "p", Help: "print index and position of each entry"},
			{Name: "N", Help: "the start is a node, not the root"},
			{Name: "v", Help: "maple trees: print the nodes"},
			{Name: "x", Help: "print numbers of members in hexadecimal"},
			{Name: "d", Help: "print numbers of members in decimal"},
		},
		Examples: []repl.Example{
			{Line: "tree -t xarray -p -r pid_namespace.idr init_pid_ns", Help: "All struct pid of the initial namespace."},
			{Line: "tree -t rb -o vmap_area.rb_node -s vmap_area.va_start vmap_area_root", Help: "Where each vmap_area begins."},
		},
		Records: []output.Describer{treeRecord, mapleNodeRecord},
		Run:     func(ctx context.Context, c *repl.Call) error { return runTree(ctx, t, c) },
	}
}

func runTree(ctx context.Context, t *Target, c *repl.Call) error {
	k, _, err := t.info()
	if err != nil {
		return err
	}
	if len(c.Args) != 1 {
		return c.Usage("one start address is needed")
	}
	form, err := parseTreeForm(t, c)
	if err != nil {
		return err
	}
	start, err := t.address(c.Args[0])
	if err != nil {
		return err
	}
	root := start + uint64(form.rootOffset)
	w := walk.New(k)
	if c.Has("v") {
		if form.kind != 'm' {
			return c.Usage("-v is for maple trees")
		}
		return mapleNodes(ctx, c, w, root)
	}
	rows, err := form.rows(w, root)
	if err != nil {
		return err
	}
	for r, err := range rows {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			c.Error(err)
			continue
		}
		if !r.value {
			r.read(k)
		}
		treeRecord.Emit(c.Out, r)
	}
	return nil
}

func parseTreeForm(t *Target, c *repl.Call) (*treeForm, error) {
	f := &treeForm{kind: 'b', positions: c.Has("p"), linear: c.Has("l"), node: c.Has("N"), style: t.style(c)}
	if name, ok := c.Value("t"); ok {
		switch {
		case strings.HasPrefix(name, "ra"):
			f.kind = 'r'
		case strings.HasPrefix(name, "rb"):
		case strings.HasPrefix(name, "x"):
			f.kind = 'x'
		case strings.HasPrefix(name, "m"):
			f.kind = 'm'
		default:
			return nil, c.Usage("no tree type is called %s", name)
		}
	}
	root, err := t.offsetOption(c, "r")
	if err != nil {
		return nil, err
	}
	node, err := t.offsetOption(c, "o")
	if err != nil {
		return nil, err
	}
	f.rootOffset, f.nodeOffset = int64(root), int64(node)
	f.shows, err = t.planShows(c)
	return f, err
}

// rows yields the entries of the tree.
func (f *treeForm) rows(w *walk.Walker, root uint64) (iter.Seq2[*treeRow, error], error) {
	switch {
	case f.kind == 'b':
		order := walk.PreOrder
		if f.linear {
			order = walk.InOrder
		}
		nodes := w.RBTree(root, order)
		if f.node {
			nodes = w.RBSubtree(root, order)
		}
		return func(yield func(*treeRow, error) bool) {
			for n, err := range nodes {
				r := &treeRow{addr: n.Addr - uint64(f.nodeOffset), depth: n.Depth(), position: n.Position(), form: f}
				if !yield(r, err) {
					return
				}
			}
		}, nil
	case f.kind == 'x' && f.node:
		return f.entries(w.XANode(root)), nil
	case f.node:
		return nil, fmt.Errorf("a walk from a node is possible in red-black trees and xarrays only")
	case f.kind == 'x':
		return f.entries(w.XArray(root)), nil
	case f.kind == 'm':
		return f.entries(w.Maple(root)), nil
	}
	return f.entries(w.Indexed(root)), nil
}

func (f *treeForm) entries(all iter.Seq2[walk.Entry, error]) iter.Seq2[*treeRow, error] {
	return func(yield func(*treeRow, error) bool) {
		for e, err := range all {
			r := &treeRow{addr: e.Raw, indexed: true, index: e.Index, last: e.Last, depth: e.Depth(), position: e.Position(), form: f}
			if e.IsValue() {
				r.addr, r.value = e.Value(), true
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// read takes the objects that are to be shown.
func (r *treeRow) read(k *kernel.Kernel) {
	for i := range r.form.shows {
		r.objects = append(r.objects, r.form.shows[i].at(k, r.addr, r.form.style))
	}
}
