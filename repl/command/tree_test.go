package command

import (
	"fmt"
	"strings"
	"testing"
)

func TestTree(t *testing.T) {
	// All threads of the initial PID namespace: 58 tasks and the two idle ones,
	// which have no entry. The nodes of this kernel have 16 slots.
	text, rows := tinyCheck(t, "tree -t xarray -p -r pid_namespace.idr init_pid_ns")
	if len(rows) < 58 || !strings.Contains(text, "  index: 91  position: root/5/11\n") {
		t.Errorf("%d rows:\n%s", len(rows), text)
	}
	text, rows = tinyCheck(t, "tree -t rb -l -o vmap_area.rb_node -s vmap_area.va_start vmap_area_root")
	last := ""
	for _, r := range rows {
		start := members(r)["va_start"].(string) // beyond 2^53
		if start <= last {
			t.Errorf("va_start %s after %s: not sorted", start, last)
		}
		last = start
	}
	if len(rows) < 10 || strings.Count(text, "va_start = ") != len(rows) {
		t.Errorf("%d rows:\n%s", len(rows), text)
	}
	if got := tinyText(t, "tree -t rb -p vmap_area_root"); !strings.Contains(got, "position: root/l\n") {
		t.Errorf("-p: %s", got)
	}
	for _, line := range []string{"tree", "tree -t heap vmap_area_root", "tree -r no.such vmap_area_root", "tree -v vmap_area_root", "tree 1234"} {
		tinyFailure(t, line)
	}
}

func TestTreeMaple(t *testing.T) {
	target := tiny(t)
	table, err := target.tasks()
	if err != nil {
		t.Fatal(err)
	}
	k := target.Opened.Kernel
	mmMT, err := k.Field("mm_struct.mm_mt")
	if err != nil {
		t.Fatal(err)
	}
	addr := mmMT.At(table.ByComm("shmuser0")[0].MM)
	line := "tree -t maple -s vm_area_struct.vm_start,vm_end " + fmt.Sprintf("%x", addr)
	_, rows := tinyCheck(t, line)
	if len(rows) < 10 {
		t.Fatalf("%s: %d rows", line, len(rows))
	}
	for _, r := range rows {
		m := members(r)
		if fmt.Sprint(m["vm_start"]) != fmt.Sprint(r["index"]) {
			t.Errorf("vm_start %v at index %v", m["vm_start"], r["index"])
		}
	}
	text, nodes := tinyCheck(t, "tree -t maple -v "+fmt.Sprintf("%x", addr))
	if !strings.HasPrefix(text, "maple_tree(") || len(nodes) == 0 {
		t.Errorf("-v: %s", text)
	}
	for _, r := range rows {
		if line := fmt.Sprintf(" %v-%v: %s\n", r["index"], r["last"], strings.TrimPrefix(r["address"].(string), "0x")); strings.Count(text, line) != 1 {
			t.Errorf("-v lacks%s", line)
		}
	}
}

// members are the members of the only object in a row of list or tree.
func members(row map[string]any) map[string]any {
	return row["objects"].([]any)[0].(map[string]any)["value"].(map[string]any)
}
