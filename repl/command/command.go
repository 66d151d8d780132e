// Package command holds the commands, one file each: a command parses its
// operands, asks the model packages, and emits rows.
//
// The package holds no knowledge of kernel structures (the models do) and none
// of prompts, pipes or JSON syntax (package repl does). Start from All, the
// table of commands, and Target, what they work on.
package command

import "github.com/kdive/kdive/repl"

// All makes every command for a target. To add a command, write its file and
// add its constructor here.
func All(t *Target) []*repl.Command {
	list := []*repl.Command{
		alias(t),
		args(t),
		ascii(t),
		bt(t),
		btop(t),
		cmpval(t),
		dis(t),
		step(t, "down", "below, which the selected one called", -1),
		echo(t),
		eval(t),
		exit(t, "exit"),
		exit(t, "q"),
		foreach(t),
		frameCommand(t),
		files(t),
		help(t),
		history(t, "h"),
		history(t, "history"),
		ipcs(t),
		kmem(t),
		list(t),
		locals(t),
		log(t),
		p(t),
		mod(t),
		ps(t),
		pte(t),
		ptob(t),
		ptov(t),
		rd(t),
		repeat(t),
		searchCommand(t),
		set(t),
		slabCheck(t),
		structure(t, "*"),
		structure(t, "struct"),
		structure(t, "union"),
		sym(t),
		sys(t),
		taskCommand(t),
		tree(t),
		vm(t),
		step(t, "up", "above, which called the selected one", 1),
		vmcoreinfo(t),
		vtop(t),
		whatis(t),
	}
	for _, c := range list {
		c.Run = t.interruptible(c.Run)
	}
	return list
}
