package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kdive/kdive/disasm"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/value"
	"golang.org/x/arch/x86/x86asm"
)

// disRow is one instruction.
type disRow struct {
	in     disasm.Inst
	bytes  []byte
	text   string
	symbol string
	offset uint64
	known  bool // symbol and offset are
	mark   string
	file   string
	line   int
	newLn  bool // print file and line in front
	hex    bool // offsets in hexadecimal
	user   bool

	annotated bool   // -a
	frame     int    // of the current task that executes it, -1 if none
	string    string // that an operand points to
}

var disRecord = &output.Record[disRow]{
	Type: "instruction",
	Help: "one instruction",
	Columns: []output.Column[disRow]{
		{Name: "address", Help: "virtual address", Get: func(r *disRow) output.Value { return output.Addr(r.in.PC) }},
		{Name: "symbol", Help: "function it is in", Get: func(r *disRow) output.Value { return optional(r.symbol) }},
		{Name: "offset", Help: "bytes from the start of the function", Get: func(r *disRow) output.Value { return output.Uint(r.offset) }},
		{Name: "bytes", Help: "its bytes", Get: func(r *disRow) output.Value { return byteList(r.bytes) }},
		{Name: "text", Help: "mnemonic and operands, AT&T syntax", Get: func(r *disRow) output.Value { return output.String(strings.Join(strings.Fields(r.text), " ")) }},
		{Name: "target", Help: "where it branches to, if it is a direct branch", Get: func(r *disRow) output.Value {
			if to, ok := r.in.Target(); ok {
				return output.Addr(to)
			}
			return output.Null()
		}},
		{Name: "frame", Help: "frame of the current task that executes it, 0 the innermost (-a)", Get: func(r *disRow) output.Value { return onlyIf(r.annotated && r.frame >= 0, output.Int(r.frame)) }},
		{Name: "string", Help: "constant string that an operand is the address of (-a), quoted", Get: func(r *disRow) output.Value { return optional(r.string) }},
		{Name: "file", Help: "source file (-l)", Get: func(r *disRow) output.Value { return optional(r.file) }},
		{Name: "line", Help: "line in the file (-l)", Get: func(r *disRow) output.Value { return nonZero(uint64(r.line)) }},
	},
	Text: func(b []byte, r *disRow) []byte {
		if r.newLn {
			b = fmt.Appendf(b, "%s: %d\n", r.file, r.line)
		}
		if r.annotated && r.frame >= 0 {
			b = append(b, "=> "...)
		} else if r.annotated {
			b = append(b, "   "...)
		}
		switch {
		case !r.known:
			b = fmt.Appendf(b, "   0x%x:\t", r.in.PC)
		case r.offset == 0:
			b = fmt.Appendf(b, "0x%x <%s>:\t", r.in.PC, r.symbol)
		default:
			b = fmt.Appendf(b, "0x%x <%s>:\t", r.in.PC, nameOffset(r.symbol, r.offset, r.hex))
		}
		b = append(append(b, r.text...), r.mark...)
		if r.string != "" {
			b = append(append(b, "  "...), r.string...)
		}
		return append(b, '\n')
	},
}

func byteList(code []byte) output.Value {
	v := make([]output.Value, len(code))
	for i, c := range code {
		v[i] = output.Uint(c)
	}
	return output.List(v...)
}

// nameOffset is symbol+offset, the offset in decimal or in hexadecimal.
func nameOffset(symbol string, offset uint64, hex bool) string {
	switch {
	case offset == 0:
		return symbol
	case hex:
		return fmt.Sprintf("%s+0x%x", symbol, offset)
	}
	return fmt.Sprintf("%s+%d", symbol, offset)
}

