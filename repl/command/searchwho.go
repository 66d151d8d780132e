package command

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kdive/kdive/identify"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/search"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/value"
)

// holders says what holds each hit of a search (-a), or counts hits by that
// (-g).
type holders struct {
	s     *searcher
	k     *kernel.Kernel
	m     *identify.Model
	style value.Style
	show  []string // members of the holder to show

	waiting []waitingHit
	flushed bool                // there was more than one batch
	groups  map[string]*group   // -g
	counted map[uint64]struct{} // -g: physical addresses
	twice   bool                // -g: hits are not remembered any more
}

type waitingHit struct {
	search.Hit
	mem  value.Memory
	task *task.Task
}

// maxWaiting is how many hits are identified together: their types are looked
// for in one pass over memory.
const maxWaiting = 1 << 18

// newHolders is nil without -a and -g.
func (s *searcher) newHolders() (*holders, error) {
	c := s.c
	show, hasShow := c.Value("show")
	if !c.Has("a") && !c.Has("g") {
		if hasShow {
			return nil, c.Usage("--show goes with -a and -g")
		}
		return nil, nil
	}
	m, err := s.t.identify()
	if err != nil {
		return nil, err
	}
	h := &holders{s: s, k: s.t.Opened.Kernel, m: m, style: s.t.style(c)}
	if hasShow {
		h.show = strings.Split(show, ",")
	}
	if c.Has("g") {
		if c.Has("x") {
			return nil, c.Usage("-g counts hits: it shows nothing around them")
		}
		h.groups, h.counted = map[string]*group{}, map[uint64]struct{}{}
	}
	return h, nil
}

// add takes a hit; it is shown by a later flush.
func (h *holders) add(ctx context.Context, mem value.Memory, hit search.Hit, x *task.Task) error {
	h.waiting = append(h.waiting, waitingHit{hit, mem, x})
	if len(h.waiting) < maxWaiting {
		return nil
	}
	return h.flush(ctx)
}

// address is the kernel virtual address of a hit.
func (h *holders) address(hit *search.Hit) uint64 {
	if h.s.scope == 'p' || h.s.scope == 'u' {
		if v, ok := h.k.PhysToVirt(hit.Paddr); ok {
			return v
		}
	}
	return hit.Addr
}

// flush shows the hits that wait.
func (h *holders) flush(ctx context.Context) error {
	if err := h.learn(ctx); err != nil {
		return err
	}
	for i := range h.waiting {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		w := &h.waiting[i]
		x := identityAt(h.k, h.m, h.address(&w.Hit))
		x.shown = h.members(x)
		if h.groups != nil {
			h.count(x, &w.Hit)
		} else {
			h.s.emitRow(w.mem, w.Hit, w.task, x)
		}
	}
	h.waiting = h.waiting[:0]
	return nil
}

// learn finds the types of the objects that the hits are in. It goes over memory
// again for the first batch only: where there are so many hits their types say
// little.
func (h *holders) learn(ctx context.Context) error {
	if h.flushed {
		return nil
	}
	h.flushed = true
	bases := map[uint64]bool{}
	for i := range h.waiting {
		p := h.m.Find(h.address(&h.waiting[i].Hit))
		if p.Kind != identify.Object {
			continue
		}
		if state, _, err := p.Object.State(); state == slab.Allocated || err != nil {
			bases[p.Base] = true
		}
	}
	return h.m.Learn(ctx, slices.Sorted(maps.Keys(bases)), func(done uint64) { h.s.c.Progress(done, 0) })
}

// shownMember is a member of what holds a hit.
type shownMember struct {
	name string
	text string
	tree value.JSON
}

func (h *holders) members(x *identity) []shownMember {
	if !x.typed || x.typing.Array {
		return nil
	}
	var list []shownMember
	base := value.New(h.k, x.typing.Type, x.Base)
	for _, name := range h.show {
		v, err := base.Path(name)
		if err != nil {
			continue // another structure
		}
		s := shownMember{name: name, tree: value.JSON{Value: v, Style: h.style}}
		s.text = strings.TrimSpace(value.Format(v, h.style))
		list = append(list, s)
	}
	return list
}

// group is hits that are held in the same way.
type group struct {
	what     string
	count    int
	examples []uint64
	first    *identity
}

// Bounds of -g: examples of a group, groups, and hits that are remembered so that
// memory that is found at two addresses counts once.
const (
	maxExamples = 4
	maxGroups   = 1 << 16
	maxCounted  = 1 << 24
)

// otherHits is the group of what comes when there are too many groups.
const otherHits = "(others)"

