package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/sysinfo"
	"github.com/kdive/kdive/task"
)

// psDetail prints what one of the options -p -c -t -a -g -r asks for, task by
// task.
func psDetail(ctx context.Context, t *Target, c *repl.Call, table *task.Table, tasks []*task.Task, mode string) error {
	var uptime time.Duration
	if mode == "t" {
		clock, err := sysinfo.ReadClock(t.Opened.Kernel)
		if uptime = clock.Uptime; uptime == 0 {
			return err
		}
	}
	if mode == "g" {
		tasks = oneOfGroup(tasks, len(c.Args) > 0)
	}
	for _, x := range tasks {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch mode {
		case "p":
			psParents(c, table, x)
		case "c":
			psGroup(c, x, "child", table.Children(x), "(no children)")
		case "g":
			leader, others := threadGroup(table, x)
			psGroup(c, leader, "thread", others, "(no threads)")
		case "t":
			psTimes(c, x, uint64(uptime))
		case "a":
			psArgs(c, table, x)
		case "r":
			psLimits(c, table, x)
		}
		c.Out.Print("\n")
	}
	return nil
}

// oneOfGroup keeps the first task of each thread group; of chosen tasks, all but
// the idle ones, which are one group.
func oneOfGroup(tasks []*task.Task, chosen bool) []*task.Task {
	var kept []*task.Task
	seen := map[int32]bool{}
	for _, x := range tasks {
		if !seen[x.TGID] || chosen && !x.Idle {
			seen[x.TGID] = true
			kept = append(kept, x)
		}
	}
	return kept
}

// threadGroup is the leader of the task's thread group and the others in it. All
// idle tasks have the group number 0 and are shown as one group, as in crash.
func threadGroup(table *task.Table, x *task.Task) (leader *task.Task, others []*task.Task) {
	if leader = table.Leader(x); leader == nil {
		leader = x
	}
	group := table.Threads(leader)
	if x.Idle {
		group = slices.DeleteFunc(slices.Clone(table.Tasks), func(y *task.Task) bool { return !y.Idle })
		leader = group[0]
	}
	for _, y := range group {
		if y != leader {
			others = append(others, y)
		}
	}
	return leader, others
}

// kin is a task in its relation to another.
type kin struct {
	task     *task.Task
	relation string
	of       int32
	depth    int
}

var psKinRecord = &output.Record[kin]{
	Type: "kin",
	Help: "a task in its relation to another (-p, -c, -g)",
	Columns: append(taskColumns(func(r *kin) *task.Task { return r.task }), []output.Column[kin]{
		{Name: "relation", Help: "self, ancestor, child or thread", Get: func(r *kin) output.Value { return output.String(r.relation) }},
		{Name: "of", Help: "process id of the task that was asked for", Get: func(r *kin) output.Value { return output.Int(r.of) }},
		{Name: "depth", Help: "how deep it is indented", Get: func(r *kin) output.Value { return output.Int(r.depth) }},
	}...),
	Text: func(b []byte, r *kin) []byte {
		return append(append(b, strings.Repeat(" ", r.depth)+taskHead(r.task)...), '\n')
	},
}

// maxAncestors bounds the chain of parents, which damage can make circular.
const maxAncestors = 128

func psParents(c *repl.Call, table *task.Table, x *task.Task) {
	chain := []*task.Task{x}
	seen := map[*task.Task]bool{x: true}
	for p := table.Parent(x); p != nil && !seen[p] && len(chain) < maxAncestors; p = table.Parent(p) {
		seen[p] = true
		chain = append(chain, p)
	}
	for i := range chain {
		y := chain[len(chain)-1-i]
		relation := "ancestor"
		if y == x {
			relation = "self"
		}
		psKinRecord.Emit(c.Out, &kin{task: y, relation: relation, of: x.PID, depth: i})
	}
}

func psGroup(c *repl.Call, x *task.Task, relation string, others []*task.Task, none string) {
	psKinRecord.Emit(c.Out, &kin{task: x, relation: "self", of: x.PID})
	for _, y := range others {
		psKinRecord.Emit(c.Out, &kin{task: y, relation: relation, of: x.PID, depth: 2})
	}
	if len(others) == 0 {
		c.Out.Print("  " + none + "\n")
	}
}

