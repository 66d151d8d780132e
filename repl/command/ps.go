package command

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/sysinfo"
	"github.com/kdive/kdive/task"
)

// psRow is one task with what ps shows of it.
type psRow struct {
	task    *task.Task
	active  bool
	ppid    int32
	state   string
	percent float64
	vsz     uint64 // kB
	rss     uint64 // kB
	fault   error  // why the memory use is not known
	stack   uint64 // stack pointer, with -s
}

// pages is an amount of memory of the row, or why it is not known.
func (r *psRow) memory(v output.Value) output.Value {
	if r.fault != nil {
		return output.Fault(r.fault)
	}
	return v
}

// psTask is the column of the task; in place of it -s shows the stack pointer.
var psTask = output.Column[psRow]{Name: "task", Help: "address of the task_struct", Get: func(r *psRow) output.Value { return output.Addr(r.task.Addr) }}

var psRecord = psTable("       TASK       ", psTask)

// psStackRecord shows stack pointers in place of tasks (-s).
var psStackRecord = psTable("      KSTACKP     ", output.Column[psRow]{Name: "stack_pointer", Help: "kernel stack pointer", Get: func(r *psRow) output.Value {
	return optionalAddr(r.stack) // of a task that ran, nothing says where its stack was
}}, psTask)

// psTable is the record with a column of its own, and others that only JSON has.
func psTable(head string, column output.Column[psRow], more ...output.Column[psRow]) *output.Record[psRow] {
	column.Head, column.Verb, column.None = head, "%^16x  ", "--"
	r := &output.Record[psRow]{
		Type: "task",
		Help: "one task",
		Columns: []output.Column[psRow]{
			{Name: "active", Head: "  ", Verb: "%s ", Help: "whether a CPU ran it", Get: func(r *psRow) output.Value { return output.Bool(r.active) },
				Text: func(r *psRow) string {
					if r.active {
						return ">"
					}
					return " "
				}},
			{Name: "pid", Head: "    PID", Verb: "%7d ", Help: "process id", Get: func(r *psRow) output.Value { return output.Int(r.task.PID) }},
			{Name: "ppid", Head: "    PPID", Verb: "%7d ", Help: "process id of the parent", Get: func(r *psRow) output.Value { return output.Int(r.ppid) }},
			{Name: "tgid", Help: "process id of the thread group's leader", Get: func(r *psRow) output.Value { return output.Int(r.task.TGID) }},
			{Name: "cpu", Head: "  CPU", Verb: "%3d  ", Help: "CPU it runs or last ran on", Get: func(r *psRow) output.Value { return output.Int(r.task.CPU) }},
			column,
			{Name: "state", Head: " ST", Verb: "%2s  ", Help: "two letters: RU running, IN interruptible, UN uninterruptible, ID idle, ST stopped, TR traced, ZO zombie, DE dead, PA parked, WA waking, NE new",
				Get: func(r *psRow) output.Value { return output.String(r.state) }},
			{Name: "percent", Head: "  %MEM", Verb: "%4.1f ", Help: "share of RAM that is resident, percent", Get: func(r *psRow) output.Value { return r.memory(output.Float(r.percent)) }},
			{Name: "vsz", Head: "      VSZ", Verb: "%8d ", Help: "virtual memory in kB", Get: func(r *psRow) output.Value { return r.memory(output.Uint(r.vsz)) }},
			{Name: "rss", Head: "      RSS", Verb: "%8d  ", Help: "resident memory in kB", Get: func(r *psRow) output.Value { return r.memory(output.Uint(r.rss)) }},
			{Name: "comm", Head: "  COMM", Verb: "%s", Help: "command name", Get: func(r *psRow) output.Value { return output.String(r.task.Comm) },
				Text: func(r *psRow) string {
					if r.task.Kernel() {
						return "[" + r.task.Comm + "]"
					}
					return r.task.Comm
				}},
			{Name: "kernel", Help: "whether it is a kernel thread", Get: func(r *psRow) output.Value { return output.Bool(r.task.Kernel()) }},
		},
	}
	r.Columns = append(r.Columns, more...)
	return r
}

