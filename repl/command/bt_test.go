package command

import (
	"fmt"
	"strings"
	"testing"
)

// The frames that crash gives for the task that panicked in the bundled dump,
// below the register block.
const panicFrames = `
 #0 [ffffa92d00237bd8] panic at ffffffffbe4aa952
 #1 [ffffa92d00237c50] check_panic_on_warn.cold at ffffffffbe4aa99e
 #2 [ffffa92d00237c58] __warn at ffffffffbe23c477
 #3 [ffffa92d00237c78] report_bug at ffffffffbe484515
 #4 [ffffa92d00237cb8] handle_bug at ffffffffbe4b854c
 #5 [ffffa92d00237cc8] exc_invalid_op at ffffffffbe4b8603
 #6 [ffffa92d00237ce0] asm_exc_invalid_op at ffffffffbe600ab6
    [exception RIP: __shm_close+78]
    RIP: ffffffffbe378c5e  RSP: ffffa92d00237d90  RFLAGS: 00000202
    RAX: ffffffffffffffea  RBX: ffff9b6d00a38d00  RCX: 0000000000000004
    RDX: ffffffffffffffea  RSI: ffff9b6d00435900  RDI: 000000000000005c
    RBP: 0000000000000007   R8: ffff9b6d00435950   R9: ffffffffbec98230
    R10: 0000000000000000  R11: 0000000000000000  R12: ffffffffbec98040
    R13: ffffffffbec98208  R14: ffff9b6d00a3f460  R15: 0000000000000000
    ORIG_RAX: ffffffffffffffff  CS: 0010  SS: 0018
 #7 [ffffa92d00237db8] vma_close at ffffffffbe2e6e58
 #8 [ffffa92d00237dc8] exit_mmap at ffffffffbe2fc221
 #9 [ffffa92d00237eb0] mmput at ffffffffbe239200
#10 [ffffa92d00237ec0] do_exit at ffffffffbe23fca3
#11 [ffffa92d00237f10] do_group_exit at ffffffffbe2403e8
#12 [ffffa92d00237f38] __x64_sys_exit_group at ffffffffbe24044f
#13 [ffffa92d00237f40] do_syscall_64 at ffffffffbe4b849b
#14 [ffffa92d00237f50] entry_SYSCALL_64_after_hwframe at ffffffffbe6000af
    RIP: 000000000043c239  RSP: 00007ffff29f45c8  RFLAGS: 00000246
    RAX: ffffffffffffffda  RBX: 0000000000000003  RCX: 000000000043c239
    RDX: 000000000000003c  RSI: 00000000000000e7  RDI: 0000000000000000
    RBP: 000000000048d0a1   R8: ffffffffffffffb0   R9: 00000000004c2fa0
    R10: 000000000043d271  R11: 0000000000000246  R12: 0000000000000037
    R13: 0000000000000002  R14: 00007ffff29f4600  R15: 00007ffff29f4868
    ORIG_RAX: 00000000000000e7  CS: 0033  SS: 002b
`

func TestBtOfThePanic(t *testing.T) {
	out := tinyText(t, "set inline off", "bt", "bt -p", "bt -c 0")
	if n := strings.Count(out, panicFrames); n != 3 {
		t.Errorf("the frames are there %d times, not 3:\n%s", n, out)
	}
	if !strings.Contains(out, "    [exception RIP: delay_tsc+30]\n    RIP: ffffffffbe4a3ffe  RSP: ffffa92d00237bd8  RFLAGS: 00000293\n") ||
		!strings.Contains(out, "    CS: 0010  SS: 0018\n #0 ") {
		t.Error("the CPU's registers are missing", out)
	}
}

