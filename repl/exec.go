package repl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/kdive/kdive/repl/output"
)

// errInterrupted is why a command's context ended when the user pressed Ctrl-C.
var errInterrupted = errors.New("interrupted")

// errReported is the failure of a command that ran inside another one and whose
// error has been printed.
var errReported = errors.New("a command failed")

// runStatement runs one statement and tells whether it succeeded.
func (sh *Shell) runStatement(ctx context.Context, st *statement) bool {
	ok, err := sh.statement(ctx, st)
	if err != nil {
		name, _ := "", 0
		if !st.escape && st.text != "" {
			name, _ = commandName(st.text)
		}
		sh.complain(name, err)
		ok = false
	}
	if !ok {
		sh.failed = true
	}
	return ok
}

// statement opens the sink, runs the command into it and closes it. The error
// is one of the statement; those of the command have been printed.
func (sh *Shell) statement(ctx context.Context, st *statement) (ok bool, err error) {
	switch {
	case st.escape:
		return sh.shellEscape(st.text)
	case st.text == "":
		if st.pipe != "" || st.output != "" {
			return sh.fileInto(ctx, st)
		}
		return sh.RunFile(ctx, st.input)
	}
	lines := []string{st.text}
	if st.hasIn {
		if lines, err = commandFile(st.input); err != nil {
			return false, err
		}
		for i := range lines {
			lines[i] = st.text + " " + lines[i]
		}
	}
	return sh.withSink(ctx, st, func(ctx context.Context, r *reporter) bool {
		ok := true
		for _, line := range lines {
			if !sh.dispatch(ctx, r, line, 0) {
				ok = false
			}
			if ctx.Err() != nil || sh.exit {
				break
			}
		}
		return ok
	})
}

// fileInto runs a command file with all its output going one way.
func (sh *Shell) fileInto(ctx context.Context, st *statement) (bool, error) {
	lines, err := commandFile(st.input)
	if err != nil {
		return false, err
	}
	return sh.withSink(ctx, st, func(ctx context.Context, r *reporter) bool {
		ok := true
		for _, line := range lines {
			if err := sh.inside(ctx, r, line, 1); err != nil {
				ok = false
				if !errors.Is(err, errReported) && ctx.Err() == nil {
					r.fail("", err)
				}
			}
			if ctx.Err() != nil || sh.exit {
				break
			}
		}
		return ok
	})
}

// withSink runs f with a reporter for the statement's output, in a goroutine of
// its own so that Ctrl-C is heard.
func (sh *Shell) withSink(ctx context.Context, st *statement, f func(context.Context, *reporter) bool) (bool, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out, err := sh.openSink(st)
	if err != nil {
		return false, err
	}
	r := newReporter(sh, out)
	r.out = output.NewEmitter(r, st.json || sh.Settings.JSON, out.live, cancel)
	ok, finished := sh.attend(ctx, cancel, r, f)
	r.clearProgress()
	werr := r.out.Close()
	cerr := out.close()
	switch {
	case !finished:
		sh.stopped = true
		return false, nil
	case cerr != nil:
		return false, cerr
	case werr != nil && !closedPipe(werr):
		return false, werr
	case errors.Is(context.Cause(ctx), errInterrupted):
		sh.stopped = true
		return false, nil
	}
	return ok, nil
}

// attend runs f and listens for Ctrl-C. The first cancels the context, the
// second tells that the command does not react yet, the third gives it up: the
// prompt returns and whatever the command still says is dropped.
func (sh *Shell) attend(ctx context.Context, cancel func(error), r *reporter, f func(context.Context, *reporter) bool) (ok, finished bool) {
	done := make(chan bool, 1)
	go func() { done <- f(ctx, r) }()
	for presses := 0; ; {
		select {
		case ok := <-done:
			return ok, true
		case <-ctx.Done():
			select { // wait on, but for the command alone or a further Ctrl-C
			case ok := <-done:
				return ok, true
			case <-sh.interrupts:
			}
		case <-sh.interrupts:
		}
		presses++
		cancel(errInterrupted)
		switch {
		case presses == 2:
			fmt.Fprintln(sh.stderr, "\nstill stopping; Ctrl-C once more leaves the command behind")
		case presses > 2:
			fmt.Fprintln(sh.stderr, "\ncommand left behind")
			return false, false
		}
	}
}

// closedPipe tells whether a write failed because the reader went away, which
// is how `| head` ends a command.
func closedPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed)
}

