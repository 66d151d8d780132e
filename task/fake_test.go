package task

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kdive/kdive/kernel/kerneltest"
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
	table, err := Load(t.Context(), k)
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
