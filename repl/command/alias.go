package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// aliasRecord is one row of the alias table.
var aliasRecord = &output.Record[repl.Alias]{
	Type: "alias",
	Help: "one alias",
	Columns: []output.Column[repl.Alias]{
		{Name: "origin", Head: "ORIGIN   ", Verb: "%-7s  ", Help: "who defined it: builtin, runtime or a command file",
			Get: func(a *repl.Alias) output.Value { return output.String(a.Origin) }},
		{Name: "alias", Head: "ALIAS    ", Verb: "%-8s ", Help: "the short word",
			Get: func(a *repl.Alias) output.Value { return output.String(a.Name) }},
		{Name: "command", Head: "COMMAND", Verb: "%s ", Help: "what it stands for",
			Get: func(a *repl.Alias) output.Value { return output.String(a.Text) }},
	},
}

// alias lists, defines and removes aliases.
func alias(*Target) *repl.Command {
	return &repl.Command{
		Name:     "alias",
		Synopsis: "[alias] [command text]",
		Text:     true,
		Summary:  "list, define or remove short words for commands",
		Detail: `
Without an operand all aliases are listed, with one operand that alias. Further
operands define it: when a line begins with the alias, the text takes its place.
An empty text removes it. Text with operators of the command line (| > <) must
be quoted.`,
		Examples: []repl.Example{
			{Line: "alias kt ps -k", Help: "kt lists the kernel threads."},
			{Line: `alias top "ps -l | head"`, Help: "Quotes keep the pipe in the alias."},
			{Line: `alias kt ""`, Help: "Remove it."},
		},
		Records: []output.Describer{aliasRecord},
		Run:     runAlias,
	}
}

func runAlias(_ context.Context, c *repl.Call) error {
	if len(c.Args) < 2 {
		return listAliases(c)
	}
	name := c.Args[0]
	text := strings.Join(c.Args[1:], " ")
	if len(c.Args) > 2 || c.Quote(1) == 0 {
		text = strings.TrimSpace(strings.TrimPrefix(c.Rest, name))
	}
	if err := c.Shell.SetAlias(name, text); err != nil {
		return err
	}
	if text == "" {
		c.Out.Printf("alias deleted: %s\n", name)
		return nil
	}
	aliasRecord.Head(c.Out)
	emitAlias(c, name)
	return nil
}

func listAliases(c *repl.Call) error {
	aliasRecord.Head(c.Out)
	if len(c.Args) == 1 {
		if !emitAlias(c, c.Args[0]) {
			return fmt.Errorf("alias does not exist: %s", c.Args[0])
		}
		return nil
	}
	for _, a := range c.Shell.Aliases() {
		aliasRecord.Emit(c.Out, &a)
	}
	return nil
}

func emitAlias(c *repl.Call, name string) bool {
	for _, a := range c.Shell.Aliases() {
		if a.Name == name {
			aliasRecord.Emit(c.Out, &a)
			return true
		}
	}
	return false
}
