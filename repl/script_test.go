package repl_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/command"
	"github.com/kdive/kdive/repl/output"
)

var update = flag.Bool("update", false, "rewrite the scripts' expected output")

// TestMain makes the shell available to scripts as the program "shell".
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"shell": shellMain})
}

type symbols struct{}

func (symbols) Symbol(name string) (uint64, bool) { return 0xffffffff81000000, name == "init_task" }

// shellMain is a session with the commands that need no dump, and a few that
// misbehave.
func shellMain() {
	var o repl.Options
	fs := flag.NewFlagSet("shell", flag.ExitOnError)
	fs.Func("e", "command", func(s string) error { o.Commands = append(o.Commands, s); return nil })
	fs.StringVar(&o.File, "i", "", "command file")
	fs.BoolVar(&o.Silent, "s", false, "silent")
	fs.BoolVar(&o.JSON, "json", false, "JSON")
	fs.BoolVar(&o.Restricted, "restricted", false, "restricted")
	fs.StringVar(&o.HistoryFile, "history", "", "history file")
	fs.StringVar(&o.Banner, "banner", "", "banner line")
	fs.Func("protect", "file never to write", func(s string) error { o.Protected = append(o.Protected, s); return nil })
	_ = fs.Parse(os.Args[1:])
	sh := repl.New(o)
	sh.Add(command.All(&command.Target{Symbols: symbols{}})...)
	sh.Add(misbehaving()...)
	sh.Fallback(func(text string) (string, bool) { return "echo struct " + text, text == "list_head" })
	sh.CompleteWords(func([]string, string) []string { return []string{"init_task"} })
	os.Exit(sh.Run())
}

func misbehaving() []*repl.Command {
	run := func(name string, f func(context.Context, *repl.Call) error) *repl.Command {
		return &repl.Command{Name: name, Summary: "test", Run: f}
	}
	return []*repl.Command{
		run("panic", func(context.Context, *repl.Call) error { panic("on purpose") }),
		run("fail", func(context.Context, *repl.Call) error { return errors.New("on purpose\x1b[2J") }),
		run("both", func(_ context.Context, c *repl.Call) error {
			c.Out.Print("before\n")
			c.Error(errors.New("one operand"))
			c.Warn("beware")
			c.Out.Print("after\n")
			return nil
		}),
		run("wait", func(ctx context.Context, c *repl.Call) error {
			c.Out.Print("waiting\n")
			<-ctx.Done()
			return ctx.Err()
		}),
		run("deaf", func(_ context.Context, c *repl.Call) error {
			c.Out.Print("hears nothing\n")
			time.Sleep(time.Hour)
			return nil
		}),
		run("endless", func(ctx context.Context, c *repl.Call) error {
			for i := uint64(0); ctx.Err() == nil; i++ {
				numberRecord.Emit(c.Out, &i)
			}
			return ctx.Err()
		}),
		run("lines", func(ctx context.Context, c *repl.Call) error {
			for i := range uint64(200) {
				numberRecord.Emit(c.Out, &i)
			}
			return nil
		}),
		run("work", func(ctx context.Context, c *repl.Call) error {
			for i := range uint64(150) {
				c.Progress(i, 150)
				time.Sleep(10 * time.Millisecond)
			}
			c.Out.Print("done\n")
			return nil
		}),
		run("operands", func(_ context.Context, c *repl.Call) error {
			c.Out.Printf("%q %q\n", c.Args, c.Rest)
			return nil
		}),
	}
}

var numberRecord = &output.Record[uint64]{Type: "n", Columns: []output.Column[uint64]{
	{Name: "n", Verb: "line %d", Get: func(n *uint64) output.Value { return output.Uint(*n) }},
}}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PAGER", "")
			e.Setenv("SHELL", "/bin/sh")
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
	})
}

func ExampleManual() {
	c := &repl.Command{Name: "btop", Synopsis: "address ...", Summary: "convert addresses to page numbers"}
	_ = repl.Manual(os.Stdout, []*repl.Command{c})
	fmt.Println()
	// Output:
	// # Commands
	//
	// This file is generated from the declarations of the commands. Every command takes `--json` (one JSON object a line) and `--help`.
	//
	// - [`btop`](#btop): convert addresses to page numbers
	//
	// <a id="btop"></a>
	//
	// ## btop
	//
	// Convert addresses to page numbers.
	//
	// ```
	// btop address ...
	// ```
}
