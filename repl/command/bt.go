package command

import (
	"context"

	"fmt"
	"slices"

	"github.com/kdive/kdive/frame"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/replay"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/unwind"
)

// bt prints the stack frames of tasks.
func bt(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "bt",
		Synopsis: "[-a | -c cpus | -p | -g] [-n idle] [-fFVrtTeolsxd] [-R ref] [pid | task] ...\n[-I ip] [-S sp] [pid | task]\n-E | -v | -O",
		Summary:  "print the stack frames of tasks",
		Detail: `
Without an operand the current task is meant. Each numbered line is one function
call: where on the stack its return address is, the function, the address. Below it
stand the calls that the compiler put in place of themselves, the innermost first, and
a function that a frame is proven to have called, but that left by jumping to the one
above ("set inline off" hides both). Where an exception interrupted the kernel, and where
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
			{Name: "f", Help: "the words of each frame"},
			{Name: "F", Help: "the words of each frame, symbols and [cache] in place of addresses; -FF: [address:cache]"},
			{Name: "inside", Help: "with -F, how far into its object a word points: [cache+0x18]"},
			{Name: "r", Help: "the words of the whole stack, symbols in place of addresses"},
			{Name: "t", Help: "addresses of code on the stack, from where the task stands"},
			{Name: "T", Help: "addresses of code on the whole stack, also old ones"},
			{Name: "e", Help: "registers that exceptions saved on the stack, also old ones"},
			{Name: "E", Help: "registers saved on the interrupt and exception stacks of all CPUs"},
			{Name: "o", Help: "every address of code from where the task stands is a frame, also old ones: for stacks whose frames are lost"},
			{Name: "O", Help: "make -o what bt does without it, or the other way round"},
			{Name: "V", Help: "parameters and local variables of every call; see help args"},
			{Name: "v", Help: "look for stacks that grew beyond their end"},
			{Name: "n", Arg: "idle", Help: "leave out idle tasks"},
			{Name: "R", Arg: "ref", Help: "only tasks with this function, return address or stack address in a frame"},
			{Name: "I", Arg: "ip", Help: "begin at this instruction, with -S"},
			{Name: "S", Arg: "sp", Help: "begin at this stack pointer; without -I at the first return address there"},
		},
		Examples: []repl.Example{
			{Line: "bt -a", Help: "What all CPUs did."},
			{Line: "bt -sl 1", Help: "The task with PID 1, with offsets and source lines."},
		},
		Records: []output.Describer{frameRecord, registersRecord, variableRecord, stackWordRecord, textWordRecord},
		Run:     func(ctx context.Context, c *repl.Call) error { return runBt(ctx, t, c) },
	}
}

func runBt(ctx context.Context, t *Target, c *repl.Call) error {
	if what, ok := c.Value("n"); ok && what != "idle" {
		return c.Usage("-n knows idle only, not %s", what)
	}
	switch {
	case c.Has("O"):
		t.scanStacks = !t.scanStacks
		method := map[bool]string{true: "old", false: "new"}[t.scanStacks]
		c.Out.Note("bt: use %s bt method by default", method)
		return nil
	case c.Has("a") && c.Has("g"):
		return c.Usage("-a and -g exclude each other")
	case c.Has("v"):
		return t.checkStacks(ctx, c)
	case c.Has("E"):
		p, err := t.tracePrinter(c)
		if err != nil {
			return err
		}
		return p.cpuStacks(ctx)
	}
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
	for _, x := range tasks {
		if ctx.Err() != nil {
			return ctx.Err()
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
		spec, byCPU = "a", true
	}
	if byCPU {
		tasks, err := t.ranOn(c, spec)
		if c.Has("n") {
			tasks = slices.DeleteFunc(tasks, func(x *task.Task) bool { return x.Idle })
		}
		return tasks, err
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
		if t.hidden(c, cpu) {
			continue
		}
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
	kernel   *kernel.Kernel
	unwinder *unwind.Unwinder
	replay   *replay.Model
	frames   *frame.Model
	table    *task.Table
	sites    map[siteKey]site
	warned   bool // what is missing was said
}

type siteKey struct {
	pc    uint64
	exact bool
}

// unwinder is who follows stacks.
func (t *Target) unwinder() (*tracer, error) {
	return t.models.tracer.get(func() (*tracer, error) {
		table, err := t.tasks()
		if err != nil {
			return nil, err
		}
		running := make([]unwind.Thread, len(table.Current))
		for cpu, x := range table.Current {
			if x != nil {
				running[cpu] = thread(table, x)
			}
		}
		tr := &tracer{
			kernel:   t.Opened.Kernel,
			unwinder: unwind.New(t.Opened.Kernel, unwind.Config{StackSize: table.StackSize(), Running: running}),
			replay:   replay.New(t.Opened.Kernel, t.freed),
			frames:   frame.New(t.Opened.Kernel),
			table:    table, sites: map[siteKey]site{},
		}
		tr.frames.Recover = tr.replay
		return tr, nil
	})
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
