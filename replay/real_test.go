package replay_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kdive/kdive"
	"github.com/kdive/kdive/replay"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/unwind"
)

// dump is the traces of all tasks of a dump. It is the bundled one, or what
// KDIVE_REPLAY names, vmlinux first, with KDIVE_MODULES for the modules.
func dump(t *testing.T) (*kdive.Target, []*unwind.Trace) {
	t.Helper()
	tiny := filepath.Join("..", "testdata", "tiny")
	opt := kdive.Options{Files: []string{filepath.Join(tiny, "vmlinux.zst"), filepath.Join(tiny, "vmcore.kdump")}, ModuleDirs: []string{tiny}}
	if names := os.Getenv("KDIVE_REPLAY"); names != "" {
		opt.Files, opt.ModuleDirs = strings.Fields(names), strings.Fields(os.Getenv("KDIVE_MODULES"))
	}
	opt.Cache = os.Getenv("KDIVE_CACHE")
	if opt.Cache == "" {
		opt.Cache = t.TempDir()
	}
	opened, err := kdive.Open(context.Background(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	table, err := task.Load(opened.Kernel)
	if err != nil {
		t.Fatal(err)
	}
	running := make([]unwind.Thread, len(table.Current))
	var threads []unwind.Thread
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

// TestCheck hides each register and each word of the stack that is known, and has
// it derived from the rest: it must come out as it is.
func TestCheck(t *testing.T) {
	opened, list := dump(t)
	m := replay.New(opened.Kernel, nil)
	var c replay.Check
	for _, tr := range list {
		m.Check(m.Extend(tr), &c)
	}
	t.Logf("%d tasks, %d frames, %d followed, %d places: %d equal, %d contradictions, %d from memory, of which %d have changed",
		len(list), c.Frames, c.Followed, c.Places, c.Equal, c.Contradictions, c.FromMemory, c.Stale)
	if c.Frames < 100 || c.Followed < c.Frames*8/10 || c.Equal < c.Places/2 {
		t.Error("that is too few")
	}
	for k, n := range c.Why {
		t.Logf("%6d %s", n, k)
	}
	for i, w := range c.Wrong {
		if i > 40 {
			break
		}
		t.Error(w)
	}
	if !strings.Contains(strings.Join(c.TailCalls, "\n"), "do_epoll_wait > schedule_hrtimeout_range+") {
		t.Error(c.TailCalls)
	}
}
