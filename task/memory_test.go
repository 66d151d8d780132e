package task

import (
	"strings"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel/kerneltest"
)

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
