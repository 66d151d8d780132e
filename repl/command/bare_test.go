package command

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/kdive/kdive"
)

// bare is the bundled dump without its vmlinux.
func bare(t testing.TB) *Target {
	t.Helper()
	return bareFile(t, filepath.Join("..", "..", "testdata", "tiny", "vmcore.kdump"))
}

// bareFile is any dump without a vmlinux.
func bareFile(t testing.TB, files ...string) *Target {
	t.Helper()
	o, err := kdive.Open(context.Background(), kdive.Options{Files: files, NoDebugInfo: true, Cache: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return NewTarget(o)
}
