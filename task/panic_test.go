package task

import (
	"fmt"
	"testing"

	"github.com/kdive/kdive/vmcore"
)

func TestPanic(t *testing.T) {
	tests := []struct {
		name               string
		panicCPU, crashing uint64
		want               string // PID and evidence
	}{
		{"panic_cpu", 1, 1<<32 - 1, "4 panic_cpu is 1"},
		{"crashing_cpu", 1<<32 - 1, 0, "3 crashing_cpu is 0"},
		{"both", 1, 0, "4 panic_cpu is 1"},
		{"none", 1<<32 - 1, 1<<32 - 1, "- no CPU panicked"},
		{"no such CPU", 64, 1<<32 - 1, "- no CPU panicked"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := standard(t, false)
			k.Put(rqAt, "rq.curr", k.pid[3])
			k.Put(rqAt+0x1000, "rq.curr", k.pid[4])
			k.Words(0x6000, tt.panicCPU, tt.crashing)
			tab := load(t, k)
			got := "- " + tab.PanicEvidence
			if tab.Panic != nil {
				got = fmt.Sprint(tab.Panic.PID, " ", tab.PanicEvidence)
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPanicOfAnUnreadableTask(t *testing.T) {
	k := standard(t, false)
	k.Put(rqAt, "rq.curr", 0xdead000)
	k.Words(0x6000, 0, 0)
	tab := load(t, k)
	if tab.Panic != nil || tab.PanicCPU != 0 || tab.PanicEvidence != "crashing_cpu is 0, but the task that it ran cannot be read" {
		t.Error(tab.Panic, tab.PanicCPU, tab.PanicEvidence)
	}
}

func TestPanicFromNotes(t *testing.T) {
	k := standard(t, false)
	k.Put(rqAt+0x1000, "rq.curr", k.pid[4])
	k.CPUs = []vmcore.CPUState{{HasPRStatus: true, PID: 4}}
	if tab := load(t, k); tab.Panic != tab.ByPID(4) || tab.Panic == nil {
		t.Error(tab.PanicEvidence)
	}
	k.CPUs[0].PID = 3 // does not run
	if tab := load(t, k); tab.Panic != nil {
		t.Error(tab.PanicEvidence)
	}
}

func TestPanicFromStacks(t *testing.T) {
	k := standard(t, false)
	k.Words(0x6000, 1<<32-1, 1<<32-1)
	k.DefineSymbol("panic", 0x300000)
	k.Put(rqAt, "rq.curr", k.pid[3])
	k.Put(rqAt+0x1000, "rq.curr", k.pid[4])
	for i, pid := range []int{3, 4} {
		stack := 0x400000 + uint64(i)*0x10000
		k.Put(k.pid[pid], "task_struct.stack", stack)
		k.Map(stack, 16<<10)
	}
	k.Words(0x410100, 0x300040)
	// The kernel says that no CPU panicked: an old word on a stack changes nothing.
	if tab := load(t, k); tab.Panic != nil {
		t.Error(tab.PanicEvidence)
	}
	k.DefineSymbol("panic_cpu", 0)
	if tab := load(t, k); tab.Panic == nil || tab.Panic.PID != 4 || tab.PanicEvidence != "its stack alone holds a return address in panic" {
		t.Error(tab.PanicEvidence)
	}
	k.Words(0x400100, 0x300040) // both: nobody knows
	if tab := load(t, k); tab.Panic != nil {
		t.Error(tab.PanicEvidence)
	}
}
