package main

import (
	"flag"
	"fmt"
	"io"
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
  --no-debuginfo       use no vmlinux: log, rd, search, sys, vmcoreinfo
  --force              open a vmlinux that does not belong to the dump
  --module-debug DIR   look for modules' debug files in DIR, too; may be repeated
  --cache DIR          keep unpacked kernels and indexes in DIR, not in
                       $KDIVE_CACHE or $XDG_CACHE_HOME/kdive
  --restricted         no shell, no pipes to programs, no writing of files
  --version            print the version and exit
  -h, --help           print this and exit

"kdive index" builds the index of the debug info ahead of time, with --share
readable for other users.

Exit status: 0 if all commands succeeded, 1 if one failed, 2 for bad usage or if
the dump could not be opened.
`

// flags is the command line.
type flags struct {
	open          kdive.Options
	shell         repl.Options
	help, version bool
}

// list is a flag that may be repeated.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// parse reads the command line. Options may stand behind file names.
func parse(args []string) (*flags, error) {
	var o flags
	fs := newFlagSet("kdive")
	fs.Var((*list)(&o.shell.Commands), "e", "")
	fs.StringVar(&o.shell.File, "i", "", "")
	fs.BoolVar(&o.shell.Silent, "s", false, "")
	fs.BoolVar(&o.shell.JSON, "json", false, "")
	fs.BoolVar(&o.shell.Restricted, "restricted", false, "")
	fs.BoolVar(&o.open.NoDebugInfo, "no-debuginfo", false, "")
	fs.BoolVar(&o.open.Force, "force", false, "")
	fs.Var((*list)(&o.open.ModuleDirs), "module-debug", "")
	fs.StringVar(&o.open.Cache, "cache", "", "")
	fs.BoolVar(&o.version, "version", false, "")
	fs.BoolVar(&o.help, "help", false, "")
	fs.BoolVar(&o.help, "h", false, "")
	files, err := parseMixed(fs, args)
	if err != nil {
		return nil, err
	}
	o.open.Files = files
	if len(files) == 0 && !o.help && !o.version {
		return nil, fmt.Errorf("no dump named")
	}
	return &o, nil
}

func newFlagSet(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	return fs
}

// parseMixed parses flags that may stand between and behind the operands; "--"
// ends them.
func parseMixed(fs *flag.FlagSet, args []string) (operands []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
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
