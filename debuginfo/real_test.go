package debuginfo

import (
	"os"
	"testing"
)

// openReal opens the kernel that KDIVE_TEST_VMLINUX names.
func openReal(tb testing.TB, opt Options) *Info {
	path := os.Getenv("KDIVE_TEST_VMLINUX")
	if path == "" {
		tb.Skip("KDIVE_TEST_VMLINUX names no kernel")
	}
	in, err := Open(path, opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { in.Close() })
	return in
}

// Facts that hold for every x86-64 kernel.
func TestRealKernel(t *testing.T) {
	in := openReal(t, Options{})
	list, err := in.Type("struct list_head")
	if err != nil {
		t.Fatal(err)
	}
	prev, ok := list.Find("prev")
	if !ok || list.Size() != 16 || prev.Offset != 8 {
		t.Errorf("struct list_head: size %d, prev %+v", list.Size(), prev)
	}
	if prev.Type.Elem() != list {
		t.Error("list_head.prev points to another struct list_head")
	}
	task, err := in.Type("struct task_struct")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tasks", "comm", "mm", "pid", "thread"} {
		if m, ok := task.Find(name); !ok || m.Offset == 0 || m.Type == nil {
			t.Errorf("task_struct.%s: %+v, %v", name, m, ok)
		}
	}
	vars, err := in.Variables("init_task")
	if err != nil || len(vars) != 1 || vars[0].Type != task || !vars[0].HasAddr {
		t.Fatalf("init_task: %+v, %v", vars, err)
	}
	syms := in.Lookup("init_task")
	if len(syms) != 1 || syms[0].Addr != vars[0].Addr {
		t.Errorf("init_task: symbols %+v, variable at %#x", syms, vars[0].Addr)
	}
	if s, ok := in.SymbolAt(syms[0].Addr + 8); !ok || s.Name != "init_task" {
		t.Errorf("symbol at init_task+8: %+v", s)
	}
	fns, err := in.Functions("schedule")
	if err != nil || len(fns) != 1 || fns[0].Low != in.Lookup("schedule")[0].Addr {
		t.Errorf("schedule: %+v, %v", fns, err)
	}
	if v, enum, ok := in.Enumerator("PIDTYPE_PGID"); !ok || v != 2 || enum.Name() != "pid_type" {
		t.Errorf("PIDTYPE_PGID: %d in %v", v, enum)
	}
	for spec, want := range map[string]int64{"unsigned long": 8, "long long unsigned": 8, "short": 2, "u8": 1, "char *": 8, "unsigned": 4} {
		if typ, err := in.Type(spec); err != nil || typ.Size() != want {
			t.Errorf("Type(%q) = %v, %v; want %d bytes", spec, typ, err, want)
		}
	}
}
