package task

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// Limit is one resource limit.
type Limit struct {
	Name     string // "NOFILE"
	Cur, Max uint64 // Unlimited for none
}

// Unlimited is RLIM_INFINITY.
const Unlimited = ^uint64(0)

// limitNames are in the order of the RLIMIT_ numbers
// (include/uapi/asm-generic/resource.h).
var limitNames = []string{"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS",
	"SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME"}

// Limits are the resource limits of the task's thread group.
func (t *Table) Limits(x *Task) ([]Limit, error) {
	var n struct {
		Rlim kernel.Field `need:"signal_struct.rlim"`
		Cur  kernel.Field `need:"rlimit.rlim_cur"`
		Max  kernel.Field `need:"rlimit.rlim_max"`
		Size kernel.Size  `need:"rlimit"`
	}
	if err := t.k.Bind(&n); err != nil {
		return nil, err
	}
	if x.Signal == 0 {
		return nil, errors.New("it has no signal_struct any more")
	}
	b := make([]byte, min(n.Rlim.Size(), 64*int64(n.Size)))
	if err := t.k.Read(b, n.Rlim.At(x.Signal)); err != nil {
		return nil, fmt.Errorf("limits of PID %d: %w", x.PID, err)
	}
	var out []Limit
	for i := 0; int64(len(b)) >= int64(n.Size) && n.Size > 0; i++ {
		l := Limit{Name: fmt.Sprint(i), Cur: n.Cur.In(b), Max: n.Max.In(b)}
		if i < len(limitNames) {
			l.Name = limitNames[i]
		}
		out = append(out, l)
		b = b[n.Size:]
	}
	return out, nil
}

// maxStrings bounds what is read of arguments and environment: the kernel
// allows three quarters of the largest stack (_STK_LIM), 6 MiB.
const maxStrings = 6 << 20

// ErrNoUserMemory says that a task has no address space of its own.
var ErrNoUserMemory = errors.New("no user memory")

// Args are the task's command line and Env its environment, read from its user
// memory. With an error come the strings read before it.
func (t *Table) Args(x *Task) ([]string, error) {
	return t.strings(x, func(m *Memory) (uint64, uint64) { return m.ArgStart, m.ArgEnd })
}

// Env is the environment that the task was started with.
func (t *Table) Env(x *Task) ([]string, error) {
	return t.strings(x, func(m *Memory) (uint64, uint64) { return m.EnvStart, m.EnvEnd })
}

func (t *Table) strings(x *Task, area func(*Memory) (start, end uint64)) ([]string, error) {
	m, _ := t.Memory(x)
	if m == nil || m.PGD == 0 {
		return nil, ErrNoUserMemory
	}
	start, end := area(m)
	if end <= start {
		return nil, nil
	}
	mem, err := t.k.UserMemory(m.PGD)
	if err != nil {
		return nil, err
	}
	b := make([]byte, min(end-start, maxStrings))
	if err = mem.Read(b, start); err != nil {
		var f *fault.Error
		if !errors.As(err, &f) || f.Addr < start || f.Addr-start > uint64(len(b)) {
			return nil, err
		}
		b = b[:f.Addr-start]
	}
	var out []string
	for len(b) > 0 {
		i := bytes.IndexByte(b, 0)
		if i < 0 {
			return append(out, string(b)), err
		}
		out = append(out, string(b[:i]))
		b = b[i+1:]
	}
	return out, err
}

// policies are the scheduling policies by number (include/uapi/linux/sched.h).
var policies = []string{"NORMAL", "FIFO", "RR", "BATCH", "ISO", "IDLE", "DEADLINE", "EXT"}

// PolicyNumber is the number of a scheduling policy, 0 for "NORMAL".
func PolicyNumber(name string) (int, bool) {
	for i, p := range policies {
		if p == name {
			return i, true
		}
	}
	return 0, false
}

// KnowsLastArrival reports whether the kernel records when tasks last got a CPU
// (CONFIG_SCHED_INFO).
func (t *Table) KnowsLastArrival() bool { return t.n.LastArrival.Present() }

// RunqueueClock is the clock of a CPU's run queue (rq.clock), nanoseconds in
// the time of LastArrival.
func (t *Table) RunqueueClock(cpu int) (uint64, error) {
	var n struct {
		Clock kernel.Field `need:"rq.clock"`
	}
	if err := t.k.Bind(&n); err != nil {
		return 0, err
	}
	off, err := t.k.PerCPUOffset(cpu)
	if err != nil || t.n.Runqueues == 0 {
		return 0, errors.Join(err, errors.New("no run queue"))
	}
	return value.Word(t.k, n.Clock.At(uint64(t.n.Runqueues)+off))
}
