package command

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/task"
)

// forTask is a command that foreach runs.
type forTask struct {
	name      string
	options   string // the letters of those that it takes here
	arguments bool   // whether it takes operands
	run       func(t *Target, f *forCall) error
}

// forCall is what foreach hands to a command: the call is that of foreach, with
// the command's options; all operands but args are used up.
type forCall struct {
	ctx   context.Context
	c     *repl.Call
	tasks []*task.Task
	args  []string
}

// forTasks are the commands that foreach runs, one line each.
var forTasks = []forTask{
	{name: "bt", options: "eFfloOrRsTtvVdx", run: func(t *Target, f *forCall) error { return t.backTraces(f.ctx, f.c, f.tasks) }},
	{name: "vm", options: "pmvRxd", run: func(t *Target, f *forCall) error { return t.spaces(f.ctx, f.c, f.tasks) }},
	{name: "task", options: "Rxd", run: (*Target).taskObjectsOf},
	{name: "files", options: "cR", run: (*Target).filesOf},
	{name: "set", run: func(t *Target, f *forCall) error { return t.showTasks(f.ctx, f.c, f.tasks) }},
	{name: "ps", options: "kuGAIHspctlmagryS", run: (*Target).psOf},
	{name: "vtop", options: "cuk", arguments: true, run: (*Target).vtopOf},
}

func findForTask(name string) *forTask {
	for i := range forTasks {
		if forTasks[i].name == name {
			return &forTasks[i]
		}
	}
	return nil
}

func forTaskNames() []string {
	var names []string
	for _, f := range forTasks {
		names = append(names, f.name)
	}
	return names
}

// forOptions are the options of all commands together.
func forOptions() []repl.Option {
	var letters []byte
	for _, f := range forTasks {
		letters = append(letters, f.options...)
	}
	slices.Sort(letters)
	var options []repl.Option
	for _, l := range slices.Compact(letters) {
		o := repl.Option{Name: string(l), Help: "handed to the command"}
		switch l {
		case 'R':
			o.Arg = "reference"
		case 'y':
			o.Arg = "policy"
		}
		options = append(options, o)
	}
	return options
}

// foreach runs commands for many tasks.
func foreach(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "foreach",
		Synopsis: "[selection ...] command ... [options] [address ...]",
		Summary:  "run a command for many tasks",
		Detail: `
The command is one of ` + strings.Join(forTaskNames(), ", ") + `; several run one after the
other for each task, with the same options. Without a selection all tasks are meant.
These words name tasks; all that are named are meant:

  pid, address of a task_struct, command name (a leading \ keeps a name from being
  read as anything else), 'pattern' of command names in quotes

Of these, or of all tasks, these words leave only some:

  user, kernel       tasks of user space, kernel threads
  gleader            leaders of thread groups of user space
  active             those that a CPU ran
  RU IN UN ST TR ZO DE SW PA WA ID NE
                     those in a state, as ps abbreviates it; of several, in any

The options behind are those of the command. vtop takes the addresses behind it.`,
		Options: forOptions(),
		Examples: []repl.Example{
			{Line: "foreach bt", Help: "The stacks of all tasks."},
			{Line: "foreach UN bt -l", Help: "Where all tasks wait that cannot be interrupted."},
			{Line: "foreach gleader ps", Help: "All processes of user space."},
			{Line: "foreach init vtop 400000", Help: "What an address is in each process of that name."},
		},
		Records:  []output.Describer{frameRecord, registersRecord, variableRecord},
		Complete: func(*repl.Shell, []string, string) []string { return forTaskNames() },
		Run:      func(ctx context.Context, c *repl.Call) error { return runForeach(ctx, t, c) },
	}
}

func runForeach(ctx context.Context, t *Target, c *repl.Call) error {
	table, err := t.tasks()
	if err != nil {
		return err
	}
	s := taskSelection{table: table, named: map[*task.Task]bool{}, states: map[string]bool{}}
	first := 0
	for first < len(c.Args) && (c.Quote(first) != 0 || findForTask(c.Args[first]) == nil) {
		if err := t.choose(c, &s, first); err != nil {
			return err
		}
		first++
	}
	if s.user && s.kernel {
		return c.Usage("kernel excludes user and gleader")
	}
	call := forCall{ctx: ctx, c: c}
	commands, err := call.commands(first)
	if err != nil {
		return err
	}
	tasks := slices.DeleteFunc(slices.Clone(table.Tasks), func(x *task.Task) bool { return !s.has(x) })
	if len(commands) == 1 {
		call.tasks = tasks
		return commands[0].run(t, &call)
	}
	for _, x := range tasks {
		for _, f := range commands {
			call.tasks = []*task.Task{x}
			if err := f.run(t, &call); err != nil {
				return err
			}
		}
	}
	return nil
}

