package task

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel/kerneltest"
	"github.com/kdive/kdive/vmcore"
)

// The parts that all kernels share.
const commonDecls = `
struct list_head { struct list_head *next, *prev; };
struct hlist_node { struct hlist_node *next, **pprev; };
struct hlist_head { struct hlist_node *first; };
struct xarray { u32 xa_flags; void *xa_head; };
struct xa_node { u8 shift; struct xa_node *parent; void *slots[16]; };
struct idr { struct xarray idr_rt; unsigned int idr_base; };
struct pid_namespace { struct idr idr; };
enum pid_type { PIDTYPE_PID, PIDTYPE_TGID, PIDTYPE_MAX };
struct pid { int count; struct hlist_head tasks[PIDTYPE_MAX]; };
struct signal_struct { struct list_head thread_head; struct rlimit { unsigned long rlim_cur, rlim_max; } rlim[3]; };
struct rq { struct task_struct *curr, *idle; };
enum { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES, NR_MM_COUNTERS };
`

const taskTail = ` int exit_state; unsigned int flags; void *stack; int pid, tgid; char comm[16];
	struct task_struct *parent, *real_parent, *group_leader; struct mm_struct *mm, *active_mm; struct signal_struct *signal;
	int prio, static_prio, normal_prio; unsigned int rt_priority, policy; u64 utime, stime, start_time;
	struct list_head tasks, thread_node; struct hlist_node pid_links[PIDTYPE_MAX]; struct { unsigned long sp; } thread; };
`

// Two generations of layouts.
var (
	newDecls = []string{commonDecls,
		`struct task_struct { struct { unsigned long flags; u32 cpu; } thread_info; unsigned int __state; u64 start_boottime; struct { u64 last_arrival; } sched_info;` + taskTail,
		`struct percpu_counter { int lock; s64 count; struct list_head list; s32 *counters; };
		 struct mm_struct { unsigned long total_vm; void *pgd; unsigned long arg_start, arg_end, env_start, env_end; struct percpu_counter rss_stat[NR_MM_COUNTERS]; };`,
		`char *task_state_array[9];`}
	oldDecls = []string{commonDecls,
		`struct task_struct { long state; unsigned int cpu; struct { int count[NR_MM_COUNTERS]; } rss_stat;` + taskTail,
		`struct mm_rss_stat { s64 count[NR_MM_COUNTERS]; };
		 struct mm_struct { struct mm_rss_stat rss_stat; unsigned long total_vm; void *pgd; unsigned long arg_start, arg_end, env_start, env_end; };`,
		`char *task_state_array[9];`}
)

const (
	nsAt     = 0x1000
	nodeAt   = 0x1100
	rqAt     = 0x2000 // per-CPU, 0x1000 apart
	statesAt = 0x5000
	initAt   = 0x10000
)

// fake is a kernel with tasks at initAt + 0x1000*pid, idle tasks at 0x100000*cpu.
type fake struct {
	*kerneltest.Kernel
	old bool
	pid map[int]uint64
}

func newFake(t testing.TB, old bool) *fake {
	decls := newDecls
	if old {
		decls = oldDecls
	}
	k := &fake{Kernel: kerneltest.New(t, decls...), old: old, pid: map[int]uint64{}}
	k.Possible, k.Present, k.Online, k.PerCPU = []int{0, 1}, []int{0, 1}, []int{0}, []uint64{0, 0x1000}
	k.DefineSymbol("init_task", initAt)
	k.DefineSymbol("init_pid_ns", nsAt)
	k.DefineSymbol("runqueues", rqAt)
	k.DefineSymbol("task_state_array", statesAt)
	k.DefineSymbol("panic_cpu", 0x6000)
	k.DefineSymbol("crashing_cpu", 0x6008)
	k.Words(0x6000, 1<<32-1, 1<<32-1)
	for i, s := range knownStates {
		k.Words(statesAt+uint64(i)*8, statesAt+0x100+uint64(i)*32)
		k.Bytes(statesAt+0x100+uint64(i)*32, []byte(s+"\x00"))
	}
	k.Put(nsAt, "pid_namespace.idr.idr_rt.xa_head", nodeAt|2)
	k.Map(nodeAt, 0x200)
	k.task(initAt, 0, 0, "swapper/0")
	k.task(0x100000, 0, 0, "swapper/1")
	k.Put(rqAt, "rq.idle", initAt)
	k.Put(rqAt+0x1000, "rq.idle", 0x100000)
	k.Put(rqAt, "rq.curr", initAt)
	k.Put(rqAt+0x1000, "rq.curr", 0x100000)
	return k
}

