// Package repl is the prompt: it reads command lines from a terminal, a script
// or a pipe, splits them by crash's grammar, runs commands and sends their
// output to the terminal, a pager, a file or a pipeline.
//
// The package knows nothing of dumps and kernels: commands are declared as
// Command values by package repl/command, which closes them over what they work
// on. Start from Command (how a command is declared), Call (what it gets) and
// Shell.Run (one session). Text and JSON are made by package repl/output.
package repl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/kdive/kdive/repl/output"
)

// Options is how a session starts.
type Options struct {
	Commands   []string // run these lines and end
	File       string   // run this command file first
	Silent     bool     // no banner, no echo of scripts
	JSON       bool     // every command prints JSON
	Restricted bool     // no programs, no writing of files

	HistoryFile string   // "" keeps no history between sessions
	Protected   []string // files that no redirect may write to: the dump and its debug files

	Stdin          io.Reader // nil: os.Stdin
	Stdout, Stderr io.Writer // nil: os.Stdout, os.Stderr

	// Banner, if set, is a command line such as "sys; set" that runs at the start
	// of a session, but not with Commands, Silent or JSON.
	Banner string
}

// Shell is one session.
type Shell struct {
	Settings *Settings

	opts        Options
	restricted  bool
	stdin       io.Reader
	stdout      io.Writer
	stderr      io.Writer
	interactive bool // a person types at a terminal

	commands  map[string]*Command
	aliases   map[string]Alias
	variables []Variable
	history   []string
	words     func(args []string, prefix string) []string
	fallback  []func(text string) (line string, ok bool)

	interrupts chan os.Signal
	inputs     []string // command files being run
	failed     bool
	stopped    bool // Ctrl-C ended the running line and the files it is in
	exit       bool
}

// ErrExit ends the session when a command returns it.
var ErrExit = errors.New("end of session")

// New makes a session without commands.
func New(o Options) *Shell {
	sh := &Shell{
		Settings:   defaultSettings(),
		opts:       o,
		restricted: o.Restricted,
		stdin:      o.Stdin, stdout: o.Stdout, stderr: o.Stderr,
		commands: map[string]*Command{},
		aliases:  builtinAliases(),
	}
	if sh.stdin == nil {
		sh.stdin = os.Stdin
	}
	if sh.stdout == nil {
		sh.stdout = os.Stdout
	}
	if sh.stderr == nil {
		sh.stderr = os.Stderr
	}
	sh.Settings.JSON = o.JSON
	sh.Settings.Silent = o.Silent
	sh.addVariables()
	return sh
}

// Add makes commands known. A name that is taken is a bug.
func (sh *Shell) Add(cmds ...*Command) {
	for _, c := range cmds {
		if _, ok := sh.commands[c.Name]; ok {
			panic("command declared twice: " + c.Name)
		}
		sh.commands[c.Name] = c
	}
}

// Command finds a command by name or alias.
func (sh *Shell) Command(name string) (*Command, bool) {
	for range 8 {
		if c, ok := sh.commands[name]; ok {
			return c, true
		}
		a, ok := sh.aliases[name]
		if !ok {
			return nil, false
		}
		name, _, _ = strings.Cut(a.Text, " ")
	}
	return nil, false
}

// Commands are all commands, sorted by name.
func (sh *Shell) Commands() []*Command {
	var all []*Command
	for _, c := range sh.commands {
		all = append(all, c)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// Fallback adds a function that is asked what a line means whose first word is
// no command: the name of a structure is short for struct, that of a variable
// for p. It returns the line to run instead.
func (sh *Shell) Fallback(f func(text string) (line string, ok bool)) {
	sh.fallback = append(sh.fallback, f)
}

// CompleteWords sets what completes the operands of commands that have nothing
// of their own for that. args are the operands in front of the word.
func (sh *Shell) CompleteWords(f func(args []string, prefix string) []string) { sh.words = f }

// Restricted tells whether programs and writing of files are forbidden.
func (sh *Shell) Restricted() bool { return sh.restricted }

func errRestricted(what string) error {
	return fmt.Errorf("%s is not allowed in a restricted session", what)
}

// aliasText and isExpr make the shell the grammar's dictionary.

func (sh *Shell) aliasText(name string) (string, bool) {
	a, ok := sh.aliases[name]
	return a.Text, ok
}

func (sh *Shell) isExpr(name string) bool {
	c, ok := sh.commands[name]
	return ok && c.Expr
}

// maxLine is how many bytes of a command line are accepted.
const maxLine = 64 << 10

// Exec runs one line: all its statements, one after the other. It reports
// whether all of them succeeded; errors have been printed.
func (sh *Shell) Exec(ctx context.Context, line string) bool {
	ok := true
	if len(line) > maxLine {
		sh.complain("", fmt.Errorf("line longer than %d bytes", maxLine))
		return false
	}
	for line != "" && !sh.done() && ctx.Err() == nil {
		st, rest, err := nextStatement(line, sh)
		if err != nil {
			sh.complain("", err)
			return false
		}
		line = rest
		if !st.empty() && !sh.runStatement(ctx, &st) {
			ok = false
		}
	}
	return ok
}

// complain prints an error that belongs to no command, or to the named one.
func (sh *Shell) complain(name string, err error) {
	sh.failed = true
	r := newReporter(sh, &sink{w: sh.stdout, direct: true})
	r.out = output.NewEmitter(sh.stdout, sh.Settings.JSON, false, nil)
	r.fail(name, err)
	_ = r.out.Close()
}