// dispatch runs the command of one line and tells whether it succeeded.
func (sh *Shell) dispatch(ctx context.Context, r *reporter, line string, depth int) bool {
	name, at := commandName(line)
	cmd := sh.commands[name]
	if cmd == nil {
		for _, f := range sh.fallback {
			if other, ok := f(strings.TrimPrefix(line, `\`)); ok {
				line = other
				name, at = commandName(line)
				cmd = sh.commands[name]
				break
			}
		}
	}
	if cmd == nil {
		return sh.program(r, name, line)
	}
	return sh.call(ctx, r, cmd, line[at:], depth)
}

// call parses the operands and runs cmd.
func (sh *Shell) call(ctx context.Context, r *reporter, cmd *Command, text string, depth int) bool {
	before := r.failures.Load()
	json := r.out.JSON()
	p, err := cmd.parseArgs(text)
	if p.json {
		r.out.SetJSON(true)
	}
	defer r.out.SetJSON(json)
	if err == nil && p.help {
		HelpRecord.Emit(r.out, &cmd)
		return true
	}
	if err == nil {
		c := &Call{Command: cmd, Shell: sh, Out: r.out, Rest: p.rest, options: p.options, depth: depth, report: r}
		for _, w := range p.operands {
			c.Args = append(c.Args, w.text)
			c.quotes = append(c.quotes, w.quote)
		}
		err = guarded(func() error { return c.Command.Run(ctx, c) })
	}
	switch {
	case err == nil:
	case errors.Is(err, ErrExit):
		sh.exit = true
	case errors.Is(err, errReported):
		return false
	case ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))):
		return !errors.Is(context.Cause(ctx), errInterrupted)
	default:
		r.fail(cmd.Name, err)
	}
	return r.failures.Load() == before
}

// bugError is a panic in a command.
type bugError struct {
	value any
	stack []byte
}

func (e *bugError) Error() string {
	return fmt.Sprintf("this is a bug in kdive, please report it: %v", e.value)
}

// guarded runs what the session must survive: a panic becomes an error. A fault in
// a mapped file is no bug: somebody cut the file off.
func guarded(run func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if e, ok := v.(interface{ Addr() uintptr }); ok && e.Addr() > 0xffff {
			err = fmt.Errorf("a file became shorter or unreadable while it was in use (%v)", v)
			return
		}
		err = &bugError{v, debug.Stack()}
	}()
	return run()
}

// execInside runs a line of commands into the output of call c.
func (sh *Shell) execInside(ctx context.Context, c *Call, line string) error {
	if c.depth > 8 {
		return fmt.Errorf("commands nested too deeply")
	}
	return sh.inside(ctx, c.report, line, c.depth+1)
}

// inside runs the statements of a line into an open sink.
func (sh *Shell) inside(ctx context.Context, r *reporter, line string, depth int) error {
	var failed error
	for line != "" && ctx.Err() == nil && !sh.exit {
		st, rest, err := nextStatement(line, sh)
		if err != nil {
			return err
		}
		line = rest
		switch {
		case st.empty():
			continue
		case st.escape || st.hasIn || st.pipe != "" || st.output != "":
			return fmt.Errorf("no pipe, redirect or shell escape is possible here: %s", st.text)
		}
		json := r.out.JSON()
		r.out.SetJSON(json || st.json)
		if !sh.dispatch(ctx, r, st.text, depth) {
			failed = errReported
		}
		r.out.SetJSON(json)
		r.out.Flush()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return failed
}

// programs are the words that crash hands to the shell.
var programs = map[string]bool{"vi": true, "pwd": true, "grep": true, "cat": true,
	"more": true, "less": true, "ls": true, "clear": true}

// program runs a word that is no command but a well-known program.
func (sh *Shell) program(r *reporter, name, line string) bool {
	if !programs[name] || sh.restricted {
		r.fail("", fmt.Errorf("command not found: %s", name))
		return false
	}
	r.out.Flush()
	c := shellCommand(line)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, r.sink.w, sh.stderr
	if err := c.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			r.fail(name, err)
		}
		return false
	}
	return true
}

func shellCommand(line string) *exec.Cmd {
	c := exec.Command("/bin/sh", "-c", line)
	c.WaitDelay = time.Second
	return c
}

// shellEscape runs !text, or a shell if there is no text.
func (sh *Shell) shellEscape(text string) (bool, error) {
	if sh.restricted {
		return false, errRestricted("a shell escape")
	}
	if text == "" {
		text = os.Getenv("SHELL")
		if text == "" {
			text = "/bin/sh"
		}
	}
	c := shellCommand(text)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, sh.stdout, sh.stderr
	err := c.Run()
	sh.dropInterrupts()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return false, nil
	}
	return err == nil, err
}

// dropInterrupts forgets Ctrl-C presses that were meant for a program.
func (sh *Shell) dropInterrupts() {
	for {
		select {
		case <-sh.interrupts:
		default:
			return
		}
	}
}
