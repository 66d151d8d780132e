package replay_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kdive/kdive"
	"github.com/kdive/kdive/replay"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/unwind"
)

// traces are the traces of all tasks.
func traces(t *testing.T, files ...string) (*kdive.Target, []*unwind.Trace) {
	t.Helper()
	var modules []string
	if m := os.Getenv("KDIVE_MODULES"); m != "" {
		modules = []string{m}
	}
	opened, err := kdive.Open(context.Background(), kdive.Options{Files: files, Cache: t.TempDir(), ModuleDirs: modules})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	table, err := task.Load(opened.Kernel)
	if err != nil {
		t.Fatal(err)
	}
	running := make([]unwind.Thread, len(table.Current))
	threads := []unwind.Thread{}
	for _, x := range table.Tasks {
		h := unwind.Thread{Addr: x.Addr, Stack: x.Stack, CPU: x.CPU, PID: x.PID}
		for cpu, y := range table.Current {
			if y == x {
				h.CPU, h.Running = cpu, true
				running[cpu] = h
			}
		}
		if !h.Running && x.Stack != 0 {
			h.SP, _ = table.StackPointer(x)
		}
		threads = append(threads, h)
	}
	u := unwind.New(opened.Kernel, unwind.Config{StackSize: table.StackSize(), Running: running})
	var list []*unwind.Trace
	for _, h := range threads {
		list = append(list, u.Trace(h))
	}
	return opened, list
}

func TestDump(t *testing.T) {
	names := os.Getenv("KDIVE_REPLAY")
	if names == "" {
		t.Skip("KDIVE_REPLAY names no dump")
	}
	opened, list := traces(t, strings.Fields(names)...)
	m := replay.New(opened.Kernel)
	var c replay.Check
	start := time.Now()
	for _, tr := range list {
		m.Check(m.Extend(tr), &c)
	}
	t.Logf("%v", time.Since(start))
	t.Logf("%d tasks, %d frames, %d followed, %d places, %d derived, %d equal, %d from memory (%d stale), %d contradictions", len(list), c.Frames, c.Followed, c.Places, c.Derived, c.Equal, c.FromMemory, c.Stale, c.Contradictions)
	for k, n := range c.Why {
		t.Logf("%6d %s", n, k)
	}
	tails := map[string]int{}
	for _, x := range c.TailCalls {
		tails[x]++
	}
	for k, n := range tails {
		t.Logf("%6d tail call %s", n, k)
	}
	for i, w := range c.Wrong {
		if i > 40 {
			break
		}
		t.Error(w)
	}
}