// ps lists tasks.
func ps(t *Target) *repl.Command {
	return &repl.Command{
		Name: "ps",
		Synopsis: `[-kuGAIsHS] [-y policy] [pid | task | command] ...
[-p | -c | -t | -a | -g | -r] [pid | task | command] ...
[-l | -m] [-C cpu] [-kuG] [pid | task | command] ...`,
		Summary: "list tasks",
		Detail: `
Without operands all tasks are listed, the idle tasks first; ">" marks those that
a CPU ran. A task is named by its PID, the address of its task_struct, its command
name (a leading backslash keeps one from being read as a number) or a pattern of
command names in quotes.`,
		Options: []repl.Option{
			{Name: "k", Help: "kernel threads only"},
			{Name: "u", Help: "user tasks only"},
			{Name: "G", Help: "leaders of thread groups only"},
			{Name: "A", Help: "tasks that a CPU ran only"},
			{Name: "I", Help: "leave the idle tasks out"},
			{Name: "y", Arg: "policy", Help: "tasks of these scheduling policies only: NORMAL, FIFO, RR, BATCH, ISO, IDLE, DEADLINE or 0 to 6, separated by commas"},
			{Name: "s", Help: "show kernel stack pointers in place of tasks"},
			{Name: "H", Help: "print no heading"},
			{Name: "S", Help: "count tasks by state"},
			{Name: "p", Help: "show each task's chain of parents"},
			{Name: "c", Help: "show each task's children"},
			{Name: "t", Help: "show each task's times"},
			{Name: "a", Help: "show each task's arguments and environment"},
			{Name: "g", Help: "show each task's thread group"},
			{Name: "r", Help: "show each task's resource limits"},
			{Name: "l", Help: "sort by when tasks last got a CPU, the latest first, and show the time stamp"},
			{Name: "m", Help: "as -l, and show how long ago that was"},
			{Name: "C", Arg: "cpu", Help: "with -l and -m: list by CPU, those given (0,2-3) or all (a)"},
		},
		Examples: []repl.Example{
			{Line: "ps -m | grep UN", Help: "How long tasks have been stuck."},
			{Line: "ps 'kworker.*'", Help: "Tasks whose name matches."},
		},
		Records: []output.Describer{psRecord, psStackRecord, stateCountRecord, psKinRecord, psTimesRecord, psArgsRecord, psLimitRecord, psLastRecord},
		Run:     func(ctx context.Context, c *repl.Call) error { return runPS(ctx, t, c) },
	}
}

// maxFaults is how many of the task table's faults ps prints.
const maxFaults = 8

func runPS(ctx context.Context, t *Target, c *repl.Call) error {
	table, err := t.tasks()
	if err != nil {
		return err
	}
	tasks := table.Tasks
	if len(c.Args) > 0 {
		tasks = nil
		for i := range c.Args {
			found, err := t.findTasks(c, i)
			if err != nil {
				c.Error(err)
			}
			tasks = append(tasks, found...)
		}
	}
	if psMode(c) == "t" {
		tasks = slices.SortedStableFunc(slices.Values(tasks), func(a, b *task.Task) int { return cmp.Compare(a.StartTime, b.StartTime) })
	}
	return t.listTasks(ctx, c, tasks)
}

// psMode is what is shown of each task, "" for a line.
func psMode(c *repl.Call) string { return c.Last("p", "c", "t", "a", "g", "r", "l", "m", "S") }

// psOf is ps of the tasks that foreach chose.
func (t *Target) psOf(f *forCall) error {
	if len(f.tasks) == 0 {
		return nil
	}
	return t.listTasks(f.ctx, f.c, f.tasks)
}

