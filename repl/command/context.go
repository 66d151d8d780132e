package command

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/sysinfo"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/value"
)

// currentTask is the task of the context: at first the one that panicked, else
// the first of the table, which is the idle task of the first CPU.
func (t *Target) currentTask() (*task.Task, error) {
	table, err := t.tasks()
	if err != nil || t.current != nil {
		return t.current, err
	}
	t.current = table.Panic
	if t.current == nil && len(table.Tasks) > 0 {
		t.current = table.Tasks[0]
	}
	if t.current == nil {
		return nil, fmt.Errorf("the dump has no tasks")
	}
	return t.current, nil
}

// userMemory is the user address space of a task.
func (t *Target) userMemory(x *task.Task) (value.Memory, error) {
	table, err := t.tasks()
	if err != nil {
		return nil, err
	}
	mem, err := table.Memory(x)
	if err != nil {
		return nil, err
	}
	if mem == nil {
		return nil, fmt.Errorf("task %d (%s): %w", x.PID, x.Comm, task.ErrNoUserMemory)
	}
	return t.Opened.Kernel.UserMemory(mem.PGD)
}

// currentUserMemory is the user address space of the current task.
func (t *Target) currentUserMemory() (value.Memory, error) {
	x, err := t.currentTask()
	if err != nil {
		return nil, err
	}
	return t.userMemory(x)
}

// bootTime is the wall clock at the time stamp 0 of the kernel's clocks.
func (t *Target) bootTime() (time.Time, error) {
	k, err := t.kernel()
	if err != nil {
		return time.Time{}, err
	}
	clock, err := sysinfo.ReadClock(k)
	if clock.Boot.IsZero() {
		return clock.Boot, err
	}
	return clock.Boot, nil
}

// findTasks are the tasks that operand i of a call names: a PID (decimal, or
// hexadecimal with 0x), the address of a task_struct, a command name (a leading
// backslash keeps it from being read as a number), or a pattern of command
// names in quotes. PID 0 means all idle tasks.
func (t *Target) findTasks(c *repl.Call, i int) ([]*task.Task, error) {
	table, err := t.tasks()
	if err != nil {
		return nil, err
	}
	text := c.Args[i]
	invalid := fmt.Errorf("invalid task or pid value: %s", text)
	if c.Quote(i) != 0 {
		return tasksLike(table, text)
	}
	if name, forced := strings.CutPrefix(text, `\`); forced {
		if found := table.ByComm(name); found != nil {
			return found, nil
		}
		return nil, invalid
	}
	if n, err := repl.ParseNumber(text); err == nil {
		if found := tasksNumbered(table, n); found != nil {
			return found, nil
		}
	}
	if n, err := repl.ParseAddress(text); err == nil {
		if x := table.ByAddr(n); x != nil {
			return []*task.Task{x}, nil
		}
	}
	if found := table.ByComm(text); found != nil {
		return found, nil
	}
	return nil, invalid
}

func tasksNumbered(table *task.Table, n uint64) []*task.Task {
	var found []*task.Task
	switch {
	case n == 0:
		for _, x := range table.Tasks {
			if x.PID == 0 {
				found = append(found, x)
			}
		}
	case table.ByAddr(n) != nil:
		found = append(found, table.ByAddr(n))
	case n < 1<<31:
		if x := table.ByPID(int32(n)); x != nil {
			found = append(found, x)
		}
	}
	return found
}

func tasksLike(table *task.Table, pattern string) ([]*task.Task, error) {
	re, err := regexp.CompilePOSIX(pattern)
	if err != nil {
		return nil, err
	}
	var found []*task.Task
	for _, x := range table.Tasks {
		if re.MatchString(x.Comm) {
			found = append(found, x)
		}
	}
	if found == nil {
		return nil, fmt.Errorf("no command name matches %q", pattern)
	}
	return found, nil
}

// stateNames are the kernel's names of what StateCode abbreviates.
var stateNames = map[string]string{
	"RU": "TASK_RUNNING", "IN": "TASK_INTERRUPTIBLE", "UN": "TASK_UNINTERRUPTIBLE", "ID": "TASK_IDLE",
	"ST": "TASK_STOPPED", "TR": "TASK_TRACED", "ZO": "EXIT_ZOMBIE", "DE": "EXIT_DEAD",
	"PA": "TASK_PARKED", "WA": "TASK_WAKING", "NE": "TASK_NEW",
}

// taskHead is the line that introduces what follows about a task.
func taskHead(x *task.Task) string {
	return fmt.Sprintf("PID: %-7d  TASK: %016x  CPU: %-3d  COMMAND: \"%s\"", x.PID, x.Addr, x.CPU, x.Comm)
}

// taskColumns are the fields that name a task, for records about tasks; they
// have no text of their own.
func taskColumns[R any](of func(*R) *task.Task) []output.Column[R] {
	return []output.Column[R]{
		{Name: "pid", Help: "process id", Get: func(r *R) output.Value { return output.Int(int(of(r).PID)) }},
		{Name: "task", Help: "address of the task_struct", Get: func(r *R) output.Value { return output.Addr(of(r).Addr) }},
		{Name: "cpu", Help: "CPU it runs or last ran on", Get: func(r *R) output.Value { return output.Int(of(r).CPU) }},
		{Name: "comm", Help: "command name", Get: func(r *R) output.Value { return output.String(of(r).Comm) }},
	}
}
