package command

import (
	"context"
	"fmt"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/search"
)

// searchCommand finds values in memory.
func searchCommand(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "search",
		Synopsis: "[-kKVuptT] [-ag] [-s start] [-e end|-l length] [-m mask] [-x count] [-w|-h] value ...\n-c [-kKVuptT] [-ag] [-s start] [-e end|-l length] string ...",
		Summary:  "find values or strings in memory",
		Detail: `
Every place where one of the values stands is printed: its address, the value, and the
symbol or expression if the value was given as such. A value is a hexadecimal number, a
symbol, or an expression in parentheses. Values are compared at addresses that are multiples of their size, which is 8 bytes unless
-w or -h says otherwise. With -c the operands are strings, found at any address.

Kernel virtual memory is searched unless an option says otherwise: the direct map of
physical memory, vmalloc and vmemmap areas, the kernel image, modules. A page that is
mapped in two of them is found at both addresses. Other addresses of per-CPU memory
(exception stacks) and of the firmware are left out.

With -a each hit is followed by what holds it: the symbol, the object with its cache and
state, the stack with the frame, the page cache and so on; and the structure and member
if the cache or the debug info tells. What objects of general caches (kmalloc-32) are is
found out by who points to them, for which memory is searched once or twice more; such a
type has a question mark unless it is certain. With -g hits are counted by what holds them,
memory that is found at two addresses once.
--show id,ns adds these members of the holders, as far as they have such.

Memory that is not in the dump is passed over. If memory that should be there could
not be read, a warning says so at the end.`,
		Options: []repl.Option{
			{Name: "k", Help: "kernel virtual memory (the default)"},
			{Name: "K", Help: "as -k, without vmalloc, vmemmap and modules"},
			{Name: "V", Help: "vmalloc, vmemmap and modules only"},
			{Name: "u", Help: "user memory of the task in context"},
			{Name: "p", Help: "physical memory"},
			{Name: "t", Help: "the kernel stacks of all tasks"},
			{Name: "T", Help: "the kernel stacks of the tasks that ran on a CPU"},
			{Name: "s", Arg: "start", Help: "first address"},
			{Name: "e", Arg: "end", Help: "stop in front of this address"},
			{Name: "l", Arg: "length", Help: "how many bytes to search, from -s on"},
			{Name: "m", Arg: "mask", Help: "ignore the bits that are set in mask"},
			{Name: "x", Arg: "count", Help: "show that many values before and behind each hit"},
			{Name: "w", Help: "values of 32 bits"},
			{Name: "h", Help: "values of 16 bits"},
			{Name: "c", Help: "strings"},
			{Name: "a", Help: "say what holds each hit"},
			{Name: "g", Help: "count the hits by what holds them"},
			{Name: "show", Arg: "members", Help: "with -a and -g: show these members of the structures that hold hits"},
		},
		Examples: []repl.Example{
			{Line: "search init_task", Help: "Who points to init_task?"},
			{Line: "search -m ffff ffff9b6d00ac0000", Help: "Pointers into the 64 KiB from there on."},
			{Line: `search -p -c "Kernel panic"`, Help: "A string in physical memory."},
			{Line: "search -t ffff9b6d00ac4380", Help: "Which stacks hold the address?"},
			{Line: "search -a ffff9b6d008dda00", Help: "Who holds this address, and as which member?"},
			{Line: "search -g --show id ffff9b6d008dda00", Help: "How many of each kind, and do their ids agree?"},
			{Line: "search -x 4 -w dead4ead", Help: "With four values around each hit."},
		},
		Records: []output.Describer{hitRecord, groupRecord, searchedRecord},
		Run: func(ctx context.Context, c *repl.Call) error {
			s, err := t.newSearcher(c)
			if err != nil {
				return err
			}
			return s.run(ctx)
		},
	}
}

// searcher is one call of search.
type searcher struct {
	t       *Target
	c       *repl.Call
	pattern *search.Pattern
	labels  []string // by value: what stands behind it
	around  int      // values of context
	form    rdForm   // of the context
	scope   byte     // p, u, k, K, V, t or T
	start   uint64
	last    uint64
	bounded bool     // a range was given
	who     *holders // nil without -a and -g
}

func (t *Target) newSearcher(c *repl.Call) (*searcher, error) {
	s := &searcher{t: t, c: c, scope: 'k'}
	n := 0
	for _, o := range []string{"k", "K", "V", "u", "p", "t", "T"} {
		if c.Has(o) {
			s.scope = o[0]
			n++
		}
	}
	if n > 1 {
		return nil, c.Usage("-k, -K, -V, -u, -p, -t and -T exclude each other")
	}
	if err := s.readPattern(); err != nil {
		return nil, err
	}
	if count, ok, err := c.Number("x"); err != nil {
		return nil, err
	} else if ok {
		if c.Has("c") {
			return nil, c.Usage("-x is not for strings")
		}
		if count == 0 || count > 1<<16 {
			return nil, fmt.Errorf("option -x: %d values of context", count)
		}
		s.around = int(count)
	}
	s.form = rdForm{width: s.pattern.Width(), ascii: true}
	var err error
	if s.who, err = s.newHolders(); err != nil {
		return nil, err
	}
	return s, s.readRange()
}

