package command

import (
	"fmt"
	"slices"

	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/task"
)

// pageUser is what is known of who uses a page, beyond its structure.
type pageUser struct {
	mm.Owner
	folio   mm.Folio
	pfn     uint64
	path    string // of the file
	mappers []pageMapper
	err     error
}

// pageMapper is a process that maps the page.
type pageMapper struct {
	mm.Mapper
	task *task.Task // one with the address space, nil if none was found
}

// maxMappers bounds how many processes are shown that map a page.
const maxMappers = 64

var pageUserRecord = &output.Record[pageUser]{
	Type: "page_user",
	Help: "who uses a page, beyond what its structure says",
	Columns: []output.Column[pageUser]{
		{Name: "kind", Help: "file, anonymous, ksm or none", Get: func(r *pageUser) output.Value { return output.String(r.Kind.String()) }},
		{Name: "page_type", Help: "the page type by the kernel's name, null if the page has none", Get: func(r *pageUser) output.Value { return optional(r.folio.Type) }},
		{Name: "head", Help: "address of the first page structure of the compound page", Get: func(r *pageUser) output.Value { return output.Addr(r.folio.Head.Addr) }},
		{Name: "order", Help: "the compound page has 1 << order pages", Get: func(r *pageUser) output.Value { return output.Int(r.folio.Order) }},
		{Name: "mapping", Help: "address_space or anon_vma, null if there is none", Get: func(r *pageUser) output.Value { return optionalAddr(r.Mapping) }},
		{Name: "inode", Help: "inode of the file", Get: func(r *pageUser) output.Value { return optionalAddr(r.Inode) }},
		{Name: "dentry", Help: "directory entry of the file, null if none is in memory", Get: func(r *pageUser) output.Value { return optionalAddr(r.Dentry) }},
		{Name: "path", Help: "name of the file, null if it is not known", Get: func(r *pageUser) output.Value { return optional(r.path) }},
		{Name: "index", Help: "number of the page in the file, or as the areas of anonymous memory count", Get: func(r *pageUser) output.Value { return output.Uint(r.Index) }},
		{Name: "mapped", Help: "the areas whose page tables map the page", Get: func(r *pageUser) output.Value {
			list := make([]output.Value, len(r.mappers))
			for i := range r.mappers {
				list[i] = pageMapperRecord.Value(&r.mappers[i])
			}
			return output.List(list...)
		}},
		{Name: "fault", Help: "why something is missing, null if nothing is", Get: func(r *pageUser) output.Value { return output.Fault(r.err) }},
	},
	Text: (func(b []byte, r *pageUser) []byte { return r.text(b) }),
}

var pageMapperRecord = &output.Record[pageMapper]{
	Type: "page_mapper",
	Help: "an area of user memory that maps a page",
	Columns: []output.Column[pageMapper]{
		{Name: "address", Help: "user virtual address of the page", Get: func(r *pageMapper) output.Value { return output.Addr(r.Vaddr) }},
		{Name: "vma", Help: "address of the vm_area_struct", Get: func(r *pageMapper) output.Value { return output.Addr(r.Addr) }},
		{Name: "mm", Help: "address of the mm_struct", Get: func(r *pageMapper) output.Value { return output.Addr(r.MM) }},
		{Name: "pid", Help: "a task with this address space, null if none was found", Get: func(r *pageMapper) output.Value {
			if r.task == nil {
				return output.Null()
			}
			return output.Int(int(r.task.PID))
		}},
		{Name: "comm", Help: "command name of the task", Get: func(r *pageMapper) output.Value {
			if r.task == nil {
				return output.Null()
			}
			return output.String(r.task.Comm)
		}},
	},
	Text: func(b []byte, _ *pageMapper) []byte { return b },
}

// text shows labels and values in the manner of the lines of a task.
func (r *pageUser) text(b []byte) []byte {
	line := func(label, format string, args ...any) {
		b = fmt.Appendf(b, "%9s: ", label)
		b = fmt.Appendf(b, format+"\n", args...)
	}
	if r.folio.Type != "" {
		line("PAGE TYPE", "%s", r.folio.Type)
	}
	if r.folio.Order > 0 && r.folio.Type != "buddy" {
		line("COMPOUND", "%s of %d pages, the first is %x", ordinal(r.pfn-r.folio.PFN+1), uint64(1)<<r.folio.Order, r.folio.Head.Addr)
	}
	switch r.Kind {
	case mm.FileOwner:
		name := r.path
		if name == "" {
			name = "(unknown)"
		}
		line("FILE", "%s", name)
		line("INODE", "%x", r.Inode)
		line("OFFSET", "%x", r.Index<<12)
	case mm.AnonOwner:
		line("ANON_VMA", "%x", r.Mapping)
	case mm.KSMOwner:
		line("KSM", "%x", r.Mapping)
	}
	for i := range r.mappers {
		x := &r.mappers[i]
		if x.task == nil {
			line("MAPPED", "%x  MM: %x", x.Vaddr, x.MM)
			continue
		}
		line("MAPPED", "%x  PID: %d  TASK: %x  COMMAND: \"%s\"", x.Vaddr, x.task.PID, x.task.Addr, x.task.Comm)
	}
	return b
}

// user shows who uses a page, if more is known than the page line tells.
func (w *wordFinder) user(pfn uint64) {
	r := pageUser{pfn: pfn}
	if r.folio, r.err = w.pages.Folio(pfn); r.err != nil {
		w.c.Warn("%v", r.err)
		return
	}
	owners, err := w.t.owners()
	if err == nil {
		r.Owner, r.err = owners.Of(pfn)
		w.mappers(owners, &r)
	}
	if r.Dentry != 0 {
		if files, err := w.t.files(); err == nil {
			if n, err := files.Dentry(r.Dentry); err == nil {
				r.path = n.Path
			}
		}
	}
	slab := r.folio.Type == "slab" || slices.Contains(r.folio.Head.Names, "slab")
	if r.Kind != mm.NoOwner || !slab && r.folio.Type != "" && r.folio.Type != "buddy" || !slab && r.folio.Order > 0 && r.folio.Type != "buddy" {
		w.block(func() { pageUserRecord.Emit(w.c.Out, &r) })
	}
	if r.err != nil {
		w.c.Out.Fault("user of the page", r.err)
	}
}

// mappers finds the processes that map the page.
func (w *wordFinder) mappers(owners *mm.Owners, r *pageUser) {
	table, err := w.t.tasks()
	for m, merr := range owners.Mappers(r.Owner, r.pfn) {
		if merr != nil {
			r.err = merr
			continue
		}
		if !m.Present || len(r.mappers) == maxMappers {
			continue
		}
		x := pageMapper{Mapper: m}
		if err == nil {
			for _, t := range table.Tasks {
				if t.MM == m.MM && (x.task == nil || t.PID == t.TGID) {
					x.task = t
				}
			}
		}
		r.mappers = append(r.mappers, x)
	}
}