// dis disassembles.
func dis(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "dis",
		Synopsis: "[-rflaxd] [--vmlinux] [--intel] address | symbol | (expression) [count]\n-s [--source dir] address | symbol [count]\n--diff [address | symbol]\n-u address [count]",
		Summary:  "disassemble code",
		Detail: `
A symbol shows its whole function, an address the instruction there up to the end of its
function, or count instructions. The code is that of the dump, as the kernel patched it
(alternatives, static calls, ftrace); --vmlinux shows that of the file.

--diff shows where the two differ and which patching made the difference, decided
by the tables that the kernel has for it and checked against what the patching has
to make of the code; what nothing explains is "unexplained". Without an operand it
goes over all code of the kernel image and shows the unexplained alone.`,
		Options: []repl.Option{
			{Name: "r", Help: "from the start of the function up to the address; with a count the last ones"},
			{Name: "f", Help: "from the address to the end of the function; one within an instruction means the next"},
			{Name: "l", Help: "print source file and line in front of the instructions they belong to"},
			{Name: "u", Help: "the address is a user virtual address of the current task"},
			{Name: "s", Help: "the source instead: some lines in front and the rest of the function, or count lines"},
			{Name: "source", Arg: "dir", Help: "directory with the kernel's sources, for -s; it is remembered"},
			{Name: "a", Help: "mark with => what the frames of the current task execute, and show strings that operands point to"},
			{Name: "b", Arg: "bytes", Help: "behind every ud2 so many bytes are no code; it is remembered"},
			{Name: "x", Help: "offsets in hexadecimal"},
			{Name: "d", Help: "offsets in decimal"},
			{Name: "vmlinux", Help: "the code of the vmlinux in place of the dump's"},
			{Name: "diff", Help: "where the dump's code differs from that of the vmlinux, and what patched it"},
			{Name: "intel", Help: "Intel syntax"},
		},
		Examples: []repl.Example{
			{Line: "dis -rl ffffffffbe2e6e58", Help: "What led to an address, with source lines."},
			{Line: "dis schedule 10", Help: "Ten instructions."},
			{Line: "dis --diff", Help: "How the kernel patched itself, and whether anything else changed its code."},
		},
		Records: []output.Describer{disRecord, sourceRecord, diffRecord, diffCountRecord},
		Run:     func(ctx context.Context, c *repl.Call) error { return runDis(ctx, t, c) },
	}
}

// disPlan is what one call of dis asks for.
type disPlan struct {
	k          *kernel.Kernel
	mem        value.Memory
	start, end uint64 // code to decode from and to; end 0 is not known
	addr       uint64
	count      int // 0 for all
	asked      int // the count of the call
	afterUD2   int // bytes to pass over
	back       bool
	forward    bool
	lines      bool
	hex        bool
	user       bool
	style      disasm.Style
}

const (
	maxFunction     = 1 << 20 // bytes of code decoded as one function
	maxInstructions = 1 << 20
)

func runDis(ctx context.Context, t *Target, c *repl.Call) error {
	t.sources = append(t.sources, c.Values("source")...)
	if text, ok := c.Value("b"); ok {
		n, err := repl.ParseNumber(text)
		if err != nil || n > 64 {
			return fmt.Errorf("invalid number of bytes: %s", text)
		}
		t.afterUD2 = int(n)
		if len(c.Args) == 0 {
			c.Out.Note("bytes skipped behind ud2: %d", n)
			return nil
		}
	}
	switch {
	case c.Has("diff"):
		return runDiff(ctx, t, c)
	case c.Has("s"):
		return runSource(t, c)
	}
	p, err := t.planDis(c)
	if err != nil {
		return err
	}
	if !p.user && p.end == 0 {
		c.Warn("%x: no associated kernel symbol found", p.addr)
	}
	var marks *codeMarks
	if c.Has("a") {
		if marks, err = t.codeMarks(); err != nil {
			return err
		}
	}
	rows, err := p.decode(ctx)
	file, line := "", 0
	for _, r := range p.choose(rows) {
		if p.lines {
			if f, l, ok := p.k.Line(r.in.PC); ok {
				r.file, r.line = f, l
				r.newLn = f != file || l != line
				file, line = f, l
			}
		}
		if marks != nil {
			r.annotated, r.frame, r.string = true, marks.frame(&r.in), marks.text(&r.in)
		}
		disRecord.Emit(c.Out, r)
	}
	return err
}

func (t *Target) planDis(c *repl.Call) (*disPlan, error) {
	k, err := t.kernel()
	if err != nil {
		return nil, err
	}
	p := &disPlan{k: k, mem: k, afterUD2: t.afterUD2, back: c.Has("r"), forward: c.Has("f"), lines: c.Has("l"), hex: c.Radix() == 16, user: c.Has("u")}
	p.style = disasm.Style{Intel: c.Has("intel"), ShiftByOne: true, Name: p.name}
	switch {
	case p.back && p.forward:
		return nil, errors.New("-r and -f are mutually exclusive")
	case len(c.Args) == 0 || len(c.Args) > 2:
		return nil, c.Usage("one address or symbol is needed, and a count may follow")
	}
	if len(c.Args) == 2 {
		n, err := repl.ParseNumber(c.Args[1])
		if err != nil || n == 0 || n > maxInstructions {
			return nil, fmt.Errorf("invalid count: %s", c.Args[1])
		}
		p.count, p.asked = int(n), int(n)
	}
	if p.addr, err = t.address(c.Args[0]); err != nil {
		return nil, err
	}
	if c.Has("vmlinux") {
		p.mem = staticText{k}
	}
	if p.user {
		if p.mem, err = t.currentUserMemory(); err != nil {
			return nil, err
		}
		p.start, p.style.Name = p.addr, nil
		p.count = max(p.count, 1)
		return p, nil
	}
	return p, p.bounds(c.Args[0])
}

