package task

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/kernel"
)

// Memory is how much memory an address space takes, in pages.
type Memory struct {
	TotalVM           uint64
	File, Anon, Shmem uint64 // resident
	PGD               uint64 // kernel virtual address of its top page table
	ArgStart, ArgEnd  uint64 // user virtual
	EnvStart, EnvEnd  uint64
	err               error
}

// RSS is the number of resident pages.
func (m *Memory) RSS() uint64 { return m.File + m.Anon + m.Shmem }

type mmNeeds struct {
	TotalVM  kernel.Field `need:"mm_struct.total_vm"`
	PGD      kernel.Field `need:"mm_struct.pgd"`
	ArgStart kernel.Field `need:"mm_struct.arg_start"`
	ArgEnd   kernel.Field `need:"mm_struct.arg_end"`
	EnvStart kernel.Field `need:"mm_struct.env_start"`
	EnvEnd   kernel.Field `need:"mm_struct.env_end"`
	RSS      kernel.Field `need:"mm_struct.rss_stat"`

	// The counters are atomic longs, or one percpu_counter each (6.2 and later).
	PCCount    kernel.Field `need:"?percpu_counter.count"`
	PCCounters kernel.Field `need:"?percpu_counter.counters"`

	File  kernel.Enum `need:"MM_FILEPAGES"`
	Anon  kernel.Enum `need:"MM_ANONPAGES"`
	Shmem kernel.Enum `need:"?MM_SHMEMPAGES"`
}

// Memory reads the memory use of a task; nil without error if it has no address
// space. Threads share one.
func (t *Table) Memory(x *Task) (*Memory, error) {
	if x.MM == 0 {
		return nil, nil
	}
	return t.MemoryAt(x.MM)
}

// MemoryAt reads the memory use of the mm_struct at mm.
func (t *Table) MemoryAt(mm uint64) (*Memory, error) {
	t.memMu.Lock()
	defer t.memMu.Unlock()
	m := t.mems[mm]
	if m == nil {
		m = t.readMemory(mm)
		t.mems[mm] = m
	}
	return m, m.err
}

func (t *Table) readMemory(mm uint64) *Memory {
	n, err := t.mmNeeds.Get(t.k)
	if err != nil {
		return &Memory{err: err}
	}
	span := 0
	for _, f := range []*kernel.Field{&n.TotalVM, &n.PGD, &n.ArgStart, &n.ArgEnd, &n.EnvStart, &n.EnvEnd, &n.RSS} {
		span = max(span, int(f.Offset+f.Size()))
	}
	b := make([]byte, span)
	if err := t.k.Read(b, mm); err != nil {
		return &Memory{err: fmt.Errorf("mm_struct %#x: %w", mm, err)}
	}
	m := &Memory{TotalVM: n.TotalVM.In(b), PGD: n.PGD.In(b), ArgStart: n.ArgStart.In(b), ArgEnd: n.ArgEnd.In(b),
		EnvStart: n.EnvStart.In(b), EnvEnd: n.EnvEnd.In(b)}
	for _, c := range []struct {
		to *uint64
		of kernel.Enum
	}{{&m.File, n.File}, {&m.Anon, n.Anon}, {&m.Shmem, n.Shmem}} {
		if !c.of.Present() {
			continue
		}
		v, err := t.counter(n, n.RSS.Bytes(b), c.of.Value)
		if err != nil {
			m.err = fmt.Errorf("mm_struct %#x: rss_stat: %w", mm, err)
		}
		for _, x := range t.sharing(mm) {
			if c.of.Value < int64(len(x.cached)) {
				v += int64(x.cached[c.of.Value])
			}
		}
		*c.to = uint64(max(0, v)) // as the kernel does: updates may be out of order
	}
	return m
}

// counter is counter i of an rss_stat.
func (t *Table) counter(n *mmNeeds, stat []byte, i int64) (int64, error) {
	typ := n.RSS.Type.Underlying()
	if typ.Kind() == ctype.Struct {
		count, ok := typ.Find("count")
		if !ok {
			return 0, errors.New("a struct without count")
		}
		off := count.Offset + i*8
		if i < 0 || off+8 > int64(len(stat)) {
			return 0, fmt.Errorf("it has no counter %d", i)
		}
		return int64(binary.LittleEndian.Uint64(stat[off:])), nil
	}
	elem := typ.Elem()
	if elem == nil || !members(elem, "count", "counters") || !n.PCCounters.Present() {
		return 0, errors.New("neither atomic nor per-CPU counters")
	}
	off := i * elem.Size()
	if i < 0 || off+elem.Size() > int64(len(stat)) {
		return 0, fmt.Errorf("it has no counter %d", i)
	}
	pc := stat[off : off+elem.Size()]
	sum := int64(n.PCCount.In(pc))
	if n.PCCounters.In(pc) == 0 {
		return sum, nil
	}
	// All possible CPUs: those that a panic stopped took their parts with them.
	cpus, err := t.k.PossibleCPUs()
	for _, cpu := range cpus {
		off, oerr := t.k.PerCPUOffset(cpu)
		var b [4]byte
		if oerr == nil {
			oerr = t.k.Read(b[:], n.PCCounters.In(pc)+off)
		}
		err = errors.Join(err, oerr)
		sum += int64(int32(binary.LittleEndian.Uint32(b[:])))
	}
	return sum, err
}

// sharing are the tasks with that address space which hold counts of their own.
func (t *Table) sharing(mm uint64) []*Task {
	if !t.n.CachedRSS.Present() {
		return nil
	}
	t.mmOnce.Do(func() {
		t.byMM = map[uint64][]*Task{}
		for _, x := range t.Tasks {
			if x.MM != 0 {
				t.byMM[x.MM] = append(t.byMM[x.MM], x)
			}
		}
	})
	return t.byMM[mm]
}
