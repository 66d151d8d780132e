package command

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/kdive/kdive/repl"
)

// Who interrupts a command that loads the tasks leaves no trace: nothing more is
// said, and the next command loads them.
func TestInterruptedLoad(t *testing.T) {
	for _, line := range []string{"ps", "ps -a", "bt", "bt -a", "files", "vm", "set", "sys", "task", "foreach files", "args", "locals", "ipcs -M", "p $rip",
		"whatis init_task", "struct -A task_struct.comm,parent init_task", "kmem init_task", "rd -SS init_task 32", "search -t deadbeef", "vtop -c 1 0"} {
		x := tiny(t)
		var out, errs bytes.Buffer
		sh := repl.New(repl.Options{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs})
		interrupted := true
		cmds := All(x)
		for _, c := range cmds {
			run := c.Run
			c.Run = func(ctx context.Context, call *repl.Call) error {
				ctx, stop := context.WithCancel(ctx)
				defer stop()
				if interrupted {
					stop()
				}
				return run(ctx, call)
			}
		}
		sh.Add(cmds...)
		sh.Exec(t.Context(), line)
		// The shell does not know that it was interrupted, so it says the error.
		name, _, _ := strings.Cut(line, " ")
		if text := strings.TrimSuffix(out.String()+errs.String(), name+": context canceled\n"); strings.Contains(text, "cancel") {
			t.Errorf("%s, interrupted, says %q", line, text)
		}
		if x.models.tasks.done {
			t.Errorf("%s loaded the tasks all the same", line)
		}
		interrupted = false
		out.Reset()
		errs.Reset()
		sh.Exec(t.Context(), line)
		if want := tinyText(t, line); out.String() != want || errs.Len() > 0 {
			t.Errorf("%s, again: %q, want %q; %s", line, out.String(), want, &errs)
		}
	}
}

// A command that was left behind and ends later takes nothing from the one that runs,
// and leaves nothing to the prompt.
func TestContextOfACommandLeftBehind(t *testing.T) {
	x := &Target{}
	old, cancel := context.WithCancel(t.Context())
	started, release, ended := make(chan bool), make(chan bool), make(chan bool)
	go func() {
		defer close(ended)
		_ = x.interruptible(func(context.Context, *repl.Call) error { close(started); <-release; return nil })(old, nil)
	}()
	<-started
	cancel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	_ = x.interruptible(func(ctx context.Context, c *repl.Call) error {
		close(release)
		<-ended
		if x.context() != ctx {
			t.Error("the context is not that of the command that runs")
		}
		inner, stop := context.WithCancel(ctx)
		stop()
		_ = x.interruptible(func(context.Context, *repl.Call) error { return nil })(inner, c)
		if x.context() != ctx {
			t.Error("the context is not that of the command that ran another one")
		}
		return nil
	})(ctx, nil)
	if x.context() != context.Background() {
		t.Error("the prompt has the context of a command")
	}
}
