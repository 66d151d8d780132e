package command

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/task"
)

// memoryRow is the address space of a task.
type memoryRow struct {
	task   *task.Task
	mm     uint64
	memory *task.Memory // nil without one
	err    error
}

// number is a datum of the mm_struct.
func (r *memoryRow) number(get func(*task.Memory) uint64) output.Value {
	switch {
	case r.err != nil:
		return output.Fault(r.err)
	case r.memory == nil:
		return output.Null()
	}
	return output.Uint(get(r.memory))
}

var memoryRecord = &output.Record[memoryRow]{
	Type: "vm",
	Help: "the address space of a task",
	Columns: append(taskColumns(func(r *memoryRow) *task.Task { return r.task }), []output.Column[memoryRow]{
		{Name: "mm", Help: "address of its mm_struct, null if it has none", Get: func(r *memoryRow) output.Value { return optionalAddr(r.mm) }},
		{Name: "pgd", Help: "kernel virtual address of its top page table", Get: func(r *memoryRow) output.Value {
			if r.memory == nil || r.memory.PGD == 0 {
				return output.Null()
			}
			return output.Addr(r.memory.PGD)
		}},
		{Name: "rss", Help: "resident memory in kB", Get: func(r *memoryRow) output.Value { return r.number(func(m *task.Memory) uint64 { return kB(m.RSS()) }) }},
		{Name: "total", Help: "mapped memory in kB", Get: func(r *memoryRow) output.Value { return r.number(func(m *task.Memory) uint64 { return kB(m.TotalVM) }) }},
	}...),
	Text: memoryText,
}

func memoryText(b []byte, r *memoryRow) []byte {
	const wide = 16
	var pgd uint64
	rss, total := "0k", "0k"
	switch {
	case r.err != nil:
		rss, total = output.FaultText(r.err), output.FaultText(r.err)
	case r.memory != nil:
		pgd = r.memory.PGD
		rss, total = fmt.Sprintf("%dk", kB(r.memory.RSS())), fmt.Sprintf("%dk", kB(r.memory.TotalVM))
	}
	b = fmt.Appendf(b, "%s  %s   RSS    TOTAL_VM\n", centreHead("MM", wide), centreHead("PGD", wide))
	return fmt.Appendf(b, "%s  %s  %s  %s\n", centreHead(fmt.Sprintf("%x", r.mm), wide), centreHead(fmt.Sprintf("%x", pgd), wide), centreHead(rss, 6), centreHead(total, 8))
}

// kB is a number of pages in kB.
func kB(pages uint64) uint64 { return pages << (kernel.PageShift - 10) }

// vmArea is an area of a task.
type vmArea struct {
	areaRow
	task  *task.Task
	mm    uint64
	names *mm.AreaFlags
}

var vmAreaRecord = &output.Record[vmArea]{
	Type: "vm_area",
	Help: "a virtual memory area of a task",
	Columns: slices.Concat(taskColumns(func(a *vmArea) *task.Task { return a.task }), []output.Column[vmArea]{
		{Name: "mm", Help: "address of the mm_struct", Get: func(a *vmArea) output.Value { return output.Addr(a.mm) }},
	}, areaColumns(func(a *vmArea) *areaRow { return &a.areaRow }), []output.Column[vmArea]{
		{Name: "flag_names", Help: "names of the flags, as the kernel has them", Get: func(a *vmArea) output.Value {
			if a.names == nil {
				return output.Null()
			}
			return output.Strings(a.names.Names(a.Flags))
		}},
	}),
}

// vmPage is a page of an area.
type vmPage struct {
	mm.Place // of this one page
	area     *vmArea
	swap     string // path of the swap area
}

const vmPageHead = "VIRTUAL     PHYSICAL\n"

var vmPageRecord = &output.Record[vmPage]{
	Type: "vm_page",
	Help: "where a page of an area is (-p, -P, -R)",
	Columns: []output.Column[vmPage]{
		{Name: "pid", Help: "process id", Get: func(p *vmPage) output.Value { return output.Int(p.area.task.PID) }},
		{Name: "vma", Help: "address of the vm_area_struct", Get: func(p *vmPage) output.Value { return output.Addr(p.area.Addr) }},
		{Name: "virtual", Help: "its address", Get: func(p *vmPage) output.Value { return output.Addr(p.Vaddr) }},
		{Name: "physical", Help: "its physical address, null if it is not in memory", Get: func(p *vmPage) output.Value {
			switch p.Where {
			case mm.InMemory:
				return output.Addr(p.Paddr)
			case mm.Unknown:
				return output.Fault(p.Err)
			}
			return output.Null()
		}},
		{Name: "swap", Help: "file or device of the swap area that holds it, null if none does", Get: func(p *vmPage) output.Value { return onlyIf(p.Where == mm.InSwap, output.String(p.swap)) }},
		{Name: "swap_offset", Help: "its place there, in pages", Get: func(p *vmPage) output.Value { return onlyIf(p.Where == mm.InSwap, output.Uint(p.Offset)) }},
		{Name: "file", Help: "file that it comes from when it is touched, null if none", Get: func(p *vmPage) output.Value { return onlyIf(p.Where == mm.InFile, output.String(p.area.path)) }},
		{Name: "file_offset", Help: "its place there, in bytes", Get: func(p *vmPage) output.Value { return onlyIf(p.Where == mm.InFile, output.Uint(p.Offset)) }},
	},
	Text: vmPageText,
}

// vmPageText does without verbs: there may be millions of these lines.
func vmPageText(b []byte, p *vmPage) []byte {
	start := len(b)
	for b = strconv.AppendUint(b, p.Vaddr, 16); len(b)-start < 10; {
		b = append(b, ' ')
	}
	b = append(b, "  "...)
	switch p.Where {
	case mm.InMemory:
		b = appendHex(b, p.Paddr, 8, ' ')
	case mm.InSwap:
		b = fmt.Appendf(b, "SWAP: %s  OFFSET: %d", p.swap, p.Offset)
	case mm.InFile:
		b = append(append(b, "FILE: "...), p.area.path...)
		b = strconv.AppendUint(append(b, "  OFFSET: "...), p.Offset, 16)
	case mm.Unknown:
		b = fmt.Appendf(b, "(page table %s)", fault.ReasonOf(p.Err))
	default:
		b = append(b, "(not mapped)"...)
	}
	return append(b, '\n')
}

// vmFlags is what -f names.
type vmFlags struct {
	flags uint64
	names []string
}

var vmFlagsRecord = &output.Record[vmFlags]{
	Type: "vm_flags",
	Help: "the names of the flags of an area (-f)",
	Columns: []output.Column[vmFlags]{
		{Name: "flags", Verb: "%x: ", Help: "the flags", Get: func(f *vmFlags) output.Value { return output.Hex(f.flags) }},
		{Name: "names", Verb: "(%s)", Help: "their names, as the kernel has them; of a bit without a name, the bit",
			Get:  func(f *vmFlags) output.Value { return output.Strings(f.names) },
			Text: func(f *vmFlags) string { return strings.Join(f.names, "|") }},
	},
}

func (t *Target) showAreaFlags(c *repl.Call, text string) error {
	flags, err := repl.ParseAddress(text)
	if err != nil {
		return err
	}
	k, _, err := t.info()
	if err != nil {
		return err
	}
	names, err := mm.LoadAreaFlags(k)
	if err != nil {
		c.Warn("%v", err)
	}
	vmFlagsRecord.Emit(c.Out, &vmFlags{flags, names.Names(flags)})
	return nil
}

var vmStructRecord = taskObject("vm_struct", "the mm_struct of a task (-m), or one of its vm_area_structs (-v)")
