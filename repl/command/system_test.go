package command

import (
	"strings"
	"testing"
)

// The facts of the bundled dump are told in testdata/tiny/README.md; crash
// confirms the rest.

func TestSys(t *testing.T) {
	text, rows := tinyCheck(t, "sys")
	for _, want := range []string{
		"        CPUS: 2 [OFFLINE: 1]\n", "       TASKS: 60\n", "     RELEASE: 6.1.192-tiny-slab\n", "      MEMORY: 47.6 MB\n",
		"       PANIC: \"Kernel panic - not syncing: kernel: panic_on_warn set ...\"\n",
		"       CAUSE: \"WARNING: CPU: 0 PID: 91 at ipc/shm.c:381 __shm_close+0x4e/0x140\"\n",
		"[PARTIAL DUMP]",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("sys lacks %q:\n%s", want, text)
		}
	}
	if len(rows) != 1 || rows[0]["taint"] != "O" || rows[0]["partial"] != true {
		t.Errorf("JSON: %v", rows)
	}
	if got := tinyText(t, "sys -t"); got != "TAINTED_MASK: 1000  O\n" {
		t.Errorf("sys -t: %q", got)
	}
	text, _ = tinyCheck(t, "sys -c 30")
	if !strings.Contains(text, " 30  __x64_sys_shmat") || !strings.Contains(text, "ipc/shm.c: ") {
		t.Errorf("sys -c 30: %q", text)
	}
	for _, line := range []string{"sys -c no_such_call", "sys config", "sys nonsense"} {
		tinyFailure(t, line)
	}
}

func TestContext(t *testing.T) {
	text, rows := tinyCheck(t, "set")
	const want = "    PID: 91\nCOMMAND: \"victim\"\n   TASK: ffff9b6d00ac4380  [THREAD_INFO: ffff9b6d00ac4380]\n    CPU: 0\n  STATE: TASK_RUNNING (PANIC)\n"
	if text != want {
		t.Errorf("set:\n%s\nwant:\n%s", text, want)
	}
	if rows[0]["pid"].(interface{ String() string }).String() != "91" {
		t.Errorf("JSON: %v", rows)
	}
	for line, part := range map[string]string{
		"set 0": "(1 of 2)", "set -c 1": "\"spinner\"", "set shmuser3": "\"shmuser3\"", "set ffff9b6d00ac4380": "PID: 91", "set 1; set -p": "PID: 91",
	} {
		if got := tinyText(t, line); !strings.Contains(got, part) {
			t.Errorf("%s: %q lacks %q", line, got, part)
		}
	}
	for _, line := range []string{"set 4242", "set -c 7", "set nobody"} {
		tinyFailure(t, line)
	}
}

func TestPS(t *testing.T) {
	text, rows := tinyCheck(t, "ps")
	if n := strings.Count(text, "\n"); n != 61 || len(rows) != 60 {
		t.Errorf("ps: %d lines and %d rows, want 61 and 60", n, len(rows))
	}
	if !strings.Contains(text, ">      91      58   0  ffff9b6d00ac4380  RU   0.0        0        0  victim\n") {
		t.Errorf("ps lacks victim:\n%s", text)
	}
	if got, _ := tinyCheck(t, "ps -S"); !strings.Contains(got, "  RU: ") {
		t.Errorf("ps -S: %q", got)
	}
	if got, _ := tinyCheck(t, "ps -p victim"); strings.Count(got, "PID: ") != 5 || !strings.HasSuffix(got, "    PID: 91       TASK: ffff9b6d00ac4380  CPU: 0    COMMAND: \"victim\"\n\n") {
		t.Errorf("ps -p: %q", got)
	}
	if got, _ := tinyCheck(t, "ps -g threads"); strings.Count(got, "\n  PID: ") != 8 {
		t.Errorf("ps -g threads: %q", got)
	}
	if got, _ := tinyCheck(t, "ps 'shmuser[0-9]*'"); strings.Count(got, "shmuser") != 11 {
		t.Errorf("pattern: %q", got)
	}
	for _, line := range []string{"ps -t 1", "ps -c 1", "ps -r 1", "ps -s", "ps -y FIFO", "ps -G -u"} {
		if got, _ := tinyCheck(t, line); got == "" {
			t.Errorf("%s prints nothing", line)
		}
	}
	// User pages are not in the dump: said, and no failure.
	if got, _ := tinyCheck(t, "ps -a shmuser0"); !strings.Contains(got, "excluded") {
		t.Errorf("ps -a: %q", got)
	}
	for _, line := range []string{"ps 4242", "ps -l", "ps -m -C a"} { // this kernel keeps no time stamps of last runs
		tinyFailure(t, line)
	}
}

func TestTask(t *testing.T) {
	if got, _ := tinyCheck(t, "task -R pid,comm,exit_state,cpu victim"); got != "PID: 91       TASK: ffff9b6d00ac4380  CPU: 0    COMMAND: \"victim\"\n"+
		"  pid = 91,\n  comm = \"victim\\000\\000\\000\\000\\000\\000\\000\\000\\000\",\n  exit_state = 0,\n  cpu = 0\n\n" {
		t.Errorf("task -R: %q", got)
	}
	text, rows := tinyCheck(t, "task")
	if !strings.Contains(text, "struct task_struct {\n") || !strings.Contains(text, "}\n\nstruct thread_info {\n") || len(rows) != 2 {
		t.Errorf("task: %d rows\n%.300s", len(rows), text)
	}
	tinyFailure(t, "task -R no_such_member")
}

func TestLog(t *testing.T) {
	text, rows := tinyCheck(t, "log", "log.text")
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if !strings.HasPrefix(lines[0], "[    0.000000] Linux version 6.1.192-tiny-slab ") || !strings.Contains(lines[len(lines)-1], "---[ end Kernel panic") || len(rows) < 100 {
		t.Errorf("log: %d rows, from %q to %q", len(rows), lines[0], lines[len(lines)-1])
	}
	if got := tinyText(t, "log -tm"); !strings.HasPrefix(got, "<5>Linux version") {
		t.Errorf("log -tm: %.80q", got)
	}
	if got := tinyText(t, "log -T"); !strings.HasPrefix(got, "[Sat Nov 21 04:34:4") {
		t.Errorf("log -T: %.80q", got)
	}
	if got := tinyText(t, "log -dm"); !strings.Contains(got, "\n                  SUBSYSTEM=") {
		t.Errorf("log -dm: what belongs to a record does not stand below its text")
	}
	if got := tinyText(t, "log -c"); !strings.HasPrefix(got, "[    0.000000] [    T0] Linux") {
		t.Errorf("log -c: %.80q", got)
	}
}
