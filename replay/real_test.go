package replay_test

import (
	"os"
	"strings"
	"testing"

	"github.com/kdive/kdive"
	"github.com/kdive/kdive/kdivetest"
	"github.com/kdive/kdive/replay"
	"github.com/kdive/kdive/unwind"
)

// dump is the traces of all tasks of a dump. It is the bundled one, or what
// KDIVE_REPLAY names, vmlinux first, with KDIVE_MODULES for the modules.
func dump(t *testing.T) (*kdive.Target, []*unwind.Trace) {
	t.Helper()
	opt := kdivetest.Options(os.Getenv("KDIVE_CACHE"))
	if names := os.Getenv("KDIVE_REPLAY"); names != "" {
		opt.Files, opt.ModuleDirs = strings.Fields(names), strings.Fields(os.Getenv("KDIVE_MODULES"))
	}
	if opt.Cache == "" {
		opt.Cache = t.TempDir()
	}
	opened := kdivetest.OpenAs(t, opt)
	_, threads, config := kdivetest.Threads(t, opened.Kernel)
	u := unwind.New(opened.Kernel, config)
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
