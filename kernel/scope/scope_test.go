package scope_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/kdive/kdive/expr"
	"github.com/kdive/kdive/kdivetest"
	"github.com/kdive/kdive/kernel/scope"
	"github.com/kdive/kdive/value"
)

// open opens the bundled dump.
func open(t *testing.T) *scope.Scope {
	t.Helper()
	return scope.New(kdivetest.Open(t).Kernel)
}

// The answers are those of crash 9.0.2 on the same dump, except where noted.
func TestExpressions(t *testing.T) {
	s := open(t)
	style := value.Style{Names: scope.Names{Kernel: s.Kernel}}
	for _, tt := range []struct{ text, want string }{
		{"init_task.comm", `"swapper/0\000\000\000\000\000\000"`},
		{"&init_task", "(struct task_struct *) 0xffffffffbec11600 <init_task>"},
		{"&init_task - 1", "(struct task_struct *) 0xffffffffbec0fcc0 <level1_fixmap_pgt+3264>"},
		{"saved_command_line", `0xffff9b6d02e22d40 "console=ttyS0 panic=0 lab=shmbug  qemu_fw_cfg.ioport=2@0x510:0:1:4"`},
		{"init_task.tasks", "{\n  next = 0xffff9b6d001a62f0,\n  prev = 0xffff9b6d00ac4630\n}"},
		{"init_task.pushable_tasks.prio_list.next", "(struct list_head *) 0xffffffffbec118c8 <init_task+712>"},
		{"jiffies", "4294893037"},
		{"schedule", "{void (void)} 0xffffffffbe4bc100 <schedule>"},
		{"&schedule", "(void (*)(void)) 0xffffffffbe4bc100 <schedule>"},
		{"schedule+1", "(void (*)(void)) 0xffffffffbe4bc101 <schedule+1>"},
		{"init_task.sched_class", "(const struct sched_class *) 0xffffffffbeae95c0 <idle_sched_class>"},
		{"init_task.sched_class->dequeue_task", "(void (*)(struct rq *, struct task_struct *, int)) 0xffffffffbe26d390 <dequeue_task_idle>"},
		{"console_drivers", "(struct console *) 0xffffffffbec9d600 <univ8250_console>"},
		{"PIDTYPE_PGID", "PIDTYPE_PGID"},
		{"(enum pid_type)2", "PIDTYPE_PGID"},
		{"sizeof(struct task_struct)", "6464"},
		{"(long)&((struct task_struct *)0)->tasks", "688"},
		{"cpu_number:1", "1"},
		{"per_cpu_offset", ""},
		{"_text", `0xffffffffbe200000 <startup_64> "H\215%Q?\240"`},
		{"init_net.loopback_dev->name", `"lo\000\000\000\000\000\000\000\000\000\000\000\000\000"`},
		{"*linux_banner@5", `"Linux"`},
		{"$rip", ""},
		// crash cannot say these.
		{"'kernel/sched/core.c'::runqueues:0.cpu", "0"},
		{"core.c::runqueues:1.cpu", "1"},
		{"startup_64", "{<text variable, no debug info>} 0xffffffffbe200000 <startup_64>"},
		{"&level1_fixmap_pgt", "(<data variable, no debug info> *) 0xffffffffbec0f000 <level1_fixmap_pgt>"},
		{"(unsigned long)level1_fixmap_pgt & 1", "0"},
		{"*(unsigned long *)&level1_fixmap_pgt & 1", "0"},
		{"level1_fixmap_pgt[3]", ""},
	} {
		v, err := expr.Eval(s, tt.text)
		if tt.want == "" {
			if err == nil {
				t.Errorf("%s has a value", tt.text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got := string(value.AppendTop(nil, v, style)); got != tt.want {
			t.Errorf("%s = %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

func TestPerCPUAndHistory(t *testing.T) {
	s := open(t)
	results, err := expr.EvalAll(s, "runqueues:a.cpu * 10")
	if err != nil || len(results) != 2 || results[1].CPU != 1 {
		t.Fatalf("runqueues:a = %v, %v", results, err)
	}
	if n, err := results[1].Value.Int(); n != 10 || err != nil {
		t.Errorf("CPU 1: %d, %v", n, err)
	}
	for _, text := range []string{"runqueues:2", "runqueues:1-0", "runqueues:x", "jiffies:0", "nosuch::jiffies", "nosuch", "$1"} {
		if v, err := expr.Eval(s, text); err == nil {
			t.Errorf("%s = %s", text, value.Format(v, value.Style{}))
		}
	}
	// Several files have a static of this name; each can be named.
	// version.c has a weak init_uts_ns that gave way to this one.
	if files := s.Files("init_uts_ns"); len(files) != 1 {
		t.Errorf("init_uts_ns is one variable, of %q", files)
	}
	files := s.Files("format_attr_edge")
	if len(files) < 2 {
		t.Errorf("files with a variable format_attr_edge: %q", files)
	}
	seen := map[uint64]bool{}
	for _, file := range files {
		addr, err := expr.Address(s, "&'"+file+"'::format_attr_edge")
		if err != nil || seen[addr] {
			t.Errorf("%s::format_attr_edge at %#x, %v", file, addr, err)
		}
		seen[addr] = true
	}
	if _, err := s.Variable("nosuch", ""); !errors.Is(err, expr.ErrUnknown) {
		t.Errorf("nosuch: %v", err)
	}
	v, err := expr.Eval(s, "init_task.tasks")
	if err != nil || s.Record(v) != 1 {
		t.Fatal(err)
	}
	s.Registers = func(name string) (uint64, bool) { return 0xffffffffbec11600, name == "rbx" }
	for _, text := range []string{"&$1 == &init_task.tasks", "&$ == &init_task.tasks", "((struct task_struct *)$rbx)->comm[0] == 's'"} {
		v, err := expr.Eval(s, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if b, _ := v.Bool(); !b {
			t.Errorf("%s is false", text)
		}
	}
	if _, err := expr.Eval(s, "(struct nosuch *)0"); err == nil || !strings.Contains(err.Error(), "nosuch") {
		t.Errorf("struct nosuch: %v", err)
	}
	if _, err := os.Stat("testdata"); err == nil {
		t.Error("a test left files")
	}
}