// psTime is the times of one task.
type psTime struct {
	task *task.Task
	run  uint64
}

// wholeSeconds is the run time from whole seconds of both clocks, as crash
// counts it: up to a second more than run.
func (r *psTime) wholeSeconds() time.Duration {
	up := (r.run + r.task.StartTime) / uint64(time.Second)
	return time.Duration(up-r.task.StartTime/uint64(time.Second)) * time.Second
}

var psTimesRecord = &output.Record[psTime]{
	Type: "task_times",
	Help: "the times of one task (-t)",
	Columns: append(taskColumns(func(r *psTime) *task.Task { return r.task }), []output.Column[psTime]{
		{Name: "run_time", Help: "nanoseconds since it was started", Get: func(r *psTime) output.Value { return output.Uint(r.run) }},
		{Name: "start_time", Help: "when it was started, nanoseconds since boot", Get: func(r *psTime) output.Value { return output.Uint(r.task.StartTime) }},
		{Name: "utime", Help: "nanoseconds in user mode", Get: func(r *psTime) output.Value { return output.Uint(r.task.UTime) }},
		{Name: "stime", Help: "nanoseconds in the kernel", Get: func(r *psTime) output.Value { return output.Uint(r.task.STime) }},
	}...),
	Text: func(b []byte, r *psTime) []byte {
		return fmt.Appendf(b, "%s\n    RUN TIME: %s\n  START TIME: %d\n       UTIME: %d\n       STIME: %d\n", taskHead(r.task),
			formatUptime(r.wholeSeconds()), r.task.StartTime, r.task.UTime, r.task.STime)
	},
}

func psTimes(c *repl.Call, x *task.Task, uptime uint64) {
	r := psTime{task: x}
	if uptime > x.StartTime {
		r.run = uptime - x.StartTime
	}
	psTimesRecord.Emit(c.Out, &r)
}

// psArg is the command line of one task.
type psArg struct {
	task      *task.Task
	args, env []string
}

var psArgsRecord = &output.Record[psArg]{
	Type: "task_args",
	Help: "command line and environment of one task (-a)",
	Columns: append(taskColumns(func(r *psArg) *task.Task { return r.task }), []output.Column[psArg]{
		{Name: "args", Help: "the command line", Get: func(r *psArg) output.Value { return output.Strings(r.args) }},
		{Name: "env", Help: "the environment it was started with", Get: func(r *psArg) output.Value { return output.Strings(r.env) }},
	}...),
	Text: func(b []byte, r *psArg) []byte {
		b = append(b, taskHead(r.task)+"\n"...)
		if len(r.args) > 0 {
			b = append(b, "ARG: "+strings.Join(r.args, " ")+" \n"...)
		}
		for i, e := range r.env {
			label := "ENV: "
			if i > 0 {
				label = "     "
			}
			b = append(b, label+e+"\n"...)
		}
		return b
	},
}

func psArgs(c *repl.Call, table *task.Table, x *task.Task) {
	r := psArg{task: x}
	var errs [2]error
	r.args, errs[0] = table.Args(x)
	r.env, errs[1] = table.Env(x)
	psArgsRecord.Emit(c.Out, &r)
	for _, err := range errs {
		if err != nil && !errors.Is(err, task.ErrNoUserMemory) {
			// User memory is what dump filters leave out first: no failure.
			if fault.ReasonOf(err) == 0 {
				c.Error(err)
				return
			}
			c.Out.Fault(fmt.Sprintf("user memory of task %d", x.PID), err)
			return
		}
	}
}

// psLimit is one resource limit of one task.
type psLimit struct {
	task *task.Task
	task.Limit
}

var psLimitRecord = &output.Record[psLimit]{
	Type: "limit",
	Help: "one resource limit of a task (-r); null is no limit",
	Columns: append(taskColumns(func(r *psLimit) *task.Task { return r.task }), []output.Column[psLimit]{
		{Name: "name", Head: "      RLIMIT  ", Verb: "%12s   ", Help: "which limit", Get: func(r *psLimit) output.Value { return output.String(r.Name) }},
		{Name: "current", Head: "   CURRENT     ", Verb: "%^11d   ", Help: "the limit in force", None: "(unlimited)", Get: func(r *psLimit) output.Value { return limitValue(r.Cur) }},
		{Name: "maximum", Head: "  MAXIMUM  ", Verb: "%^11d", Help: "the highest that the task may set", None: "(unlimited)", Get: func(r *psLimit) output.Value { return limitValue(r.Max) }},
	}...),
}

