package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// symRow is a symbol, with an address in it if one was asked for.
type symRow struct {
	kernel.Symbol
	offset uint64
	cpu    int // whose copy of a per-CPU variable, -1 for none
	file   string
	line   int
	list   bool // one of many: no source line, no trailing blanks
}

var symRecord = &output.Record[symRow]{
	Type: "symbol",
	Help: "one symbol",
	Columns: []output.Column[symRow]{
		{Name: "address", Help: "address of the symbol, or the one asked for; offset of a per-CPU variable", Get: func(r *symRow) output.Value { return output.Addr(r.Addr + r.offset) }},
		{Name: "letter", Help: "kind of symbol as nm shows it: T text, D data, B bss, R read-only; lower case is local", Get: func(r *symRow) output.Value { return output.String(string(rune(r.Symbol.Type))) }},
		{Name: "name", Help: "name of the symbol", Get: func(r *symRow) output.Value { return output.String(r.Name) }},
		{Name: "offset", Help: "bytes from the symbol to the address that was asked for", Get: func(r *symRow) output.Value { return output.Uint(r.offset) }},
		{Name: "size", Help: "size of the symbol in bytes, 0 if not known", Get: func(r *symRow) output.Value { return output.Uint(r.Size) }},
		{Name: "module", Help: "module it belongs to, null for the kernel image", Get: func(r *symRow) output.Value {
			if r.Module == nil {
				return output.Null()
			}
			return output.String(r.Module.Name)
		}},
		{Name: "cpu", Help: "CPU whose copy of a per-CPU variable the address lies in", Get: func(r *symRow) output.Value { return atLeastZero(r.cpu) }},
		{Name: "file", Help: "source file of text", Get: func(r *symRow) output.Value { return optional(r.file) }},
		{Name: "line", Help: "line in the file", Get: func(r *symRow) output.Value { return nonZero(uint64(r.line)) }},
	},
	Text: func(b []byte, r *symRow) []byte { return append(r.appendText(b), '\n') },
}

// symAlternativeRecord is a symbol that may have been meant.
var symAlternativeRecord = &output.Record[symRow]{
	Type:    "alternative",
	Help:    "a symbol that may have been meant",
	Columns: symRecord.Columns,
	Text:    func(b []byte, r *symRow) []byte { return append(r.appendText(append(b, "  "...)), '\n') },
}

func (r *symRow) isText() bool { return r.Symbol.Type == 'T' || r.Symbol.Type == 't' }

func (r *symRow) appendText(b []byte) []byte {
	b = fmt.Appendf(b, "%x (%c) %s", r.Addr+r.offset, r.Symbol.Type, r.Name)
	if r.offset != 0 {
		b = fmt.Appendf(b, "+%d", r.offset)
	}
	if r.cpu >= 0 {
		b = fmt.Appendf(b, " [CPU %d]", r.cpu)
	}
	switch {
	case r.list:
		if r.Module != nil {
			b = fmt.Appendf(b, " [%s]", r.Module.Name)
		}
	case r.Module != nil:
		b = fmt.Appendf(b, " [%s] ", r.Module.Name)
	case r.isText():
		b = append(b, ' ')
	}
	if r.file != "" {
		b = fmt.Appendf(b, "%s: %d", r.file, r.line)
	}
	return b
}

