// Command kdive opens the dump of a crashed Linux kernel. See "kdive --help".
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/kdive/kdive"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/command"
)

// version is set when the program is built.
var version = "unknown"

// Exit statuses beside those of a session (0 all commands succeeded, 1 one
// failed).
const exitUsage = 2 // bad usage, or the dump could not be opened

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parse(args)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "%s: %v\n%s", o.name(), err, usage)
		return exitUsage
	case o.help:
		fmt.Fprint(stdout, usage+options)
		return 0
	case o.version:
		fmt.Fprintf(stdout, "kdive %s\n", version)
		return 0
	case o.command == "index":
		return runIndex(o, stderr)
	case o.command == "manual":
		return runManual(stdout, stderr)
	}
	o.shell.Stdin, o.shell.Stdout, o.shell.Stderr = stdin, stdout, stderr
	return session(o, stderr)
}

func session(o *flags, stderr io.Writer) int {
	o.open.Progress = progress(stderr)
	opened, err := kdive.Open(context.Background(), o.open)
	if err != nil {
		fmt.Fprintf(stderr, "kdive: %v\n", err)
		return exitUsage
	}
	for _, w := range opened.Warnings() {
		fmt.Fprintf(stderr, "kdive: %s\n", w)
	}
	o.shell.HistoryFile = historyFile()
	o.shell.Protected = append(opened.Files, o.open.Files...)
	o.shell.Banner = command.Banner
	status := command.NewShell(o.shell, command.NewTarget(opened)).Run()
	if err := opened.Close(); err != nil {
		fmt.Fprintf(stderr, "kdive: %v\n", err)
	}
	return status
}

// historyFile is where the lines typed at the prompt are kept (XDG Base
// Directory Specification), "" if there is no place for it.
func historyFile() string {
	dir := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) {
		home, err := os.UserHomeDir()
		if err != nil || !filepath.IsAbs(home) {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "kdive", "history")
}

func runManual(stdout, stderr io.Writer) int {
	if err := repl.Manual(stdout, command.All(&command.Target{})); err != nil {
		fmt.Fprintf(stderr, "kdive: %v\n", err)
		return 1
	}
	return 0
}
