package command

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// translated is a pair of a virtual and a physical address.
type translated struct{ virtual, physical uint64 }

var ptovRecord = &output.Record[translated]{
	Type: "virtual_address",
	Help: "where the direct map has a physical address",
	Columns: []output.Column[translated]{
		{Name: "virtual", Head: "VIRTUAL           ", Verb: "%-16x  ", Help: "kernel virtual address",
			Get: func(a *translated) output.Value { return output.Addr(a.virtual) }},
		{Name: "physical", Head: "PHYSICAL        ", Verb: "%-16x", Help: "physical address",
			Get: func(a *translated) output.Value { return output.Addr(a.physical) }},
	},
}

// percpuAddress is the address of one CPU's copy.
type percpuAddress struct {
	offset, virtual uint64
	cpu             int
	hidden          bool // by "set offline hide"
}

var percpuRecord = &output.Record[percpuAddress]{
	Type: "percpu_address",
	Help: "where a CPU has its copy of a per-CPU offset",
	Columns: []output.Column[percpuAddress]{
		{Name: "offset", Help: "per-CPU offset", Get: func(p *percpuAddress) output.Value { return output.Hex(p.offset) }},
		{Name: "cpu", Head: "  CPU    ", Verb: "  [%d]  ", Help: "CPU number", Get: func(p *percpuAddress) output.Value { return output.Int(p.cpu) }},
		{Name: "virtual", Head: "VIRTUAL         ", Verb: "%s", Help: "kernel virtual address",
			Get: func(p *percpuAddress) output.Value { return output.Addr(p.virtual) },
			Text: func(p *percpuAddress) string {
				if p.hidden {
					return fmt.Sprintf("%x [OFFLINE]", p.virtual)
				}
				return fmt.Sprintf("%x", p.virtual)
			}},
	},
}

// ptov converts physical addresses and per-CPU offsets to virtual addresses.
func ptov(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "ptov",
		Synopsis: "address ...\noffset:cpus ...",
		Summary:  "convert physical addresses or per-CPU offsets to kernel virtual addresses",
		Detail: `
A physical address becomes its address in the kernel's direct map of physical memory.

With a colon behind it, an operand is a per-CPU offset or the name of a per-CPU
variable, and the address of each named CPU's copy is printed. cpus is a list of
numbers and ranges (0,2-4), a or all for every possible CPU, or nothing for that of
the task in context.`,
		Examples: []repl.Example{
			{Line: "ptov 56e000", Help: "Where the kernel sees physical address 56e000."},
			{Line: "ptov b0c0:a", Help: "The copies of per-CPU offset b0c0 on all CPUs."},
		},
		Records: []output.Describer{ptovRecord, percpuRecord},
		Run: func(_ context.Context, c *repl.Call) error {
			if len(c.Args) == 0 {
				return c.Usage("no address given")
			}
			for i, arg := range c.Args {
				if i > 0 {
					c.Out.Print("\n")
				}
				if err := t.ptovOne(c, arg); err != nil {
					c.Error(err)
				}
			}
			return nil
		},
	}
}

func (t *Target) ptovOne(c *repl.Call, arg string) error {
	k, err := t.kernel()
	if err != nil {
		return err
	}
	if offset, cpus, ok := strings.Cut(arg, ":"); ok {
		return t.ptovPerCPU(c, offset, cpus)
	}
	p, err := t.address(arg)
	if err != nil {
		return err
	}
	start, end, ok := k.DirectMap()
	if !ok {
		return errors.New("the address of the direct map is not known")
	}
	v, ok := k.PhysToVirt(p)
	if !ok {
		return fmt.Errorf("physical address %#x is not in the direct map: memory ends at %#x", p, end-start)
	}
	ptovRecord.Head(c.Out)
	ptovRecord.Emit(c.Out, &translated{v, p})
	return nil
}

func (t *Target) ptovPerCPU(c *repl.Call, offset, spec string) error {
	k, err := t.kernel()
	if err != nil {
		return err
	}
	if k.Info == nil {
		return kernel.ErrNoDebugInfo
	}
	possible, err := k.PossibleCPUs()
	if err != nil {
		return err
	}
	if spec == "" {
		spec = strconv.Itoa(t.currentCPU())
	}
	cpus, err := cpuList(spec, possible)
	if err != nil {
		return err
	}
	off, err := t.address(offset)
	if err != nil {
		return err
	}
	c.Out.Printf("PER-CPU OFFSET: %x\n", off)
	percpuRecord.Head(c.Out)
	for _, cpu := range cpus {
		base, err := k.PerCPUOffset(cpu)
		if err != nil {
			return err
		}
		percpuRecord.Emit(c.Out, &percpuAddress{off, base + off, cpu, t.hidden(c, cpu)})
	}
	return nil
}
