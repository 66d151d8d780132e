package command

import (
	"context"
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// vmareaRow is an area of virtually contiguous kernel memory.
type vmareaRow struct {
	mm.VMArea
	caller string // name of the code that asked for it
}

var vmareaRecord = &output.Record[vmareaRow]{
	Type: "vmap_area",
	Help: "an area of virtually contiguous kernel memory",
	Columns: []output.Column[vmareaRow]{
		{Name: "vmap_area", Head: "   VMAP_AREA    ", Verb: "%016x", Help: "address of the vmap_area", Get: func(r *vmareaRow) output.Value { return output.Addr(r.Addr) }},
		{Name: "vm_struct", Head: "     VM_STRUCT    ", Verb: "  %016x", None: "      (none)    ", Help: "address of the vm_struct, null if there is none", Get: func(r *vmareaRow) output.Value { return optionalAddr(r.Struct) }},
		{Name: "start", Head: "             ADDRESS", Verb: "  %016x", Help: "first address", Get: func(r *vmareaRow) output.Value { return output.Addr(r.Start) }},
		{Name: "end", Head: " RANGE             ", Verb: " - %016x", Help: "address behind it, guard page included", Get: func(r *vmareaRow) output.Value { return output.Addr(r.End) }},
		{Name: "size", Head: "   SIZE", Verb: "  %7d", Help: "bytes from start to end", Get: func(r *vmareaRow) output.Value { return output.Uint(r.End - r.Start) }},
		{Name: "kind", Help: "vmalloc, vmap, ioremap or vm_map_ram, null if not known", Get: func(r *vmareaRow) output.Value { return optional(r.Kind()) }},
		{Name: "flags", Help: "vm_struct.flags", Get: func(r *vmareaRow) output.Value { return output.Hex(r.Flags) }},
		{Name: "flag_names", Help: "flags by name", Get: func(r *vmareaRow) output.Value { return output.Strings(r.Names()) }},
		{Name: "pages", Help: "number of its pages", Get: func(r *vmareaRow) output.Value { return output.Uint(r.NrPages) }},
		{Name: "physical", Help: "physical address that is mapped there by ioremap, else null", Get: func(r *vmareaRow) output.Value { return optionalAddr(r.Phys) }},
		{Name: "caller", Help: "code that asked for the area", Get: func(r *vmareaRow) output.Value { return optionalAddr(r.Caller) }},
		{Name: "caller_name", Help: "name of that code", Get: func(r *vmareaRow) output.Value { return optional(r.caller) }},
		{Name: "lazy", Help: "whether the area was given back and is only not flushed yet", Get: func(r *vmareaRow) output.Value { return output.Bool(r.Lazy) }},
		{Name: "fault", Help: "why the vm_struct was not read or may be wrong, null if it is right", Get: func(r *vmareaRow) output.Value { return output.Fault(r.Err) }},
	},
}

// newVMAreaRow finds the name of the caller.
func newVMAreaRow(k *kernel.Kernel, a mm.VMArea) *vmareaRow {
	r := &vmareaRow{VMArea: a}
	if name, off, ok := k.SymbolAt(a.Caller); ok && a.Caller != 0 {
		r.caller = name
		if off != 0 {
			r.caller = fmt.Sprintf("%s+%d", name, off)
		}
	}
	return r
}

// kmemVMAreas is kmem -v.
func kmemVMAreas(ctx context.Context, t *Target, c *repl.Call) error {
	v, err := t.vmareas()
	if err != nil {
		return err
	}
	vmareaRecord.Head(c.Out)
	all, broken := v.All()
	if broken != nil {
		c.Warn("%v", firstLine(broken))
	}
	k := t.Opened.Kernel
	if len(c.Args) == 0 {
		for i := range all {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !all[i].Lazy {
				vmareaRecord.Emit(c.Out, newVMAreaRow(k, all[i]))
			}
		}
		return nil
	}
	for _, arg := range c.Args {
		addr, err := t.address(arg)
		if err != nil {
			c.Error(err)
			continue
		}
		areas, err := t.areasAt(v, addr)
		if err != nil {
			c.Error(fmt.Errorf("%x: %w", addr, err))
		}
		for _, a := range areas {
			vmareaRecord.Emit(c.Out, newVMAreaRow(k, a))
		}
	}
	return nil
}

// areasAt are the areas that hold a kernel virtual address, or that map a page
// that is given by its physical address.
func (t *Target) areasAt(v *mm.VMAreas, addr uint64) ([]mm.VMArea, error) {
	if t.Opened.Kernel.IsKernelAddress(addr) {
		if a, ok := v.Find(addr); ok {
			return []mm.VMArea{a}, nil
		}
		return nil, nil
	}
	pages, err := t.pages()
	if err != nil {
		return nil, err
	}
	areas, _ := v.Mapped(pages, addr)
	return areas, nil
}
