package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/kdive/kdive"
	"github.com/kdive/kdive/repl"
)

// The bundled dump is opened once for all tests of the package, with a cache of
// its own that TestMain removes.

var (
	tinyCache string // directory, "" until the dump is opened
	tinyDump  *kdive.Target
)

var openTiny = sync.OnceValue(func() (err error) {
	if tinyCache, err = os.MkdirTemp("", "kdive-test-"); err != nil {
		return err
	}
	dir := filepath.Join("..", "..", "testdata", "tiny")
	tinyDump, err = kdive.Open(context.Background(), kdive.Options{
		Files:      []string{filepath.Join(dir, "vmlinux.zst"), filepath.Join(dir, "vmcore.kdump")},
		Cache:      tinyCache,
		ModuleDirs: []string{dir},
	})
	return err
})

// tiny is the opened dump of testdata/tiny.
func tiny(t testing.TB) *kdive.Target {
	t.Helper()
	if err := openTiny(); err != nil {
		t.Fatal(err)
	}
	return tinyDump
}

// tinyCommands are all commands on the dump of testdata/tiny.
func tinyCommands(t testing.TB) []*repl.Command {
	t.Helper()
	return All(NewTarget(tiny(t)))
}

func TestMain(m *testing.M) {
	status := m.Run()
	if err := removeTinyCache(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func removeTinyCache() error {
	var err error
	if tinyDump != nil {
		err = tinyDump.Close()
	}
	if tinyCache != "" {
		err = errors.Join(err, os.RemoveAll(tinyCache))
	}
	return err
}
