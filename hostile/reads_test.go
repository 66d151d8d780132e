package hostile

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/kdive/kdive"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/command"
)

// reads are the page frames that answers depend on.
type reads struct {
	opening map[uint64]bool   // every answer
	by      []map[uint64]bool // the answer to one line
	all     map[uint64]bool
	few     map[uint64]bool // those of lines that do not look at all memory
}

// readsOf is what the lines read on a dump of the bundled memory. It is found
// out once for all formats, unless all is to be looked at closely.
func (b *bench) readsOf(t *testing.T, dump []string, lines []string) *reads {
	t.Helper()
	if thorough() {
		return b.traceReads(t, dump, lines)
	}
	if b.reads == nil {
		b.reads = b.traceReads(t, []string{b.dump}, lines)
	}
	return b.reads
}

// traceReads runs every line in a session of its own on the undamaged dump: a
// later command of one session would not read again what is already known.
func (b *bench) traceReads(t *testing.T, dump []string, lines []string) *reads {
	t.Helper()
	r := &reads{all: map[uint64]bool{}, few: map[uint64]bool{}}
	before := []string{"set error redirect"}
	for _, line := range lines {
		opening, used := b.trace(t, dump, append(before[:len(before):len(before)], line))
		if strings.HasPrefix(line, "set ") {
			before = append(before, line)
		}
		if r.opening == nil {
			r.opening = opening
		}
		for _, m := range []map[uint64]bool{opening, used} {
			for pfn := range m {
				r.all[pfn] = true
				if len(m) < 1000 {
					r.few[pfn] = true
				}
			}
		}
		r.by = append(r.by, used)
	}
	return r
}

func (b *bench) trace(t *testing.T, dump, lines []string) (opening, used map[uint64]bool) {
	t.Helper()
	var mu sync.Mutex
	opening, used = map[uint64]bool{}, map[uint64]bool{}
	now := opening
	o, err := kdive.Open(context.Background(), kdive.Options{
		Files: append([]string{b.vmlinux}, dump...), Cache: b.cache, ModuleDirs: []string{b.modules},
		Trace: func(paddr uint64, length int) {
			mu.Lock()
			defer mu.Unlock()
			for pfn := paddr / pageSize; pfn <= (paddr+uint64(max(length, 1))-1)/pageSize; pfn++ {
				now[pfn] = true
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	now = used
	mu.Unlock()
	var out bytes.Buffer
	command.NewShell(repl.Options{Commands: lines, Silent: true, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out},
		command.NewTarget(o)).Run()
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	return opening, used
}

// independent tells whether a command reads none of the page frames.
func (r *reads) independent(line int, pfns map[uint64]bool) bool {
	return disjoint(r.by[line], pfns)
}

func disjoint(a, b map[uint64]bool) bool {
	for x := range b {
		if a[x] {
			return false
		}
	}
	return true
}
