package replay

import (
	"debug/dwarf"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kdive/kdive/debuginfo"
	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/mapped"
	"github.com/kdive/kdive/replay/symbolic"
)

// function is a function of the kernel, analyzed.
type function struct {
	entry   uint64
	cfaBase bool // the frame base of its debug info is the CFA
	*symbolic.Func
	err error
}

// maxFuncs bounds what is kept.
const maxFuncs = 1 << 10

const (
	maxPiece = 1 << 17 // bytes of one part of a function
	maxAll   = 1 << 18 // of all parts
	stubSize = 64      // of code outside of the function that goes on after a fault
	maxVars  = 1 << 14 // entries of a function's debug info
	maxDepth = 64
)

// function is the function that covers pc.
func (m *Model) function(pc uint64) *function {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f, ok := m.funcs[pc]; ok {
		return f
	}
	if len(m.funcs) >= maxFuncs {
		clear(m.funcs)
		clear(m.starts)
	}
	x, err := m.extent(pc)
	f := m.starts[x.entry]
	if f == nil || err != nil {
		f = &function{entry: x.entry, cfaBase: x.cfaBase, err: err}
		if err == nil {
			f.Func, f.err = m.analyze(&x)
			m.starts[x.entry] = f
		}
	}
	m.funcs[pc] = f
	return f
}

// extent is where a function begins, where its code lies, and which variables lie
// in its frame.
type extent struct {
	entry   uint64
	cfaBase bool
	pieces  []symbolic.Piece
	objects []symbolic.Extent
}

func (m *Model) extent(pc uint64) (x extent, err error) {
	info, link, err := m.v.InfoAt(pc)
	var scopes []debuginfo.Scope
	if err == nil {
		scopes, err = info.Scopes(link)
	}
	if err != nil || len(scopes) == 0 {
		x.entry, x.pieces, err = m.bySymbol(pc)
		return x, err
	}
	left := uint64(maxAll)
	for _, r := range scopes[0].Ranges {
		low, ok := m.v.Runtime(pc, r.Low)
		if !ok || r.High <= r.Low || r.High-r.Low > min(maxPiece, left) {
			return x, fmt.Errorf("the function at %#x has a part of %d bytes", pc, r.High-r.Low)
		}
		left -= r.High - r.Low
		if x.entry == 0 && m.starter(low) {
			x.entry = low
		}
		x.pieces = append(x.pieces, symbolic.Piece{Start: low, Bytes: make([]byte, r.High-r.Low)})
	}
	if x.entry == 0 {
		return x, fmt.Errorf("where the function at %#x begins is not known", pc)
	}
	x.objects, x.cfaBase, err = locals(info, &scopes[0])
	return x, err
}

// starter reports whether a function begins at an address, not an outlined part.
func (m *Model) starter(addr uint64) bool {
	s, ok := m.v.FindSymbol(addr)
	return ok && s.Addr == addr && !strings.Contains(s.Name, ".cold")
}

// bySymbol takes a symbol's size for that of a function without debug info.
func (m *Model) bySymbol(pc uint64) (uint64, []symbolic.Piece, error) {
	s, ok := m.v.FindSymbol(pc)
	if !ok || s.Size == 0 || s.Size > maxPiece || pc-s.Addr >= s.Size || strings.Contains(s.Name, ".cold") {
		return 0, nil, fmt.Errorf("the extent of the function at %#x is not known", pc)
	}
	return s.Addr, []symbolic.Piece{{Start: s.Addr, Bytes: make([]byte, s.Size)}}, nil
}

func (m *Model) analyze(x *extent) (*symbolic.Func, error) {
	ways, err := m.edges.of(m.v, m.v.ModuleAt(x.entry))
	if err != nil {
		return nil, err
	}
	pieces := addStubs(x.pieces, ways)
	for i := range pieces {
		if err := m.v.Read(pieces[i].Bytes, pieces[i].Start); err != nil {
			return nil, err
		}
	}
	c := symbolic.Code{Entry: x.entry, Pieces: pieces, Objects: x.objects, Keeps: m.keeps, Table: func(addr uint64) (uint64, bool) {
		v, constant, err := m.read(addr, 8)
		return v, err == nil && constant
	}}
	c.Edges = func(pc uint64) []symbolic.Edge {
		for i := range pieces {
			if off := pc - pieces[i].Start; off < uint64(len(pieces[i].Bytes)) {
				return from(ways, pc, pieces[i].Bytes[off:])
			}
		}
		return nil
	}
	return symbolic.Analyze(c)
}