// readPattern makes the pattern of the operands.
func (s *searcher) readPattern() error {
	c := s.c
	if len(c.Args) == 0 {
		return c.Usage("nothing to search for")
	}
	var mask uint64
	if text, ok := c.Value("m"); ok {
		var err error
		if mask, err = repl.ParseAddress(text); err != nil {
			return fmt.Errorf("option -m: %w", err)
		}
	}
	var err error
	width := 8
	switch kind := c.Last("w", "h", "c"); {
	case kind == "c" && mask != 0:
		return c.Usage("-m is not for strings")
	case kind == "c":
		s.pattern, err = search.Strings(c.Args)
		return err
	case kind == "w":
		width = 4
	case kind == "h":
		width = 2
	}
	var values []uint64
	for _, arg := range c.Args {
		v, label, err := s.readValue(arg)
		if err != nil {
			return err
		}
		values = append(values, v)
		s.labels = append(s.labels, label)
	}
	s.pattern, err = search.Words(width, values, mask)
	return err
}

func (s *searcher) readValue(arg string) (v uint64, label string, err error) {
	if v, err = repl.ParseAddress(arg); err == nil {
		return v, "", nil
	}
	if v, err = s.t.address(arg); err != nil {
		return 0, "", err
	}
	if isExpression(arg) {
		return v, arg, nil
	}
	return v, "(" + arg + ")", nil
}

// readRange reads -s, -e and -l.
func (s *searcher) readRange() error {
	c := s.c
	s.last = ^uint64(0)
	if s.scope == 'u' {
		s.last = 1<<63 - 1
	}
	start, hasStart := c.Value("s")
	end, hasEnd := c.Value("e")
	length, hasLength, err := c.Number("l")
	switch {
	case err != nil:
		return err
	case hasEnd && hasLength:
		return c.Usage("-e and -l exclude each other")
	case hasLength && (!hasStart || length == 0):
		return c.Usage("-l needs -s and a length that is not 0")
	case (hasStart || hasEnd) && (s.scope == 't' || s.scope == 'T'):
		return c.Usage("stacks are searched as a whole: no -s, -e or -l")
	}
	s.bounded = hasStart || hasEnd
	if hasStart {
		if s.start, err = s.t.address(start); err != nil {
			return fmt.Errorf("option -s: %w", err)
		}
		if width := uint64(s.pattern.Width()); s.start%width != 0 {
			s.start -= s.start % width
			c.Warn("rounding down start address to: %x", s.start)
		}
	}
	switch {
	case hasEnd:
		if s.last, err = s.t.address(end); err != nil {
			return fmt.Errorf("option -e: %w", err)
		}
		if s.last <= s.start {
			return fmt.Errorf("ending address %x is below starting address %x", s.last, s.start)
		}
		s.last--
	case hasLength && length-1 <= ^uint64(0)-s.start:
		s.last = s.start + length - 1
	}
	return s.checkRange(hasStart)
}

// checkRange refuses a range in the wrong half of the address space.
func (s *searcher) checkRange(hasStart bool) error {
	switch kernelHalf := int64(s.start) < 0; {
	case s.scope == 'u' && (kernelHalf || int64(s.last) < 0):
		return fmt.Errorf("not a range of user virtual addresses: %x to %x", s.start, s.last)
	case (s.scope == 'k' || s.scope == 'K' || s.scope == 'V') && hasStart && !kernelHalf:
		return fmt.Errorf("not a kernel virtual address: %x", s.start)
	}
	return nil
}

func (s *searcher) run(ctx context.Context) error {
	switch s.scope {
	case 't', 'T':
		return s.stacks(ctx)
	}
	d, err := s.t.dump()
	if err != nil {
		return err
	}
	sc, err := s.space(ctx)
	if err != nil {
		return err
	}
	sc.Dump, sc.Pattern = d, s.pattern
	total := s.total()
	sc.Progress = func(done uint64) { s.c.Progress(done, total) }
	var damaged error // of the first page table that could not be read
	tables := 0
	for h, err := range sc.Hits(ctx) {
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if tables++; damaged == nil {
				damaged = err
			}
			continue
		}
		if err := s.emit(ctx, sc.Memory, h, nil); err != nil {
			return err
		}
	}
	if s.who != nil {
		if err := s.who.finish(ctx); err != nil {
			return err
		}
	}
	searchedRecord.Emit(s.c.Out, &searched{sc.Bytes, sc.Unread})
	for _, reason := range [...]fault.Reason{fault.Truncated, fault.Damaged} {
		if n := sc.Unread[reason]; n > 0 {
			s.c.Warn("%d bytes of the dump could not be read: %v", n, reason)
		}
	}
	if damaged != nil {
		return fmt.Errorf("what %d page tables map was not searched: %w", tables, damaged)
	}
	return nil
}
