package command

import (
	"fmt"
	"strings"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/sysinfo"
	"github.com/kdive/kdive/task"
)

// contextRow is the task of the context with what set shows of it.
type contextRow struct {
	task  *task.Task
	info  uint64 // its thread_info
	note  string // "(1 of 2)": which of several tasks with PID 0
	state string // TASK_RUNNING and so on
	mark  string // PANIC, SYSRQ or ACTIVE; empty for a task that did not run
}

var contextRecord = &output.Record[contextRow]{
	Type: "context",
	Help: "the task that commands mean when none is named",
	Columns: append(taskColumns(func(r *contextRow) *task.Task { return r.task }), []output.Column[contextRow]{
		{Name: "thread_info", Help: "address of its thread_info", Get: func(r *contextRow) output.Value { return output.Addr(r.info) }},
		{Name: "state", Help: "state of the task", Get: func(r *contextRow) output.Value { return output.String(r.state) }},
		{Name: "mark", Help: "PANIC or SYSRQ: it brought the kernel down; ACTIVE: a CPU ran it; null: neither", Get: func(r *contextRow) output.Value { return optional(r.mark) }},
	}...),
	Text: func(b []byte, r *contextRow) []byte {
		x := r.task
		b = fmt.Appendf(b, "    PID: %d\nCOMMAND: \"%s\"\n   TASK: %x  %s[THREAD_INFO: %x]\n    CPU: %d\n", x.PID, x.Comm, x.Addr, r.note, r.info, x.CPU)
		mark := r.mark
		if mark != "" {
			mark = "(" + mark + ")"
		}
		return fmt.Appendf(b, "  STATE: %s %s\n", r.state, mark)
	},
}

// showContext prints the task of the context.
func showContext(t *Target, c *repl.Call) error {
	x, err := t.currentTask()
	if err != nil {
		return err
	}
	return showTask(t, c, x)
}

// showTask shows a task as the context is shown.
func showTask(t *Target, c *repl.Call, x *task.Task) error {
	table, err := t.tasks()
	if err != nil {
		return err
	}
	r := contextRow{task: x, info: x.Stack, state: stateName(table, x)}
	if f, err := t.Opened.Kernel.Field("task_struct.thread_info"); err == nil {
		r.info = f.At(x.Addr) // part of the task since 4.9; before, at the end of its stack
	}
	if idle := tasksNumbered(table, 0); x.PID == 0 && len(idle) > 1 {
		for i := range idle {
			if idle[i] == x {
				r.note = fmt.Sprintf("(%d of %d)  ", i+1, len(idle))
			}
		}
	}
	switch {
	case x == table.Panic:
		r.mark = "PANIC"
		// A panic that the user asked for through the sysrq key.
		if strings.Contains(sysinfo.ReadPanic(t.Opened.Kernel, true).Message, "sysrq") {
			r.mark = "SYSRQ"
		}
	case table.Active(x):
		r.mark = "ACTIVE"
	}
	contextRecord.Emit(c.Out, &r)
	return nil
}

func stateName(table *task.Table, x *task.Task) string {
	code := table.StateCode(x.State)
	if name, ok := stateNames[code]; ok {
		return name
	}
	return fmt.Sprintf("unknown state %#x", x.State.Bits|x.State.Exit)
}

// setContext moves the context to the task that the call names.
func setContext(t *Target, c *repl.Call) error {
	table, err := t.tasks()
	if err != nil {
		return err
	}
	var found *task.Task
	switch {
	case c.Has("p"):
		if found = table.Panic; found == nil {
			return fmt.Errorf("no panic task is known: %s", table.PanicEvidence)
		}
	case c.Has("c"):
		cpu, _, err := c.Number("c")
		if err != nil {
			return err
		}
		if cpu < uint64(len(table.Current)) {
			found = table.Current[cpu]
		}
		if found == nil {
			return fmt.Errorf("no active task is known of CPU %d", cpu)
		}
	default:
		tasks, err := t.findTasks(c, 0)
		if err != nil {
			return err
		}
		found = tasks[0]
		if len(tasks) > 1 && found.PID != 0 {
			c.Warn("%d tasks are called %s; this is the first", len(tasks), c.Args[0])
		}
	}
	t.current = found
	return showContext(t, c)
}
