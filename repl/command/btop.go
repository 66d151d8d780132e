package command

import (
	"context"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// framed is an address with the number of the page that it lies in.
type framed struct{ address, number uint64 }

var (
	framedAddress = output.Column[framed]{Name: "address", Verb: "%x: ", Help: "byte address",
		Get: func(f *framed) output.Value { return output.Addr(f.address) }}
	framedNumber = output.Column[framed]{Name: "page", Verb: "%x", Help: "number of its page: the address divided by the page size",
		Get: func(f *framed) output.Value { return output.Hex(f.number) }}
)

var btopRecord = &output.Record[framed]{
	Type:    "page_of_address",
	Help:    "the page number of an address",
	Columns: []output.Column[framed]{framedAddress, framedNumber},
}

// btop converts addresses to page numbers.
func btop(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "btop",
		Synopsis: "address ...",
		Summary:  "convert byte addresses to page numbers",
		Detail: `
Addresses are hexadecimal, page numbers are printed in hexadecimal. A page has 4096
bytes.`,
		Examples: []repl.Example{{Line: "btop 512a000", Help: "Address 512a000 is in page 512a."}},
		Records:  []output.Describer{btopRecord},
		Run: func(_ context.Context, c *repl.Call) error {
			if len(c.Args) == 0 {
				return c.Usage("no address given")
			}
			for _, arg := range c.Args {
				a, err := t.address(arg)
				if err != nil {
					c.Error(err)
					continue
				}
				btopRecord.Emit(c.Out, &framed{a, a >> kernel.PageShift})
			}
			return nil
		},
	}
}
