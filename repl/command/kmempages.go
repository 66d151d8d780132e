package command

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// kmemMapPart is kmem -p and -m.
var kmemMapPart = kmemPart{
	synopsis: "-p|-m member,... [[-P] address ...]",
	options: []repl.Option{
		{Name: "p", Help: "the page structures of all memory, or of the pages of addresses"},
		{Name: "m", Arg: "members", Help: "the same with these members of struct page, a list of names"},
	},
	records:  []output.Describer{pageMembersRecord},
	operands: true,
	run:      kmemMap,
}

// kmemMap shows page structures.
func kmemMap(ctx context.Context, t *Target, c *repl.Call) error {
	show, head, err := pageShower(t, c)
	if err != nil {
		return err
	}
	if len(c.Args) > 0 {
		return somePages(t, c, show, head)
	}
	head()
	return eachBlock(ctx, t, c, func(p *mm.Pages, b *mm.PageBlock) {
		if b.Err != nil {
			c.Out.Fault(fmt.Sprintf("%d page structures at %x", b.Pages, b.Addr), b.Err)
			return
		}
		for i := range b.Pages {
			show(p, b, i)
		}
	})
}

// pageShower is what shows a page structure, whole or some members, and the
// heading.
func pageShower(t *Target, c *repl.Call) (show func(*mm.Pages, *mm.PageBlock, int), head func(), err error) {
	list, ok := c.Value("m")
	if !ok {
		show = func(p *mm.Pages, b *mm.PageBlock, i int) {
			page := p.Decode(b, i)
			pageRecord.Emit(c.Out, &page)
		}
		return show, func() { pageRecord.Head(c.Out) }, nil
	}
	k, _, err := t.info()
	if err != nil {
		return nil, nil, err
	}
	row := pageMembersRow{hex: c.Radix() == 16}
	for name := range strings.SplitSeq(list, ",") {
		f, err := newPageMember(k, name)
		if err != nil {
			return nil, nil, err
		}
		row.members = append(row.members, f)
	}
	show = func(p *mm.Pages, b *mm.PageBlock, i int) {
		row.page, row.obj = p.Decode(b, i), b.Structure(i)
		pageMembersRecord.Emit(c.Out, &row)
	}
	head = func() {
		c.Out.Print("      PAGE      ")
		for _, m := range row.members {
			c.Out.Print("  " + m.name)
		}
		c.Out.Print("\n")
	}
	return show, head, nil
}

// eachBlock goes over all page structures of the machine.
func eachBlock(ctx context.Context, t *Target, c *repl.Call, fn func(*mm.Pages, *mm.PageBlock)) error {
	p, err := t.pages()
	if err != nil {
		return err
	}
	ranges, broken := p.Ranges()
	var done, total uint64
	for _, r := range ranges {
		total += r.Pages
	}
	for b := range p.Blocks(ctx, ranges) {
		fn(p, b)
		done += uint64(b.Pages)
		c.Progress(done, total)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return broken
}

// somePages shows the structures of the pages that addresses are in: of the
// structure itself, of kernel memory, or of physical memory.
func somePages(t *Target, c *repl.Call, show func(*mm.Pages, *mm.PageBlock, int), head func()) error {
	p, err := t.pages()
	if err != nil {
		return err
	}
	ranges, err := p.Ranges()
	if err != nil {
		c.Warn("%v", err)
	}
	for i, arg := range c.Args {
		addr, err := t.address(arg)
		var b *mm.PageBlock
		if err == nil {
			b, err = pageOf(t, p, ranges, addr, c.Has("P"))
		}
		if err != nil {
			c.Error(fmt.Errorf("%s: %w", arg, err))
			continue
		}
		if i == 0 {
			head()
		}
		show(p, b, 0)
	}
	return nil
}

// pageOf is the structure of the page that an address is in.
func pageOf(t *Target, p *mm.Pages, ranges []mm.PageRange, addr uint64, physical bool) (*mm.PageBlock, error) {
	k := t.Opened.Kernel
	if !physical && k.IsKernelAddress(addr) {
		if b, ok, err := p.BlockByAddr(ranges, addr); ok {
			return b, err
		}
		paddr, _, err := k.Translate(addr)
		if err != nil {
			return nil, err
		}
		addr = paddr
	}
	return p.BlockByFrame(ranges, addr)
}

// appendPage is the line of a page structure. There are millions of them.
func appendPage(b []byte, p *mm.Page) []byte {
	b = appendHex(b, p.Addr, 16, '0')
	b = appendHex(append(b, ' '), p.Paddr, 8, ' ')
	b = appendHex(append(b, ' '), p.Mapping, 16, ' ')
	b = appendHex(append(b, ' '), p.Index, 8, ' ')
	b = append(b, ' ')
	if p.Count >= 0 && p.Count < 10 {
		b = append(b, ' ')
	}
	b = strconv.AppendInt(b, p.Count, 10)
	b = strconv.AppendUint(append(b, ' '), p.Flags, 16)
	for i, name := range p.Names {
		sep := byte(',')
		if i == 0 {
			sep = ' '
		}
		b = append(append(b, sep), name...)
	}
	return append(b, '\n')
}
