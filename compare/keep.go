package main

import (
	"os"

	"github.com/kdive/kdive/compare/judge"
)

// keep writes what the peers say to a directory, for tests without peers.
func keep(dir string, d dump, crash, drgn answer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	k := judge.Kept{Dump: d.name, Drgn: drgn.text, DrgnVersion: drgn.version, Crash: crash.text, CrashVersion: crash.version}
	return k.Write(dir)
}
