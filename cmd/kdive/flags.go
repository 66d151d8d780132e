package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/kdive/kdive"
	"github.com/kdive/kdive/repl"
)

const usage = `usage: kdive [options] [VMLINUX] DUMP...
       kdive index [--cache DIR] [--share] VMLINUX...
`

const options = `
Opens the memory dump of a crashed Linux kernel. VMLINUX (a kernel with debug
info, plain or packed by zstd, xz or gzip) and the parts of a split DUMP may
stand in any order. Without VMLINUX kdive looks for it beside the dump and where
distributions install it. Commands come from the terminal or from standard
input; "help" lists them.

  -e CMD               run CMD and exit; may be repeated
  -i FILE              run the commands in FILE first
  -s                   no banner, no echo of commands
  --json               print every result as one JSON object a line
  --no-debuginfo       use no vmlinux: log, rd, search, sys, vtop, vmcoreinfo
  --force              open a vmlinux that does not belong to the dump
  --module-debug DIR   look for modules' debug files in DIR, too; may be repeated
  --cache DIR          keep unpacked kernels and indexes in DIR, not in
                       $KDIVE_CACHE or $XDG_CACHE_HOME/kdive
  --restricted         no shell, no pipes to programs, no writing of files
  --version            print the version and exit
  -h, --help           print this and exit

"kdive index" builds the index of the debug info ahead of time, with --share for
all users: in /var/cache/kdive, where kdive always looks, too, unless --cache or
$KDIVE_CACHE name another directory. A file of that name is ./index.

Exit status: 0 if all commands succeeded, 1 if one failed, 2 for bad usage or if
the dump could not be opened.
`

// flags is the command line.
type flags struct {
	command       string // subcommand, "" to open a dump
	open          kdive.Options
	shell         repl.Options
	share         bool
	help, version bool
}

// name is what errors begin with.
func (o *flags) name() string { return strings.TrimSpace("kdive " + o.command) }

// subcommands have options of their own.
var subcommands = map[string][]string{
	"index":  {"cache", "share"},
	"manual": nil, // docs/commands.md
}

// list is a flag that may be repeated.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// parse reads the command line. Options may stand behind file names, and in front
// of a subcommand. The flags are never nil.
func parse(args []string) (*flags, error) {
	var o flags
	fs := flag.NewFlagSet("kdive", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.Var((*list)(&o.shell.Commands), "e", "")
	fs.StringVar(&o.shell.File, "i", "", "")
	fs.BoolVar(&o.shell.Silent, "s", false, "")
	fs.BoolVar(&o.shell.JSON, "json", false, "")
	fs.BoolVar(&o.shell.Restricted, "restricted", false, "")
	fs.BoolVar(&o.open.NoDebugInfo, "no-debuginfo", false, "")
	fs.BoolVar(&o.open.Force, "force", false, "")
	fs.Var((*list)(&o.open.ModuleDirs), "module-debug", "")
	fs.StringVar(&o.open.Cache, "cache", "", "")
	fs.BoolVar(&o.share, "share", false, "")
	fs.BoolVar(&o.version, "version", false, "")
	fs.BoolVar(&o.help, "help", false, "")
	fs.BoolVar(&o.help, "h", false, "")
	operands, err := parseMixed(fs, args)
	if isSubcommand(args, operands) {
		o.command, operands = operands[0], operands[1:]
	}
	o.open.Files = operands
	if err != nil || o.help || o.version {
		return &o, err
	}
	return &o, o.check(fs)
}

// isSubcommand reports whether the first operand is a subcommand. Behind options
// it may also be a file that is there.
func isSubcommand(args, operands []string) bool {
	if len(operands) == 0 {
		return false
	}
	if _, ok := subcommands[operands[0]]; !ok {
		return false
	}
	st, err := os.Stat(operands[0])
	return args[0] == operands[0] || err != nil || st.IsDir()
}

// check makes sure that the options are those of the subcommand, and that there is
// something to work on.
func (o *flags) check(fs *flag.FlagSet) error {
	var err error
	fs.Visit(func(f *flag.Flag) {
		switch {
		case o.command == "" && f.Name == "share":
			err = errors.New("--share is an option of kdive index")
		case o.command != "" && !slices.Contains(subcommands[o.command], f.Name):
			err = fmt.Errorf("it has no option %s", dashes(f.Name)+f.Name)
		}
	})
	switch {
	case err != nil:
		return err
	case o.command == "manual" && len(o.open.Files) > 0:
		return fmt.Errorf("%s: it takes no files", o.open.Files[0])
	case o.command == "index" && len(o.open.Files) == 0:
		return errors.New("no vmlinux named")
	case o.command == "" && len(o.open.Files) == 0:
		return errors.New("no dump named")
	}
	return nil
}

func dashes(option string) string {
	if len(option) == 1 {
		return "-"
	}
	return "--"
}

// parseMixed parses flags that may stand between and behind the operands; "--"
// ends them. With an error come the operands in front of it.
func parseMixed(fs *flag.FlagSet, args []string) (operands []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return operands, err
		}
		rest := fs.Args()
		if len(rest) == 0 {
			return operands, nil
		}
		if ended := len(args) - len(rest); ended > 0 && args[ended-1] == "--" {
			return append(operands, rest...), nil
		}
		operands = append(operands, rest[0])
		args = rest[1:]
	}
}
