package command

import (
	"context"
	"fmt"

	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/task"
)

// vm shows the address spaces of tasks.
func vm(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "vm",
		Synopsis: "[-p | -P vma | -m | -v] [-M mm] [-xd] [pid | task | command] ...\n[-p] -R reference [pid | task | command] ...\n-f flags",
		Summary:  "show the virtual memory areas of tasks, and where their pages are",
		Detail: `
Of each task, the current one if none is named, its mm_struct is shown, the root of its
page tables, its resident and its total memory in kB, and its areas by address.

With -p and -P a line for each page of an area says where it is: its physical address,
its place in swap, or the place in the file that it comes from when it is touched.
What was never touched and has no file is (not mapped).

With -R only what fits is shown: a part of the path of a file; in hexadecimal the
address of an mm_struct or its page table, that of a vm_area_struct, the flags of an
area, the first address of a page, its physical address, or its offset in the file; its
number in swap.`,
		Options: []repl.Option{
			{Name: "p", Help: "show where each page is"},
			{Name: "P", Arg: "vma", Help: "show where each page of the area at this address is"},
			{Name: "M", Arg: "mm", Help: "take this mm_struct for tasks that gave theirs back"},
			{Name: "m", Help: "print the mm_struct"},
			{Name: "v", Help: "print each vm_area_struct"},
			{Name: "R", Arg: "reference", Help: "only what fits an address, a number or a part of a path"},
			{Name: "f", Arg: "flags", Help: "name the flags of an area, given in hexadecimal"},
			{Name: "x", Help: "print numbers of -m and -v in hexadecimal"},
			{Name: "d", Help: "print numbers of -m and -v in decimal"},
		},
		Examples: []repl.Example{
			{Line: "vm 1", Help: "The address space of the init process."},
			{Line: "vm -P ffff9b6d00867580 1", Help: "The pages of one area."},
			{Line: "foreach vm -R busybox", Help: "Which processes map a file."},
		},
		Records: []output.Describer{memoryRecord, vmAreaRecord, vmPageRecord, vmFlagsRecord, vmStructRecord},
		Run:     func(ctx context.Context, c *repl.Call) error { return runVM(ctx, t, c) },
	}
}

// vmCall is one call of vm.
type vmCall struct {
	ctx   context.Context
	t     *Target
	c     *repl.Call
	table *task.Table
	areas *mm.Areas
	flags *mm.AreaFlags
	swaps map[int]string // paths of swap areas

	spare uint64 // -M: mm_struct of tasks without
	only  uint64 // -P: the one area
	ref   *vmReference
}

func runVM(ctx context.Context, t *Target, c *repl.Call) error {
	if text, ok := c.Value("f"); ok {
		return t.showAreaFlags(c, text)
	}
	tasks, err := t.tasksOrCurrent(c)
	if err != nil {
		return err
	}
	return t.spaces(ctx, c, tasks)
}

// spaces shows the address spaces of tasks in the form that the options of vm
// ask for.
func (t *Target) spaces(ctx context.Context, c *repl.Call, tasks []*task.Task) error {
	x, err := t.newVM(ctx, c)
	if err != nil {
		return err
	}
	for i, k := range tasks {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if i > 0 && x.ref == nil {
			c.Out.Print("\n")
		}
		x.show(k)
	}
	return nil
}

// newVM looks at the options. What excludes what is as in crash.
func (t *Target) newVM(ctx context.Context, c *repl.Call) (*vmCall, error) {
	forms := 0
	for _, o := range []string{"P", "m", "v", "R"} {
		forms += min(c.Count(o), 1)
	}
	if forms > 1 || c.Has("p") && (c.Has("P") || c.Has("m") || c.Has("v")) {
		return nil, c.Usage("-p, -P, -m and -v exclude each other, and -R all but -p")
	}
	k, _, err := t.info()
	if err != nil {
		return nil, err
	}
	x := &vmCall{ctx: ctx, t: t, c: c, swaps: map[int]string{}}
	if x.flags, err = mm.LoadAreaFlags(k); err != nil {
		c.Warn("%v", err)
	}
	if x.table, err = t.tasks(); err != nil {
		return nil, err
	}
	if x.areas, err = mm.LoadAreas(k); err != nil {
		return nil, err
	}
	for _, o := range []struct {
		name string
		to   *uint64
	}{{"M", &x.spare}, {"P", &x.only}} {
		text, ok := c.Value(o.name)
		if !ok {
			continue
		}
		if *o.to, err = t.address(text); err != nil {
			return nil, err
		}
		if *o.to == 0 {
			return nil, fmt.Errorf("-%s 0: no kernel address", o.name)
		}
	}
	if text, ok := c.Value("R"); ok {
		x.ref = newVMReference(text)
	}
	return x, nil
}