// commands are those named by the operands from the first on; the operands
// behind them are arguments.
func (f *forCall) commands(first int) ([]*forTask, error) {
	c := f.c
	var found []*forTask
	arguments := false
	for _, word := range c.Args[first:] {
		switch command := findForTask(word); {
		case command != nil && len(f.args) == 0:
			found = append(found, command)
			arguments = arguments || command.arguments
		case arguments:
			f.args = append(f.args, word)
		default:
			return nil, c.Usage("%s does not run under foreach: it runs %s", word, strings.Join(forTaskNames(), ", "))
		}
	}
	if len(found) == 0 {
		return nil, c.Usage("which command?")
	}
	for _, o := range forOptions() {
		if c.Has(o.Name) && !slices.ContainsFunc(found, func(x *forTask) bool { return strings.Contains(x.options, o.Name) }) {
			return nil, c.Usage("%s has no option -%s under foreach", found[0].name, o.Name)
		}
	}
	if arguments && len(f.args) == 0 {
		return nil, c.Usage("no address given")
	}
	return found, nil
}

// taskSelection is what the words in front of the command leave of the tasks.
type taskSelection struct {
	table          *task.Table
	named          map[*task.Task]bool // if any is named, no others
	naming         bool
	states         map[string]bool // if any is given, no others
	user, kernel   bool
	leader, active bool
}

// has reports whether the task is meant.
func (s *taskSelection) has(x *task.Task) bool {
	kernel := x.Kernel() || x.Idle
	switch {
	case s.naming && !s.named[x], s.user && kernel, s.kernel && !kernel, s.leader && !x.IsLeader(), s.active && !s.table.Active(x):
		return false
	}
	return len(s.states) == 0 || s.states[s.table.StateCode(x.State)]
}

// choose takes in one word of a selection.
func (t *Target) choose(c *repl.Call, s *taskSelection, i int) error {
	word := c.Args[i]
	if c.Quote(i) == 0 && s.keyword(word) {
		return nil
	}
	s.naming = true
	if c.Quote(i) != 0 {
		re, err := regexp.CompilePOSIX(word)
		if err != nil {
			return err
		}
		for _, x := range s.table.Tasks {
			if re.MatchString(x.Comm) {
				s.named[x] = true
			}
		}
		return nil
	}
	found, err := t.findTasks(c, i)
	for _, x := range found {
		s.named[x] = true
	}
	return err
}

// taskStates are the abbreviations of states, as ps prints them.
var taskStates = []string{"RU", "IN", "UN", "ST", "TR", "ZO", "DE", "SW", "PA", "WA", "ID", "NE"}

// keyword takes in a word that leaves some of the tasks; false if it is none. A
// state that is a PID as well (DE) is none if there is such a task.
func (s *taskSelection) keyword(word string) bool {
	switch {
	case word == "user":
		s.user = true
	case word == "kernel":
		s.kernel = true
	case word == "gleader":
		s.user, s.leader = true, true
	case word == "active":
		s.active = true
	case slices.Contains(taskStates, word):
		if n, err := repl.ParseNumber(word); err == nil && n < 1<<31 && s.table.ByPID(int32(n)) != nil {
			return false
		}
		s.states[word] = true
	default:
		return false
	}
	return true
}

// forEach runs show for each task, with an empty line between them.
func (f *forCall) forEach(show func(*task.Task)) error {
	for i, x := range f.tasks {
		if f.ctx.Err() != nil {
			return f.ctx.Err()
		}
		if i > 0 {
			f.c.Out.Print("\n")
		}
		show(x)
	}
	return f.ctx.Err()
}

// showTasks shows each task as set does; the context stays as it is.
func (t *Target) showTasks(ctx context.Context, c *repl.Call, tasks []*task.Task) error {
	current, err := t.currentTask()
	if err != nil {
		return err
	}
	defer func() { t.current = current }()
	for i, x := range tasks {
		if i > 0 {
			c.Out.Print("\n")
		}
		c.Out.Print(taskHead(x) + "\n")
		t.current = x
		if err := showContext(t, c); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// vtopOf translates addresses in the address space of each task.
func (t *Target) vtopOf(f *forCall) error {
	v, err := t.newTranslator(f.c, f.args)
	if err != nil {
		return err
	}
	return f.forEach(func(x *task.Task) {
		f.c.Out.Print(taskHead(x) + "\n")
		v.task, v.user = x, nil
		for i, arg := range f.args {
			if i > 0 {
				f.c.Out.Print("\n")
			}
			if err := v.show(arg); err != nil {
				f.c.Error(err)
				if errors.Is(err, task.ErrNoUserMemory) {
					break
				}
			}
		}
	})
}
