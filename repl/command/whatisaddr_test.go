package command

import (
	"strings"
	"testing"
)

func TestWhatisAddress(t *testing.T) {
	tests := []struct{ line, want string }{
		{"whatis ffff9b6d00a38d10", `ffff9b6d00a38d10: [kmalloc-32] ffff9b6d00a38d00+0x10 (allocated)  struct shm_file_data.file
    object  104 of 124 in slab ffffdd75c0023c40 of cache kmalloc-32, 32 bytes each
  known by  slab_cache of the page's structure
      type  struct shm_file_data: file.private_data of 0xffff9b6d00303100, whose f_op is shm_file_operations
    member  struct file *file
  physical  a38d10
      word  ffff9b6d008dda00  [maple_node] ffff9b6d008dda00 (allocated)  struct file
   held by  ffff9b6d003031c0  [maple_node] ffff9b6d00303100+0xc0 (allocated)  struct file.private_data
            ffff9b6d02a27dc0  per-CPU memory of CPU 0 +0x27dc0
            ffffa92d00237d10  stack of 91 "victim", saved registers  struct pt_regs.bx
`},
		{"whatis -q ffff9b6d00a38d10", `ffff9b6d00a38d10: [kmalloc-32] ffff9b6d00a38d00+0x10 (allocated)
    object  104 of 124 in slab ffffdd75c0023c40 of cache kmalloc-32, 32 bytes each
  known by  slab_cache of the page's structure
  physical  a38d10
      word  ffff9b6d008dda00  [maple_node] ffff9b6d008dda00 (allocated)  struct file
`},
		{"whatis ffffffffbec11998", `struct task_struct init_task;
ffffffffbec11998: init_task+0x398  struct task_struct.real_parent
    symbol  ffffffffbec11600 to ffffffffbec12f3f, 6464 bytes
  known by  symbol table
      type  struct task_struct: declared in init/init_task.c
    member  struct task_struct *real_parent
  physical  1a11998
      word  ffffffffbec11600  init_task  struct task_struct
`},
		{"whatis ffffffffbe4bc120", "void schedule(void);\nffffffffbe4bc120: schedule+0x20\n"},
		{"whatis ffff9b6d02a205d0", "ffff9b6d02a205d0: runqueues+0x890 of CPU 0  struct rq.idle\n"},
		{"whatis ffff888000000000", "ffff888000000000: nothing: kernel virtual address 0xffff888000000000: not mapped"},
		{"whatis ffffdd75c0023c48", "page structure ffffdd75c0023c40 of page a38000  struct slab.slab_list.next"},
	}
	for _, test := range tests {
		text, rows := tinyCheck(t, test.line)
		if !strings.Contains(text, test.want) {
			t.Errorf("%s: got:\n%swant:\n%s", test.line, text, test.want)
		}
		row := rows[len(rows)-1]
		if what, ok := row["what"].(map[string]any); row["type"] != "place" || !ok || what["kind"] == nil {
			t.Errorf("%s: %v", test.line, row)
		}
	}
}

func TestPointedObjects(t *testing.T) {
	tests := []struct{ line, want string }{
		{"struct -A shm_file_data.file,ns ffff9b6d00a38d00", "  file = 0xffff9b6d008dda00 <[maple_node] struct file>,\n  ns = 0xffffffffbec98040 <init_ipc_ns>,\n"},
		{"struct shm_file_data.file ffff9b6d00a38d00", "  file = 0xffff9b6d008dda00,\n"},
		{"p -A ((struct file *)0xffff9b6d00303100)->f_inode", "$1 = (struct inode *) 0xffff9b6d0094b0c0 <[shmem_inode_cache] struct shmem_inode_info+128>\n"},
		{"p ((struct file *)0xffff9b6d00303100)->f_inode", "$1 = (struct inode *) 0xffff9b6d0094b0c0\n"},
	}
	for _, test := range tests {
		if text, _ := tinyCheck(t, test.line); text != test.want {
			t.Errorf("%s: got:\n%swant:\n%s", test.line, text, test.want)
		}
	}
	_, rows := tinyCheck(t, "p -A ((struct file *)0xffff9b6d00303100)->f_inode")
	object := rows[0]["value"].(map[string]any)["object"].(map[string]any)
	if object["cache_name"] != "shmem_inode_cache" || object["ctype"] != "struct shmem_inode_info" || object["addr"] != "0xffff9b6d0094b040" {
		t.Errorf("%v", object)
	}
}
