package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/value"
)

// taskStruct is a structure of one task, or a member of it.
type taskStruct struct {
	task  *task.Task
	name  string // "task_struct", or the path of a member
	value value.Value
	whole bool
	style value.Style
	last  bool // it is the last member of its structure
}

var taskStructRecord = taskObject("task_struct", "a structure of one task, or one of its members (-R)")

// taskObject declares records of structures that belong to a task.
func taskObject(typ, help string) *output.Record[taskStruct] {
	return &output.Record[taskStruct]{Type: typ, Help: help, Columns: taskStructColumns, Text: taskStructText}
}

var taskStructColumns = append(taskColumns(func(r *taskStruct) *task.Task { return r.task }), []output.Column[taskStruct]{
	{Name: "name", Help: "structure, or path of the member", Get: func(r *taskStruct) output.Value { return output.String(r.name) }},
	{Name: "value", Help: "its value as a tree", Get: func(r *taskStruct) output.Value { return output.Tree(valueTree{r.value, r.style}) }},
}...)

func taskStructText(b []byte, r *taskStruct) []byte {
	style := r.style
	if r.whole {
		b = fmt.Appendf(b, "struct %s ", r.name)
		return append(value.Append(b, r.value, style), '\n')
	}
	b = fmt.Appendf(b, "  %s = ", r.name)
	style.Level = 1
	b = value.Append(b, r.value, style)
	if !r.last { // as in the structure
		b = append(b, ',')
	}
	return append(b, '\n')
}

// valueTree is a C value as an output value.
type valueTree struct {
	value value.Value
	style value.Style
}

func (t valueTree) AppendJSON(b []byte) []byte { return value.AppendJSON(b, t.value, t.style) }

// taskCommand prints the structures of tasks.
func taskCommand(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "task",
		Synopsis: "[-xd] [-R member[,member ...]] [pid | task | command] ...",
		Summary:  "print task_struct and thread_info of tasks",
		Detail: `
Without an operand the current task is meant. Members given with -R, or as operands
that name no task, are looked for in both structures; they may be paths: se.vruntime,
mm->pgd, comm[0].`,
		Options: []repl.Option{
			{Name: "R", Arg: "members", Help: "print these members only"},
			{Name: "x", Help: "print numbers in hexadecimal"},
			{Name: "d", Help: "print numbers in decimal"},
		},
		Examples: []repl.Example{{Line: "task -R pid,__state,se.vruntime 1", Help: "Three members of one task."}},
		Records:  []output.Describer{taskStructRecord},
		Run:      func(ctx context.Context, c *repl.Call) error { return runTask(ctx, t, c) },
	}
}

func runTask(ctx context.Context, t *Target, c *repl.Call) error {
	members := c.Values("R")
	var tasks []*task.Task
	for i, arg := range c.Args {
		found, err := t.findTasks(c, i)
		switch {
		case err == nil:
			tasks = append(tasks, found...)
		case t.isTaskMember(arg):
			members = append(members, arg)
		default:
			return err
		}
	}
	if len(tasks) == 0 {
		x, err := t.currentTask()
		if err != nil {
			return err
		}
		tasks = append(tasks, x)
	}
	return t.taskObjects(ctx, c, tasks, members)
}

// isTaskMember reports whether the first of members, which are separated by
// commas, is one of a task.
func (t *Target) isTaskMember(members string) bool {
	k, _, err := t.info()
	if err != nil {
		return false
	}
	first, _, _ := strings.Cut(members, ",")
	name, _, _ := strings.Cut(first, ".")
	for _, outer := range []string{"task_struct", "thread_info"} {
		if typ, err := k.StructType(outer); err == nil {
			if _, ok := typ.Find(name); ok {
				return true
			}
		}
	}
	return false
}