// task stores a task_struct and its signal_struct.
func (k *fake) task(addr uint64, pid, tgid int, comm string) uint64 {
	k.Map(addr, 0x400)
	k.Put(addr, "task_struct.pid", uint64(pid))
	k.Put(addr, "task_struct.tgid", uint64(tgid))
	k.PutString(addr, "task_struct.comm", comm)
	k.Put(addr, "task_struct.parent", initAt)
	k.Put(addr, "task_struct.group_leader", initAt+0x1000*uint64(tgid))
	k.Put(addr, "task_struct.signal", initAt+0x1000*uint64(tgid)+0x800)
	return addr
}

// thread makes a task with a PID; link enters it into the lists later.
func (k *fake) thread(pid, tgid int, comm string) uint64 {
	addr := k.task(initAt+0x1000*uint64(pid), pid, tgid, comm)
	k.pid[pid] = addr
	p := 0x40000 + 0x100*uint64(pid) // struct pid
	k.Put(p, "pid.tasks", addr+k.Offset("task_struct.pid_links"))
	k.Words(nodeAt+k.Offset("xa_node.slots")+uint64(pid)*8, p)
	return addr
}

// link builds the task list of the leaders and each leader's thread list.
func (k *fake) link(groups ...[]int) {
	list := []uint64{initAt + k.Offset("task_struct.tasks")}
	for _, g := range groups {
		leader := k.pid[g[0]]
		list = append(list, leader+k.Offset("task_struct.tasks"))
		threads := []uint64{initAt + 0x1000*uint64(g[0]) + 0x800}
		for _, pid := range g {
			threads = append(threads, k.pid[pid]+k.Offset("task_struct.thread_node"))
		}
		k.Link(threads...)
	}
	k.Link(list...)
}

func standard(t testing.TB, old bool) *fake {
	k := newFake(t, old)
	k.thread(1, 1, "init")
	k.thread(2, 2, "kthreadd")
	k.thread(5, 3, "worker") // threads of 3
	k.thread(3, 3, "server")
	k.thread(4, 3, "worker")
	k.link([]int{1}, []int{2}, []int{3, 5, 4})
	k.Put(k.pid[2], "task_struct.flags", flagKernelThread)
	k.Put(k.pid[2], "task_struct.mm", 0)
	return k
}

