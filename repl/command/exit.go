package command

import (
	"context"

	"github.com/kdive/kdive/repl"
)

// exit ends the session. It exists under two names, since both appear in the
// list of commands of crash.
func exit(_ *Target, name string) *repl.Command {
	return &repl.Command{
		Name:    name,
		Summary: "end the session",
		Detail:  `The exit status of kdive is 0 if every command of the session succeeded, else 1.`,
		Run:     func(context.Context, *repl.Call) error { return repl.ErrExit },
	}
}
