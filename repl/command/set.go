package command

import (
	"context"
	"fmt"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// setting is one variable with its value.
type setting struct {
	name  string
	value string // as set -v shows it
	plain string // without explanation
	help  string
}

// settingRecord is one row of set -v.
var settingRecord = &output.Record[setting]{
	Type: "setting",
	Help: "one variable of the session",
	Columns: []output.Column[setting]{
		{Name: "name", Verb: "%14s: ", Help: "name of the variable",
			Get: func(s *setting) output.Value { return output.String(s.name) }},
		{Name: "value", Verb: "%s", Help: "its value",
			Get:  func(s *setting) output.Value { return output.String(s.plain) },
			Text: func(s *setting) string { return s.value }},
		{Name: "help", Help: "what it controls", Get: func(s *setting) output.Value { return output.String(s.help) }},
	},
}

func newSetting(v repl.Variable) *setting {
	s := &setting{name: v.Name, value: v.Get(), help: v.Help}
	s.plain = s.value
	if v.Config != nil {
		s.plain = v.Config()
	}
	return s
}

// without are variables of crash that stand for something kdive does not have.
// Scripts set them, so that they are accepted with a remark.
var without = map[string]bool{"refresh": true, "console": true, "debug": true, "core": true, "edit": true,
	"unwind": true, "redzone": true, "zero_excluded": true, "gdb": true, "scope": true}

// set shows and changes variables of the session.
func set(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "set",
		Synopsis: "[pid | task | -p | -c cpu]\nvariable [value] ...\n-v",
		Summary:  "show or change the current task, or variables of the session",
		Detail: `
The current task is what commands like bt, files and vm mean when no task is named.
At first it is the one that panicked. Without an operand it is shown; a PID, the
address of a task_struct or a command name makes that task the current one.

A variable alone shows its value. Several pairs of variable and value may be given
at once. "set -v" lists all variables.`,
		Options: []repl.Option{
			{Name: "p", Help: "the task that panicked"},
			{Name: "c", Arg: "cpu", Help: "the task that ran on a CPU"},
			{Name: "v", Help: "list all variables"},
		},
		Examples: []repl.Example{
			{Line: "set 91", Help: "Make the task with PID 91 the current one."},
			{Line: "set radix 16", Help: "Print numbers of values in hexadecimal."},
			{Line: "set scroll off", Help: "No pager."},
		},
		Records: []output.Describer{settingRecord, contextRecord},
		Complete: func(sh *repl.Shell, args []string, prefix string) []string {
			return sh.VariableNames(args, prefix)
		},
		Run: func(_ context.Context, c *repl.Call) error { return runSet(t, c) },
	}
}

func runSet(t *Target, c *repl.Call) error {
	switch {
	case c.Has("v"):
	case c.Has("p") || c.Has("c") || len(c.Args) > 0 && !isVariable(c, c.Args[0]) && !without[c.Args[0]]:
		return setContext(t, c)
	case len(c.Args) == 0 && t.Opened != nil:
		return showContext(t, c)
	}
	if c.Has("v") || len(c.Args) == 0 {
		for _, v := range c.Shell.Variables() {
			settingRecord.Emit(c.Out, newSetting(v))
		}
		return nil
	}
	return setVariables(c, c.Args)
}

// setVariables takes variables with and without values from args.
func setVariables(c *repl.Call, args []string) error {
	for len(args) > 0 {
		name := args[0]
		args = args[1:]
		v, ok := c.Shell.Variable(name)
		if !ok {
			if !without[name] {
				return fmt.Errorf("no variable is called %s", name)
			}
			c.Out.Note("%s has no meaning in kdive", name)
			args = args[min(1, len(args)):]
			continue
		}
		if len(args) > 0 && !isVariable(c, args[0]) {
			if v.Set == nil {
				return fmt.Errorf("%s cannot be changed", name)
			}
			if err := v.Set(args[0]); err != nil {
				return err
			}
			args = args[1:]
		}
		sayVariable(c, v)
	}
	return nil
}

func isVariable(c *repl.Call, name string) bool {
	_, ok := c.Shell.Variable(name)
	return ok
}

// sayVariable answers with the value that the variable has now.
func sayVariable(c *repl.Call, v repl.Variable) {
	s := newSetting(v)
	switch {
	case c.Out.JSON():
		settingRecord.Emit(c.Out, s)
	case v.Said != nil:
		c.Out.Print(v.Said() + "\n")
	default:
		c.Out.Printf("%s: %s\n", s.name, s.value)
	}
}
