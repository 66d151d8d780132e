package command

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/kdive/kdive"
	"github.com/kdive/kdive/kdivetest"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/repltest"
)

// openTiny opens the bundled dump once for all tests; the unpacked kernel and
// its index are in a directory that TestMain removes.
var openTiny = sync.OnceValues(func() (*kdive.Target, error) {
	cache, err := os.MkdirTemp("", "kdive-test-")
	if err != nil {
		return nil, err
	}
	tinyCache = cache
	return kdive.Open(context.Background(), kdivetest.Options(cache))
})

var tinyCache string

func TestMain(m *testing.M) {
	status := m.Run()
	if tinyCache != "" {
		if t, err := openTiny(); err == nil {
			if err := t.Close(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				status = max(status, 1)
			}
		}
		_ = os.RemoveAll(tinyCache)
	}
	os.Exit(status)
}

// tiny is a fresh session target on the bundled dump.
func tiny(t testing.TB) *Target {
	t.Helper()
	opened, err := openTiny()
	if err != nil {
		t.Fatal(err)
	}
	return NewTarget(opened)
}

// tinyCheck runs a line on the bundled dump as text and as JSON and returns
// both; see repltest.Check.
func tinyCheck(t testing.TB, line string, allow ...string) (text string, rows []map[string]any) {
	t.Helper()
	return repltest.Check(t, All(tiny(t)), line, allow...)
}

// tinyText runs lines in one session on the bundled dump; all must succeed.
func tinyText(t testing.TB, lines ...string) string {
	t.Helper()
	r := repltest.Run(t, All(tiny(t)), repl.Options{}, lines...)
	if r.Status != 0 || r.Err != "" {
		t.Errorf("%s: status %d, errors %q", strings.Join(lines, "; "), r.Status, r.Err)
	}
	return r.Out
}

// tinyFailure runs a line on the bundled dump that must fail, and returns its
// errors.
func tinyFailure(t testing.TB, line string) string {
	t.Helper()
	r := repltest.Run(t, All(tiny(t)), repl.Options{}, line)
	if r.Status != 1 || r.Err == "" {
		t.Errorf("%s: status %d, no error; output %q", line, r.Status, r.Out)
	}
	return r.Err
}
