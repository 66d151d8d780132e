package command

import (
	"context"
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// kmemHugePart is kmem -h, kmemOffsetPart kmem -o, kmemFlagPart kmem -g and
// kmemHashPart kmem -c.
var kmemHugePart = kmemPart{
	synopsis: "-h",
	options:  []repl.Option{{Name: "h", Help: "the huge pages of hugetlb, by size"}},
	records:  []output.Describer{hugeRecord},
	run:      kmemHuge,
}

var kmemOffsetPart = kmemPart{
	synopsis: "-o",
	options:  []repl.Option{{Name: "o", Help: "what each CPU adds to the address of a per-CPU variable"}},
	records:  []output.Describer{cpuOffsetRecord},
	run:      kmemOffsets,
}

var kmemFlagPart = kmemPart{
	synopsis: "-g [flags ...]",
	options:  []repl.Option{{Name: "g", Help: "the flags of page structures, or those that a value has"}},
	records:  []output.Describer{pageFlagRecord},
	operands: true,
	run:      kmemFlags,
}

var kmemHashPart = kmemPart{
	synopsis: "-c|-C",
	options: []repl.Option{
		{Name: "c", Help: "the page hash table of kernels 2.4 and older; no kernel has one today"},
		{Name: "C", Help: "the same with all pages"},
	},
	operands: true,
	run: func(context.Context, *Target, *repl.Call) error {
		return fmt.Errorf("this kernel has no page hash table: files -p and -c show the pages of a file")
	},
}

var hugeRecord = &output.Record[mm.HugePages]{
	Type: "huge_pages",
	Help: "the huge pages of one size that the kernel keeps for hugetlb",
	Columns: []output.Column[mm.HugePages]{
		{Name: "hstate", Head: "     HSTATE     ", Verb: "%016x  ", Help: "address of the hstate", Get: func(h *mm.HugePages) output.Value { return output.Addr(h.Addr) }},
		{Name: "size", Head: "   SIZE", Verb: "%5s  ", Help: "bytes of a huge page", Get: func(h *mm.HugePages) output.Value { return output.Int(kernel.PageSize << h.Order) },
			Text: func(h *mm.HugePages) string { return withoutBlank(pagesText(1 << h.Order)) }},
		{Name: "free", Head: "    FREE", Verb: "%6d  ", Help: "huge pages that nobody has", Get: func(h *mm.HugePages) output.Value { return output.Uint(h.Free) }},
		{Name: "total", Head: "   TOTAL", Verb: "%6d  ", Help: "huge pages", Get: func(h *mm.HugePages) output.Value { return output.Uint(h.Total) }},
		{Name: "name", Head: "  NAME", Verb: "%s", Help: "the kernel's name of the size", Get: func(h *mm.HugePages) output.Value { return output.String(h.Name) }},
		{Name: "reserved", Help: "huge pages that are promised and not yet taken", Get: func(h *mm.HugePages) output.Value { return output.Uint(h.Reserved) }},
		{Name: "surplus", Help: "huge pages beyond what was configured", Get: func(h *mm.HugePages) output.Value { return output.Uint(h.Surplus) }},
	},
}

// withoutBlank removes the first blank.
func withoutBlank(s string) string {
	for i := range s {
		if s[i] == ' ' {
			return s[:i] + s[i+1:]
		}
	}
	return s
}

func kmemHuge(_ context.Context, t *Target, c *repl.Call) error {
	k, _, err := t.info()
	if err != nil {
		return err
	}
	list, err := mm.LoadHugePages(k)
	if err == nil || len(list) > 0 {
		hugeRecord.Head(c.Out)
	}
	for i := range list {
		hugeRecord.Emit(c.Out, &list[i])
	}
	return err
}

// cpuOffset is what a CPU adds to the address of a per-CPU variable.
type cpuOffset struct {
	cpu    int
	offset uint64
}

var cpuOffsetRecord = &output.Record[cpuOffset]{
	Type: "cpu_offset",
	Help: "where the per-CPU area of a CPU is",
	Columns: []output.Column[cpuOffset]{
		{Name: "cpu", Verb: "%7s: ", Help: "number of the CPU", Get: func(r *cpuOffset) output.Value { return output.Int(r.cpu) },
			Text: func(r *cpuOffset) string { return fmt.Sprintf("CPU %d", r.cpu) }},
		{Name: "offset", Verb: "%x", Help: "what is added to the address of a per-CPU variable", Get: func(r *cpuOffset) output.Value { return output.Addr(r.offset) }},
	},
}

func kmemOffsets(_ context.Context, t *Target, c *repl.Call) error {
	k, _, err := t.info()
	if err != nil {
		return err
	}
	cpus, err := k.PossibleCPUs()
	if err != nil {
		return err
	}
	c.Out.Print("PER-CPU OFFSET VALUES:\n")
	for _, cpu := range cpus {
		off, err := k.PerCPUOffset(cpu)
		if err != nil {
			c.Error(err)
			continue
		}
		cpuOffsetRecord.Emit(c.Out, &cpuOffset{cpu, off})
	}
	return nil
}

// pageFlagRow is a flag in a table.
type pageFlagRow struct {
	mm.PageFlag
	indent         string
	longest, digit int
}

var pageFlagRecord = &output.Record[pageFlagRow]{
	Type: "page_flag",
	Help: "a flag of page structures; several may share a bit",
	Columns: []output.Column[pageFlagRow]{
		{Name: "flag", Help: "name of the enumerator", Get: func(r *pageFlagRow) output.Value { return output.String(r.Name) }},
		{Name: "bit", Help: "number of the bit, from 0", Get: func(r *pageFlagRow) output.Value { return output.Int(r.Bit) }},
		{Name: "value", Help: "the bit as a mask", Get: func(r *pageFlagRow) output.Value { return output.Hex(uint64(1) << r.Bit) }},
	},
	Text: func(b []byte, r *pageFlagRow) []byte {
		return fmt.Appendf(b, "%s%-*s  %2d  %0*x\n", r.indent, r.longest, r.Name, r.Bit, r.digit, uint64(1)<<r.Bit)
	},
}

func kmemFlags(_ context.Context, t *Target, c *repl.Call) error {
	k, _, err := t.info()
	if err != nil {
		return err
	}
	flags, err := mm.PageFlags(k)
	if err != nil {
		return err
	}
	if len(c.Args) == 0 {
		showFlags(c, flags, 0, false)
		return nil
	}
	for i, arg := range c.Args {
		if i > 0 {
			c.Out.Print("\n")
		}
		value, err := repl.ParseAddress(arg)
		if err != nil {
			c.Error(err)
			continue
		}
		showFlags(c, flags, value, value != 0)
	}
	return nil
}

// showFlags shows the flags that a value has, or all.
func showFlags(c *repl.Call, flags []mm.PageFlag, value uint64, some bool) {
	longest, last := len("__NR_PAGEFLAGS"), 0
	for _, f := range flags {
		longest, last = max(longest, len(f.Name)), max(last, f.Bit)
	}
	row := pageFlagRow{longest: longest, digit: (last+1)/4 + 1}
	if some {
		row.indent = "  "
		c.Out.Printf("FLAGS: %x\n", value)
	}
	c.Out.Printf("%s%-*s BIT  VALUE\n", row.indent, longest, "PAGE-FLAG")
	found := false
	for _, f := range flags {
		if !some || value>>f.Bit&1 != 0 {
			row.PageFlag, found = f, true
			pageFlagRecord.Emit(c.Out, &row)
		}
	}
	if !found {
		c.Out.Print("  (none found)\n")
	}
}
