package unwind_test

import (
	"math/rand/v2"
	"testing"

	"github.com/kdive/kdive/kdivetest"
	"github.com/kdive/kdive/unwind"
)

// TestDamagedStacks overwrites words on stacks, thread.sp and the unwind tables
// of the bundled dump, 500 times over: a trace ends, says why, and stays within
// the bounds of the stacks.
func TestDamagedStacks(t *testing.T) {
	d := kdivetest.Damage(kdivetest.Open(t).Kernel)
	_, threads, config := kdivetest.Threads(t, d.Kernel)
	ips, _ := d.Kernel.Symbol("__start_orc_unwind_ip")
	ipsEnd, _ := d.Kernel.Symbol("__stop_orc_unwind")
	size := config.StackSize
	r := rand.New(rand.NewPCG(1, 2))
	complete, stopped, frames := 0, 0, 0
	intact := unwind.New(d, config)
	for round := range 500 {
		clear(d.Bytes)
		h := threads[r.IntN(len(threads))]
		values := []func() uint64{
			r.Uint64, func() uint64 { return 0 },
			func() uint64 { return h.Stack + r.Uint64N(size) },                      // somewhere on the stack
			func() uint64 { return h.SP + r.Uint64N(256)&^7 },                       // close by
			func() uint64 { return 0xffffffff80000000 + r.Uint64N(1<<30) },          // perhaps code
			func() uint64 { w, _ := d.Kernel.U64(h.SP + r.Uint64N(512)); return w }, // another word of the stack
		}
		value := func() uint64 { return values[r.IntN(len(values))]() }
		switch round % 4 {
		case 0, 1:
			for range 1 + r.IntN(8) {
				d.Put(h.SP&^7+r.Uint64N(1024)&^7, value(), 8)
			}
		case 2:
			h.SP = value()
		case 3:
			for range 500 {
				d.Put((ips+r.Uint64N(ipsEnd-ips))&^7, r.Uint64(), 8)
			}
		}
		u := intact
		if round%4 == 3 {
			u = unwind.New(d, config)
		}
		for _, tr := range []*unwind.Trace{u.Trace(h), u.Resume(h, h.SP)} {
			if tr.Complete {
				complete++
			} else if stopped++; tr.Err == nil {
				t.Fatalf("round %d: neither complete nor an error", round)
			}
			if frames += len(tr.Frames); uint64(len(tr.Frames)) > size {
				t.Fatalf("round %d: %d frames", round, len(tr.Frames))
			}
			for i := range tr.Frames {
				_ = tr.Frames[i].CallSite()
			}
		}
	}
	if complete < 100 || stopped < 100 {
		t.Errorf("%d traces complete, %d stopped: the damage does not do what it should", complete, stopped)
	}
	t.Logf("%d traces complete, %d stopped, %d frames", complete, stopped, frames)
}
