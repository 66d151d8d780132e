package task

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel/kerneltest"
)

func TestTable(t *testing.T) {
	both(t, func(t *testing.T, old bool) {
		k := standard(t, old)
		cpu := "task_struct.thread_info.cpu"
		if old {
			cpu = "task_struct.cpu"
		}
		k.Put(k.pid[4], cpu, 1)
		k.Put(k.pid[4], "task_struct.prio", 1<<32-2)
		k.Put(k.pid[4], "task_struct.utime", 77)
		k.Put(rqAt+0x1000, "rq.curr", k.pid[4])
		tab := load(t, k)
		if len(tab.Faults) > 0 {
			t.Error(tab.Faults)
		}
		if got := order(tab.Tasks); got != "0/0 swapper/0, 0/0 swapper/1, 1/1 init, 2/2 kthreadd, 3/3 server, 4/3 worker, 5/3 worker" {
			t.Error(got)
		}
		x := tab.ByPID(4)
		if x == nil || x != tab.ByAddr(k.pid[4]) || x.CPU != 1 || x.Prio != -2 || x.UTime != 77 || !tab.Active(x) || tab.Active(tab.ByPID(3)) {
			t.Errorf("%+v", x)
		}
		if tab.Leader(x) != tab.ByPID(3) || order(tab.Threads(x)) != "3/3 server, 4/3 worker, 5/3 worker" {
			t.Error(order(tab.Threads(x)))
		}
		if len(tab.Children(tab.ByPID(0))) != 6 || len(tab.Children(x)) != 0 { // five and swapper/1
			t.Error(order(tab.Children(tab.ByPID(0))))
		}
		if !tab.ByPID(2).Kernel() || tab.ByPID(1).Kernel() || !tab.Tasks[1].Idle {
			t.Error("kernel threads")
		}
		if len(tab.ByComm("worker")) != 2 || tab.Panic != nil {
			t.Error("ByComm or Panic")
		}
	})
}

func TestHiddenTasks(t *testing.T) {
	faults := func(tab *Table) string { return fmt.Sprint(tab.Faults) }
	k := standard(t, false)
	k.link([]int{1}, []int{3, 4, 5}) // 2 is off the list
	tab := load(t, k)
	if tab.ByPID(2) == nil || !strings.Contains(faults(tab), "kthreadd, PID 2) is in the PID table but not on the task list") || len(tab.Faults) != 1 {
		t.Error(tab.Faults)
	}

	k = standard(t, false)
	k.Words(nodeAt+k.Offset("xa_node.slots")+4*8, 0) // 4 has no struct pid
	k.Put(rqAt, "rq.curr", k.task(0x200000, 9, 9, "ghost"))
	tab = load(t, k)
	if got := order(tab.Tasks[2:]); got != "1/1 init, 2/2 kthreadd, 3/3 server, 4/3 worker, 5/3 worker, 9/9 ghost" {
		t.Error(got)
	}
	if f := faults(tab); !strings.Contains(f, "PID 4) is on the task list but not in the PID table") || !strings.Contains(f, "ghost, PID 9) is in neither") || len(tab.Faults) != 2 {
		t.Error(f)
	}
}

func TestOneWayIsEnough(t *testing.T) {
	k := standard(t, false)
	k.Fail(nodeAt, fault.Excluded) // and the namespace with it
	tab := load(t, k)
	if len(tab.Tasks) != 7 || len(tab.Faults) != 1 {
		t.Error(order(tab.Tasks), tab.Faults)
	}
	k = standard(t, false)
	k.Words(initAt+k.Offset("task_struct.tasks"), 0xdead000000000100)
	tab = load(t, k)
	if len(tab.Tasks) != 7 || len(tab.Faults) != 1 || !strings.Contains(tab.Faults[0].Error(), "LIST_POISON1") {
		t.Error(order(tab.Tasks), tab.Faults)
	}
}

func TestUnreadableTask(t *testing.T) {
	k := standard(t, false)
	k.Fail(k.pid[2], fault.Excluded)
	tab := load(t, k)
	if tab.ByPID(2) != nil || len(tab.Tasks) != 6 || strings.Count(fmt.Sprint(tab.Faults), "task 0x12000: ") != 1 {
		t.Error(order(tab.Tasks), tab.Faults)
	}
}

func TestMissingLayout(t *testing.T) {
	k := kerneltest.New(t, `struct task_struct { int pid; };`)
	if _, err := Load(t.Context(), k); err == nil || !strings.Contains(err.Error(), "task_struct.tgid") {
		t.Error(err)
	}
}

func TestLoadIsInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if tab, err := Load(ctx, standard(t, false)); tab != nil || !errors.Is(err, context.Canceled) {
		t.Error(tab, err)
	}
}

// FuzzLoad overwrites a part of the kernel's structures.
func FuzzLoad(f *testing.F) {
	f.Add([]byte{0xff, 0xff, 0, 0}, uint32(0))
	f.Add([]byte{0x10, 0x10, 0, 0, 0, 0, 0, 0}, uint32(nodeAt-nsAt+8))
	f.Fuzz(func(t *testing.T, b []byte, at uint32) {
		k := standard(t, false)
		b = b[:min(len(b), 64)]
		k.Bytes(nsAt+uint64(at)%0x20000, b)
		tab, err := Load(t.Context(), k)
		if err != nil {
			return
		}
		for _, x := range tab.Tasks {
			tab.Memory(x)
			tab.Args(x)
			tab.Children(x)
			tab.Threads(x)
			tab.StateCode(x.State)
			tab.Limits(x)
		}
	})
}

// BenchmarkLoad reads a table of 3,000 tasks.
func BenchmarkLoad(b *testing.B) {
	k := newFake(b, false)
	list := []uint64{initAt + k.Offset("task_struct.tasks")}
	for pid := 1; pid <= 3000; pid++ {
		addr := k.task(0x1000_0000+0x1000*uint64(pid), pid, pid, "task")
		k.Put(addr, "task_struct.signal", addr+0x800)
		k.Link(addr+0x800, addr+k.Offset("task_struct.thread_node"))
		list = append(list, addr+k.Offset("task_struct.tasks"))
	}
	k.Link(list...)
	b.ReportAllocs()
	for b.Loop() {
		if t, err := Load(b.Context(), k); err != nil || len(t.Tasks) != 3002 {
			b.Fatal(err)
		}
	}
}
