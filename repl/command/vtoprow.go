package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl/output"
)

// errOtherSpace is why an address has no translation when -u or -k contradicts it.
var errOtherSpace = errors.New("the address belongs to the other half of the address space")

// vtopRow is the translation of one address.
type vtopRow struct {
	addr uint64
	user bool
	pgd  uint64 // virtual address of the kernel's top page table
	m    kernel.Mapping
	err  error
}

var vtopRecord = &output.Record[vtopRow]{
	Type: "translation",
	Help: "a virtual address and what its page tables say",
	Columns: []output.Column[vtopRow]{
		{Name: "virtual", Help: "the address", Get: func(r *vtopRow) output.Value { return output.Addr(r.addr) }},
		{Name: "physical", Help: "the physical address, null if there is none", Get: func(r *vtopRow) output.Value { return onlyIf(r.err == nil, output.Addr(r.m.Paddr)) }},
		{Name: "page_size", Help: "bytes that the last entry maps, null if it maps none", Get: func(r *vtopRow) output.Value { return onlyIf(r.err == nil, output.Uint(r.m.Size)) }},
		{Name: "levels", Help: "page-table entries from the top: {level, physical address of the entry, entry}", Get: func(r *vtopRow) output.Value {
			var v []output.Value
			for _, s := range r.m.Steps {
				v = append(v, output.Object(output.Field{Name: "level", Value: output.String(s.Level.String())},
					output.Field{Name: "address", Value: output.Addr(s.Addr)},
					output.Field{Name: "entry", Value: output.Hex(s.Entry)}))
			}
			return output.List(v...)
		}},
		{Name: "fault", Help: "why there is no physical address, null if there is one", Get: func(r *vtopRow) output.Value { return output.Fault(r.err) }},
	},
	Text: vtopText,
}

func vtopText(b []byte, r *vtopRow) []byte {
	width := 16
	if r.user {
		width = 10
	}
	b = fmt.Appendf(b, "%-*s  PHYSICAL        \n", width, "VIRTUAL")
	b = fmt.Appendf(b, "%-*x  ", width, r.addr)
	if r.err != nil {
		b = fmt.Appendf(b, "(%s)\n\n", r.why())
	} else {
		b = fmt.Appendf(b, "%-16x\n\n", r.m.Paddr)
	}
	if len(r.m.Steps) == 0 {
		return b
	}
	for i, s := range r.m.Steps {
		if i == 0 && !r.user {
			b = fmt.Appendf(b, "PGD DIRECTORY: %016x\nPAGE DIRECTORY: %x\n", r.pgd, s.Entry)
			continue
		}
		b = fmt.Appendf(b, "   %v: %x => %x\n", s.Level, s.Addr, s.Entry)
	}
	if r.err == nil {
		b = fmt.Appendf(b, "  PAGE: %x%s\n", r.m.Paddr&^(r.m.Size-1), r.pageNote())
	}
	return append(b, '\n')
}

// why is what stands in place of the physical address.
func (r *vtopRow) why() string {
	var e *fault.Error
	switch {
	case r.err == errOtherSpace && r.user:
		return "not a user virtual address"
	case r.err == errOtherSpace:
		return "not a kernel virtual address"
	case errors.As(r.err, &e) && e.Reason != fault.Unmapped && e.Reason != fault.SwappedOut:
		return "page table " + e.Reason.String()
	case errors.As(r.err, &e) && strings.Contains(e.Detail, "canonical"):
		return "not mapped: " + e.Detail
	}
	return fault.ReasonOf(r.err).String()
}

func (r *vtopRow) pageNote() string {
	switch {
	case r.m.Size == 1<<30:
		return "  (1GB)"
	case r.m.Size == 2<<20:
		return "  (2MB)"
	case r.user:
		return "  "
	}
	return ""
}

// areaRow is a virtual memory area with the path of its file.
type areaRow struct {
	mm.Area
	path   string
	err    error  // why it is not known
	offset uint64 // of the page asked for, in the file
}

var areaRecord = &output.Record[areaRow]{
	Type: "area",
	Help: "a virtual memory area",
	Columns: append(areaColumns(func(a *areaRow) *areaRow { return a }),
		output.Column[areaRow]{Name: "page_offset", Help: "where the page asked for is in the file, in bytes; null of anonymous memory", Get: func(a *areaRow) output.Value { return onlyIf(a.File != 0, output.Uint(a.offset)) }}),
}

// areaColumns are the columns of records of areas.
func areaColumns[R any](of func(*R) *areaRow) []output.Column[R] {
	return []output.Column[R]{
		{Name: "vma", Head: "      VMA        ", Verb: "%016x ", Help: "address of the vm_area_struct", Get: func(r *R) output.Value { return output.Addr(of(r).Addr) }},
		{Name: "start", Head: "   START   ", Verb: "%10x ", Help: "first address", Get: func(r *R) output.Value { return output.Addr(of(r).Start) }},
		{Name: "end", Head: "    END    ", Verb: "%10x ", Help: "address behind the last one", Get: func(r *R) output.Value { return output.Addr(of(r).End) }},
		{Name: "flags", Head: " FLAGS ", Verb: "%6x ", Help: "VM_* flags", Get: func(r *R) output.Value { return output.Hex(of(r).Flags) }},
		{Name: "offset", Help: "where the area begins in its file, in bytes", Get: func(r *R) output.Value { return output.Uint(of(r).Offset) }},
		{Name: "file", Help: "address of the struct file, null of anonymous memory", Get: func(r *R) output.Value { return optionalAddr(of(r).File) }},
		{Name: "path", Head: "FILE", Verb: "%s", Help: "path of the file, null of anonymous memory", Get: func(r *R) output.Value {
			switch a := of(r); {
			case a.File == 0:
				return output.Null()
			case a.err != nil && a.path == "":
				return output.Fault(a.err)
			}
			return output.String(of(r).path)
		}},
	}
}

var pageRecord = &output.Record[mm.Page]{
	Type: "page",
	Help: "the page structure of a page",
	Columns: []output.Column[mm.Page]{
		{Name: "page", Head: "      PAGE       ", Help: "address of the struct page", Get: func(p *mm.Page) output.Value { return output.Addr(p.Addr) }},
		{Name: "physical", Head: "PHYSICAL ", Help: "physical address of the page", Get: func(p *mm.Page) output.Value { return output.Addr(p.Paddr) }},
		{Name: "mapping", Head: "     MAPPING     ", Help: "the word at page.mapping", Get: func(p *mm.Page) output.Value { return output.Hex(p.Mapping) }},
		{Name: "index", Head: "  INDEX ", Help: "the word at page.index", Get: func(p *mm.Page) output.Value { return output.Hex(p.Index) }},
		{Name: "count", Head: "CNT ", Help: "references", Get: func(p *mm.Page) output.Value { return output.Int(p.Count) }},
		{Name: "flags", Head: "FLAGS", Help: "page.flags; the high bits hold node and zone", Get: func(p *mm.Page) output.Value { return output.Hex(p.Flags) }},
		{Name: "flag_names", Help: "names of the flags that are set", Get: func(p *mm.Page) output.Value { return output.Strings(p.Names) }},
	},
	Text: appendPage,
}
