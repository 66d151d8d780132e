package command

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/value"
	"github.com/kdive/kdive/walk"
)

// listRow is one entry of a list.
type listRow struct {
	addr    uint64 // as printed
	objects []*object
}

var listRecord = &output.Record[listRow]{
	Type: "list_entry",
	Help: "one entry of a list",
	Columns: []output.Column[listRow]{
		{Name: "address", Help: "address of the object, or of the list entry if no offset was given", Get: func(r *listRow) output.Value { return output.Addr(r.addr) }},
		{Name: "objects", Help: "what -s or -S asked for: objects as struct shows them", Get: func(r *listRow) output.Value { return objectValues(r.objects) }},
	},
	Text: func(b []byte, r *listRow) []byte {
		b = fmt.Appendf(b, "%x\n", r.addr)
		for _, o := range r.objects {
			b = o.appendText(b)
		}
		return b
	},
}

// objectValues are objects nested in another row; null if none were asked for.
func objectValues(objects []*object) output.Value {
	if objects == nil {
		return output.Null()
	}
	v := make([]output.Value, len(objects))
	for i, o := range objects {
		v[i] = objectRecord.Value(o)
	}
	return output.List(v...)
}

// list follows linked lists.
func list(t *Target) *repl.Command {
	return &repl.Command{
		Name: "list",
		Synopsis: `[[-o] offset] [-e end] [-sSlxd ...] start
-H head [-o offset] [-r] [-e end] [-sSlxd ...]
-h start -o offset [-O offset] [-r] [-e end] [-sSlxd ...]`,
		Summary: "follow a linked list",
		Detail: `
Lists of list_head: with -H the start is a head that is part of no object, as most
lists have one; with -h it is an object that is itself in the list. -o says where the
list_head lies in the objects, as a number of bytes or struct.member, and the addresses of
the objects are shown.

Without -H and -h each object holds the address of the next one, at the offset, until
it is null, the start or the end again.

A list that runs in a circle or into memory that cannot be read is shown as far as it
goes, and an error says where it breaks.`,
		Options: []repl.Option{
			{Name: "H", Help: "the start is a list_head outside of the objects"},
			{Name: "h", Help: "the start is an object in the list"},
			{Name: "o", Arg: "offset", Help: "where the link lies in each object"},
			{Name: "O", Arg: "offset", Help: "with -h: the start holds the head of the list here, in another member than -o"},
			{Name: "e", Arg: "end", Help: "end before this object or link"},
			{Name: "r", Help: "backwards, by prev; with -H and -h"},
			{Name: "s", Arg: "struct", Help: "show each object, or struct.member,... of it; may be repeated"},
			{Name: "S", Arg: "struct", Help: "as -s, members without commas"},
			{Name: "l", Arg: "offset", Help: "with -s: the addresses shown are those of links at this offset"},
			{Name: "B", Help: "accepted for crash's sake: loops are always found"},
			{Name: "x", Help: "numbers of members in hexadecimal"},
			{Name: "d", Help: "numbers of members in decimal"},
		},
		Examples: []repl.Example{
			{Line: "list -H modules -o module.list -s module.name,state", Help: "All modules."},
			{Line: "list -h init_task -o task_struct.tasks -s task_struct.comm", Help: "All processes."},
			{Line: "list -h init_task -O task_struct.children -o task_struct.sibling", Help: "The children of one task."},
		},
		Records: []output.Describer{listRecord},
		Run:     func(ctx context.Context, c *repl.Call) error { return runList(ctx, t, c) },
	}
}

// listPlan is what one call of list asks for.
type listPlan struct {
	start  uint64
	offset uint64
	head   uint64 // -O: where the head lies in the start
	end    uint64
	back   uint64 // -l: from the address shown to the object
	shows  []listShow
	style  value.Style
}

// listShow is one structure that is shown of each object.
type listShow struct {
	plan    structPlan
	noComma bool
}

// at is the structure at an address.
func (s *listShow) at(k *kernel.Kernel, addr uint64, style value.Style) *object {
	return &object{name: s.plan.name, addr: addr, val: value.New(k, s.plan.typ, addr).Load(), members: s.plan.members, style: style, noComma: s.noComma}
}

