package command

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/search"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/value"
)

// space is the memory of the scope asked for; Dump and Pattern are not set yet.
func (s *searcher) space(ctx context.Context) (*search.Search, error) {
	k, err := s.t.kernel()
	if err != nil {
		return nil, err
	}
	switch s.scope {
	case 'p':
		return &search.Search{Memory: physical{k.Dump}, Extents: func(yield func(kernel.Extent, error) bool) {
			for e := range k.PhysExtents(s.start, s.last) {
				if !yield(e, nil) {
					return
				}
			}
		}}, nil
	case 'u':
		x, err := s.t.currentTask()
		if err != nil {
			return nil, err
		}
		tables, err := s.t.userTables(x)
		if err != nil {
			return nil, err
		}
		return &search.Search{Memory: tables, Extents: tables.Mappings(ctx, s.start, s.last)}, nil
	}
	if k.Tables() == nil {
		return nil, fmt.Errorf("the kernel's page tables are not known: only -p is possible")
	}
	return &search.Search{Memory: k, Extents: s.kernelExtents(ctx, k)}, nil
}

// kernelExtents is the kernel's memory in the range asked for.
func (s *searcher) kernelExtents(ctx context.Context, k *kernel.Kernel) iter.Seq2[kernel.Extent, error] {
	return func(yield func(kernel.Extent, error) bool) {
		for _, z := range k.Zones() {
			fixed := z.Kind == kernel.ZoneDirect || z.Kind == kernel.ZoneImage
			if s.scope == 'K' && !fixed || s.scope == 'V' && fixed {
				continue
			}
			for e, err := range k.Extents(ctx, z, s.start, s.last) {
				if !yield(e, err) {
					return
				}
			}
		}
	}
}

// total is how many bytes there are to search, 0 if that is not known.
func (s *searcher) total() (n uint64) {
	if s.bounded || s.scope != 'p' && s.scope != 'k' {
		return 0
	}
	for e := range s.t.Opened.Kernel.PhysExtents(0, ^uint64(0)) {
		n += e.Size
	}
	return n
}

// stacks searches the kernel stacks of tasks.
func (s *searcher) stacks(ctx context.Context) error {
	table, err := s.t.tasks()
	if err != nil {
		return err
	}
	tasks := table.Tasks
	if s.scope == 'T' {
		tasks = slices.DeleteFunc(slices.Clone(table.Current), func(x *task.Task) bool { return x == nil })
	}
	k := s.t.Opened.Kernel
	buf := make([]byte, table.StackSize())
	total := searched{unread: map[fault.Reason]uint64{}}
	var hits []search.Hit
	shown := false
	for i, x := range tasks {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.c.Progress(uint64(i), uint64(len(tasks)))
		if x.Stack == 0 {
			continue
		}
		hits = hits[:0]
		from := 0
		for _, g := range append(readAround(k, buf, x.Stack), gap{start: len(buf), end: len(buf)}) {
			hits = s.pattern.Find(hits, buf[from:g.start], g.start-from, x.Stack+uint64(from), 0)
			if g.err != nil {
				total.unread[fault.ReasonOf(g.err)] += uint64(g.end - g.start)
			}
			from = g.end
		}
		total.bytes += uint64(len(buf))
		if len(hits) == 0 {
			continue
		}
		if s.who == nil { // -a and -g show the task of each hit
			if shown {
				s.c.Out.Print("\n")
			}
			shown = true
			s.c.Out.Print(taskHead(x) + "\n")
		}
		for _, h := range hits {
			h.Paddr, _, _ = k.Translate(h.Addr)
			if err := s.emit(ctx, k, h, x); err != nil {
				return err
			}
		}
	}
	if s.who != nil {
		if err := s.who.finish(ctx); err != nil {
			return err
		}
	}
	searchedRecord.Emit(s.c.Out, &total)
	return nil
}

// searched is what a search went over.
type searched struct {
	bytes  uint64
	unread map[fault.Reason]uint64
}

var searchedRecord = &output.Record[searched]{
	Type: "searched",
	Help: "how much was searched; JSON only",
	Columns: []output.Column[searched]{
		{Name: "bytes", Help: "bytes that were searched, those not read included", Get: func(x *searched) output.Value { return output.Uint(x.bytes) }},
		{Name: "unread", Help: "bytes that could not be read, by reason", Get: func(x *searched) output.Value {
			var f []output.Field
			for r := fault.Unmapped; r <= fault.Damaged; r++ {
				if n := x.unread[r]; n > 0 {
					f = append(f, output.Field{Name: r.String(), Value: output.Uint(n)})
				}
			}
			return output.Object(f...)
		}},
	},
	Text: func(b []byte, _ *searched) []byte { return b },
}

// hitRow is one hit with what is shown of it.
type hitRow struct {
	search.Hit
	label         string
	text          []byte // the string and what follows it; nil for values
	task          *task.Task
	holder        *identity // nil without -a
	context       bool
	before, after *rdRow // nil without context
}

// hitTextMax is how many characters of a string are shown.
const hitTextMax = 56

// emit shows a hit, now or when it is known what holds it.
func (s *searcher) emit(ctx context.Context, mem value.Memory, h search.Hit, x *task.Task) error {
	if s.who != nil {
		return s.who.add(ctx, mem, h, x)
	}
	s.emitRow(mem, h, x, nil)
	return nil
}

