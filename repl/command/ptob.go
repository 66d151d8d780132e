package command

import (
	"context"
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

var ptobRecord = &output.Record[framed]{
	Type: "address_of_page",
	Help: "the address of a page by its number",
	Columns: []output.Column[framed]{
		{Name: "page", Verb: "%x: ", Help: "page number", Get: framedNumber.Get},
		{Name: "address", Verb: "%x", Help: "address of the page's first byte", Get: framedAddress.Get},
	},
}

// ptob converts page numbers to addresses.
func ptob(*Target) *repl.Command {
	return &repl.Command{
		Name:     "ptob",
		Synopsis: "page-number ...",
		Summary:  "convert page numbers to byte addresses",
		Detail: `
A page number of digits only is decimal, every other one is hexadecimal. Both columns
of the result are hexadecimal.`,
		Examples: []repl.Example{{Line: "ptob 512a", Help: "Page 512a begins at 512a000."}},
		Records:  []output.Describer{ptobRecord},
		Run: func(_ context.Context, c *repl.Call) error {
			if len(c.Args) == 0 {
				return c.Usage("no page number given")
			}
			for _, arg := range c.Args {
				n, err := repl.ParseNumber(arg)
				if err == nil && n >= 1<<(64-kernel.PageShift) {
					err = fmt.Errorf("page number %#x is beyond 64-bit addresses", n)
				}
				if err != nil {
					c.Error(err)
					continue
				}
				ptobRecord.Emit(c.Out, &framed{n << kernel.PageShift, n})
			}
			return nil
		},
	}
}
