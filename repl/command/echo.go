package command

import (
	"context"
	"strings"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// echoRecord is the words of one echo.
var echoRecord = &output.Record[[]string]{
	Type: "echo",
	Help: "words that were echoed",
	Columns: []output.Column[[]string]{
		{Name: "words", Help: "the operands", Get: func(w *[]string) output.Value { return output.Strings(*w) }},
	},
	Text: func(b []byte, w *[]string) []byte { return append(append(b, strings.Join(*w, " ")...), '\n') },
}

// echo prints its operands, to mark places in the output of a script.
func echo(*Target) *repl.Command {
	return &repl.Command{
		Name:     "echo",
		Synopsis: "[word ...]",
		Summary:  "print the operands",
		Detail:   `It marks places in the output of a command file and starts no program.`,
		Examples: []repl.Example{{Line: "echo '--- tasks'", Help: "Print a heading."}},
		Records:  []output.Describer{echoRecord},
		Run: func(_ context.Context, c *repl.Call) error {
			echoRecord.Emit(c.Out, &c.Args)
			return nil
		},
	}
}
