package task

import (
	"reflect"
	"slices"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/kernel"
)

// taskNeeds are the members of task_struct that every task is read for.
type taskNeeds struct {
	State       kernel.Field `need:"task_struct.__state|task_struct.state"`
	Exit        kernel.Field `need:"task_struct.exit_state"`
	PID         kernel.Field `need:"task_struct.pid"`
	TGID        kernel.Field `need:"task_struct.tgid"`
	Comm        kernel.Field `need:"task_struct.comm"`
	CPU         kernel.Field `need:"?task_struct.thread_info.cpu|task_struct.cpu"`
	Flags       kernel.Field `need:"task_struct.flags"`
	Stack       kernel.Field `need:"task_struct.stack"`
	MM          kernel.Field `need:"task_struct.mm"`
	ActiveMM    kernel.Field `need:"task_struct.active_mm"`
	Parent      kernel.Field `need:"task_struct.parent"`
	RealParent  kernel.Field `need:"task_struct.real_parent"`
	Leader      kernel.Field `need:"task_struct.group_leader"`
	Signal      kernel.Field `need:"task_struct.signal"`
	Policy      kernel.Field `need:"task_struct.policy"`
	Prio        kernel.Field `need:"task_struct.prio"`
	StaticPrio  kernel.Field `need:"task_struct.static_prio"`
	NormalPrio  kernel.Field `need:"task_struct.normal_prio"`
	RTPriority  kernel.Field `need:"task_struct.rt_priority"`
	UTime       kernel.Field `need:"task_struct.utime"`
	STime       kernel.Field `need:"task_struct.stime"`
	StartTime   kernel.Field `need:"task_struct.start_time"`
	BootTime    kernel.Field `need:"?task_struct.start_boottime|task_struct.real_start_time"`
	LastArrival kernel.Field `need:"?task_struct.sched_info.last_arrival"`
	CachedRSS   kernel.Field `need:"?task_struct.rss_stat.count"`
}

type needs struct {
	taskNeeds
	span int // bytes of task_struct that hold all of taskNeeds

	Init      kernel.Sym   `need:"init_task"`
	InitNS    kernel.Sym   `need:"?init_pid_ns"`
	IDR       kernel.Field `need:"?pid_namespace.idr"`
	PIDTasks  kernel.Field `need:"?pid.tasks"`
	PIDLinks  kernel.Field `need:"?task_struct.pid_links|task_struct.pids"`
	PIDType   kernel.Enum  `need:"?PIDTYPE_PID"`
	HNode     kernel.Size  `need:"hlist_node"`
	HHead     kernel.Size  `need:"hlist_head"`
	List      kernel.Field `need:"task_struct.tasks"`
	ThreadLH  kernel.Field `need:"?signal_struct.thread_head"`
	Thread    kernel.Field `need:"?task_struct.thread_node"`
	SP        kernel.Field `need:"task_struct.thread.sp"`
	Runqueues kernel.Sym   `need:"?runqueues"`
	Curr      kernel.Field `need:"?rq.curr"`
	IdleTask  kernel.Field `need:"?rq.idle"`
	Union     kernel.Size  `need:"?thread_union"`
	StackLow  kernel.Sym   `need:"?__start_init_stack|__start_init_task"`
	StackHigh kernel.Sym   `need:"?__end_init_stack|__end_init_task"`

	PanicCPU    kernel.Sym `need:"?panic_cpu"`
	CrashingCPU kernel.Sym `need:"?crashing_cpu"`
}

func (n *needs) bind(k kernel.View) error {
	if err := k.Bind(&n.taskNeeds); err != nil {
		return err
	}
	v := reflect.ValueOf(n.taskNeeds)
	for i := range v.NumField() {
		if f := v.Field(i).Interface().(kernel.Field); f.Present() {
			n.span = max(n.span, int(f.Offset+f.Size()))
		}
	}
	return k.Bind(n)
}

// stackSize is the size of kernel stacks: that of init_task's, which the linker
// lays out, where no type says it.
func (n *needs) stackSize() uint64 {
	const defaultSize, pageSize = 16 << 10, 4 << 10 // THREAD_SIZE of x86-64 without KASAN
	if n.Union > 0 {
		return uint64(n.Union)
	}
	if size := uint64(n.StackHigh - n.StackLow); n.StackLow != 0 && size >= pageSize && size <= 1<<17 && size&(size-1) == 0 {
		return size
	}
	return defaultSize
}

// pidLink is the offset of the link in task_struct by which a task hangs on its
// struct pid, and headOff that of the list head in struct pid.
func (n *needs) pidLink() (link, headOff int64, ok bool) {
	if n.InitNS == 0 || !n.IDR.Present() || !n.PIDTasks.Present() || !n.PIDLinks.Present() || !n.PIDType.Present() {
		return 0, 0, false
	}
	elem := n.PIDLinks.Type.Underlying().Elem()
	if elem == nil {
		return 0, 0, false
	}
	size := elem.Size() // hlist_node, or struct pid_link that begins with one
	return n.PIDLinks.Offset + n.PIDType.Value*size, n.PIDTasks.Offset + n.PIDType.Value*int64(n.HHead), size >= int64(n.HNode)
}

// members reports whether t is a struct that has all of names.
func members(t *ctype.Type, names ...string) bool {
	return !slices.ContainsFunc(names, func(n string) bool {
		_, ok := t.Find(n)
		return !ok
	})
}