func runList(ctx context.Context, t *Target, c *repl.Call) error {
	k, _, err := t.info()
	if err != nil {
		return err
	}
	p, err := t.planList(c)
	if err != nil {
		return err
	}
	entries, err := p.entries(c, k)
	if err != nil {
		return err
	}
	n := uint64(0)
	for addr, err := range entries {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return listError(err)
		}
		if p.end != 0 && (addr == p.end || addr+p.offset == p.end) {
			return nil
		}
		row := listRow{addr: addr}
		for i := range p.shows {
			row.objects = append(row.objects, p.shows[i].at(k, addr-p.back, p.style))
		}
		listRecord.Emit(c.Out, &row)
		n++
		c.Progress(n, 0)
	}
	if n == 0 {
		c.Out.Note("(empty)")
	}
	return nil
}

// listError says what crash users look for when a list comes back to an entry.
// An entry that leads to itself is an end: the parent of the first task, say.
func listError(err error) error {
	var loop *walk.LoopError
	if errors.As(err, &loop) {
		if loop.Addr == loop.From {
			return nil
		}
		return fmt.Errorf("duplicate list entry: %x: %w", loop.Addr, err)
	}
	return err
}

func (t *Target) planList(c *repl.Call) (*listPlan, error) {
	p := &listPlan{style: t.style(c)}
	operands := c.Args
	var err error
	if p.offset, err = t.offsetOption(c, "o"); err != nil {
		return nil, err
	}
	if p.head, err = t.offsetOption(c, "O"); err != nil {
		return nil, err
	}
	if len(operands) == 2 && !c.Has("o") {
		// The offset may stand in front of the start, without -o, or behind it.
		if strings.Contains(operands[1], ".") && !strings.Contains(operands[0], ".") && !isExpression(operands[1]) {
			operands[0], operands[1] = operands[1], operands[0]
		}
		if p.offset, err = t.offset(operands[0]); err != nil {
			return nil, err
		}
		operands = operands[1:]
	}
	if len(operands) != 1 {
		return nil, c.Usage("one start address is needed")
	}
	if p.start, err = t.address(operands[0]); err != nil {
		return nil, err
	}
	if p.start == 0 {
		return nil, errors.New("the start address is null")
	}
	if text, ok := c.Value("e"); ok {
		if p.end, err = t.address(text); err != nil {
			return nil, err
		}
	}
	if p.back, err = t.offsetOption(c, "l"); err != nil {
		return nil, err
	}
	p.shows, err = t.planShows(c)
	return p, err
}

// planShows reads the options -s and -S: what to show of each object.
func (t *Target) planShows(c *repl.Call) ([]listShow, error) {
	var shows []listShow
	for _, option := range [...]string{"s", "S"} {
		for _, text := range c.Values(option) {
			plan, err := t.planShow(text)
			if err != nil {
				return nil, err
			}
			shows = append(shows, listShow{plan: plan, noComma: option == "S"})
		}
	}
	return shows, nil
}

// planShow reads the argument of -s: a structure, or members of one.
func (t *Target) planShow(text string) (structPlan, error) {
	spec, err := parseTypeSpec(text)
	if err != nil {
		return structPlan{}, err
	}
	var p structPlan
	if p.typ, err = t.aggregate("struct", spec); err != nil {
		return p, err
	}
	p.name = structName(p.typ, "struct", spec)
	p.members, err = memberPaths(p.typ, spec)
	return p, err
}

// entries are the addresses to show.
func (p *listPlan) entries(c *repl.Call, k *kernel.Kernel) (iter.Seq2[uint64, error], error) {
	w := walk.New(k)
	var opts []walk.ListOption
	if c.Has("r") {
		opts = append(opts, walk.Reverse)
	}
	switch {
	case c.Has("H") && c.Has("h"):
		return nil, c.Usage("-H and -h exclude each other")
	case c.Has("H"):
		return w.List(p.start, int64(p.offset), opts...), nil
	case c.Has("O"):
		if !c.Has("h") {
			return nil, c.Usage("-O goes with -h")
		}
		return w.List(p.start+p.head, int64(p.offset), opts...), nil
	case c.Has("h"):
		rest := w.List(p.start+p.offset, int64(p.offset), opts...)
		return func(yield func(uint64, error) bool) {
			if yield(p.start, nil) {
				rest(yield)
			}
		}, nil
	case c.Has("r"):
		return nil, c.Usage("-r goes with -H or -h")
	}
	return w.Chain(p.start, walk.Chain{Next: int64(p.offset), End: p.end}), nil
}
