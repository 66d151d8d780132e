package debuginfo

import (
	"testing"
)

// dirOptions keeps the index in one directory.
func dirOptions(dir string) Options {
	return Options{IndexDirs: []string{dir}, WriteDir: func() (string, error) { return dir, nil }}
}

// BenchmarkCold opens a kernel, builds the whole index and answers a question.
func BenchmarkCold(b *testing.B) {
	for b.Loop() {
		in := openReal(b, Options{})
		if _, err := in.Type("struct task_struct"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkColdStored does the same and waits until the index is on disk.
func BenchmarkColdStored(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		opt := dirOptions(dir)
		opt.Rebuild = true
		in := openReal(b, opt)
		if _, err := in.Type("struct task_struct"); err != nil {
			b.Fatal(err)
		}
		if err := in.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWarm opens a kernel whose index is stored, and answers a question
// about a type and one about a symbol.
func BenchmarkWarm(b *testing.B) {
	opt := dirOptions(b.TempDir())
	if err := openReal(b, opt).Wait(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		in := openReal(b, opt)
		t, err := in.Type("struct task_struct")
		if err != nil || len(t.Members()) == 0 || len(in.Lookup("init_task")) == 0 {
			b.Fatal(err)
		}
		in.Close()
	}
}