func limitValue(n uint64) output.Value { return onlyIf(n != task.Unlimited, output.Uint(n)) }

func psLimits(c *repl.Call, table *task.Table, x *task.Task) {
	c.Out.Print(taskHead(x) + "\n")
	limits, err := table.Limits(x)
	if err != nil {
		c.Error(err)
		return
	}
	psLimitRecord.Head(c.Out)
	for _, l := range limits {
		psLimitRecord.Emit(c.Out, &psLimit{x, l})
	}
}

// psLastRow is when a task last got a CPU.
type psLastRow struct {
	task  *task.Task
	state string
	ago   uint64
	known bool // ago is
	age   bool // show it
	width int  // of the longest time stamp
}

var psLastRecord = &output.Record[psLastRow]{
	Type: "last_run",
	Help: "when a task last got a CPU (-l, -m)",
	Columns: append(taskColumns(func(r *psLastRow) *task.Task { return r.task }), []output.Column[psLastRow]{
		{Name: "state", Help: "its state, as in task records", Get: func(r *psLastRow) output.Value { return output.String(r.state) }},
		{Name: "last_run", Help: "time stamp in nanoseconds", Get: func(r *psLastRow) output.Value { return output.Uint(r.task.LastArrival) }},
		{Name: "ago", Help: "how many nanoseconds ago that was, by the clock of its CPU's run queue", Get: func(r *psLastRow) output.Value { return onlyIf(r.known, output.Uint(r.ago)) }},
	}...),
	Text: func(b []byte, r *psLastRow) []byte {
		switch {
		case r.age && !r.known:
			b = append(b, "[      unknown     ]"...)
		case r.age:
			ms := r.ago / 1e6
			b = fmt.Appendf(b, "[%d %02d:%02d:%02d.%03d]", ms/86400000, ms/3600000%24, ms/60000%60, ms/1000%60, ms%1000)
		default:
			b = fmt.Appendf(b, "[%*d]", r.width, r.task.LastArrival)
		}
		return fmt.Appendf(b, " [%s]  %s\n", r.state, taskHead(r.task))
	},
}

func psLast(t *Target, c *repl.Call, table *task.Table, tasks []*task.Task) error {
	if !table.KnowsLastArrival() {
		return errors.New("this kernel does not record when tasks last got a CPU (no task_struct.sched_info.last_arrival)")
	}
	sort.SliceStable(tasks, func(i, j int) bool { return tasks[i].LastArrival > tasks[j].LastArrival })
	width := 0
	if len(tasks) > 0 {
		width = len(fmt.Sprint(tasks[0].LastArrival))
	}
	clocks := map[int]uint64{}
	emit := func(x *task.Task) {
		r := psLastRow{task: x, state: table.StateCode(x.State), age: c.Has("m"), width: width}
		now, ok := clocks[x.CPU]
		if !ok {
			now, _ = table.RunqueueClock(x.CPU) // 0 where it is not known
			clocks[x.CPU] = now
		}
		if r.known = now != 0; r.known && now > x.LastArrival {
			r.ago = now - x.LastArrival
		}
		psLastRecord.Emit(c.Out, &r)
	}
	spec, ok := c.Value("C")
	if !ok {
		for _, x := range tasks {
			emit(x)
		}
		return nil
	}
	possible, err := t.Opened.Kernel.PossibleCPUs()
	if err != nil {
		return err
	}
	cpus, err := cpuList(spec, possible)
	if err != nil {
		return err
	}
	for i, cpu := range cpus {
		if i > 0 {
			c.Out.Print("\n")
		}
		if t.hidden(c, cpu) {
			c.Out.Printf("CPU: %d [OFFLINE]\n", cpu)
			continue
		}
		c.Out.Printf("CPU: %d\n", cpu)
		for _, x := range tasks {
			if x.CPU == cpu {
				emit(x)
			}
		}
	}
	return nil
}
