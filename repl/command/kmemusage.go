package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// kmemUsagePart is kmem -i.
var kmemUsagePart = kmemPart{
	synopsis: "-i[=shared]",
	options: []repl.Option{
		{Name: "i", Assign: "shared", Help: "how memory is used: free, page cache, slabs, huge pages, swap, promised; with =shared also how many pages have more than one user, from all page structures"},
	},
	records: []output.Describer{usageRecord},
	run:     kmemUsage,
}

// usageRow is one kind of use of memory.
type usageRow struct {
	label string // of the text: "TOTAL MEM"
	mm.Amount
	of      string // the label of the whole that its share is of; "" for a whole
	whole   int64
	noShare bool       // the whole is 0 and the share has no place in the text
	pending *mm.Amount // what CPUs keep apart from it; nil if they keep nothing
}

func (r *usageRow) share() int64 {
	if r.whole <= 0 {
		return 0
	}
	return int64(uint64(r.Pages) * 100 / uint64(r.whole))
}

var usageRecord = &output.Record[usageRow]{
	Type: "memory_usage",
	Help: "how much memory is used for something",
	Columns: []output.Column[usageRow]{
		{Name: "use", Help: "what for: total_mem, free, used, shared, buffers, cached, slab, total_huge, huge_free, total_swap, swap_used, swap_free, commit_limit, committed", Get: func(r *usageRow) output.Value {
			return output.String(strings.ReplaceAll(strings.ToLower(r.label), " ", "_"))
		}},
		{Name: "pages", Help: "pages of 4096 bytes, null if that is not known", Get: func(r *usageRow) output.Value { return onlyIf(r.Err == nil, output.Int(r.Pages)) }},
		{Name: "bytes", Help: "the same in bytes", Get: func(r *usageRow) output.Value { return onlyIf(r.Err == nil, output.Int(r.Pages<<kernel.PageShift)) }},
		{Name: "percent", Help: "share of the whole in percent, rounded down; null for a whole", Get: func(r *usageRow) output.Value {
			if r.of == "" || r.whole <= 0 || r.Err != nil {
				return output.Null()
			}
			return output.Int(r.share())
		}},
		{Name: "pending", Help: "committed: pages that CPUs have counted and not yet added; /proc/meminfo has them, the kernel's check against the limit has not", Get: func(r *usageRow) output.Value {
			if r.pending == nil {
				return output.Null()
			}
			if r.pending.Err != nil {
				return output.Fault(r.pending.Err)
			}
			return output.Int(r.pending.Pages)
		}},
		{Name: "fault", Help: "why the number is not known, null if it is", Get: func(r *usageRow) output.Value { return output.Fault(r.Err) }},
	},
	Text: func(b []byte, r *usageRow) []byte {
		if r.Err != nil {
			return fmt.Appendf(b, "%13s  (%v)\n", r.label, firstLine(r.Err))
		}
		b = fmt.Appendf(b, "%13s  %7d  %11s", r.label, r.Pages, pagesText(r.Pages))
		if r.of == "" || r.noShare {
			return append(b, "         ----\n"...)
		}
		return fmt.Appendf(b, "  %3d%% of %s\n", r.share(), r.of)
	},
}

// pagesText is a number of pages in the largest unit that fits.
func pagesText(pages int64) string {
	if pages == 0 {
		return "0"
	}
	return formatBytes(uint64(pages) * kernel.PageSize)
}

// kmemUsage shows how memory is used.
func kmemUsage(ctx context.Context, t *Target, c *repl.Call) error {
	u, err := fromInfo(t, mm.LoadUsage)
	if err != nil {
		return err
	}
	var shared *mm.Amount
	if how, ok := c.Value("i"); ok && how != "" {
		if how != "shared" {
			return c.Usage("-i=shared is the only form with an argument")
		}
		if shared, err = countShared(ctx, t, c); err != nil {
			return err
		}
	}
	c.Out.Print("                 PAGES        TOTAL      PERCENTAGE\n")
	s := usageShower{c: c}
	s.whole("TOTAL MEM", u.Total)
	s.part("FREE", u.Free)
	s.part("USED", mm.Amount{Pages: u.Total.Pages - u.Free.Pages, Err: errors.Join(u.Total.Err, u.Free.Err)})
	if shared != nil {
		s.part("SHARED", *shared)
	}
	s.part("BUFFERS", u.Buffers)
	s.part("CACHED", u.Cached)
	s.part("SLAB", u.Slab)
	c.Out.Print("\n")
	s.whole("TOTAL HUGE", u.HugeTotal)
	s.of = "TOTAL HUGE"
	s.part("HUGE FREE", u.HugeFree)
	c.Out.Print("\n")
	if !errors.Is(u.SwapTotal.Err, mm.ErrNoSwap) {
		s.whole("TOTAL SWAP", u.SwapTotal)
		s.of = "TOTAL SWAP"
		s.part("SWAP USED", u.SwapUsed)
		s.part("SWAP FREE", mm.Amount{Pages: u.SwapTotal.Pages - u.SwapUsed.Pages, Err: u.SwapUsed.Err})
	}
	c.Out.Print("\n")
	s.whole("COMMIT LIMIT", u.CommitLimit)
	s.of = "TOTAL LIMIT"
	s.noShare = u.CommitLimit.Pages == 0
	s.emit(usageRow{label: "COMMITTED", Amount: u.Committed, of: s.of, whole: s.total.Pages, noShare: s.noShare, pending: &u.CommitPending})
	return s.err
}

// usageShower shows rows that are shares of the last whole.
type usageShower struct {
	c       *repl.Call
	total   mm.Amount
	of      string
	noShare bool
	err     error
}

func (s *usageShower) whole(label string, a mm.Amount) {
	s.total, s.of = a, label
	s.emit(usageRow{label: label, Amount: a})
}

func (s *usageShower) part(label string, a mm.Amount) {
	s.emit(usageRow{label: label, Amount: a, of: s.of, whole: s.total.Pages, noShare: s.noShare})
}

// emit shows a row; a number that is missing makes the command fail in the end.
func (s *usageShower) emit(r usageRow) {
	usageRecord.Emit(s.c.Out, &r)
	if r.Err != nil && s.err == nil {
		s.err = fmt.Errorf("not all numbers could be read: %w", firstLine(r.Err))
	}
}

// countShared counts the pages that are not reserved and have more than one
// reference.
func countShared(ctx context.Context, t *Target, c *repl.Call) (*mm.Amount, error) {
	a := &mm.Amount{}
	err := eachBlock(ctx, t, c, func(p *mm.Pages, b *mm.PageBlock) {
		if b.Err != nil {
			a.Err = b.Err
			return
		}
		for i := range b.Pages {
			if x := p.Decode(b, i); x.Count > 1 && !p.Reserved(&x) {
				a.Pages++
			}
		}
	})
	return a, err
}
