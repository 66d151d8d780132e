package repl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
)

// Prompt is what an interactive session asks with, and what precedes the
// commands of a script when they are echoed.
const Prompt = "kdive> "

// Run is one session from the banner to its end: the command file, then the
// commands given on the command line or else those of standard input. The
// result is the exit status: 0 if every command succeeded, else 1.
func (sh *Shell) Run() int {
	ctx := context.Background()
	sh.interactive = isTerminal(sh.stdin) && isTerminal(sh.stdout) && len(sh.opts.Commands) == 0
	sh.interrupts = make(chan os.Signal, 8)
	if !signal.Ignored(os.Interrupt) {
		signal.Notify(sh.interrupts, os.Interrupt)
		defer signal.Stop(sh.interrupts)
	}
	if sh.opts.Banner != "" && !sh.Settings.Silent && !sh.Settings.JSON && len(sh.opts.Commands) == 0 {
		sh.Exec(ctx, sh.opts.Banner)
		fmt.Fprintln(sh.stdout)
	}
	if sh.opts.File != "" && !sh.done() {
		if _, err := sh.RunFile(ctx, sh.opts.File); err != nil {
			sh.complain("", err)
		}
		sh.resume()
	}
	for _, line := range sh.opts.Commands {
		if sh.done() {
			break
		}
		sh.line(ctx, line, false)
	}
	if len(sh.opts.Commands) == 0 && !sh.done() {
		if err := sh.read(ctx); err != nil {
			sh.complain("", err)
		}
	}
	if sh.failed {
		return 1
	}
	return 0
}

func (sh *Shell) done() bool { return sh.exit || sh.stopped }

// resume goes on after Ctrl-C if there is somebody to give further commands.
func (sh *Shell) resume() {
	if sh.interactive {
		sh.stopped = false
	}
}

// read takes lines from standard input until it ends.
func (sh *Shell) read(ctx context.Context) error {
	ed := sh.openEditor()
	defer ed.Close()
	for !sh.done() {
		text, err := ed.ReadLine(Prompt)
		switch {
		case errors.Is(err, errInterrupted):
			continue
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		sh.dropInterrupts()
		sh.line(ctx, text, !sh.interactive)
		sh.resume()
	}
	return nil
}

// line runs one line of the user or of a script.
func (sh *Shell) line(ctx context.Context, text string, echo bool) bool {
	if echo && !sh.Settings.Silent && !sh.Settings.JSON {
		fmt.Fprintf(sh.stdout, "%s%s\n", Prompt, text)
	}
	found, recalled, err := sh.recall(text)
	if err != nil {
		sh.complain("", err)
		return false
	}
	if recalled {
		text = found
		if sh.interactive {
			fmt.Fprintln(sh.stdout, text)
		}
	}
	sh.remember(text)
	return sh.Exec(ctx, text)
}

// maxInputs is how deep command files may call each other.
const maxInputs = 8

// RunFile runs the commands of a file. A failed command does not stop it.
func (sh *Shell) RunFile(ctx context.Context, name string) (bool, error) {
	lines, err := commandFile(name)
	if err != nil {
		return false, err
	}
	if len(sh.inputs) >= maxInputs {
		return false, fmt.Errorf("%s: command files call each other too deeply", name)
	}
	sh.inputs = append(sh.inputs, name)
	defer func() { sh.inputs = sh.inputs[:len(sh.inputs)-1] }()
	ok := true
	for _, line := range lines {
		if sh.done() {
			break
		}
		if !sh.line(ctx, line, true) {
			ok = false
		}
	}
	return ok, nil
}

// maxFile bounds a command file.
const maxFile = 16 << 20

// commandFile reads a command file: its lines without blank ones and comments.
func commandFile(name string) ([]string, error) {
	f, err := os.Open(expandHome(name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, errors.Unwrap(err))
	}
	defer f.Close()
	var lines []string
	sc := bufio.NewScanner(io.LimitReader(f, maxFile))
	sc.Buffer(nil, maxLine)
	for sc.Scan() {
		s := strings.TrimSpace(sc.Text())
		if s != "" && s[0] != '#' && !strings.HasPrefix(s, "//") {
			lines = append(lines, s)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return lines, nil
}