// sym translates between symbols and addresses.
func sym(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "sym",
		Synopsis: "[-p | -n] symbol | symbol+offset | address ...\n-q string\n-l | -M | -m module",
		Summary:  "translate between symbols and addresses",
		Detail: `
A name shows every symbol of that name, an address the symbol that contains it. Text
is shown with its source line, where the debug info of the kernel or module is at
hand. An address within a CPU's copy of a per-CPU variable shows variable and CPU.`,
		Options: []repl.Option{
			{Name: "l", Help: "list all symbols by address, those of modules last"},
			{Name: "M", Help: "list the symbols of all modules"},
			{Name: "m", Arg: "module", Help: "list the symbols of one module"},
			{Name: "p", Help: "show the symbol before, too"},
			{Name: "n", Help: "show the symbol behind, too"},
			{Name: "q", Arg: "string", Help: "list the symbols whose names contain a string"},
		},
		Examples: []repl.Example{
			{Line: "sym schedule+16", Help: "The source line of an address in schedule."},
			{Line: "sym -q shm_close", Help: "Symbols with shm_close in their names."},
		},
		Records: []output.Describer{symRecord, symAlternativeRecord},
		Run:     func(ctx context.Context, c *repl.Call) error { return runSym(ctx, t, c) },
	}
}

func runSym(ctx context.Context, t *Target, c *repl.Call) error {
	k, _, err := t.info()
	if err != nil {
		return err
	}
	switch {
	case c.Has("l"):
		if err := listImage(ctx, k, c); err != nil {
			return err
		}
		return listModules(ctx, k, c)
	case c.Has("M"):
		return listModules(ctx, k, c)
	case c.Has("m"):
		name, _ := c.Value("m")
		m := k.Module(name)
		if m == nil {
			return fmt.Errorf("no module is called %s", name)
		}
		return listModule(k, c, m)
	case c.Has("q"):
		text, _ := c.Value("q")
		if querySymbols(k, text, func(r *symRow) bool { symRecord.Emit(c.Out, r); return ctx.Err() == nil }) == 0 {
			return fmt.Errorf("no symbol contains %q", text)
		}
		return ctx.Err()
	case len(c.Args) == 0:
		return c.Usage("which symbol or address?")
	}
	for _, arg := range c.Args {
		if err := showSymbol(k, c, arg); err != nil {
			c.Error(err)
		}
	}
	return nil
}

// showSymbol answers one operand: every symbol of that name, or the one that
// contains the address.
func showSymbol(k *kernel.Kernel, c *repl.Call, arg string) error {
	rows := symbolsNamed(k, arg)
	if rows == nil {
		if addr, err := repl.ParseAddress(arg); err == nil {
			r, ok := symbolAt(k, addr)
			if !ok {
				return fmt.Errorf("invalid address: %s lies in no symbol", arg)
			}
			rows = []symRow{r}
		}
	}
	if rows == nil {
		c.Error(fmt.Errorf("symbol not found: %s", arg))
		c.Out.Print("possible alternatives:\n")
		n := querySymbols(k, arg, func(r *symRow) bool { symAlternativeRecord.Emit(c.Out, r); return true })
		if n == 0 {
			c.Out.Print("  (none found)\n")
		}
		return nil
	}
	for _, r := range rows {
		if c.Has("p") {
			emitNeighbour(k, c, &r, -1)
		}
		r.locate(k)
		symRecord.Emit(c.Out, &r)
		if c.Has("n") {
			emitNeighbour(k, c, &r, 1)
		}
	}
	return nil
}

// symbolsNamed are the symbols of a name, or name+offset.
func symbolsNamed(k *kernel.Kernel, text string) []symRow {
	name, off := text, uint64(0)
	if i := strings.LastIndexByte(text, '+'); i > 0 {
		n, err := repl.ParseNumber(strings.TrimSpace(text[i+1:]))
		if err != nil {
			return nil
		}
		name, off = strings.TrimSpace(text[:i]), n
	}
	var rows []symRow
	for _, s := range k.Symbols(name) {
		rows = append(rows, symRow{Symbol: s, offset: off, cpu: -1})
	}
	return rows
}

// symbolAt is the symbol that contains an address, of the image, a module or a
// CPU's copy of a per-CPU variable.
func symbolAt(k *kernel.Kernel, addr uint64) (symRow, bool) {
	if s, ok := k.FindSymbol(addr); ok {
		return symRow{Symbol: s, offset: addr - s.Addr, cpu: -1}, true
	}
	if s, cpu, ok := k.FindPerCPU(addr); ok {
		off, _ := k.PerCPUOffset(cpu) // FindPerCPU has used it
		r := symRow{Symbol: s, offset: addr - off - s.Addr, cpu: cpu}
		r.Addr += off
		return r, true
	}
	return symRow{}, false
}

