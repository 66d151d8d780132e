package command

import (
	"strings"
	"testing"
)

func TestSym(t *testing.T) {
	tests := []struct{ line, want string }{
		{"sym init_task", "ffffffffbec11600 (D) init_task\n"},
		{"sym init_task+8", "ffffffffbec11608 (D) init_task+8\n"},
		{"sym ffffffffbec11608", "ffffffffbec11608 (D) init_task+8\n"},
		{"sym -n init_task", "ffffffffbec11600 (D) init_task\n"},
		{"sym convert_delimiter", "(t) convert_delimiter [shmbug] /usr/src/shmbug/shmbug.c: 23\n"},
		{"sym -m shmbug", "MODULE START: shmbug\n"},
		{"sym -q shm_close", "(t) __shm_close\n"},
		{"sym __shm_close", "/usr/src/linux-6.1/ipc/shm.c: 371\n"},
	}
	for _, tt := range tests {
		if got, rows := tinyCheck(t, tt.line); !strings.Contains(got, tt.want) || len(rows) == 0 {
			t.Errorf("%s: %q, want %q in it", tt.line, got, tt.want)
		}
	}
	image := strings.Count(tinyText(t, "sym -l"), "\n")
	if image < 10000 {
		t.Errorf("sym -l prints %d lines", image)
	}
	for _, line := range []string{"sym 1234", "sym no_such_symbol", "sym -m no_such_module", "sym -q no_such_part", "sym"} {
		tinyFailure(t, line)
	}
}

// The address of a CPU's copy of a variable names variable and CPU.
func TestSymPerCPU(t *testing.T) {
	target := tiny(t)
	addr, err := target.Opened.Kernel.PerCPU("runqueues", 1)
	if err != nil {
		t.Fatal(err)
	}
	s, ok := symbolAt(target.Opened.Kernel, addr+8)
	if !ok || s.Name != "runqueues" || s.cpu != 1 || s.offset != 8 {
		t.Errorf("%#x: %+v, %v", addr+8, s, ok)
	}
}

// A name that does not exist is answered with names like it, as far as there are
// any; without debug info with that.
func TestAlternatives(t *testing.T) {
	for line, want := range map[string]string{
		"rd schedule_timeout_un":  "rd: schedule_timeout_un is neither an address nor a symbol; symbols like it: schedule_timeout_uninterruptible",
		"dis linux_proc_bann":     "symbols like it: linux_proc_banner",
		"rd zz":                   "rd: zz is neither an address nor a symbol\n",
		"rd path_ge":              "symbols like it: path_get path_getxattr\n",
		"vtop zzz_no_such_symbol": "vtop: zzz_no_such_symbol is neither an address nor a symbol\n",
	} {
		if got := tinyFailure(t, line); !strings.Contains(got, want) {
			t.Errorf("%s: %q", line, got)
		}
	}
}
