package command

import (
	"context"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// historyLine is one line of the session's history.
type historyLine struct {
	number int
	text   string
}

var historyRecord = &output.Record[historyLine]{
	Type: "history",
	Help: "one command line of the session",
	Columns: []output.Column[historyLine]{
		{Name: "number", Verb: "[%d] ", Help: "number of the line, for r and !",
			Get: func(h *historyLine) output.Value { return output.Int(h.number) }},
		{Name: "line", Verb: "%s", Help: "the line as it was typed",
			Get: func(h *historyLine) output.Value { return output.String(h.text) }},
	},
}

// history lists the lines of the session. Running them again (r, !!, !N) is
// done by the shell, which sees the line before any command does.
func history(_ *Target, name string) *repl.Command {
	return &repl.Command{
		Name:    name,
		Summary: "list the command lines of this session",
		Detail: `
"r" alone or "!!" runs the last line again, "r N" or "!N" line number N, "r TEXT"
the last line that begins with TEXT. At a terminal the arrow keys and Ctrl-R find
lines of earlier sessions, too.`,
		Hidden:  name != "h",
		Records: []output.Describer{historyRecord},
		Run: func(_ context.Context, c *repl.Call) error {
			for i, line := range c.Shell.History() {
				historyRecord.Emit(c.Out, &historyLine{i + 1, line})
			}
			return nil
		},
	}
}
