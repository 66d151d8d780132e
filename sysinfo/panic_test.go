package sysinfo

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/kdive/kdive/kernel/kerneltest"
)

const logDecls = `struct printk_log { u64 ts_nsec; u16 len; u16 text_len; u16 dict_len; u8 facility; u8 flags:5; u8 level:3; };`

// logKernel has a log of these lines; one that begins with "user:" was written
// by a program.
func logKernel(t *testing.T, lines ...string) *kerneltest.Kernel {
	k := kerneltest.New(t, logDecls)
	for i, name := range []string{"log_buf", "log_buf_len", "log_first_idx", "log_next_idx"} {
		k.DefineSymbol(name, 0x1000+uint64(i)*8)
	}
	var buf []byte
	for _, l := range lines {
		l, user := strings.CutPrefix(l, "user:")
		h := make([]byte, 16)
		size := (16 + len(l) + 7) &^ 7
		binary.LittleEndian.PutUint16(h[8:], uint16(size))
		binary.LittleEndian.PutUint16(h[10:], uint16(len(l)))
		if user {
			h[14] = 1
		}
		buf = append(append(append(buf, h...), l...), make([]byte, size-16-len(l))...)
	}
	k.Words(0x1000, 0x8000, uint64(len(buf)+64), 0, uint64(len(buf)))
	k.Map(0x8000, len(buf)+64)
	k.Bytes(0x8000, buf)
	return k
}

func TestPanic(t *testing.T) {
	const (
		null  = "BUG: kernel NULL pointer dereference, address: 0000000000000000"
		oops1 = "Oops: 0002 [#1] PREEMPT SMP NOPTI"
		gpf   = "general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#2] SMP"
		fatal = "Kernel panic - not syncing: Fatal exception"
		sysrq = "Kernel panic - not syncing: sysrq triggered crash"
		warn  = "WARNING: CPU: 0 PID: 145 at ipc/shm.c:381 __shm_close+0x106/0x160"
	)
	tests := []struct {
		name    string
		crashed bool
		lines   []string
		want    Panic
	}{
		{"sysrq", true, []string{"sysrq: Trigger a crash", sysrq, "---[ end " + sysrq + " ]---"}, Panic{Message: sysrq}},
		{"warning", true, []string{"------------[ cut here ]------------", warn, "Kernel panic - not syncing: kernel: panic_on_warn set ..."},
			Panic{Message: "Kernel panic - not syncing: kernel: panic_on_warn set ...", Cause: warn}},
		{"oops", true, []string{null, "#PF: supervisor write access in kernel mode", "#PF: error_code(0x0002) - not-present page", "PGD 0 P4D 0", oops1, fatal},
			Panic{Message: fatal, Cause: null}},
		{"oops without panic", true, []string{null, "PGD 0 P4D 0", oops1, "CPU: 0 PID: 1 Comm: x"}, Panic{Message: null}},
		{"protection fault", true, []string{gpf, fatal}, Panic{Message: fatal, Cause: gpf}},
		{"an old oops is not the cause", true, []string{null, oops1, "one", "two", sysrq}, Panic{Message: sysrq}},
		{"the last oops is the cause", true, []string{null, oops1, "one", gpf, "Kernel panic - not syncing: Fatal exception in interrupt"},
			Panic{Message: "Kernel panic - not syncing: Fatal exception in interrupt", Cause: gpf}},
		{"a headline far above does not count", true, []string{null, "1", "2", "3", "4", "5", "6", "7", "8", "9", gpf}, Panic{Message: gpf}},
		{"kernel BUG", true, []string{"------------[ cut here ]------------", "kernel BUG at ipc/shm.c:205!", "invalid opcode: 0000 [#1] SMP", "CPU: 1"}, Panic{Message: "kernel BUG at ipc/shm.c:205!"}},
		{"soft lockup", true, []string{"watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [x:1]", "Kernel panic - not syncing: softlockup: hung tasks"},
			Panic{Message: "Kernel panic - not syncing: softlockup: hung tasks", Cause: "watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [x:1]"}},
		{"hung task", true, []string{"INFO: task x:1 blocked for more than 120 seconds.", "Kernel panic - not syncing: hung_task: blocked tasks"},
			Panic{Message: "Kernel panic - not syncing: hung_task: blocked tasks", Cause: "INFO: task x:1 blocked for more than 120 seconds."}},
		{"programs may write what they like", true, []string{"user:Kernel panic - not syncing: ha ha", "user:" + oops1, sysrq}, Panic{Message: sysrq}},
		{"quoted in a message", false, []string{"saw Kernel panic - not syncing: x"}, Panic{}},
		{"survived", false, []string{null, oops1, "CPU: 0"}, Panic{Survived: null}},
		{"nothing", false, []string{"hello"}, Panic{}},
		{"one record of several lines", true, []string{"hello\n" + sysrq + "\nmore"}, Panic{Message: sysrq}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ReadPanic(logKernel(t, tt.lines...), tt.crashed); got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}
