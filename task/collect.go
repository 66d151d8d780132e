package task

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/kdive/kdive/value"
)

// maxTasks is the largest number of PIDs that the kernel can hand out
// (PID_MAX_LIMIT, include/linux/threads.h).
const maxTasks = 4 << 20

// collect fills the table.
func (t *Table) collect(ctx context.Context) error {
	t.findIdle()
	idle := len(t.Tasks)
	table, tableErr := t.fromPIDTable(ctx)
	list, listErr := t.fromTaskList(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, err := range []error{tableErr, listErr} {
		if err != nil {
			t.fault("%w", err)
		}
	}
	t.findCurrent()
	if len(t.Tasks) == 0 {
		return fmt.Errorf("tasks: none could be read: %w", errors.Join(t.Faults...))
	}
	slices.SortStableFunc(t.Tasks[idle:], func(a, b *Task) int { return cmp.Compare(a.PID, b.PID) })
	for _, x := range t.Tasks {
		if old := t.byPID[x.PID]; old == nil {
			t.byPID[x.PID] = x
		} else if !x.Idle {
			t.fault("task %#x: PID %d is that of task %#x, too", x.Addr, x.PID, old.Addr)
		}
	}
	// If one way found nothing at all, there is nothing to compare.
	if table > 0 && list > 0 {
		t.crossCheck()
	}
	return nil
}

// crossCheck reports tasks that one of the two ways did not find.
func (t *Table) crossCheck() {
	for _, x := range t.Tasks {
		missing := ""
		switch {
		case x.Idle:
		case x.Source&(FromPIDTable|FromTaskList) == 0:
			missing = "in neither the PID table nor the task list; a CPU runs it"
		case x.Source&FromPIDTable == 0:
			missing = "on the task list but not in the PID table"
		case x.Source&FromTaskList == 0:
			missing = "in the PID table but not on the task list"
		}
		if missing != "" {
			t.fault("task %#x (%s, PID %d) is %s", x.Addr, x.Comm, x.PID, missing)
		}
	}
}

// add reads the task at addr unless it is known. It returns nil if it cannot
// be read.
func (t *Table) add(addr uint64, from Source) *Task {
	x, known := t.byAddr[addr]
	if !known {
		var err error
		if x, err = t.read(addr); err != nil {
			x = nil
			t.fault("task %#x: %w", addr, err)
		} else {
			t.Tasks = append(t.Tasks, x)
		}
		t.byAddr[addr] = x // nil: not to be tried again
	}
	if x != nil {
		x.Source |= from
	}
	return x
}

// read takes a task out of its task_struct.
func (t *Table) read(addr uint64) (*Task, error) {
	n := t.n
	if t.buf == nil {
		t.buf = make([]byte, n.span)
	}
	b := t.buf
	if err := t.k.Read(b, addr); err != nil {
		return nil, err
	}
	comm := n.Comm.Bytes(b)
	if i := bytes.IndexByte(comm, 0); i >= 0 {
		comm = comm[:i]
	}
	x := &Task{
		Addr: addr, PID: int32(n.PID.In(b)), TGID: int32(n.TGID.In(b)), Comm: string(comm),
		State: State{Bits: n.State.In(b), Exit: n.Exit.In(b)},
		CPU:   int(n.CPU.In(b)), Flags: n.Flags.In(b), Stack: n.Stack.In(b), Signal: n.Signal.In(b),
		MM: n.MM.In(b), ActiveMM: n.ActiveMM.In(b),
		Parent: n.Parent.In(b), RealParent: n.RealParent.In(b), Leader: n.Leader.In(b),
		Policy: int(n.Policy.In(b)), Prio: int(n.Prio.In(b)), StaticPrio: int(n.StaticPrio.In(b)),
		NormalPrio: int(n.NormalPrio.In(b)), RTPriority: int(n.RTPriority.In(b)),
		UTime: n.UTime.In(b), STime: n.STime.In(b), StartTime: n.StartTime.In(b),
	}
	if n.BootTime.Present() {
		x.BootTime = n.BootTime.In(b)
	}
	if n.LastArrival.Present() {
		x.LastArrival = n.LastArrival.In(b)
	}
	if n.CachedRSS.Present() {
		c := n.CachedRSS.Bytes(b)
		for ; len(c) >= 4; c = c[4:] {
			x.cached = append(x.cached, int32(binary.LittleEndian.Uint32(c)))
		}
	}
	return x, nil
}

// findIdle reads the idle tasks; that of the first CPU is init_task.
func (t *Table) findIdle() {
	for _, cpu := range t.cpus() {
		addr, err := t.runqueue(cpu, t.n.IdleTask.Offset, t.n.IdleTask.Present())
		if err != nil {
			t.fault("CPU %d: idle task: %w", cpu, err)
		}
		if addr != 0 {
			if x := t.add(addr, FromCPU); x != nil {
				x.Idle = true
			}
		}
	}
	if x := t.add(uint64(t.n.Init), FromCPU); x != nil {
		x.Idle = true
	}
}

// cpus are the CPUs that exist.
func (t *Table) cpus() []int {
	cpus, err := t.k.PresentCPUs()
	if err == nil && len(cpus) == 0 {
		cpus, err = t.k.PossibleCPUs()
	}
	if err != nil {
		t.fault("CPUs: %w", err)
	}
	return cpus
}

// runqueue reads a pointer from a CPU's struct rq.
func (t *Table) runqueue(cpu int, offset int64, present bool) (uint64, error) {
	if t.n.Runqueues == 0 || !present {
		return 0, errors.New("no runqueues in the debug info")
	}
	off, err := t.k.PerCPUOffset(cpu)
	if err != nil {
		return 0, err
	}
	return value.Word(t.k, uint64(t.n.Runqueues)+off+uint64(offset))
}

// findCurrent reads what the CPUs ran.
func (t *Table) findCurrent() {
	for _, cpu := range t.cpus() {
		for len(t.Current) <= cpu {
			t.Current = append(t.Current, nil)
		}
		addr, err := t.runqueue(cpu, t.n.Curr.Offset, t.n.Curr.Present())
		if err != nil {
			t.fault("CPU %d: current task: %w", cpu, err)
		}
		if addr != 0 {
			t.Current[cpu] = t.add(addr, FromCPU)
		}
	}
}

// fromPIDTable adds the tasks of the initial PID namespace, which all others
// are part of, and returns how many there are.
func (t *Table) fromPIDTable(ctx context.Context) (count int, err error) {
	link, head, ok := t.n.pidLink()
	if !ok {
		return 0, nil // before 4.15 PIDs are not in an IDR
	}
	for e, err := range t.w.IDR(t.n.IDR.At(uint64(t.n.InitNS))) {
		if ctx.Err() != nil {
			return count, ctx.Err()
		}
		if err != nil {
			t.fault("PID table: %w", err)
			continue
		}
		if count++; count > maxTasks {
			return count, errors.New("PID table: more entries than the kernel has PIDs")
		}
		var b [8]byte
		if err := t.k.Read(b[:], e.Raw+uint64(head)); err != nil {
			t.fault("PID %d: struct pid: %w", e.Index, err)
			continue
		}
		// One task has the PID; a session or a group may go on without any.
		if first := binary.LittleEndian.Uint64(b[:]); first != 0 {
			t.add(first-uint64(link), FromPIDTable)
		}
	}
	return count, nil
}

// fromTaskList adds the thread groups on the list that starts at init_task, and
// their threads, and returns how many groups there are.
func (t *Table) fromTaskList(ctx context.Context) (count int, err error) {
	for addr, err := range t.w.List(t.n.List.At(uint64(t.n.Init)), t.n.List.Offset) {
		if ctx.Err() != nil {
			return count, ctx.Err()
		}
		if err != nil {
			t.fault("task list: %w", err)
			continue
		}
		if count++; count > maxTasks {
			return count, errors.New("task list: more entries than the kernel has PIDs")
		}
		leader := t.add(addr, FromTaskList)
		if leader == nil || leader.Signal == 0 || !t.n.ThreadLH.Present() || !t.n.Thread.Present() {
			continue
		}
		threads := 0
		for addr, err := range t.w.List(t.n.ThreadLH.At(leader.Signal), t.n.Thread.Offset) {
			if ctx.Err() != nil {
				return count, ctx.Err()
			}
			if err != nil {
				t.fault("threads of PID %d: %w", leader.PID, err)
				continue
			}
			if threads++; threads > maxTasks {
				return count, fmt.Errorf("threads of PID %d: more than the kernel has PIDs", leader.PID)
			}
			t.add(addr, FromTaskList)
		}
	}
	return count, nil
}
