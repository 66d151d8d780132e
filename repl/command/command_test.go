package command

import (
	"strings"
	"testing"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/repltest"
)

// fakeSymbols are a few symbols at fixed addresses.
type fakeSymbols map[string]uint64

func (f fakeSymbols) Symbol(name string) (uint64, bool) {
	addr, ok := f[name]
	return addr, ok
}

var opts repl.Options

func commands() []*repl.Command {
	return All(&Target{Symbols: fakeSymbols{"init_task": 0xffffffffbec11600, "schedule": 0xffffffffbe4bc100}})
}

// text runs lines and returns what they print, which must succeed.
func text(t *testing.T, lines ...string) string {
	t.Helper()
	r := repltest.Run(t, commands(), repl.Options{}, lines...)
	if r.Status != 0 || r.Err != "" {
		t.Errorf("%s: status %d, errors %q", strings.Join(lines, "; "), r.Status, r.Err)
	}
	return r.Out
}

// failure runs a line that must fail and returns its error.
func failure(t *testing.T, line string) string {
	t.Helper()
	r := repltest.Run(t, commands(), repl.Options{}, line)
	if r.Status != 1 || r.Err == "" {
		t.Errorf("%s: status %d, no error; output %q", line, r.Status, r.Out)
	}
	return r.Err
}