// listTasks lists tasks in the form that the options of ps ask for, without
// those that the options leave out.
func (t *Target) listTasks(ctx context.Context, c *repl.Call, tasks []*task.Task) error {
	table, err := t.tasks()
	if err != nil {
		return err
	}
	if tasks, err = psTasks(c, table, tasks); err != nil {
		return err
	}
	for i, f := range table.Faults {
		if i == maxFaults {
			c.Warn("and %d more of this kind", len(table.Faults)-i)
			break
		}
		c.Warn("%v", f)
	}
	switch mode := psMode(c); mode {
	case "S":
		countStates(c, table, tasks)
		return nil
	case "l", "m":
		return psLast(t, c, table, tasks)
	case "":
		return psList(ctx, t, c, table, tasks)
	default:
		return psDetail(ctx, t, c, table, tasks, mode)
	}
}

// psTasks are the tasks that the options do not leave out.
func psTasks(c *repl.Call, table *task.Table, tasks []*task.Task) ([]*task.Task, error) {
	policies, err := parsePolicies(c)
	if err != nil {
		return nil, err
	}
	keep := make([]*task.Task, 0, len(tasks))
	for _, x := range tasks {
		switch {
		case c.Has("k") && !x.Kernel(), c.Has("u") && x.Kernel(), c.Has("G") && !x.IsLeader() && !x.Idle,
			c.Has("A") && !table.Active(x), c.Has("I") && x.Idle, policies != nil && !policies[x.Policy]:
		default:
			keep = append(keep, x)
		}
	}
	return keep, nil
}

func parsePolicies(c *repl.Call) (map[int]bool, error) {
	list, ok := c.Value("y")
	if !ok {
		return nil, nil
	}
	policies := map[int]bool{}
	for name := range strings.SplitSeq(list, ",") {
		p, ok := task.PolicyNumber(strings.ToUpper(name))
		if !ok {
			n, err := repl.ParseNumber(name)
			if err != nil {
				return nil, fmt.Errorf("no scheduling policy is called %s", name)
			}
			p = int(n)
		}
		policies[p] = true
	}
	return policies, nil
}

func psList(ctx context.Context, t *Target, c *repl.Call, table *task.Table, tasks []*task.Task) error {
	memory, err := sysinfo.Memory(t.Opened.Kernel)
	total := memory.Spanned // as crash counts shares
	if err != nil {
		c.Warn("shares of memory are not known: %v", err)
	}
	record := psRecord
	if c.Has("s") {
		record = psStackRecord
	}
	if !c.Has("H") && (len(tasks) > 0 || len(c.Args) == 0) {
		record.Head(c.Out)
	}
	for _, x := range tasks {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r := psRow{task: x, active: table.Active(x), state: table.StateCode(x.State)}
		if p := table.Parent(x); p != nil {
			r.ppid = p.PID
		}
		mem, err := table.Memory(x)
		switch {
		case err != nil:
			r.fault = err
		case mem != nil:
			r.vsz, r.rss = mem.TotalVM*4, mem.RSS()*4
			if total > 0 {
				r.percent = float64(mem.RSS()) * 100 * 4096 / float64(total)
			}
		}
		if c.Has("s") && !r.active {
			r.stack, _ = table.StackPointer(x) // 0 where it is not known
		}
		record.Emit(c.Out, &r)
	}
	return nil
}

// stateCount is how many tasks are in one state.
type stateCount struct {
	state string
	count int
}

var stateCountRecord = &output.Record[stateCount]{
	Type: "state_count",
	Help: "how many tasks are in one state (-S)",
	Columns: []output.Column[stateCount]{
		{Name: "state", Verb: "  %s: ", Help: "the state, as in task records", Get: func(r *stateCount) output.Value { return output.String(r.state) }},
		{Name: "count", Verb: "%d", Help: "number of tasks", Get: func(r *stateCount) output.Value { return output.Int(r.count) }},
	},
}

func countStates(c *repl.Call, table *task.Table, tasks []*task.Task) {
	counts := map[string]int{}
	var order []string // of the first task in each state, as in crash
	for _, x := range tasks {
		code := table.StateCode(x.State)
		if counts[code] == 0 {
			order = append(order, code)
		}
		counts[code]++
	}
	for _, code := range order {
		stateCountRecord.Emit(c.Out, &stateCount{code, counts[code]})
	}
}
