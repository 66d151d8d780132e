package repl

import (
	"context"
	"fmt"
	"strings"

	"github.com/kdive/kdive/repl/output"
)

// Command declares one command: what it is called, what it takes, what it
// emits, and how it runs. Help, completion, option parsing and the manual all
// come from the declaration.
type Command struct {
	Name     string
	Synopsis string // operands and options as one line, without the name
	Summary  string // what it does, a few words in lower case without a full stop
	Detail   string // paragraphs for help; may be empty
	Options  []Option
	Examples []Example
	Records  []output.Describer // rows that the command emits

	// Expr marks a command whose operands are one expression: its options are
	// read in front only, the rest of the line is one operand, and > >> < | are
	// operators where an operand follows them (see the help on input).
	Expr bool

	// Text marks a command whose operands are words of other commands: its options
	// are read in front of the first operand only.
	Text bool

	// Hidden keeps the command out of the list that help prints.
	Hidden bool

	// Complete, if set, returns candidates for the operand that begins with
	// prefix; args are the operands in front of it.
	Complete func(sh *Shell, args []string, prefix string) []string

	// Run does the work. ctx ends when the user presses Ctrl-C or nobody reads
	// the output any more. An error is printed as "name: error".
	Run func(ctx context.Context, c *Call) error
}

// Option is one option of a command. A one-letter name may be clustered (-px);
// a longer one is matched whole with one or two dashes (-16, -SS, --help).
type Option struct {
	Name   string
	Arg    string // what the argument is called in help; "" means the option takes none
	Assign string // what an argument is called that may follow behind "=", as in -S=cpus
	Help   string
	Number bool // the option is a number behind a dash, as in repeat -5; Name is what help calls it
}

// Example is one line for help, with its explanation.
type Example struct {
	Line string
	Help string
}

// Call is one invocation of a command.
type Call struct {
	Command *Command
	Shell   *Shell
	Out     *output.Emitter

	Args []string // operands, quotes removed; one expression if Command.Expr
	Rest string   // text of the operands as typed

	options []parsedOption
	quotes  []byte
	depth   int // how many commands this one runs inside of
	report  *reporter
}

// Has tells whether the option was given.
func (c *Call) Has(name string) bool { return c.Count(name) > 0 }

// Count is how many times the option was given (-f against -FF).
func (c *Call) Count(name string) int {
	n := 0
	for _, o := range c.options {
		if o.name == name {
			n++
		}
	}
	return n
}

// Value is the argument of the option, the last one if it was repeated.
func (c *Call) Value(name string) (string, bool) {
	for i := len(c.options) - 1; i >= 0; i-- {
		if c.options[i].name == name {
			return c.options[i].value, true
		}
	}
	return "", false
}

// Values are all arguments of a repeated option, in order.
func (c *Call) Values(name string) []string {
	var v []string
	for _, o := range c.options {
		if o.name == name {
			v = append(v, o.value)
		}
	}
	return v
}

// Last returns which of the named options was given last, or "": for options
// that override each other, such as -x and -d.
func (c *Call) Last(names ...string) string {
	for i := len(c.options) - 1; i >= 0; i-- {
		for _, n := range names {
			if c.options[i].name == n {
				return n
			}
		}
	}
	return ""
}

// Number is the argument of the option read as ParseNumber does. ok is false
// if the option was not given.
func (c *Call) Number(name string) (n uint64, ok bool, err error) {
	s, ok := c.Value(name)
	if !ok {
		return 0, false, nil
	}
	n, err = ParseNumber(s)
	if err != nil {
		return 0, true, fmt.Errorf("option -%s: %w", name, err)
	}
	return n, true, nil
}

// Quote is the quote character around operand i (' or "), or 0.
func (c *Call) Quote(i int) byte {
	if i < len(c.quotes) {
		return c.quotes[i]
	}
	return 0
}

// Radix is 16 or 10: what -x or -d says, or else "set radix".
func (c *Call) Radix() int {
	switch c.Last("x", "d") {
	case "x":
		return 16
	case "d":
		return 10
	}
	return c.Shell.Settings.Radix
}

// Usage is the error for operands or options that make no sense: it is printed
// with the command's synopsis.
func (c *Call) Usage(format string, args ...any) error {
	return &UsageError{Command: c.Command, Text: fmt.Sprintf(format, args...)}
}

// Warn prints "name: warning: text" where errors go (an object in JSON) and
// lets the command go on.
func (c *Call) Warn(format string, args ...any) {
	c.report.warn(c.Command.Name, fmt.Sprintf(format, args...))
}

// Error prints an error for one of several operands and lets the command go
// on; it counts as a failure of the command.
func (c *Call) Error(err error) {
	c.report.fail(c.Command.Name, err)
}

// Progress tells how far a long piece of work has come. It may be called often
// and from any goroutine; after a second it shows on a terminal. total is 0 if
// it is not known.
func (c *Call) Progress(done, total uint64) {
	c.report.progress(c.Command.Name, done, total)
}

// Exec runs a line of commands inside this one, into the same output. Pipes
// and redirects are not allowed in it. If a command fails its error is printed;
// the error that Exec returns then prints nothing more when Run returns it.
func (c *Call) Exec(ctx context.Context, line string) error {
	return c.Shell.execInside(ctx, c, line)
}

// UsageError says how a command was misused.
type UsageError struct {
	Command *Command
	Text    string // may be empty: print the synopsis only
}

func (e *UsageError) Error() string { return e.Text }

// usage is the synopsis lines for a misused command.
func (e *UsageError) usage() string {
	var b strings.Builder
	for i, line := range strings.Split(e.Command.Synopsis, "\n") {
		label := "usage: "
		if i > 0 {
			label = "       "
		}
		b.WriteString(strings.TrimRight(label+e.Command.Name+" "+line, " ") + "\n")
	}
	fmt.Fprintf(&b, "\"help %s\" tells more\n", e.Command.Name)
	return b.String()
}
