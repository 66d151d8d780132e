package command

import (
	"context"
	"time"

	"github.com/kdive/kdive/repl"
)

// repeat runs a command again and again until Ctrl-C.
func repeat(*Target) *repl.Command {
	return &repl.Command{
		Name:     "repeat",
		Synopsis: "[-SECONDS] command",
		Text:     true,
		Summary:  "run a command again and again",
		Detail: `
The command runs until Ctrl-C, until it fails, or until the reader of a pipe ends.
A pipe or redirect behind the command takes the output of all runs.`,
		Options: []repl.Option{
			{Name: "seconds", Number: true, Help: "wait so many seconds between two runs; without it there is no pause"},
		},
		Examples: []repl.Example{{Line: "repeat -1 sys | grep LOAD", Help: "One line a second."}},
		Run:      runRepeat,
	}
}

func runRepeat(ctx context.Context, c *repl.Call) error {
	if c.Rest == "" {
		return c.Usage("no command to repeat")
	}
	pause, _, err := c.Number("seconds")
	if err != nil {
		return err
	}
	if pause > 1<<30 {
		return c.Usage("too many seconds: %d", pause)
	}
	for {
		if err := c.Exec(ctx, c.Rest); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(pause) * time.Second):
		}
	}
}
