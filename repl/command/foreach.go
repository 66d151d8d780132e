package command

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/task"
)

// forTasks are the commands that foreach runs. All take tasks as operands.
var forTasks = []string{"bt", "vm", "task", "files", "net", "set", "ps", "sig"}

// passedOn are the options that foreach hands to the commands.
var passedOn = []repl.Option{
	{Name: "a"}, {Name: "c"}, {Name: "d"}, {Name: "e"}, {Name: "f"}, {Name: "F"}, {Name: "g"}, {Name: "G"}, {Name: "i"}, {Name: "k"},
	{Name: "l"}, {Name: "m"}, {Name: "o"}, {Name: "O"}, {Name: "p"}, {Name: "r"}, {Name: "s"}, {Name: "S"}, {Name: "t"}, {Name: "T"},
	{Name: "u"}, {Name: "v"}, {Name: "V"}, {Name: "x"}, {Name: "y"}, {Name: "R", Arg: "reference"},
}

// foreach runs commands for many tasks.
func foreach(t *Target) *repl.Command {
	options := slices.Clone(passedOn)
	for i := range options {
		options[i].Help = "handed to the command"
	}
	return &repl.Command{
		Name:     "foreach",
		Synopsis: "[selection ...] command ... [options]",
		Summary:  "run a command for many tasks",
		Detail: `
The command is one of bt, vm, task, files, net, set, ps, sig, as far as they exist;
several run one after the other for each task. Without a selection all tasks are
meant, else those that any of the words selects:

  pid, address of a task_struct, command name (a leading \ keeps a name from being
  read as anything else), 'pattern' of command names in quotes
  user, kernel       tasks of user space, kernel threads
  gleader            leaders of thread groups
  active             those that a CPU ran
  RU IN UN ST TR ZO DE SW PA WA ID NE
                     those in a state, as ps abbreviates it

The options behind are those of the command.`,
		Options: options,
		Examples: []repl.Example{
			{Line: "foreach bt", Help: "The stacks of all tasks."},
			{Line: "foreach UN bt -l", Help: "Where all tasks wait that cannot be interrupted."},
			{Line: "foreach gleader user ps", Help: "Leaders of thread groups, and tasks of user space."},
		},
		Records:  []output.Describer{frameRecord, registersRecord, variableRecord},
		Complete: func(*repl.Shell, []string, string) []string { return forTasks },
		Run:      func(ctx context.Context, c *repl.Call) error { return runForeach(ctx, t, c) },
	}
}

func runForeach(ctx context.Context, t *Target, c *repl.Call) error {
	table, err := t.tasks()
	if err != nil {
		return err
	}
	chosen := map[*task.Task]bool{}
	first := 0
	for first < len(c.Args) && (c.Quote(first) != 0 || !slices.Contains(forTasks, c.Args[first])) {
		if err := t.choose(c, table, first, chosen); err != nil {
			return err
		}
		first++
	}
	commands := c.Args[first:]
	if len(commands) == 0 {
		return c.Usage("which command?")
	}
	for _, name := range commands {
		if !slices.Contains(forTasks, name) {
			return c.Usage("%s does not run under foreach: it runs %s", name, strings.Join(forTasks, ", "))
		}
	}
	var tasks []*task.Task
	for _, x := range table.Tasks {
		if first == 0 || chosen[x] {
			tasks = append(tasks, x)
		}
	}
	if len(commands) == 1 {
		return t.runFor(ctx, c, commands[0], tasks)
	}
	for _, x := range tasks {
		for _, name := range commands {
			if err := t.runFor(ctx, c, name, []*task.Task{x}); err != nil {
				return err
			}
		}
	}
	return nil
}

// choose adds the tasks that one word selects.
func (t *Target) choose(c *repl.Call, table *task.Table, i int, chosen map[*task.Task]bool) error {
	is := selector(table, c.Args[i])
	if c.Quote(i) != 0 {
		re, err := regexp.CompilePOSIX(c.Args[i])
		if err != nil {
			return err
		}
		is = func(x *task.Task) bool { return re.MatchString(x.Comm) }
	}
	if is == nil || byNumber(table, c.Args[i]) {
		found, err := t.findTasks(c, i)
		if err != nil {
			return err
		}
		for _, x := range found {
			chosen[x] = true
		}
		return nil
	}
	for _, x := range table.Tasks {
		if is(x) {
			chosen[x] = true
		}
	}
	return nil
}

// byNumber reports whether a word that is a state as well (DE) is the PID of a
// task.
func byNumber(table *task.Table, word string) bool {
	n, err := repl.ParseNumber(word)
	return err == nil && n < 1<<31 && table.ByPID(int32(n)) != nil
}

// taskStates are the abbreviations of states, as ps prints them.
var taskStates = []string{"RU", "IN", "UN", "ST", "TR", "ZO", "DE", "SW", "PA", "WA", "ID", "NE"}

// selector is what a keyword selects; nil for a word that is none.
func selector(table *task.Table, word string) func(*task.Task) bool {
	switch {
	case word == "user":
		return func(x *task.Task) bool { return !x.Kernel() && !x.Idle }
	case word == "kernel":
		return func(x *task.Task) bool { return x.Kernel() || x.Idle }
	case word == "gleader":
		return (*task.Task).IsLeader
	case word == "active":
		return table.Active
	case slices.Contains(taskStates, word):
		return func(x *task.Task) bool { return table.StateCode(x.State) == word }
	}
	return nil
}

// runFor runs one command for tasks.
func (t *Target) runFor(ctx context.Context, c *repl.Call, name string, tasks []*task.Task) error {
	switch name {
	case "bt":
		return t.backTraces(ctx, c, tasks)
	case "set":
		return t.showTasks(ctx, c, tasks)
	}
	if len(tasks) == 0 {
		return nil
	}
	var line strings.Builder
	line.WriteString(name)
	for _, o := range passedOn {
		if o.Arg == "" {
			line.WriteString(strings.Repeat(" -"+o.Name, c.Count(o.Name)))
			continue
		}
		for _, v := range c.Values(o.Name) {
			fmt.Fprintf(&line, " -%s '%s'", o.Name, v)
		}
	}
	for _, x := range tasks {
		fmt.Fprintf(&line, " %#x", x.Addr)
	}
	return c.Exec(ctx, line.String())
}

// showTasks shows each task as set does; the context stays as it is.
func (t *Target) showTasks(ctx context.Context, c *repl.Call, tasks []*task.Task) error {
	current, err := t.currentTask()
	if err != nil {
		return err
	}
	defer func() { t.context.current = current }()
	for i, x := range tasks {
		if i > 0 {
			c.Out.Print("\n")
		}
		c.Out.Print(taskHead(x) + "\n")
		t.context.current = x
		if err := showContext(t, c); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}
