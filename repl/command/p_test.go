package command

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/repltest"
)

func TestP(t *testing.T) {
	addr := regexp.MustCompile(`0x[0-9a-f]{16}|\bffff[0-9a-f]{12}`)
	for _, tt := range []struct{ line, want string }{
		{"p init_task.comm", `$1 = "swapper/0\000\000\000\000\000\000"` + "\n"},
		{"p init_task.prio", "$1 = 120\n"},
		{"p -x init_task.prio", "$1 = 0x78\n"},
		{"p /x init_task.prio", "$1 = 0x78\n"},
		{"p /t init_task.prio", "$1 = 1111000\n"},
		{"p /o 8", "$1 = 010\n"},
		{"p /z (short)5", "$1 = 0x0005\n"},
		{"p /c 65", "$1 = 65 'A'\n"},
		{"p /u -1", "$1 = 4294967295\n"},
		{"p /a (char)255", "$1 = 0xff\n"},
		{"p panic_timeout", "panic_timeout = $1 = 0\n"},
		{"p &init_task", "$1 = (struct task_struct *) ADDR <init_task>\n"},
		{"p schedule", "schedule = $1 = \n {void (void)} ADDR <schedule>\n"},
		{"p sysctl_tcp_rmem", ""},
		{"p console_printk", "console_printk = $1 = \n {15, 4, 1, 7}\n"},
		{"p system_state", "system_state = $1 = SYSTEM_RUNNING\n"},
		{"p MODULE_STATE_LIVE", "$1 = MODULE_STATE_LIVE\n"},
		{"p runqueues:1.cpu", "[1]: $1 = 1\n"},
		{"p runqueues.cpu:a", "[0]: $1 = 0\n[1]: $2 = 1\n"},
		{"p cpu_number:a", "per_cpu(cpu_number, 0) = $1 = 0\nper_cpu(cpu_number, 1) = $2 = 1\n"},
		{"p runqueues", "PER-CPU DATA TYPE:\n  struct rq runqueues;\nPER-CPU ADDRESSES:\n  [0]: ADDR\n  [1]: ADDR\n"},
		{"p sizeof(struct list_head) == 16 && init_task.pid == 0", "$1 = 1\n"},
		{"p modules.next != 0 > 0", ""},
	} {
		if tt.want == "" {
			continue
		}
		got, _ := tinyCheck(t, tt.line)
		if got = addr.ReplaceAllString(got, "ADDR"); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.line, got, tt.want)
		}
	}
}

func TestPHistory(t *testing.T) {
	got := tinyText(t, "p init_task.prio", "p $1+$", "p $$", "p -x $2")
	if want := "$1 = 120\n$2 = 240\n$3 = 120\n$4 = 0xf0\n"; strings.ReplaceAll(got, " \n", "\n") != want {
		t.Errorf("%q", got)
	}
}

func TestPFails(t *testing.T) {
	for line, want := range map[string]string{
		"p":                   "an expression is missing",
		"p nosuch":            "nosuch",
		"p init_task.nosuch":  "nosuch",
		"p runqueues.cpu":     "per-CPU variable: choose a CPU",
		"p runqueues:9":       "no CPU",
		"p *(int *)0":         "not mapped",
		"p init_task.pid = 1": "cannot be written",
		"p /q 1":              "no format",
		"p 1 +":               "operand",
	} {
		if got := tinyFailure(t, line); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// A variable of a module is found without any preparation.
func TestPModule(t *testing.T) {
	got, rows := tinyCheck(t, "p shmbug_write")
	if len(rows) == 0 || !strings.Contains(fmt.Sprint(rows[0]["ctype"]), "(struct file *, const char *, size_t, loff_t *)") {
		t.Errorf("%s%v", got, rows)
	}
}

func TestPSlash(t *testing.T) {
	x := tiny(t)
	var out strings.Builder
	o := repl.Options{Commands: []string{"p/x init_task.prio", "init_task.prio", "panic_timeout", "p/s init_task.comm"}, Stdout: &out, Stderr: &out, Stdin: strings.NewReader("")}
	if status := NewShell(o, x).Run(); status != 0 || out.String() != "$1 = 0x78\n$2 = 120\npanic_timeout = $3 = 0\n$4 = \"swapper/0\\000\\000\\000\\000\\000\\000\"\n" {
		t.Errorf("status %d:\n%s", status, out.String())
	}
	if r := repltest.Run(t, All(x), repl.Options{}, "p -u 1"); r.Out != "" && !strings.Contains(r.Out, "= 1\n") {
		t.Errorf("%+v", r)
	}
}
