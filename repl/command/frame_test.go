package command

import (
	"strings"
	"testing"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/repltest"
)

// TestFrameVariables: the frames of the bundled dump's crash. __shm_close was
// jumped to by shm_close, which vma_close called through vma->vm_ops->close.
func TestFrameVariables(t *testing.T) {
	text, rows := tinyCheck(t, "bt -V", "variable.value.text", "variable.value")
	for _, want := range []string{
		// In a register of an interrupted frame; a name behind it.
		"      ns = (struct ipc_namespace *) 0xffffffffbec98040 <init_ipc_ns>  [exact: r12]\n",
		// In a register that the frame below saved.
		"\n #7 [ffffa92d00237db8] vma_close at ffffffffbe2e6e58\n      vma = (struct vm_area_struct *) 0xffff9b6d00ac3a80  [derived: rbx, saved at ffffa92d00237d90 by __shm_close]\n",
		// In memory, not shown in full.
		"      mas = (struct ma_state) {...} at ffffa92d00237dd0  [exact: memory]\n",
		// Passed by the caller; passed by the caller through a frame that left by a jump.
		`"%s: panic_on_warn set ...\n"  [derived: rdi at the function's entry: passed by check_panic_on_warn: constant]`,
		"        (tail call) shm_close at /usr/src/linux-6.1/ipc/shm.c: 404\n      vma = (struct vm_area_struct *) 0xffff9b6d00ac3a80  [derived: rdi at the function's entry: passed by vma_close: rbx",
		// Under the line of an inlined call.
		"        (inlined) remove_vma at /usr/src/linux-6.1/mm/mmap.c: 140\n      vma = (struct vm_area_struct *) 0xffff9b6d00ac3a80  [derived: rbx, saved at ffffa92d00237dc0 by vma_close]\n",
		"      sfd = (struct shm_file_data *) 0xffff9b6d00a38d00  [derived: by replay of vma_close+19",
		"      shp = <lost: its places in the debug info do not cover this pc>\n",
		"      __flags = 2307  [derived: constant]\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("bt -V lacks %q", want)
		}
	}
	classes := map[any]int{}
	for _, r := range rows {
		if r["type"] != "variable" {
			continue
		}
		classes[r["class"]]++
		if r["class"] == "lost" && r["reason"] == nil || r["how"] == nil {
			t.Errorf("no reason: %v", r)
		}
	}
	if classes["exact"] < 8 || classes["derived"] < 30 || classes["lost"] == 0 {
		t.Errorf("classes: %v", classes)
	}
}

// TestFrameOperands: names mean the frame's variables once one was selected.
func TestFrameOperands(t *testing.T) {
	tests := []struct {
		lines []string
		want  string
	}{
		{[]string{"frame 7"}, " #7 [ffffa92d00237db8] vma_close+24 at ffffffffbe2e6e58\n    /usr/src/linux-6.1/mm/util.c: 1129\n"},
		{[]string{"frame 7", "p vma"}, "$1 = (struct vm_area_struct *) 0xffff9b6d00ac3a80\n"},
		{[]string{"frame 7", "p vma->vm_ops->close"}, "<shm_close>\n"},
		{[]string{"frame 7", "whatis vma"}, "struct vm_area_struct *\n"},
		{[]string{"frame 7", "rd vma 1"}, "ffff9b6d00ac3a80:  00007faab6b0e000"},
		{[]string{"frame 7", "struct vm_area_struct.vm_start vma"}, "  vm_start = 140371186212864,\n"},
		{[]string{"frame 6", "up", "p sfd->id"}, "= 13008988\n"},
		{[]string{"frame 6", "up", "p ns->ids[2].in_use"}, "= "},
		{[]string{"frame 6", "up", "p -x $rdi"}, "= 0x5c\n"},
		{[]string{"frame 7", "p -x $rbx"}, "= 0xffff9b6d00ac3a80\n"},
		{[]string{"frame 8", "down", "frame"}, " #7 [ffffa92d00237db8] vma_close+24"},
		{[]string{"up 1000", "frame"}, "entry_SYSCALL_64_after_hwframe+"},
		{[]string{"up 1000", "down 1000", "args"}, "  cycles = 2480005  [exact: r9]\n"},
		{[]string{"args -f 10"}, "do_exit\n  code = 0  [derived: rdi at the function's entry: passed by do_group_exit: "},
		{[]string{"locals -f 8"}, "  tlb = {\n    mm = 0xffff9b6d00a3f400,\n"},
		{[]string{"frame -r 7"}, "  rbx: ffff9b6d00ac3a80  [derived: rbx, saved at ffffa92d00237d90 by __shm_close]\n"},
		{[]string{"frame -r 7"}, "  rip: ffffffffbe2e6e58  [exact: rip] <vma_close+24>\n"},
		{[]string{"frame -r 7"}, "   r9: <lost>            [lost: r9 was not saved]\n"},
		{[]string{"frame 7", "p init_task.pid"}, "= 0\n"},
	}
	for _, tt := range tests {
		if out := tinyText(t, tt.lines...); !strings.Contains(out, tt.want) {
			t.Errorf("%s: no %q in\n%s", strings.Join(tt.lines, "; "), tt.want, out)
		}
	}
}

func TestFrameRows(t *testing.T) {
	for _, line := range []string{"frame -r 7", "args -f 7", "locals -f 8", "down", "up 3"} {
		if _, rows := tinyCheck(t, line, "variable.value.text", "variable.value"); len(rows) == 0 {
			t.Errorf("%s: no rows", line)
		}
	}
}

// TestFrameEnds: the choice ends with the task's being the current one, and what
// cannot be is said.
func TestFrameEnds(t *testing.T) {
	tests := []struct {
		lines []string
		want  string
	}{
		{[]string{"frame 7", "set 1", "p vma"}, "no variable, function or enumerator of this name"},
		{[]string{"p vma"}, "no variable, function or enumerator of this name"},
		{[]string{"frame 99"}, "frame: the task has no such frame"},
		{[]string{"frame x"}, "frame: "},
		{[]string{"up -1"}, "up: "},
		{[]string{"args 3"}, "args: no operand"},
		{[]string{"locals -f 99"}, "locals: the task has no frame 99"},
		{[]string{"frame 6", "up", "p shp + 1"}, "lost: its places in the debug info do not cover this pc"},
		{[]string{"frame 7", "p $rcx"}, "no register of this name is known"},
	}
	for _, tt := range tests {
		r := repltest.Run(t, All(tiny(t)), repl.Options{}, tt.lines...)
		if !strings.Contains(r.Err, tt.want) || r.Status == 0 {
			t.Errorf("%s: errors %q, want %q", strings.Join(tt.lines, "; "), r.Err, tt.want)
		}
	}
}