// bounds finds the function and decides where to start.
func (p *disPlan) bounds(operand string) error {
	sym, ok := p.k.FindSymbol(p.addr)
	if !ok {
		p.start = p.addr
		p.count = max(p.count, 1)
		return nil
	}
	p.end = p.addr + maxFunction
	if sym.Size > 0 && p.addr-sym.Addr < sym.Size {
		p.end = min(p.end, sym.Addr+sym.Size)
	} else if next, ok := p.k.Neighbour(sym, 1); ok && next.Addr > p.addr {
		p.end = min(p.end, next.Addr)
	}
	p.start = p.addr
	if sym.Type != 'T' && sym.Type != 't' && sym.Type != 'W' && sym.Type != 'w' {
		p.count = max(p.count, 1) // data: one line, as much as can be said
		return nil
	}
	if p.back || p.forward && p.count == 0 {
		if p.addr-sym.Addr > maxFunction {
			return fmt.Errorf("%s: too far from the start of %s", operand, sym.Name)
		}
		p.start = sym.Addr
	}
	if p.count > 0 && !p.back {
		p.end = p.addr + uint64(p.count*disasm.AMD64.MaxLen()) // a count may lead beyond the function
	}
	if !p.back && !p.forward && p.count == 0 && p.addr != sym.Addr {
		p.count = 1 // an address alone shows the instruction there
	}
	return nil
}

// name is what stands in angle brackets behind an address.
func (p *disPlan) name(addr uint64) string {
	sym, off, ok := p.k.SymbolAt(addr)
	if !ok {
		return ""
	}
	return nameOffset(sym, off, p.hex)
}

// decode decodes from the start to the end, or count instructions. Rows come
// with the error that stopped it.
func (p *disPlan) decode(ctx context.Context) ([]*disRow, error) {
	arch := disasm.AMD64
	var rows []*disRow
	var code []byte // read ahead
	for pc := p.start; ; {
		if ctx.Err() != nil {
			return rows, ctx.Err()
		}
		if p.back && len(rows) > 0 && rows[len(rows)-1].in.PC >= p.addr || p.end != 0 && pc >= p.end || !p.back && !p.forward && p.count > 0 && len(rows) == p.count || len(rows) >= maxInstructions {
			return rows, nil
		}
		if len(code) < arch.MaxLen() {
			var err error
			if code, err = p.read(pc); len(code) == 0 {
				return rows, err
			}
		}
		in, err := arch.Decode(code, pc)
		if err != nil && !errors.Is(err, disasm.ErrTruncated) {
			return rows, err
		}
		r := &disRow{in: in, bytes: append([]byte(nil), code[:in.Len]...), hex: p.hex, user: p.user}
		if !p.user {
			r.symbol, r.offset, r.known = p.k.SymbolAt(pc)
		}
		r.text = string(arch.AppendText(nil, &in, p.style))
		if r.known && r.offset == 0 && in.Len == 5 && strings.HasPrefix(r.text, "nop") {
			r.mark = " [FTRACE NOP]"
		}
		rows = append(rows, r)
		next := in.Len
		if in.Op == x86asm.UD2 {
			next += p.afterUD2
		}
		code = code[min(next, len(code)):]
		pc += uint64(next)
	}
}

// read reads code from pc on: a page at most, less where memory ends.
func (p *disPlan) read(pc uint64) ([]byte, error) {
	buf := make([]byte, kernel.PageSize)
	if p.end != 0 && p.end-pc < uint64(len(buf)) {
		buf = buf[:p.end-pc]
	}
	for {
		err := p.mem.Read(buf, pc)
		if err == nil {
			return buf, nil
		}
		// Up to the end of this page, then up to what one instruction takes.
		inPage := int(kernel.PageSize - pc%kernel.PageSize)
		switch {
		case len(buf) > inPage:
			buf = buf[:inPage]
		case len(buf) > 1:
			buf = buf[:len(buf)/2]
		default:
			return nil, err
		}
	}
}

// choose drops what was decoded only to find the boundaries.
func (p *disPlan) choose(rows []*disRow) []*disRow {
	switch {
	case p.back && p.count > 0 && len(rows) > p.count:
		return rows[len(rows)-p.count:]
	case p.forward:
		for len(rows) > 0 && rows[0].in.PC < p.addr {
			rows = rows[1:]
		}
		if p.count > 0 && len(rows) > p.count {
			rows = rows[:p.count]
		}
	}
	return rows
}

// staticText reads the code of the vmlinux at run-time addresses.
type staticText struct{ k *kernel.Kernel }

func (s staticText) Read(b []byte, addr uint64) error {
	info, link, err := s.k.InfoAt(addr)
	if err != nil {
		return err
	}
	data, err := info.ReadStatic(link, len(b))
	if err == nil && len(data) < len(b) {
		err = fmt.Errorf("the file has %d bytes at %#x", len(data), addr)
	}
	copy(b, data)
	return err
}
