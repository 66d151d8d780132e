// Package task reads the kernel's tasks: every thread of every process, what
// ran on which CPU, and which task brought the kernel down.
//
// It finds tasks on two independent ways, the table of process ids and the list
// of tasks, and says where they disagree. It knows task_struct and what hangs on
// it, nothing of stacks' contents or of how tasks are listed. Start from Load.
package task

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/walk"
)

// Task is one thread. Addresses are kernel virtual, times are nanoseconds.
type Task struct {
	Addr   uint64 // of its task_struct
	PID    int32
	TGID   int32 // of its thread group: the PID of user space
	Comm   string
	State  State
	CPU    int    // on which it runs or last ran
	Flags  uint64 // task_struct.flags, PF_*
	Stack  uint64 // low end of its kernel stack; 0 once the stack is freed
	Signal uint64 // signal_struct, shared by the thread group

	MM         uint64 // 0 for kernel threads and for tasks that gave their memory back
	ActiveMM   uint64
	Parent     uint64 // who gets its signals; differs from RealParent when traced
	RealParent uint64
	Leader     uint64 // of the thread group

	Policy     int
	Prio       int
	StaticPrio int
	NormalPrio int
	RTPriority int

	UTime       uint64
	STime       uint64
	StartTime   uint64 // since boot, without the time spent in suspend
	BootTime    uint64 // since boot
	LastArrival uint64 // when it last got a CPU (sched_info), 0 if not recorded

	Idle   bool // the idle task of a CPU
	Source Source
	cached []int32 // task_struct.rss_stat: counts not yet in the mm, before 6.2
}

// Source is where a task was found.
type Source uint8

// The places to find a task in.
const (
	FromPIDTable Source = 1 << iota // the IDR of the initial PID namespace
	FromTaskList                    // init_task.tasks and the thread lists
	FromCPU                         // the current or idle task of a CPU
)

// Flags of a task that decide what it is (PF_*, include/linux/sched.h).
const (
	flagExiting      = 0x4
	flagKernelThread = 0x200000
)

// Kernel reports whether the task is a kernel thread.
func (t *Task) Kernel() bool { return t.Flags&flagKernelThread != 0 }

// Exiting reports whether the task is in do_exit.
func (t *Task) Exiting() bool { return t.Flags&flagExiting != 0 }

// IsLeader reports whether the task leads its thread group.
func (t *Task) IsLeader() bool { return t.PID == t.TGID }

// Table is all tasks of a dump.
type Table struct {
	Tasks []*Task // idle tasks by CPU, then all others by PID
	// Current is the task that each CPU ran, by CPU number; nil where unknown.
	Current []*Task
	// Panic is the task that brought the kernel down, nil if none is known.
	Panic *Task
	// PanicCPU is the CPU it did that on, -1 if none is known.
	PanicCPU int
	// PanicEvidence says how Panic was found, or why not.
	PanicEvidence string
	// Faults are what could not be read, and where the two ways disagree.
	Faults []error

	k      kernel.View
	n      *needs
	w      *walk.Walker
	states *states
	buf    []byte // one task_struct, while Load runs
	byAddr map[uint64]*Task
	byPID  map[int32]*Task

	childOnce sync.Once
	children  map[uint64][]*Task
	threads   map[int32][]*Task

	memMu   sync.Mutex
	mems    map[uint64]*Memory
	mmNeeds kernel.Bound[mmNeeds]
	mmOnce  sync.Once
	byMM    map[uint64][]*Task
}

// Load reads the task table. An error means that there is none; tasks that
// could not be read are in Faults.
func Load(ctx context.Context, k kernel.View) (*Table, error) {
	t := &Table{k: k, n: &needs{}, w: walk.New(k), PanicCPU: -1,
		byAddr: map[uint64]*Task{}, byPID: map[int32]*Task{}, mems: map[uint64]*Memory{}}
	if err := t.n.bind(k); err != nil {
		return nil, fmt.Errorf("tasks: %w", err)
	}
	t.states = loadStates(k, t.fault)
	if err := t.collect(ctx); err != nil {
		return nil, err
	}
	t.findPanic()
	return t, nil
}

func (t *Table) fault(format string, args ...any) {
	t.Faults = append(t.Faults, fmt.Errorf(format, args...))
}

// ByAddr is the task whose task_struct is at addr, nil if there is none.
func (t *Table) ByAddr(addr uint64) *Task { return t.byAddr[addr] }

// ByPID is the task with that PID, nil if there is none; of 0, the idle task of
// the first CPU.
func (t *Table) ByPID(pid int32) *Task { return t.byPID[pid] }

// ByComm are the tasks with that command name.
func (t *Table) ByComm(comm string) []*Task {
	var out []*Task
	for _, x := range t.Tasks {
		if x.Comm == comm {
			out = append(out, x)
		}
	}
	return out
}

// Active reports whether a CPU ran the task when the dump was taken.
func (t *Table) Active(x *Task) bool { return slices.Contains(t.Current, x) }

// Parent is the task's parent (the tracer of a traced task), nil if it is not
// in the table.
func (t *Table) Parent(x *Task) *Task { return t.byAddr[x.Parent] }

// Leader is the leader of the task's thread group.
func (t *Table) Leader(x *Task) *Task { return t.byAddr[x.Leader] }

// Children are the tasks whose parent x is, in the order of the table.
func (t *Table) Children(x *Task) []*Task {
	t.index()
	return t.children[x.Addr]
}

// Threads are the tasks of x's thread group, the leader first.
func (t *Table) Threads(x *Task) []*Task {
	t.index()
	if x.Idle {
		return []*Task{x}
	}
	return t.threads[x.TGID]
}

func (t *Table) index() {
	t.childOnce.Do(func() {
		t.children, t.threads = map[uint64][]*Task{}, map[int32][]*Task{}
		for _, x := range t.Tasks {
			if x.Parent != x.Addr {
				t.children[x.Parent] = append(t.children[x.Parent], x)
			}
			if !x.Idle {
				t.threads[x.TGID] = append(t.threads[x.TGID], x)
			}
		}
		for _, group := range t.threads {
			slices.SortStableFunc(group, func(a, b *Task) int {
				if a.IsLeader() != b.IsLeader() {
					if a.IsLeader() {
						return -1
					}
					return 1
				}
				return cmp.Compare(a.PID, b.PID)
			})
		}
	})
}

// StackPointer is where a task that does not run left its kernel stack
// (thread.sp).
func (t *Table) StackPointer(x *Task) (uint64, error) { return t.n.SP.Uint(t.k, x.Addr) }

// StackSize is the size of kernel stacks in bytes.
func (t *Table) StackSize() uint64 { return t.n.stackSize() }
