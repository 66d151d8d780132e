package command

import (
	"context"

	"fmt"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/unwind"
)

// bt prints the stack frames of tasks.
func bt(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "bt",
		Synopsis: "[-a | -c cpu | -p | -g] [-lsxd] [pid | task | command] ...",
		Summary:  "print the stack frames of tasks",
		Detail: `
Without an operand the current task is meant. Each numbered line is one function
call: where on the stack its return address is, the function, the address. Below it
stand the calls that the compiler put in place of themselves, the innermost first
("set inline off" hides them). Where an exception interrupted the kernel, and where
user space called it, the saved registers are shown. A line like

  --- <IRQ stack> ---

says that the frames above it are on that stack. Frames come from the kernel's own
unwind tables; one that only a guess leads to says so. Where a stack is damaged the
frames up to there are shown, and why there are no more.`,
		Options: []repl.Option{
			{Name: "a", Help: "the task that each CPU ran"},
			{Name: "c", Arg: "cpus", Help: "the tasks that these CPUs ran, as in 0,2-3 or a"},
			{Name: "p", Help: "the task that panicked"},
			{Name: "g", Help: "all threads of the process"},
			{Name: "l", Help: "file and line of every call"},
			{Name: "s", Help: "offsets in the functions"},
			{Name: "x", Help: "offsets in hexadecimal"},
			{Name: "d", Help: "offsets in decimal"},
		},
		Examples: []repl.Example{
			{Line: "bt -a", Help: "What all CPUs did."},
			{Line: "bt -sl 1", Help: "The task with PID 1, with offsets and source lines."},
		},
		Records: []output.Describer{frameRecord, registersRecord},
		Run:     func(ctx context.Context, c *repl.Call) error { return runBt(ctx, t, c) },
	}
}

func runBt(ctx context.Context, t *Target, c *repl.Call) error {
	tasks, err := t.btTasks(c)
	if err != nil {
		return err
	}
	return t.backTraces(ctx, c, tasks)
}

// backTraces prints the frames of tasks in the form that the options of bt ask
// for; foreach has them, too.
func (t *Target) backTraces(ctx context.Context, c *repl.Call, tasks []*task.Task) error {
	p, err := t.tracePrinter(c)
	if err != nil {
		return err
	}
	for i, x := range tasks {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if i > 0 {
			c.Out.Print("\n")
		}
		p.print(x)
	}
	return nil
}

// btTasks are the tasks that options and operands name.
func (t *Target) btTasks(c *repl.Call) ([]*task.Task, error) {
	table, err := t.tasks()
	if err != nil {
		return nil, err
	}
	spec, byCPU := c.Value("c")
	switch {
	case c.Has("p"):
		if table.Panic == nil {
			return nil, fmt.Errorf("no panic task: %s", table.PanicEvidence)
		}
		return []*task.Task{table.Panic}, nil
	case c.Has("a"):
		return t.ranOn(c, "a")
	case byCPU:
		return t.ranOn(c, spec)
	}
	tasks, err := t.tasksOrCurrent(c)
	if err != nil || !c.Has("g") {
		return tasks, err
	}
	var all []*task.Task
	for _, x := range tasks {
		all = append(all, table.Threads(x)...)
	}
	return all, nil
}

// ranOn are the tasks that CPUs ran; a CPU without one is named.
func (t *Target) ranOn(c *repl.Call, spec string) ([]*task.Task, error) {
	table, err := t.tasks()
	if err != nil {
		return nil, err
	}
	possible, err := t.Opened.Kernel.PossibleCPUs()
	if err != nil {
		return nil, err
	}
	cpus, err := cpuList(spec, possible)
	if err != nil {
		return nil, err
	}
	var tasks []*task.Task
	for _, cpu := range cpus {
		if cpu < len(table.Current) && table.Current[cpu] != nil {
			tasks = append(tasks, table.Current[cpu])
		} else {
			c.Warn("CPU %d: the task that it ran is not known", cpu)
		}
	}
	return tasks, nil
}

// tracer is the unwinder of the dump with the sites it met.
type tracer struct {
	unwinder *unwind.Unwinder
	table    *task.Table
	sites    map[siteKey]site
}

