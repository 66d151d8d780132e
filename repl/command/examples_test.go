package command

import (
	"strings"
	"testing"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/repltest"
)

// notHere are examples that cannot run on the bundled dump, and why.
var notHere = map[string]string{
	"repeat -1": "it ends with Ctrl-C",
	"ps -m":     "the kernel does not record when tasks got a CPU",
	"mod -":     "what it loads stays for other tests",
	"rd -r":     "it writes a file",
}

// TestExamples runs the examples of every command's help on the bundled dump, those
// of a command one after the other in one session.
func TestExamples(t *testing.T) {
	cmds := All(tiny(t))
	for _, cmd := range cmds {
		var lines []string
		for _, e := range cmd.Examples {
			skip := false
			for prefix := range notHere {
				skip = skip || strings.HasPrefix(e.Line, prefix)
			}
			if !skip {
				lines = append(lines, e.Line)
			}
		}
		if r := repltest.Run(t, cmds, repl.Options{}, lines...); r.Status != 0 || r.Err != "" {
			t.Errorf("%s: status %d, errors %q", strings.Join(lines, "; "), r.Status, r.Err)
		}
	}
}