// shm_close is called through vma->vm_ops->close and ends in a jump.
func TestBtTailCall(t *testing.T) {
	text, rows := tinyCheck(t, "bt -s")
	if !strings.Contains(text, " CS: 0010  SS: 0018\n        (tail call) shm_close+31 at /usr/src/linux-6.1/ipc/shm.c: 404\n #7 [ffffa92d00237db8] vma_close+") {
		t.Error(text)
	}
	n := 0
	for _, r := range rows {
		if r["source"] == "tail call" {
			n++
			if r["symbol"] != "shm_close" || r["frame"] != nil || r["slot"] != nil || r["guess"] != false {
				t.Error(r)
			}
		}
	}
	if n != 1 {
		t.Errorf("%d tail calls", n)
	}
	text = tinyText(t, "bt -V")
	for _, want := range []string{"sfd = (struct shm_file_data *) 0xffff9b6d00a38d00  [derived: by replay of ", "file = (struct file *) 0xffff9b6d00303100  [derived: by replay of "} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if text := tinyText(t, "set inline off", "bt"); strings.Contains(text, "tail call") {
		t.Error(text)
	}
}

func TestBtInlined(t *testing.T) {
	text, rows := tinyCheck(t, "bt -s")
	if !strings.Contains(text, "#12 [ffffa92d00237f38] __x64_sys_exit_group+15 at ffffffffbe24044f\n"+
		"        (inlined) __do_sys_exit_group at /usr/src/linux-6.1/kernel/exit.c: 1041\n"+
		"        (inlined) __se_sys_exit_group at /usr/src/linux-6.1/kernel/exit.c: 1039\n#13 ") {
		t.Error(text)
	}
	numbers, registers := 0, 0
	for _, r := range rows {
		switch r["type"] {
		case "frame":
			if r["frame"] != nil {
				if fmt.Sprintf("%v %v %v", r["frame"], r["pid"], r["guess"]) != fmt.Sprintf("%d 91 false", numbers) {
					t.Error(r)
				}
				numbers++
			}
			if r["symbol"] == "vma_close" && (r["slot"] != "0xffffa92d00237db8" || r["pc"] != "0xffffffffbe2e6e58" || r["cfa"] != "0xffffa92d00237dd0") {
				t.Error(r)
			}
			if calls, _ := r["inlined"].([]any); r["symbol"] == "__x64_sys_exit_group" && len(calls) != 2 {
				t.Error(r)
			}
		case "registers":
			registers++
		}
	}
	if numbers != 15 || registers != 3 {
		t.Errorf("%d frames, %d register sets", numbers, registers)
	}
}

