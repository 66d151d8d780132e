package main

import (
	"os"

	"github.com/kdive/kdive/compare/judge"
)

// wholly are the dumps that are at hand in every test run: all that the peers say
// of them is kept, but for what is long.
var wholly = map[string]bool{"tiny": true, "tiny-kdump": true, "6.1-cloud": true}

// keep writes what the peers say to a directory, for tests without peers.
func keep(dir string, p peers, d dump, f *judge.Facts, crash, drgn answer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	k := judge.Kept{Dump: d.name, Drgn: drgn.text, DrgnVersion: drgn.version, Crash: crash.text, CrashVersion: crash.version}
	if wholly[d.name] {
		more, err := keepMore(p, d, f)
		if err != nil {
			return err
		}
		k.More = more
	}
	return k.Write(dir)
}

func keepMore(p peers, d dump, f *judge.Facts) (m judge.More, err error) {
	for _, a := range []struct {
		to                *string
		commands, reduced []string
	}{
		{&m.Wide, judge.Wide(f), judge.Wide(f)},
		{&m.Memory, judge.MemoryCommands(f), judge.KeptMemory(f)},
		{&m.Stacks, judge.StackCommands(false), judge.StackCommands(false)},
	} {
		crash, err := p.crash(d, a.commands)
		if err != nil {
			return m, err
		}
		*a.to = judge.Only(crash.text, a.reduced)
	}
	wide, err := p.script(d, "wide", judge.WideScript())
	if err != nil {
		return m, err
	}
	stacks, err := p.script(d, "stacks", judge.StackScript())
	m.DrgnWide, m.DrgnStacks = wide.text, stacks.text
	return m, err
}
