package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// pteRow is one page-table entry, decoded.
type pteRow struct {
	entry  uint64
	kind   kernel.PteKind
	paddr  uint64 // of a page
	swap   string // path of the swap area, "" if not known
	offset uint64 // in it, in pages
}

// pteRow decodes an entry; the name of a swap area is asked of the dump.
func (t *Target) pteRow(entry uint64) *pteRow {
	var encMask uint64
	k, err := t.kernel()
	if err == nil && k.Tables() != nil {
		encMask = k.Tables().EncMask()
	}
	r := &pteRow{entry: entry}
	var area int
	r.kind, r.paddr, area, r.offset = kernel.DecodePte(entry, encMask)
	if r.kind == kernel.PteSwap && err == nil {
		if r.swap, err = mm.SwapFile(k, area); err != nil {
			r.swap = fmt.Sprintf("area %d", area)
		}
	}
	return r
}

var pteRecord = &output.Record[pteRow]{
	Type: "pte",
	Help: "a page-table entry",
	Columns: []output.Column[pteRow]{
		{Name: "pte", Help: "the entry", Get: func(r *pteRow) output.Value { return output.Hex(r.entry) }},
		{Name: "physical", Help: "physical address of the page, null if it maps none", Get: func(r *pteRow) output.Value { return onlyIf(r.kind == kernel.PteMapped, output.Addr(r.paddr)) }},
		{Name: "flags", Help: "names of the flags", Get: func(r *pteRow) output.Value { return output.Strings(r.flags()) }},
		{Name: "swap", Help: "file or device of the swap area, null if the page is not swapped out", Get: func(r *pteRow) output.Value { return onlyIf(r.kind == kernel.PteSwap, output.String(r.swap)) }},
		{Name: "swap_offset", Help: "place in the swap area, in pages", Get: func(r *pteRow) output.Value { return onlyIf(r.kind == kernel.PteSwap, output.Uint(r.offset)) }},
	},
	Text: pteText,
}

func (r *pteRow) flags() []string {
	if r.kind == kernel.PteSwap {
		return nil
	}
	return kernel.PteFlags(r.entry)
}

// pteText is the small table that crash prints of an entry, its cells centred.
func pteText(b []byte, r *pteRow) []byte {
	pte := fmt.Sprintf("%x", r.entry)
	width := max(len(pte), len("PTE"))
	if r.kind == kernel.PteSwap {
		b = fmt.Appendf(b, "%s  %s  OFFSET\n", centreHead("PTE", width), centreHead("SWAP", max(len(r.swap), 4)))
		return fmt.Appendf(b, "%s  %s  %d\n", centre(pte, width), centre(r.swap, 4), r.offset)
	}
	paddr := fmt.Sprintf("%x", r.paddr)
	names := strings.Join(r.flags(), "|")
	if r.kind == kernel.PteNone {
		names = "no mapping"
	}
	cell := max(len(paddr), len("PHYSICAL"))
	b = fmt.Appendf(b, "%s  %s  FLAGS\n", centreHead("PTE", width), centreHead("PHYSICAL", cell))
	return fmt.Appendf(b, "%s  %s  (%s)\n", centre(pte, width), centre(paddr, cell), names)
}

// centre puts a value in the middle of a cell, to the right of it if the blanks
// do not divide; centreHead does it for headings, to the left.
func centre(s string, width int) string { return centreAt(s, width, (width-len(s)+1)/2) }

func centreHead(s string, width int) string { return centreAt(s, width, (width-len(s))/2) }

func centreAt(s string, width, before int) string {
	if len(s) >= width {
		return s
	}
	return strings.Repeat(" ", before) + s + strings.Repeat(" ", width-before-len(s))
}

// pte decodes page-table entries.
func pte(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "pte",
		Synopsis: "entry ...",
		Summary:  "decode page-table entries",
		Detail: `
Shows the physical address and the flags of entries of the last level of page tables,
given in hexadecimal. Of an entry without a page that is not 0 the swap area and the
offset in it, in pages, are shown.`,
		Examples: []repl.Example{{Line: "pte d8e067", Help: "A page of a user, which was written."}},
		Records:  []output.Describer{pteRecord},
		Run: func(_ context.Context, c *repl.Call) error {
			if len(c.Args) == 0 {
				return c.Usage("no entry given")
			}
			for i, arg := range c.Args {
				if i > 0 {
					c.Out.Print("\n")
				}
				entry, err := repl.ParseAddress(arg)
				if err != nil {
					c.Error(err)
					continue
				}
				pteRecord.Emit(c.Out, t.pteRow(entry))
			}
			return nil
		},
	}
}