func load(t *testing.T, k *fake) *Table {
	t.Helper()
	table, err := Load(k)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func order(tasks []*Task) string {
	var s []string
	for _, x := range tasks {
		s = append(s, fmt.Sprintf("%d/%d %s", x.PID, x.TGID, x.Comm))
	}
	return strings.Join(s, ", ")
}

func both(t *testing.T, f func(t *testing.T, old bool)) {
	t.Run("new", func(t *testing.T) { f(t, false) })
	t.Run("old", func(t *testing.T) { f(t, true) })
}

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

func TestStates(t *testing.T) {
	both(t, func(t *testing.T, old bool) {
		k := standard(t, old)
		tab := load(t, k)
		for _, tt := range []struct {
			st   State
			code string
			name string
		}{
			{State{}, "RU", "R (running)"},
			{State{Bits: 1}, "IN", "S (sleeping)"},
			{State{Bits: 0x2001}, "IN", "S (sleeping)"}, // freezable
			{State{Bits: 2}, "UN", "D (disk sleep)"},
			{State{Bits: 0x102}, "UN", "D (disk sleep)"}, // killable
			{State{Bits: 0x402}, "ID", "I (idle)"},
			{State{Bits: 4}, "ST", "T (stopped)"},
			{State{Bits: 8}, "TR", "t (tracing stop)"},
			{State{Bits: 0x40}, "PA", "P (parked)"},
			{State{Bits: 0x80}, "DE", "R (running)"},
			{State{Bits: 0x80, Exit: 0x20}, "ZO", "Z (zombie)"},
			{State{Exit: 0x10}, "DE", "X (dead)"},
			{State{Bits: 0x200}, "WA", "R (running)"},
			{State{Bits: 0x800}, "NE", "R (running)"},
			{State{Bits: 0x400000}, "??", "R (running)"},
		} {
			if c, n := tab.StateCode(tt.st), tab.StateName(tt.st); c != tt.code || n != tt.name {
				t.Errorf("%+v: %s %s, want %s %s", tt.st, c, n, tt.code, tt.name)
			}
		}
	})
}

func TestStatesFollowTheKernelsTable(t *testing.T) {
	k := standard(t, false)
	// Another order: D before S, no parked and no idle.
	for i, s := range []string{"R (running)", "D (disk sleep)", "S (sleeping)", "T (stopped)"} {
		k.Bytes(statesAt+0x100+uint64(i)*32, []byte(s+"\x00"))
	}
	tab := load(t, k)
	if c := tab.StateCode(State{Bits: 1}); c != "UN" {
		t.Error(c)
	}
	k.Fail(statesAt, fault.Excluded)
	tab = load(t, k)
	if c := tab.StateCode(State{Bits: 1}); c != "IN" || len(tab.Faults) != 1 {
		t.Error(c, tab.Faults)
	}
}

func TestMemory(t *testing.T) {
	const mm = 0x80000
	user := func(k *fake) {
		u := kerneltest.New(t)
		u.Bytes(0x700ff0, []byte("/bin/sh\x00-c\x00\x00HOME=/\x00TERM"))
		k.User = map[uint64]*kerneltest.Kernel{0xabc: u}
		k.Put(mm, "mm_struct.pgd", 0xabc)
		k.Put(mm, "mm_struct.total_vm", 500)
		k.Put(mm, "mm_struct.arg_start", 0x700ff0)
		k.Put(mm, "mm_struct.arg_end", 0x700ffc)
		k.Put(mm, "mm_struct.env_start", 0x700ffc)
		k.Put(mm, "mm_struct.env_end", 0x703000)
		for _, pid := range []int{3, 4, 5} {
			k.Put(k.pid[pid], "task_struct.mm", mm)
		}
	}
	t.Run("per-CPU counters", func(t *testing.T) {
		k := standard(t, false)
		user(k)
		size := k.Offset("mm_struct.rss_stat")
		pc := func(i int, count, counters uint64) {
			at := mm + size + uint64(i)*40
			k.Put(at, "percpu_counter.count", count)
			k.Put(at, "percpu_counter.counters", counters)
		}
		pc(0, 100, 0x9000)
		pc(1, 20, 0)
		pc(3, 5, 0x9008)
		k.Bytes(0x9000, []byte{7, 0, 0, 0})
		k.Bytes(0xa000, []byte{0xfe, 0xff, 0xff, 0xff})
		k.Bytes(0x9008, []byte{0xf0, 0xff, 0xff, 0xff}) // below zero
		tab := load(t, k)
		m, err := tab.Memory(tab.ByPID(4))
		if err != nil || m.File != 105 || m.Anon != 20 || m.Shmem != 0 || m.RSS() != 125 || m.TotalVM != 500 {
			t.Errorf("%+v %v", m, err)
		}
		if m, err := tab.Memory(tab.ByPID(2)); m != nil || err != nil {
			t.Error(m, err)
		}
		args, err := tab.Args(tab.ByPID(3))
		if err != nil || strings.Join(args, "|") != "/bin/sh|-c|" {
			t.Errorf("%q %v", args, err)
		}
		// The environment runs into a page that is not there.
		env, err := tab.Env(tab.ByPID(3))
		if fault.ReasonOf(err) != fault.Unmapped || !strings.HasPrefix(strings.Join(env, "|"), "HOME=/|TERM|") {
			t.Errorf("%.40q %v", env, err)
		}
		if _, err := tab.Args(tab.ByPID(2)); err != ErrNoUserMemory {
			t.Error(err)
		}
	})
	t.Run("atomic counters", func(t *testing.T) {
		k := standard(t, true)
		user(k)
		k.Words(mm, 100, 20, 0, 1)
		// Threads keep counts of their own.
		k.Bytes(k.pid[4]+k.Offset("task_struct.rss_stat.count"), []byte{3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
		tab := load(t, k)
		m, err := tab.Memory(tab.ByPID(3))
		if err != nil || m.File != 103 || m.Anon != 19 || m.Shmem != 1 {
			t.Errorf("%+v %v", m, err)
		}
	})
	t.Run("unreadable", func(t *testing.T) {
		k := standard(t, false)
		k.Put(k.pid[1], "task_struct.mm", 0xdead000)
		tab := load(t, k)
		if _, err := tab.Memory(tab.ByPID(1)); fault.ReasonOf(err) != fault.Unmapped {
			t.Error(err)
		}
	})
}

func TestLimits(t *testing.T) {
	k := standard(t, false)
	sig := k.pid[3] + 0x800
	k.Words(sig+k.Offset("signal_struct.rlim"), 1, Unlimited, 3, 4, 5, 6)
	tab := load(t, k)
	l, err := tab.Limits(tab.ByPID(4))
	if err != nil || len(l) != 3 || l[0] != (Limit{"CPU", 1, Unlimited}) || l[2] != (Limit{"DATA", 5, 6}) {
		t.Error(l, err)
	}
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

func TestMissingLayout(t *testing.T) {
	k := kerneltest.New(t, `struct task_struct { int pid; };`)
	if _, err := Load(k); err == nil || !strings.Contains(err.Error(), "task_struct.tgid") {
		t.Error(err)
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
		tab, err := Load(k)
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
		if t, err := Load(k); err != nil || len(t.Tasks) != 3002 {
			b.Fatal(err)
		}
	}
}