var groupRecord = &output.Record[group]{
	Type: "hit_group",
	Help: "hits that are held in the same way (-g)",
	Columns: []output.Column[group]{
		{Name: "count", Head: "  HITS", Verb: "%6d", Help: "how many", Get: func(g *group) output.Value { return output.Int(g.count) }},
		{Name: "holder", Head: "  HELD BY", Verb: "  %s", Help: "what holds the first of them; address, offset and the like differ in the others; null: there are too many groups for one of their own",
			Get: func(g *group) output.Value {
				if g.first == nil {
					return output.Null()
				}
				return g.first.value()
			}, Text: func(g *group) string { return g.what }},
		{Name: "examples", Verb: "  %s", Help: "addresses of the first of them", Get: func(g *group) output.Value {
			var v []output.Value
			for _, a := range g.examples {
				v = append(v, output.Addr(a))
			}
			return output.List(v...)
		}, Text: func(g *group) string {
			s := ""
			for i, a := range g.examples {
				if i > 0 {
					s += " "
				}
				s += fmt.Sprintf("%x", a)
			}
			if g.count > len(g.examples) {
				s += " ..."
			}
			return "(" + s + ")"
		}},
	},
}

// count counts a hit; memory that is found at two addresses counts once.
func (h *holders) count(x *identity, hit *search.Hit) {
	if _, again := h.counted[hit.Paddr]; again {
		return
	}
	if len(h.counted) < maxCounted {
		h.counted[hit.Paddr] = struct{}{}
	} else if !h.twice {
		h.twice = true
		h.s.c.Warn("more than %d hits: from here on, memory that is mapped at two addresses counts twice", maxCounted)
	}
	key := x.sort()
	g := h.groups[key]
	if g == nil && len(h.groups) >= maxGroups {
		key, x = otherHits, nil
		g = h.groups[key]
	}
	if g == nil {
		g = &group{what: key, first: x}
		h.groups[key] = g
	}
	g.count++
	if len(g.examples) < maxExamples {
		g.examples = append(g.examples, hit.Addr)
	}
}

// finish shows what is left.
func (h *holders) finish(ctx context.Context) error {
	if err := h.flush(ctx); err != nil || h.groups == nil || len(h.groups) == 0 {
		return err
	}
	list := slices.SortedFunc(maps.Values(h.groups), func(a, b *group) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.what, b.what))
	})
	groupRecord.Head(h.s.c.Out)
	for _, g := range list {
		groupRecord.Emit(h.s.c.Out, g)
	}
	return nil
}

// sort is what identities of one sort have in common.
func (x *identity) sort() string {
	var b []byte
	member := x.what()
	switch x.Kind {
	case identify.Symbol, identify.PerCPU:
		if b = append(b, x.Symbol.Name...); x.Kind == identify.PerCPU {
			b = append(b, " of a CPU"...)
		}
		if member == "" {
			b = appendOffset(b, x.Offset())
		}
	case identify.Object:
		b = fmt.Appendf(b, "[%s] (%s)", x.Object.Slab.Cache.Name, x.state)
		if member == "" {
			b = appendOffset(append(b, ' '), x.Offset())
		}
	case identify.SlabRest:
		b = fmt.Appendf(b, "[%s] in no object", x.Object.Slab.Cache.Name)
	case identify.TaskStack, identify.CPUStack:
		if b = append(b, "task stack"...); x.Kind == identify.CPUStack {
			b = append(b[:0], x.Stack.Name...)
		}
		switch {
		case x.framed && x.frame.Part == identify.InFrame:
			b = fmt.Appendf(b, ", %s", cmpOr(x.frame.Function, "(unknown)"))
		case x.framed && x.frame.Part == identify.Unused:
			b = append(b, ", unused part"...)
		}
	case identify.VirtualArea:
		b = fmt.Appendf(b, "%s by %s", cmpOr(x.Area.Kind(), "vmap"), cmpOr(x.caller, "(unknown)"))
	case identify.UsedPage:
		b = append(b, strings.TrimRight("page "+x.Page.Type, " ")...)
	case identify.AnonPage:
		if b = append(b, "anonymous memory"...); x.user.Task != nil {
			b = fmt.Appendf(b, " of %d \"%s\"", x.user.Task.PID, x.user.Task.Comm)
		}
	case identify.FreePage, identify.Reserved, identify.PerCPUMemory:
		b = append(b, x.Kind.String()...)
	case identify.FilePage:
		b = fmt.Appendf(b, "page cache of %s", x.file())
	case identify.PageStruct:
	case identify.ModuleMemory:
		b = fmt.Appendf(b, "module %s", x.Module.Name)
	default:
		b = append(b, x.Kind.String()...)
	}
	if member != "" {
		if len(b) > 0 {
			b = append(b, "  "...)
		}
		b = append(b, member...)
	}
	return string(x.appendShown(b))
}

// appendShown appends the members that --show asks for.
func (x *identity) appendShown(b []byte) []byte {
	for _, s := range x.shown {
		b = fmt.Appendf(b, "  %s = %s", s.name, s.text)
	}
	return b
}