// locate finds the source line of text. The padding in front of a function,
// __pfx_FUNCTION (CONFIG_FUNCTION_PADDING_BYTES, objtool), comes from no line:
// the line table has it in the function before.
func (r *symRow) locate(k *kernel.Kernel) {
	if r.isText() && !strings.HasPrefix(r.Name, "__pfx_") {
		r.file, r.line, _ = k.Line(r.Addr + r.offset)
	}
}

// emitNeighbour prints the nearest symbol with another address before (-1) or
// behind (1) that of r.
func emitNeighbour(k *kernel.Kernel, c *repl.Call, r *symRow, direction int) {
	s, ok := k.Neighbour(r.Symbol, direction)
	if !ok {
		return
	}
	n := symRow{Symbol: s, cpu: -1}
	n.locate(k)
	symRecord.Emit(c.Out, &n)
}

func listImage(ctx context.Context, k *kernel.Kernel, c *repl.Call) error {
	for s := range k.ImageSymbols() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if s.Type == 'a' {
			continue // numbers of the assembler, no addresses
		}
		symRecord.Emit(c.Out, &symRow{Symbol: s, cpu: -1, list: true})
	}
	return nil
}

func listModules(ctx context.Context, k *kernel.Kernel, c *repl.Call) error {
	modules, err := k.Modules()
	for _, m := range modules {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if merr := listModule(k, c, m); merr != nil {
			err = errors.Join(err, merr)
		}
	}
	return err
}

// listModule prints the symbols of a module, each region between two marks.
func listModule(k *kernel.Kernel, c *repl.Call, m *kernel.Module) error {
	syms, err := m.Symbols()
	for _, region := range m.Regions {
		label, end := "MODULE ", region.Base+region.Size
		switch kind, ok := strings.CutPrefix(region.Kind, "MOD_"); {
		case ok:
			label, end = "MODULE "+kind+" ", end-1
		case region.Kind == "init":
			label = "MODULE INIT "
		}
		c.Out.Printf("%x %sSTART: %s\n", region.Base, label, m.Name)
		for _, s := range syms {
			if s.Addr-region.Base < region.Size {
				row := symRow{Symbol: kernel.Symbol{Symbol: s, Module: m}, cpu: -1, list: true}
				moduleSymRecord.Emit(c.Out, &row)
			}
		}
		c.Out.Printf("%x %sEND: %s\n", end, label, m.Name)
	}
	return err
}

// moduleSymRecord is a symbol in the list of its module, whose name the marks
// around the list tell.
var moduleSymRecord = &output.Record[symRow]{
	Type:    "symbol",
	Help:    symRecord.Help,
	Columns: symRecord.Columns,
	Text: func(b []byte, r *symRow) []byte {
		return fmt.Appendf(b, "%x (%c) %s\n", r.Addr, r.Symbol.Type, r.Name)
	},
}

// querySymbols yields the symbols whose names contain text, and counts them.
func querySymbols(k *kernel.Kernel, text string, yield func(*symRow) bool) int {
	n := 0
	emit := func(s kernel.Symbol) bool {
		if !strings.Contains(s.Name, text) {
			return true
		}
		n++
		return yield(&symRow{Symbol: s, cpu: -1, list: true})
	}
	for s := range k.ImageSymbols() {
		if !emit(s) {
			return n
		}
	}
	modules, _ := k.Modules()
	for _, m := range modules {
		syms, _ := m.Symbols()
		for _, s := range syms {
			if !emit(kernel.Symbol{Symbol: s, Module: m}) {
				return n
			}
		}
	}
	return n
}
