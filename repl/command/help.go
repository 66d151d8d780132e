package command

import (
	"context"
	"fmt"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// help lists the commands or prints the page of one.
func help(*Target) *repl.Command {
	return &repl.Command{
		Name:     "help",
		Synopsis: "[command ... | all | input | output]",
		Summary:  "list the commands, or explain one",
		Detail: `
"help all" prints the pages of all commands, "help input" explains how a command
line is read, "help output" where its output can go.`,
		Records: []output.Describer{repl.HelpRecord},
		Complete: func(sh *repl.Shell, _ []string, prefix string) []string {
			return sh.CommandNames(prefix)
		},
		Run: runHelp,
	}
}

func runHelp(_ context.Context, c *repl.Call) error {
	if len(c.Args) == 0 {
		listCommands(c)
		return nil
	}
	for _, name := range c.Args {
		switch name {
		case "all":
			for _, cmd := range c.Shell.Commands() {
				repl.HelpRecord.Emit(c.Out, &cmd)
			}
			continue
		case "input", "output":
			topicRecord.Emit(c.Out, &topic{name, topics[name]})
			continue
		}
		cmd, ok := c.Shell.Command(name)
		if !ok {
			c.Error(fmt.Errorf("no command is called %s", name))
			continue
		}
		repl.HelpRecord.Emit(c.Out, &cmd)
	}
	return nil
}

// listCommands prints the names in columns, top to bottom.
func listCommands(c *repl.Call) {
	var names []string
	for _, cmd := range c.Shell.Commands() {
		if c.Out.JSON() {
			repl.HelpRecord.Emit(c.Out, &cmd)
		} else if !cmd.Hidden {
			names = append(names, cmd.Name)
		}
	}
	const columns = 5
	rows := (len(names) + columns - 1) / columns
	c.Out.Print("\n")
	for row := range rows {
		for i := row; i < len(names); i += rows {
			c.Out.Printf("%-15s", names[i])
		}
		c.Out.Print("\n")
	}
	c.Out.Print("\n\"help COMMAND\" explains a command, \"help input\" the command line, \"help output\" pipes and files.\n\n")
}

// topic is a page that belongs to no command.
type topic struct{ name, text string }

var topicRecord = &output.Record[topic]{
	Type: "topic",
	Help: "a page that belongs to no command; its text is for people only",
	Columns: []output.Column[topic]{
		{Name: "name", Help: "name of the page", Get: func(t *topic) output.Value { return output.String(t.name) }},
	},
	Text: func(b []byte, t *topic) []byte { return append(b, t.text...) },
}

var topics = map[string]string{
	"input": `
A line holds one command or several with ; between them. A line that begins with
# or // is a comment.

  words        Blanks separate operands. 'quotes', "quotes" and (parentheses)
               hold an operand together. A backslash takes the meaning from
               | < > ; ' and ", and in front of the first word keeps it from
               being an alias.
  options      One-letter options may be joined (-px) and may follow operands;
               -- ends them. Every command has --json and --help.
  numbers      Digits alone are decimal; with 0x, or with any of a to f, a number
               is hexadecimal. Addresses are always hexadecimal.
  expressions  In eval, p, px and pd the rest of the line is one expression. In
               it the characters | < > << >> are operators if a digit, an opening
               parenthesis, one of ~ - + * & ! or $N follows; a word that follows
               is a file or a program. So "eval 8 >> 1" shifts, "p jiffies > out"
               writes a file, "p jiffies | wc" runs a program, and "p (a | b)" is
               an "or": parentheses and quotes always protect. <= >= || and ->
               are never redirects.
  other words  The name of a structure or union is short for "struct", that of
               a variable for "p". "*name" is short for "* name".
  files        < file         runs the commands of a file
               command < file runs the command once for every line of the file
  history      h lists the lines of the session; !!, !N, r, r N, r TEXT run one
               again. A line that begins with a blank is not kept in the history
               file.
  shell        !text runs text in a shell, ! alone starts one.

Ctrl-C stops a command. A restricted session (--restricted) starts no programs
and writes no files.

`,
	"output": `
  command | programs     into a shell pipeline
  command > file         into a file; >> appends
  command | json         as JSON, one object a line; also "command --json"
  command | json | jq .  JSON into a pipeline; "| json > file" works as well

At a terminal, output that is longer than the screen goes through a pager; "set
scroll" controls it (on, off, less, more, CRASHPAGER; the environment's
KDIVE_PAGER or PAGER otherwise).

Error messages go to standard error; "set error redirect" sends them where the
output goes and "set error FILE" into a file. In JSON they are objects of type
"error", memory that cannot be read is one of type "fault", and remarks are of
type "note" and "warning".

In JSON addresses and masks are strings with 0x, times are RFC 3339, null is what
there is not. Numbers of C values beyond 2^53, which programs round that read JSON,
are strings of decimal digits.

"set json on" or the option --json of kdive makes every command print JSON.

`,
}
