package command

import (
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	text, rows := tinyCheck(t, "list -H modules -o module.list -s module.name,state")
	if len(rows) != 1 || !strings.Contains(text, `  name = "shmbug\000`) || !strings.Contains(text, "  state = MODULE_STATE_LIVE,\n") {
		t.Errorf("modules: %s", text)
	}
	if got := tinyText(t, "list -H modules -o module.list -S module.name,state"); !strings.HasSuffix(got, "\n  name = \"shmbug\"\n  state = 0\n") {
		t.Errorf("-S: %q", got)
	}
	// Every process once, the idle task first; backwards the same ones.
	text, rows = tinyCheck(t, "list -h init_task -o task_struct.tasks -s task_struct.pid")
	if !strings.HasPrefix(text, "ffffffffbec11600\n  pid = 0,\n") || len(rows) != strings.Count(text, "pid = ") || len(rows) < 40 {
		t.Errorf("tasks: %d rows\n%.200s", len(rows), text)
	}
	if _, back := tinyCheck(t, "list -r -h init_task -o task_struct.tasks"); len(back) != len(rows) {
		t.Errorf("%d tasks forwards, %d backwards", len(rows), len(back))
	}
	// The children of a task: the list hangs on another member than the links.
	if got := tinyText(t, "list -h ffff9b6d0096e900 -O task_struct.children -o task_struct.sibling -s task_struct.comm"); strings.Count(got, "shmuser") != 11 {
		t.Errorf("children of work: %s", got)
	}
	// The end may be named as object or as link.
	first := tinyText(t, "list -H modules -e (&modules)")
	if strings.Count(first, "\n") != 1 {
		t.Errorf("-e: %q", first)
	}
	// A plain chain, to its end.
	if got := tinyText(t, "list task_struct.real_parent ffff9b6d0096e900 -s task_struct.pid"); !strings.Contains(got, "  pid = 1,\n") {
		t.Errorf("chain of parents: %q", got)
	}
	// A member of a variable is an address, also beside an offset.
	if got := tinyText(t, "list task_struct.tasks -H init_task.tasks"); strings.Count(got, "\n") != len(rows)-1 {
		t.Errorf("-H init_task.tasks: %d lines, not %d", strings.Count(got, "\n"), len(rows)-1)
	}
	for _, line := range []string{"list 0", "list -H init_task.no_such", "list", "list -H no_such", "list -H -h init_task", "list 1234", "list -H modules -s no_such_struct", "list -O 8 init_task", "list -r init_task"} {
		tinyFailure(t, line)
	}
}
