// Package command holds the commands, one file each: a command parses its
// operands, asks the model packages, and emits rows.
//
// The package holds no knowledge of kernel structures (the models do) and none
// of prompts, pipes or JSON syntax (package repl does). Start from All, the
// table of commands, and Target, what they work on.
package command

import "github.com/kdive/kdive/repl"

// Target is the opened dump that the commands work on. Fields are nil for what
// the session does not have (no debug info, no dump at all).
type Target struct {
	Symbols Symbols
}

// Symbols finds kernel symbols at their run-time addresses.
type Symbols interface {
	// Symbol returns the address of the named symbol.
	Symbol(name string) (addr uint64, ok bool)
}

// All makes every command for a target. To add a command, write its file and
// add its constructor here.
func All(t *Target) []*repl.Command {
	return []*repl.Command{
		alias(t),
		ascii(t),
		echo(t),
		eval(t),
		exit(t, "exit"),
		exit(t, "q"),
		help(t),
		history(t, "h"),
		history(t, "history"),
		repeat(t),
		set(t),
	}
}
