package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/value"
)

// rd shows memory.
func rd(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "rd",
		Synopsis: "[-adDsSxNR] [-p|-u] [-8|-16|-32|-64] [-o offset] [-e end] [-r file] address|symbol [count]",
		Summary:  "read memory",
		Detail: `
Shows count units of memory from an address on, one unit if no count is given: in
hexadecimal, with the characters beside them. A unit has 64 bits unless an option
says otherwise. The count is decimal, or hexadecimal with 0x or any of a-f.

Addresses are kernel virtual, or user virtual in the address space of the task in
context; the value tells which. -p makes them physical.

Memory that cannot be read is one line with the reason and the number of bytes, in
its place; the rest of the range is shown. The command then counts as failed.

-S names the cache of words that are addresses of its objects as [cache], -SS as
[address:cache]; words that point to symbols look as with -s.`,
		Options: []repl.Option{
			{Name: "p", Help: "addresses are physical"},
			{Name: "u", Help: "addresses are user virtual"},
			{Name: "8", Help: "units of 8 bits"},
			{Name: "16", Help: "units of 16 bits"},
			{Name: "32", Help: "units of 32 bits"},
			{Name: "64", Help: "units of 64 bits"},
			{Name: "a", Help: "show text, up to the first character that cannot be printed; the count limits it"},
			{Name: "d", Help: "signed decimal"},
			{Name: "D", Help: "unsigned decimal"},
			{Name: "x", Help: "no characters beside the numbers"},
			{Name: "s", Help: "show words that point to symbols as symbol+offset"},
			{Name: "S", Help: "as -s, and name slab objects"},
			{Name: "SS", Help: "as -S, with the address"},
			{Name: "N", Help: "units have network byte order"},
			{Name: "R", Help: "the unit at the address is the last one: count units end there"},
			{Name: "o", Arg: "offset", Help: "add this to the address"},
			{Name: "e", Arg: "end", Help: "stop in front of this address"},
			{Name: "r", Arg: "file", Help: "copy the memory into a file; the count, which may be left out with -e, is in bytes"},
			{Name: "m", Help: "addresses are a hypervisor's: no such dumps are supported"},
		},
		Examples: []repl.Example{
			{Line: "rd jiffies", Help: "The word at a symbol."},
			{Line: "rd -p 1000000 512", Help: "A page of physical memory."},
			{Line: "rd -s ffffa92d00237bd8 64", Help: "Part of a stack, with return addresses by name."},
			{Line: "rd -a linux_banner", Help: "A string."},
			{Line: "rd -r page.bin ffff9b6d00ac4380 4096", Help: "Save a page."},
		},
		Records: []output.Describer{rdRecord, rdGapRecord, rdTextRecord, copiedRecord},
		Run:     func(ctx context.Context, c *repl.Call) error { return runRd(ctx, t, c) },
	}
}

// rdPlan is what a call of rd asks for.
type rdPlan struct {
	mem   value.Memory
	addr  uint64
	count uint64 // units; 0 if neither count nor end was given
	form  rdForm
}

func runRd(ctx context.Context, t *Target, c *repl.Call) error {
	p, err := t.planRd(c)
	if err != nil {
		return err
	}
	if file, ok := c.Value("r"); ok {
		return p.save(ctx, c, file)
	}
	if c.Has("a") {
		return p.text(ctx, c)
	}
	p.count = max(p.count, 1)
	if c.Has("R") {
		p.addr -= (p.count - 1) * uint64(p.form.width)
	}
	return p.dump(ctx, c)
}

func (t *Target) planRd(c *repl.Call) (*rdPlan, error) {
	if len(c.Args) == 0 || len(c.Args) > 2 {
		return nil, c.Usage("one address and at most one count are expected")
	}
	if c.Has("m") {
		return nil, errors.New("-m is for dumps of a hypervisor, which are not supported")
	}
	p := &rdPlan{}
	var err error
	if p.form, err = t.rdForm(c); err != nil {
		return nil, err
	}
	if p.addr, err = t.address(c.Args[0]); err != nil {
		return nil, err
	}
	if s, ok := c.Value("o"); ok {
		offset, err := repl.ParseNumber(strings.TrimPrefix(s, "-"))
		if err != nil {
			return nil, fmt.Errorf("option -o: %w", err)
		}
		if s[0] == '-' {
			offset = -offset
		}
		p.addr += offset
	}
	if err := p.size(t, c); err != nil {
		return nil, err
	}
	return p, p.space(t, c)
}

// size takes the number of units from the count or the end address.
func (p *rdPlan) size(t *Target, c *repl.Call) error {
	width := uint64(p.form.width)
	end, hasEnd := c.Value("e")
	if len(c.Args) == 2 {
		n, err := repl.ParseNumber(c.Args[1])
		switch {
		case err != nil:
			return err
		case n == 0 || n > (1<<63)/width:
			return fmt.Errorf("invalid count request: %d", n)
		}
		p.count = n
		if hasEnd {
			c.Warn("ending address ignored when count is specified")
		}
		return nil
	}
	if !hasEnd {
		return nil
	}
	e, err := t.address(end)
	if err != nil {
		return fmt.Errorf("option -e: %w", err)
	}
	if e <= p.addr {
		return fmt.Errorf("invalid ending address: %x", e)
	}
	if p.count = (e - p.addr) / width; p.count == 0 {
		return fmt.Errorf("ending address %x leaves no room for a unit of %d bytes", e, width)
	}
	return nil
}

// space chooses the memory to read.
func (p *rdPlan) space(t *Target, c *repl.Call) (err error) {
	switch {
	case c.Has("p") && c.Has("u"):
		return c.Usage("-p and -u exclude each other")
	case c.Has("p"):
		d, err := t.dump()
		p.mem = physical{d}
		return err
	case c.Has("u"):
		if int64(p.addr) < 0 {
			return fmt.Errorf("not a user virtual address: %x", p.addr)
		}
		p.mem, err = t.currentUserMemory()
	default:
		p.mem, err = t.memoryAt(p.addr)
	}
	return err
}

// rdForm reads the options that say how units look.
func (t *Target) rdForm(c *repl.Call) (rdForm, error) {
	f := rdForm{width: 8, swap: c.Has("N"), numbers: hexadecimal}
	switch c.Last("8", "16", "32", "64") {
	case "8":
		f.width = 1
	case "16":
		f.width = 2
	case "32":
		f.width = 4
	}
	if c.Has("a") || c.Has("r") && c.Last("8", "16", "32", "64") == "" {
		f.width = 1
	}
	switch c.Last("d", "D") {
	case "d":
		f.numbers = signed
	case "D":
		f.numbers = unsigned
	}
	if c.Has("s") || c.Has("S") || c.Has("SS") {
		if f.width != 8 {
			return f, c.Usage("-s and -S are for units of 64 bits")
		}
		if f.numbers == hexadecimal {
			var err error
			switch full := c.Has("SS") || c.Count("S") > 1; {
			case full || c.Has("S"):
				f.names, err = t.objectAnnotator(full)
			default:
				f.names, err = t.annotator()
			}
			if err != nil {
				return f, err
			}
		}
	}
	f.ascii = f.numbers == hexadecimal && f.names == nil && !c.Has("x")
	return f, nil
}