// taskObjects prints the structures of tasks, or members of them; each of
// members is one or several, separated by commas.
func (t *Target) taskObjects(ctx context.Context, c *repl.Call, tasks []*task.Task, members []string) error {
	for _, x := range tasks {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var err error
		c.Out.Print(taskHead(x) + "\n")
		if len(members) > 0 {
			err = t.taskMembers(c, x, strings.Join(members, ","))
		} else {
			err = t.wholeTask(c, x)
		}
		if err != nil {
			return err
		}
		c.Out.Print("\n")
	}
	return nil
}

// taskObjectsOf is task of those that foreach chose: whole structures have an
// empty line between tasks.
func (t *Target) taskObjectsOf(f *forCall) error {
	if members := f.c.Values("R"); len(members) > 0 {
		return t.taskObjects(f.ctx, f.c, f.tasks, members)
	}
	var err error
	return errors.Join(f.forEach(func(x *task.Task) {
		err = errors.Join(err, t.taskObjects(f.ctx, f.c, []*task.Task{x}, nil))
	}), err)
}

// tasksOrCurrent are the tasks that the operands name, or the current one.
func (t *Target) tasksOrCurrent(c *repl.Call) ([]*task.Task, error) {
	if len(c.Args) == 0 {
		x, err := t.currentTask()
		return []*task.Task{x}, err
	}
	var tasks []*task.Task
	for i := range c.Args {
		found, err := t.findTasks(c, i)
		if err != nil {
			return nil, err
		}
		tasks = append(tasks, found...)
	}
	return tasks, nil
}

// taskStructs are the structures of a task that the command shows.
func (t *Target) taskStructs(x *task.Task) ([]taskStruct, error) {
	k := t.Opened.Kernel
	v, err := k.Object("struct task_struct", x.Addr)
	if err != nil {
		return nil, err
	}
	structs := []taskStruct{{task: x, name: "task_struct", value: v.Load(), whole: true}}
	if info, err := v.Member("thread_info"); err == nil {
		structs = append(structs, taskStruct{task: x, name: "thread_info", value: info.Load(), whole: true})
	} else if info, err := k.Object("struct thread_info", x.Stack); err == nil {
		structs = append(structs, taskStruct{task: x, name: "thread_info", value: info.Load(), whole: true})
	}
	return structs, nil
}

func (t *Target) wholeTask(c *repl.Call, x *task.Task) error {
	structs, err := t.taskStructs(x)
	for i := range structs {
		if i > 0 {
			c.Out.Print("\n")
		}
		structs[i].style = t.style(c)
		taskStructRecord.Emit(c.Out, &structs[i])
	}
	return err
}

func (t *Target) taskMembers(c *repl.Call, x *task.Task, members string) error {
	structs, err := t.taskStructs(x)
	if err != nil {
		return err
	}
	for path := range strings.SplitSeq(members, ",") {
		path = strings.TrimSpace(path)
		found := false
		for _, s := range structs {
			v, err := s.value.Path(path)
			if err != nil {
				continue
			}
			found = true
			taskStructRecord.Emit(c.Out, &taskStruct{task: x, name: path, value: v, style: t.style(c), last: lastMember(s.value, path)})
		}
		if !found {
			c.Error(fmt.Errorf("%s: not a task_struct or thread_info member", path))
		}
	}
	return nil
}

// lastMember reports whether a path leads to the last member of a structure.
func lastMember(v value.Value, path string) bool {
	name := path
	if i := strings.LastIndexAny(path, ".>"); i >= 0 {
		outer, err := v.Path(strings.TrimSuffix(path[:i], "-"))
		if err != nil {
			return false
		}
		if target := outer.Type().Underlying().Elem(); target != nil { // ->
			return lastOf(target, path[i+1:])
		}
		v, name = outer, path[i+1:]
	}
	return lastOf(v.Type(), name)
}

func lastOf(t *ctype.Type, name string) bool {
	members := t.Underlying().Members()
	return len(members) > 0 && members[len(members)-1].Name == name
}
