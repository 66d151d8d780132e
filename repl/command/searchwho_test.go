package command

import (
	"fmt"
	"strings"
	"testing"
)

// The investigation's question: who refers to the file of segment 13008943?
func TestSearchHolders(t *testing.T) {
	text, rows := tinyCheck(t, "search -a ffff9b6d008dda00")
	want := map[string]int{"shm_file_data": 13, "shmid_kernel": 1}
	got := map[string]int{}
	for _, row := range rows {
		if row["type"] != "hit" {
			continue
		}
		holder := row["holder"].(map[string]any)
		typ := holder["ctype"].(map[string]any)
		name := strings.TrimPrefix(typ["name"].(string), "struct ")
		got[name]++
		if typ["certain"] != true || typ["why"] == "" || holder["state"] != "allocated" {
			t.Errorf("%v: %v", row["address"], holder)
		}
		switch member := holder["member"]; name {
		case "shm_file_data":
			if why := typ["why"].(string); member != "file" || !strings.Contains(why, "file.private_data of ") || !strings.HasSuffix(why, "whose f_op is shm_file_operations") {
				t.Errorf("%v: member %v, %s", row["address"], member, why)
			}
		case "shmid_kernel":
			if why := typ["why"]; member != "shm_file" || why != "id 13008943 in the table of shared memory" {
				t.Errorf("%v: member %v, %v", row["address"], member, why)
			}
		}
	}
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%d hits in %s, want %d:\n%s", got[name], name, n, text)
		}
	}
	const line = "ffff9b6d00a38d10: ffff9b6d008dda00  [kmalloc-32] ffff9b6d00a38d00+0x10 (allocated)  struct shm_file_data.file\n"
	if !strings.Contains(text, line) {
		t.Errorf("no %q in:\n%s", line, text)
	}
}

func TestSearchGroups(t *testing.T) {
	text, rows := tinyCheck(t, "search -g --show id ffff9b6d008dda00", "hit_group.holder")
	const want = `  HITS  HELD BY
    12  [kmalloc-32] (allocated)  struct shm_file_data.file  id = 13008943  (ffff9b6d008bd0b0 ffff9b6d008bd190 ffff9b6d008bd210 ffff9b6d008bd270 ...)
     1  [kmalloc-256] (allocated)  struct shmid_kernel.shm_file  (ffff9b6d00941a80)
     1  [kmalloc-32] (allocated)  struct shm_file_data.file  id = 13008988  (ffff9b6d00a38d10)
`
	if text != want {
		t.Errorf("got:\n%swant:\n%s", text, want)
	}
	if n := fmt.Sprint(rows[0]["count"]); n != "12" {
		t.Errorf("count %v", n)
	}
}

// Every kind of memory that holds the address of init_task or of what hangs on
// it.
func TestSearchHolderKinds(t *testing.T) {
	tests := []struct{ line, want string }{
		{"search -a init_task", "ffff9b6d001a63d8: ffffffffbec11600 (init_task) [task_struct] ffff9b6d001a6040+0x398 (allocated)  struct task_struct.real_parent\n"},
		{"search -a init_task", "ffff9b6d02a205d0: ffffffffbec11600 (init_task) runqueues+0x890 of CPU 0  struct rq.idle\n"},
		{"search -a init_task", "ffffffffbec11998: ffffffffbec11600 (init_task) init_task+0x398  struct task_struct.real_parent\n"},
		{"search -a init_task", "ffffa92d001d7eb0: ffffffffbec11600 (init_task) stack of 75 \"pending\", unused part\n"},
		{"search -a init_task", "ffff9b6d00a3deb0: ffffffffbec11600 (init_task) stack of 75 \"pending\", unused part (at ffffa92d001d7eb0)\n"},
		{"search -t -a ffff9b6d00a38d00", "ffffa92d00237d10: ffff9b6d00a38d00  stack of 91 \"victim\", saved registers  struct pt_regs.bx\n"},
		{"search -p -a ffff9b6d00a38d00", "3031c0: ffff9b6d00a38d00  [maple_node] ffff9b6d00303100+0xc0 (allocated)  struct file.private_data\n"},
	}
	for _, test := range tests {
		if text := tinyText(t, test.line); !strings.Contains(text, test.want) {
			t.Errorf("%s: no %q in:\n%s", test.line, test.want, text)
		}
	}
}

func TestSearchHolderOptions(t *testing.T) {
	for line, want := range map[string]string{
		"search --show id 1234":     "--show goes with",
		"search -g -x 2 init_task":  "-g counts hits",
		"search -a -k -p init_task": "exclude each other",
	} {
		if got := tinyFailure(t, line); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	if text := tinyText(t, "search -g -c victim"); !strings.Contains(text, "struct task_struct.comm") {
		t.Errorf("strings: %s", text)
	}
}
