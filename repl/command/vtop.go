package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/task"
)

// vtop translates virtual addresses.
func vtop(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "vtop",
		Synopsis: "[-c pid|task] [-u|-k] address ...",
		Summary:  "translate virtual addresses to physical ones, through the page tables",
		Detail: `
For each address the page-table entries from the top down are shown with their
physical addresses, the flags of the last one, and the page structure of the page. Of
a user address, which is looked up in the address space of the task in context, the
virtual memory area that it lies in is shown, too.

An address without a page says why, behind it: (not mapped), (swapped out), or why
a page table could not be read; the entries up to there are shown.`,
		Options: []repl.Option{
			{Name: "c", Arg: "pid|task", Help: "translate user addresses of this task"},
			{Name: "u", Help: "addresses are user virtual"},
			{Name: "k", Help: "addresses are kernel virtual"},
		},
		Examples: []repl.Example{
			{Line: "vtop ffff9b6d00ac4380", Help: "An address of the direct map."},
			{Line: "vtop -c 1 400000", Help: "An address of the init process."},
		},
		Records: []output.Describer{vtopRecord, pteRecord, areaRecord, pageRecord},
		Run: func(ctx context.Context, c *repl.Call) error {
			v, err := t.newTranslator(c, c.Args)
			if err != nil {
				return err
			}
			for i, arg := range c.Args {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if i > 0 {
					c.Out.Print("\n")
				}
				if err := v.show(arg); err != nil {
					c.Error(err)
				}
			}
			return nil
		},
	}
}

// findTask is the one task that text names: a PID or the address of a
// task_struct.
func (t *Target) findTask(text string) (*task.Task, error) {
	table, err := t.tasks()
	if err != nil {
		return nil, err
	}
	if n, err := repl.ParseNumber(text); err == nil {
		if found := tasksNumbered(table, n); found != nil {
			return found[0], nil
		}
	}
	if n, err := repl.ParseAddress(text); err == nil && table.ByAddr(n) != nil {
		return table.ByAddr(n), nil
	}
	return nil, fmt.Errorf("invalid task or pid value: %s", text)
}

// translator is one call of vtop.
type translator struct {
	t      *Target
	c      *repl.Call
	k      *kernel.Kernel
	task   *task.Task // nil: the one in context, once it is needed
	user   *kernel.PageTables
	pages  *mm.Pages
	areas  *mm.Areas
	forced string // "u", "k" or ""
}

func (t *Target) newTranslator(c *repl.Call, args []string) (*translator, error) {
	if len(args) == 0 {
		return nil, c.Usage("no address given")
	}
	if c.Has("u") && c.Has("k") {
		return nil, c.Usage("-u and -k exclude each other")
	}
	k, err := t.kernel()
	if err != nil {
		return nil, err
	}
	v := &translator{t: t, c: c, k: k, forced: c.Last("u", "k")}
	if text, _ := c.Value("c"); text != "" {
		if v.task, err = t.findTask(text); err != nil {
			return nil, err
		}
	}
	// Without debug info, or if the kernel lacks them, these parts are left out.
	if v.pages, err = t.pages(); err != nil && !errors.Is(err, kernel.ErrNoDebugInfo) {
		c.Warn("%v", err)
	}
	return v, nil
}

func (v *translator) show(arg string) error {
	addr, err := v.t.address(arg)
	if err != nil {
		return err
	}
	user := int64(addr) >= 0
	row := &vtopRow{addr: addr, user: user}
	switch {
	case v.forced == "k" && user, v.forced == "u" && !user:
		row.user = !user
		row.err = errOtherSpace
	case user:
		tables, err := v.userTables()
		if err != nil {
			return err
		}
		row.m, row.err = tables.Walk(addr)
	default:
		tables := v.k.Tables()
		if tables == nil {
			return errors.New("the kernel's page tables are not known")
		}
		row.pgd = tables.Root() - v.k.PhysBase() + kernel.StartKernelMap
		row.m, row.err = tables.Walk(addr)
	}
	vtopRecord.Emit(v.c.Out, row)
	v.showEntry(row)
	if user && row.user {
		if err := v.showArea(row); err != nil {
			return err
		}
	}
	if row.err == nil {
		return v.showPage(row.m.Paddr)
	}
	return nil
}

// userTables are the page tables of the task in context or of -c.
func (v *translator) userTables() (*kernel.PageTables, error) {
	if v.user != nil {
		return v.user, nil
	}
	var err error
	if v.task == nil {
		if v.task, err = v.t.currentTask(); err != nil {
			return nil, err
		}
	}
	v.user, err = v.t.userTables(v.task)
	return v.user, err
}

// showEntry decodes the last entry if it maps a page or names a place in swap.
func (v *translator) showEntry(row *vtopRow) {
	if len(row.m.Steps) == 0 || row.err != nil && fault.ReasonOf(row.err) != fault.SwappedOut {
		return
	}
	entry := v.t.pteRow(row.m.Steps[len(row.m.Steps)-1].Entry)
	if row.err == nil {
		entry.kind, entry.paddr = kernel.PteMapped, row.m.Paddr&^(row.m.Size-1)
	}
	pteRecord.Emit(v.c.Out, entry)
	v.c.Out.Print("\n")
	if row.err != nil {
		v.c.Out.Printf("SWAP: %s  OFFSET: %d\n\n", entry.swap, entry.offset)
	}
}

// showArea shows the area of a user address and, if the page was never read
// from its file, where it is there.
func (v *translator) showArea(row *vtopRow) error {
	if v.areas == nil {
		var err error
		if v.areas, err = mm.LoadAreas(v.k); err != nil {
			v.c.Warn("%v", err)
			return nil
		}
	}
	area, ok, err := v.areas.Find(v.task.MM, row.addr)
	if err != nil {
		return err
	}
	if !ok {
		return nil
	}
	path, err := v.areas.Path(&area)
	if err != nil {
		v.c.Warn("%v", err)
	}
	offset := area.Offset + row.addr&^(kernel.PageSize-1) - area.Start
	areaRecord.Head(v.c.Out)
	areaRecord.Emit(v.c.Out, &areaRow{area, path, err, offset})
	v.c.Out.Print("\n")
	if row.err != nil && area.File != 0 && fault.ReasonOf(row.err) == fault.Unmapped {
		v.c.Out.Printf("FILE: %s  OFFSET: %x\n\n", path, offset)
	}
	return nil
}

// showPage shows the page structure, if there is one: none stands for memory of
// devices.
func (v *translator) showPage(paddr uint64) error {
	if v.pages == nil {
		return nil
	}
	page, err := v.pages.At(paddr)
	if fault.ReasonOf(err) == fault.Unmapped {
		return nil
	}
	if err != nil {
		return err
	}
	pageRecord.Head(v.c.Out)
	pageRecord.Emit(v.c.Out, &page)
	return nil
}