func TestBtForms(t *testing.T) {
	for _, tt := range []struct {
		line string
		want []string
	}{
		{"bt -l 2", []string{"#1 [ffffa92d00027f00] schedule at", "    /usr/src/linux-6.1/kernel/sched/core.c: 6660\n"}},
		{"bt -f", []string{"    ffffa92d00237be0: ", " ffffffffbe4aa99e \n #1 [ffffa92d00237c50] check_panic", "    ORIG_RAX: ffffffffffffffff  CS: 0010  SS: 0018\n    ffffa92d00237ce8: 0000000000000000 "}},
		{"bt -F", []string{"check_panic_on_warn.cold+15 \n #1 [", "    ffffa92d00237dc0: "}},
		{"bt -sx", []string{" #7 [ffffa92d00237db8] vma_close+0x18 at ffffffffbe2e6e58\n", "[exception RIP: __shm_close+78]"}},
		{"bt -t", []string{"              START: delay_tsc at ffffffffbe4a3ffe\n", "  [ffffa92d00237bd8] panic at ffffffffbe4aa952\n"}},
		{"bt -T", []string{"  [ffffa92d00237bd8] panic at ffffffffbe4aa952\n"}},
		{"bt -r", []string{"ffffa92d00237bd0:  ", "panic+"}},
		{"bt -e", []string{"\n  KERNEL-MODE EXCEPTION FRAME AT: ffffa92d00237ce8\n    [exception RIP: __shm_close+78]\n", "\n  USER-MODE EXCEPTION FRAME AT: ffffa92d00237f58\n    RIP: 000000000043c239"}},
		{"bt -E", []string{"CPU 0 IRQ STACK:\n(none found)\n\nCPU 1 IRQ STACK:\n", "CPU 1 NMI EXCEPTION STACK:\n"}},
		{"bt -v", []string{"No stack overflows detected\n"}},
		{"bt -S ffffa92d00237db8", []string{" #0 [ffffa92d00237db8] vma_close at ffffffffbe2e6e58 (guess: scan)\n", " #1 [ffffa92d00237dc8] exit_mmap at"}},
		{"bt -S ffffa92d00237dc0 -I ffffffffbe2e6e58", []string{" #0 [ffffa92d00237dc0] vma_close at", " #1 [ffffa92d00237dc8] exit_mmap at"}},
		{"bt -a", []string{"COMMAND: \"victim\"", "\n\nPID: 72 ", "[exception RIP: stop_this_cpu+"}},
		{"foreach bt -R __shm_close", []string{"COMMAND: \"victim\""}},
		{"foreach active bt", []string{"PID: 72 ", "\n\nPID: 91 "}},
		{"foreach 1 2 bt", []string{"PID: 1  ", "\n\nPID: 2  "}},
		{"foreach kernel 'kthr.*' set", []string{"    PID: 2\nCOMMAND: \"kthreadd\"\n"}},
		{"foreach 1 ps", []string{"      PID    PPID", " init\n"}},
		{"foreach 1 2 task -R pid", []string{"  pid = 1,\n", "  pid = 2,\n"}},
		{"foreach 1 bt set", []string{" #0 [", "    PID: 1\n"}},
	} {
		out := tinyText(t, "set inline off", tt.line)
		for _, w := range tt.want {
			if !strings.Contains(out, w) {
				t.Errorf("%s: no %q in\n%.3000s", tt.line, w, out)
			}
		}
	}
	if out := tinyText(t, "foreach bt -R __shm_close"); strings.Count(out, "PID: ") != 1 {
		t.Error(out)
	}
	for line, want := range map[string]string{
		"bt -c 9":        "invalid CPU specification: 9",
		"bt 99999":       "invalid task or pid value: 99999",
		"bt -I 1":        "-I needs -S",
		"foreach":        "which command?",
		"foreach sys":    "invalid task or pid value: sys",
		"foreach bt sys": "sys does not run under foreach",
	} {
		if got := tinyFailure(t, line); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// BenchmarkBt follows and prints the stacks of all tasks.
func BenchmarkBt(b *testing.B) {
	t := tiny(b)
	table, err := t.tasks()
	if err != nil {
		b.Fatal(err)
	}
	tr, err := t.unwinder()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, x := range table.Tasks {
			tr.unwinder.Trace(thread(table, x))
		}
	}
}

// The tiny dump has a word of the frame below, which a scan shows, too.
func TestScannedTrace(t *testing.T) {
	text, rows := tinyCheck(t, "bt -o")
	if !strings.Contains(text, "] __shm_close at ffffffffbe378c5e\n") || !strings.Contains(text, "ORIG_RAX: 00000000000000e7  CS: 0033") || strings.Contains(text, "guess") {
		t.Errorf("%d rows:\n%s", len(rows), text)
	}
	if got := tinyText(t, "set inline off", "bt 2"); got[strings.Index(got, "PID"):] != tinyText(t, "bt -o 2") {
		t.Errorf("bt -o 2 is not bt 2:\n%s", got)
	}
	both := tinyText(t, "bt -O", "bt", "bt -O", "set inline off", "bt")
	if !strings.HasPrefix(both, "bt: use old bt method by default\n") || strings.Count(both, "__shm_close at") != 1 {
		t.Errorf("bt -O:\n%s", both)
	}
	inside := tinyText(t, "bt -F --inside")
	if plain := tinyText(t, "bt -F"); !strings.Contains(inside, "+0x") || strings.Contains(plain, "+0x") || !strings.Contains(inside, "[mm_struct+0x60]") {
		t.Errorf("bt -F --inside:\n%s", inside)
	}
	for _, line := range []string{"bt -n busy", "bt -a -g"} {
		tinyFailure(t, line)
	}
}