func (s *searcher) emitRow(mem value.Memory, h search.Hit, x *task.Task, holder *identity) {
	row := hitRow{Hit: h, task: x, context: s.around > 0, holder: holder}
	if s.labels != nil {
		row.label = s.labels[h.Which]
	}
	if s.pattern.Width() == 1 {
		row.text = make([]byte, hitTextMax)
		if gaps := readAround(mem, row.text, h.Addr); gaps != nil {
			row.text = row.text[:gaps[0].start]
		}
	}
	if s.around > 0 {
		row.before, row.after = s.contextOf(mem, h.Addr)
	}
	hitRecord.Emit(s.c.Out, &row)
}

// contextOf reads the values around a hit as far as they can be read without a
// gap.
func (s *searcher) contextOf(mem value.Memory, addr uint64) (before, after *rdRow) {
	width := uint64(s.form.width)
	n := uint64(s.around) * width
	start := addr - min(n, addr)
	b := make([]byte, addr-start)
	if gaps := readAround(mem, b, start); gaps != nil {
		end := gaps[len(gaps)-1].end
		b, start = b[end:], start+uint64(end)
	}
	a := make([]byte, min(n, -(addr+width)))
	if gaps := readAround(mem, a, addr+width); gaps != nil {
		a = a[:gaps[0].start/s.form.width*s.form.width]
	}
	return &rdRow{&s.form, start, b}, &rdRow{&s.form, addr + width, a}
}

var hitRecord = &output.Record[hitRow]{
	Type: "hit",
	Help: "a place where a value or string stands",
	Columns: []output.Column[hitRow]{
		{Name: "address", Help: "where, in the address space that was searched", Get: func(h *hitRow) output.Value { return output.Addr(h.Addr) }},
		{Name: "physical", Help: "its physical address", Get: func(h *hitRow) output.Value { return output.Addr(h.Paddr) }},
		{Name: "value", Help: "the value there; null for strings", Get: func(h *hitRow) output.Value { return onlyIf(h.text == nil, output.Hex(h.Word)) }},
		{Name: "text", Help: "the string and what follows it, unprintable characters as dots; null for values", Get: func(h *hitRow) output.Value {
			if h.text == nil {
				return output.Null()
			}
			return output.String(string(appendPrintable(nil, h.text)))
		}},
		{Name: "operand", Help: "the symbol or expression that the value was given as, else null", Get: func(h *hitRow) output.Value { return optional(h.label) }},
		{Name: "pid", Help: "the task whose stack it is (-t, -T)", Get: func(h *hitRow) output.Value {
			if h.task == nil {
				return output.Null()
			}
			return output.Int(int(h.task.PID))
		}},
		{Name: "task", Help: "the task's task_struct (-t, -T)", Get: func(h *hitRow) output.Value {
			if h.task == nil {
				return output.Null()
			}
			return output.Addr(h.task.Addr)
		}},
		{Name: "holder", Help: "what holds it (-a): its kind, and what is known of that", Get: func(h *hitRow) output.Value {
			if h.holder == nil {
				return output.Null()
			}
			return h.holder.value()
		}},
		{Name: "before", Help: "values in front of it (-x)", Get: func(h *hitRow) output.Value { return contextValue(h.before) }},
		{Name: "after", Help: "values behind it (-x)", Get: func(h *hitRow) output.Value { return contextValue(h.after) }},
	},
	Text: hitText,
}

func contextValue(r *rdRow) output.Value {
	if r == nil {
		return output.Null()
	}
	var v []output.Value
	for i := range r.units() {
		v = append(v, output.Hex(r.unit(i)))
	}
	return output.List(v...)
}

func hitText(b []byte, h *hitRow) []byte {
	switch {
	case h.text != nil:
		b = append(appendHex(b, h.Addr, 0, ' '), ": "...)
		return append(h.appendHolder(appendPrintable(b, h.text)), '\n')
	case !h.context:
		return h.appendValue(append(appendHex(b, h.Addr, 0, ' '), ": "...))
	}
	b = appendRows(b, h.before)
	b = h.appendValue(append(appendHex(b, h.Addr, 16, ' '), ":  "...))
	return append(appendRows(b, h.after), '\n')
}

func (h *hitRow) appendValue(b []byte) []byte {
	b = append(appendHex(b, h.Word, 0, ' '), ' ')
	return append(h.appendHolder(append(b, h.label...)), '\n')
}

func (h *hitRow) appendHolder(b []byte) []byte {
	if h.holder == nil {
		return b
	}
	return h.holder.line(append(b, ' '))
}

// appendRows appends memory in rows, as rd shows it.
func appendRows(b []byte, r *rdRow) []byte {
	for pos := 0; pos < len(r.data); pos += rdRowBytes {
		part := rdRow{r.form, r.addr + uint64(pos), r.data[pos:min(pos+rdRowBytes, len(r.data))]}
		b = rdRowText(b, &part)
	}
	return b
}

// appendPrintable appends text with dots for what cannot be printed.
func appendPrintable(b, text []byte) []byte {
	for _, c := range text {
		if !printable(c) {
			c = '.'
		}
		b = append(b, c)
	}
	return b
}
