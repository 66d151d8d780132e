package unwind_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/kdive/kdive"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/unwind"
)

// damaged is the bundled kernel with some of its words overwritten.
type damaged struct {
	*kernel.Kernel
	words map[uint64]uint64 // by address, aligned
}

func (d *damaged) Read(p []byte, addr uint64) error {
	err := d.Kernel.Read(p, addr)
	for at, w := range d.words {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], w)
		for i := range uint64(8) {
			if off := at + i - addr; off < uint64(len(p)) {
				p[off] = b[i]
			}
		}
	}
	return err
}

// TestDamagedStacks overwrites words on stacks, thread.sp and the unwind tables
// of the bundled dump, 500 times over: a trace ends, says why, and stays within
// the bounds of the stacks.
func TestDamagedStacks(t *testing.T) {
	dir := filepath.Join("..", "testdata", "tiny")
	o, err := kdive.Open(context.Background(), kdive.Options{
		Files: []string{filepath.Join(dir, "vmlinux.zst"), filepath.Join(dir, "vmcore.kdump")}, Cache: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}()
	table, err := task.Load(o.Kernel)
	if err != nil {
		t.Fatal(err)
	}
	running := make([]unwind.Thread, len(table.Current))
	threads := make([]unwind.Thread, len(table.Tasks))
	for i, x := range table.Tasks {
		h := &threads[i]
		*h = unwind.Thread{Addr: x.Addr, Stack: x.Stack, CPU: x.CPU, PID: x.PID, Running: table.Active(x)}
		if h.SP, err = table.StackPointer(x); err != nil {
			t.Fatal(err)
		}
		if h.Running {
			running[x.CPU] = *h
		}
	}
	ips, _ := o.Kernel.Symbol("__start_orc_unwind_ip")
	ipsEnd, _ := o.Kernel.Symbol("__stop_orc_unwind")
	size := table.StackSize()
	r := rand.New(rand.NewPCG(1, 2))
	complete, stopped, frames := 0, 0, 0
	d := &damaged{o.Kernel, nil}
	intact := unwind.New(d, unwind.Config{StackSize: size, Running: running})
	for round := range 500 {
		d.words = map[uint64]uint64{}
		h := threads[r.IntN(len(threads))]
		values := []func() uint64{
			r.Uint64, func() uint64 { return 0 },
			func() uint64 { return h.Stack + r.Uint64N(size) },                      // somewhere on the stack
			func() uint64 { return h.SP + r.Uint64N(256)&^7 },                       // close by
			func() uint64 { return 0xffffffff80000000 + r.Uint64N(1<<30) },          // perhaps code
			func() uint64 { w, _ := o.Kernel.U64(h.SP + r.Uint64N(512)); return w }, // another word of the stack
		}
		value := func() uint64 { return values[r.IntN(len(values))]() }
		switch round % 4 {
		case 0, 1:
			for range 1 + r.IntN(8) {
				d.words[h.SP&^7+r.Uint64N(1024)&^7] = value()
			}
		case 2:
			h.SP = value()
		case 3:
			for range 500 {
				d.words[(ips+r.Uint64N(ipsEnd-ips))&^7] = r.Uint64()
			}
		}
		u := intact
		if round%4 == 3 {
			u = unwind.New(d, unwind.Config{StackSize: size, Running: running})
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
