package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kdive/kdive/disasm"
	"github.com/kdive/kdive/livetext"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// diffRow is a place where the code in the dump is not that of the vmlinux.
type diffRow struct {
	livetext.Place
	symbol string
	offset uint64
	file   []string // instructions of the vmlinux
	dump   []string
	hex    bool
}

var diffRecord = &output.Record[diffRow]{
	Type: "patched_code",
	Help: "a place where the code in the dump differs from that of the vmlinux",
	Columns: []output.Column[diffRow]{
		{Name: "address", Help: "virtual address", Get: func(r *diffRow) output.Value { return output.Addr(r.Addr) }},
		{Name: "symbol", Help: "function it is in", Get: func(r *diffRow) output.Value { return optional(r.symbol) }},
		{Name: "offset", Help: "bytes from the start of the function", Get: func(r *diffRow) output.Value { return output.Uint(r.offset) }},
		{Name: "kind", Help: "what patched the code, by the kernel's own tables; unexplained if none of them does", Get: func(r *diffRow) output.Value { return output.String(r.Kind.String()) }},
		{Name: "detail", Help: "what the patching did", Get: func(r *diffRow) output.Value { return output.String(r.Detail) }},
		{Name: "vmlinux_bytes", Help: "code of the vmlinux", Get: func(r *diffRow) output.Value { return byteList(r.File) }},
		{Name: "dump_bytes", Help: "code of the dump", Get: func(r *diffRow) output.Value { return byteList(r.Dump) }},
		{Name: "vmlinux", Help: "instructions of the vmlinux", Get: func(r *diffRow) output.Value { return output.Strings(r.file) }},
		{Name: "dump", Help: "instructions of the dump", Get: func(r *diffRow) output.Value { return output.Strings(r.dump) }},
	},
	Text: func(b []byte, r *diffRow) []byte {
		b = fmt.Appendf(b, "0x%x <%s>: %s", r.Addr, nameOffset(r.symbol, r.offset, r.hex), r.Kind)
		if r.Detail != "" {
			b = fmt.Appendf(b, ": %s", r.Detail)
		}
		b = append(b, '\n')
		for _, t := range r.file {
			b = fmt.Appendf(b, "    - %s\n", t)
		}
		for _, t := range r.dump {
			b = fmt.Appendf(b, "    + %s\n", t)
		}
		return b
	},
}

// diffCount is how many differences one kind of patching explains.
type diffCount struct {
	kind   string
	places int
	bytes  int
}

var diffCountRecord = &output.Record[diffCount]{
	Type: "patched_code_count",
	Help: "how many places one kind of patching changed",
	Columns: []output.Column[diffCount]{
		{Name: "places", Head: "  PLACES", Verb: "%8d", Help: "that differ", Get: func(r *diffCount) output.Value { return output.Int(r.places) }},
		{Name: "bytes", Head: "     BYTES", Verb: "  %8d", Help: "of code at these places", Get: func(r *diffCount) output.Value { return output.Int(r.bytes) }},
		{Name: "kind", Head: "  PATCHED BY", Verb: "  %s", Help: "what patched them", Get: func(r *diffCount) output.Value { return output.String(r.kind) }},
	},
}

// runDiff compares the code in the dump with that of the vmlinux (--diff): of a
// function, or all of the kernel image's, where only what nothing explains is
// shown one by one.
func runDiff(ctx context.Context, t *Target, c *repl.Call) error {
	k, err := t.kernel()
	if err != nil {
		return err
	}
	if t.text == nil {
		if t.text, err = livetext.Load(ctx, k); err != nil {
			return err
		}
		for _, err := range t.text.Errors() {
			c.Warn("%v", err)
		}
	}
	low, high := t.text.Text()
	one := len(c.Args) > 0
	if len(c.Args) > 1 {
		return c.Usage("--diff takes one address or symbol")
	}
	if one {
		p, err := t.planDis(c)
		if err != nil {
			return err
		}
		sym, ok := k.FindSymbol(p.addr)
		if !ok {
			return fmt.Errorf("%s: no function", c.Args[0])
		}
		low = sym.Addr
		switch next, ok := k.Neighbour(sym, 1); {
		case sym.Size > 0:
			high = min(high, low+sym.Size)
		case ok:
			high = min(high, next.Addr)
		}
	}
	var places, bytes [livetext.Unreadable + 1]int
	for p, err := range t.text.Diff(ctx, low, high) {
		if errors.Is(err, livetext.ErrOutside) {
			return fmt.Errorf("%#x is %w", low, err)
		}
		if err != nil {
			return err
		}
		places[p.Kind]++
		bytes[p.Kind] += len(p.File)
		c.Progress(p.Addr-low, high-low)
		if one && p.Kind != livetext.Relocation || p.Kind == livetext.Unexplained || p.Kind == livetext.Unreadable {
			diffRecord.Emit(c.Out, t.diffRow(c, p))
		}
	}
	if total := places; one && total == [livetext.Unreadable + 1]int{} {
		c.Out.Note("no differences")
		return nil
	}
	diffCountRecord.Head(c.Out)
	for kind := range places {
		if n := places[kind]; n > 0 || kind == int(livetext.Unexplained) {
			diffCountRecord.Emit(c.Out, &diffCount{livetext.Kind(kind).String(), n, bytes[kind]})
		}
	}
	return nil
}

func (t *Target) diffRow(c *repl.Call, p livetext.Place) *diffRow {
	k := t.Opened.Kernel
	r := &diffRow{Place: p, hex: c.Radix() == 16}
	r.symbol, r.offset, _ = k.SymbolAt(p.Addr)
	if p.Kind == livetext.Unreadable {
		return r
	}
	slide := p.Addr - p.Link
	style := disasm.Style{Intel: c.Has("intel"), ShiftByOne: true}
	style.Name = func(addr uint64) string { name, off, _ := k.SymbolAt(addr); return nameOffset(name, off, r.hex) }
	r.dump = instructions(p.Dump, p.Addr, style)
	style.Name = func(addr uint64) string {
		name, off, _ := k.SymbolAt(addr + slide)
		return nameOffset(name, off, r.hex)
	}
	r.file = instructions(p.File, p.Link, style)
	return r
}

// instructions are the texts of the instructions in code.
func instructions(code []byte, pc uint64, style disasm.Style) []string {
	var list []string
	for len(code) > 0 {
		in, _ := disasm.AMD64.Decode(code, pc)
		if in.Len <= 0 {
			break
		}
		text := string(disasm.AMD64.AppendText(nil, &in, style))
		list = append(list, strings.Join(strings.Fields(text), " "))
		code, pc = code[in.Len:], pc+uint64(in.Len)
	}
	return list
}