type siteKey struct {
	pc    uint64
	exact bool
}

// unwinder is made when first needed.
func (t *Target) unwinder() (*tracer, error) {
	table, err := t.tasks()
	if err != nil {
		return nil, err
	}
	t.traces.Do(func() {
		running := make([]unwind.Thread, len(table.Current))
		for cpu, x := range table.Current {
			if x != nil {
				running[cpu] = thread(table, x)
			}
		}
		t.tracing = &tracer{
			unwinder: unwind.New(t.Opened.Kernel, unwind.Config{StackSize: table.StackSize(), Running: running}),
			table:    table, sites: map[siteKey]site{},
		}
	})
	return t.tracing, nil
}

// thread is a task as the unwinder sees it.
func thread(table *task.Table, x *task.Task) unwind.Thread {
	h := unwind.Thread{Addr: x.Addr, Stack: x.Stack, CPU: x.CPU, PID: x.PID}
	for cpu, y := range table.Current {
		if y == x {
			h.CPU, h.Running = cpu, true
		}
	}
	if !h.Running && x.Stack != 0 {
		h.SP, _ = table.StackPointer(x) // a bad one shows when it is used
	}
	return h
}

// tracePrinter prints back traces in the form that a call asks for.
type tracePrinter struct {
	*tracer
	t       *Target
	c       *repl.Call
	task    *task.Task
	lines   bool
	offsets bool
	inline  bool
	radix   int
	number  int // of the next frame
}

func (t *Target) tracePrinter(c *repl.Call) (*tracePrinter, error) {
	tr, err := t.unwinder()
	if err != nil {
		return nil, err
	}
	for _, err := range tr.unwinder.Warnings() {
		c.Warn("%v", err)
	}
	return &tracePrinter{tracer: tr, t: t, c: c, lines: c.Has("l"), offsets: c.Has("s"),
		inline: c.Shell.Settings.Inline, radix: c.Radix()}, nil
}

func (p *tracePrinter) print(x *task.Task) {
	p.c.Out.Print(taskHead(x) + "\n")
	p.task = x
	p.trace(p.unwinder.Trace(thread(p.table, x)))
}

// trace prints the frames of one task.
func (p *tracePrinter) trace(tr *unwind.Trace) {
	p.number = 0
	for i := range tr.Frames {
		p.frame(tr, i)
	}
	if tr.User != nil {
		registersRecord.Emit(p.c.Out, &registersRow{task: p.task, regs: tr.User, kind: "user"})
	}
	switch {
	case unwind.IsNoStack(tr.Err):
		p.c.Out.Note("(no stack)")
	case tr.Err != nil:
		p.c.Out.Fault("bt: the trace ends here", tr.Err)
	}
}

func (p *tracePrinter) frame(tr *unwind.Trace, i int) {
	f := &tr.Frames[i]
	s := p.site(f)
	row := &frameRow{task: p.task, frame: f, symbol: s.symbol, offset: s.offset, module: s.module, file: s.file, line: s.line, calls: s.calls,
		showOffset: p.offsets, showLine: p.lines, showCalls: p.inline, radix: p.radix}
	switched := i > 0 && f.Stack != nil && tr.Frames[i-1].Stack != nil && f.Stack.Low != tr.Frames[i-1].Stack.Low
	regs, kind := f.Interrupted, "exception"
	if i == 0 && tr.Start != nil {
		regs, kind = tr.Start, "cpu"
	}
	if regs != nil {
		registersRecord.Emit(p.c.Out, &registersRow{task: p.task, regs: regs, kind: kind, symbol: s.symbol, offset: s.offset, radix: p.radix})
	}
	if switched {
		row.left = tr.Frames[i-1].Stack.Name
	}
	row.number = -1
	if regs == nil || switched {
		row.number = p.number
		p.number++
	}
	frameRecord.Emit(p.c.Out, row)
}

func (p *tracePrinter) site(f *unwind.Frame) site {
	key := siteKey{f.PC, f.Exact}
	s, ok := p.sites[key]
	if !ok {
		s = siteAt(p.t.Opened.Kernel, f)
		p.sites[key] = s
	}
	return s
}