// addStubs appends the code that the exception table leads to outside of the
// function; it comes back by a jump.
func addStubs(pieces []symbolic.Piece, ways []way) []symbolic.Piece {
	inside := func(addr uint64) bool {
		return slices.ContainsFunc(pieces, func(p symbolic.Piece) bool { return addr-p.Start < uint64(len(p.Bytes)) })
	}
	var stubs []uint64
	for _, p := range pieces {
		i, _ := slices.BinarySearchFunc(ways, p.Start, func(w way, a uint64) int {
			if w.from < a {
				return -1
			}
			return 1
		})
		for ; i < len(ways) && ways[i].from-p.Start < uint64(len(p.Bytes)); i++ {
			if !inside(ways[i].to) {
				stubs = append(stubs, ways[i].to)
			}
		}
	}
	slices.Sort(stubs)
	for i := 0; i < len(stubs); {
		start, end := stubs[i], stubs[i]+stubSize
		for i++; i < len(stubs) && stubs[i] <= end; i++ {
			end = stubs[i] + stubSize
		}
		pieces = append(pieces, symbolic.Piece{Start: start, Bytes: make([]byte, min(end-start, maxPiece))})
	}
	return pieces
}

// keeps reports whether a called address is the hook of the function tracer.
func (m *Model) keeps(target uint64) bool {
	name, off, ok := m.v.SymbolAt(target)
	return ok && off == 0 && (name == "__fentry__" || name == "ftrace_caller" || name == "ftrace_regs_caller")
}

var errFrameBase = errors.New("a frame base other than the CFA")

// locals are the variables of a function, and of all that is inlined into it, that
// lie in its frame.
func locals(info *debuginfo.Info, fn *debuginfo.Scope) (list []symbolic.Extent, cfaBase bool, err error) {
	err = mapped.Guard(func() error {
		base, ok := fn.Attr(dwarf.AttrFrameBase)
		if !ok || len(base.Block) != 1 || base.Block[0] != die.OpCallFrameCFA {
			return errFrameBase
		}
		budget := maxVars
		return collect(info, &fn.Entry, &list, &budget, 0)
	})
	if errors.Is(err, errFrameBase) {
		return nil, false, nil // nothing is known of the frame
	}
	return list, true, err
}

func collect(info *debuginfo.Info, e *die.Entry, list *[]symbolic.Extent, budget *int, depth int) error {
	for c, err := range e.Kids() {
		if err != nil {
			return err
		}
		if *budget--; *budget < 0 {
			return nil // what is not listed counts as unknown
		}
		switch c.Tag {
		case dwarf.TagVariable, dwarf.TagFormalParameter:
			addObject(info, &c, list)
		case dwarf.TagLexDwarfBlock, dwarf.TagInlinedSubroutine:
			if depth < maxDepth {
				if err := collect(info, &c, list, budget, depth+1); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// addObject adds a variable if it, or a piece of it, lies in the frame.
func addObject(info *debuginfo.Info, c *die.Entry, list *[]symbolic.Extent) {
	v, ok := c.Attr(dwarf.AttrLocation)
	if !ok {
		return
	}
	locations, err := c.Unit.Locations(v)
	if err != nil {
		return
	}
	for _, l := range locations {
		if len(l.Expr) < 2 || l.Expr[0] != die.OpFbreg {
			continue
		}
		b := die.At(l.Expr, 1)
		off := b.Sleb()
		if b.Bad || b.Pos != len(l.Expr) {
			continue // a piece, or a computed value
		}
		t, err := info.TypeOf(c)
		if err != nil || t == nil || t.Size() <= 0 {
			continue
		}
		// The CFA is behind the return address.
		x := symbolic.Extent{Low: off + 8, High: off + 8 + t.Size()}
		if !slices.Contains(*list, x) {
			*list = append(*list, x)
		}
	}
}
