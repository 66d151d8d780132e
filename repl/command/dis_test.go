package command

import (
	"strings"
	"testing"
)

func TestDis(t *testing.T) {
	// The warning in __shm_close is a ud2, and what follows it marks the bug as
	// reported.
	text, rows := tinyCheck(t, "dis -l __shm_close")
	if len(rows) < 50 || !strings.Contains(text, "/usr/src/linux-6.1/ipc/shm.c: 381\n0xffffffffbe378c5e <__shm_close+78>:\tud2") {
		t.Errorf("%d rows:\n%s", len(rows), text)
	}
	tests := []struct {
		line        string
		rows        int
		first, last string // parts of the first and the last line
	}{
		{"dis -r ffffffffbe378c5e 3", 3, "<__shm_close+", "<__shm_close+78>:\tud2"},
		{"dis -f ffffffffbe378c5e 2", 2, "<__shm_close+78>:\tud2", "<__shm_close+80>"},
		{"dis -x ffffffffbe378c5e", 1, "<__shm_close+0x4e>:\tud2", ""},
		{"dis shm_close 2", 2, "<shm_close>:\tpush", "<shm_close+1>"},
		{"dis convert_delimiter 1", 1, "<convert_delimiter>:\t", ""},
		{"dis --intel ffffffffbe378c5e", 1, "ud2", ""},
		{"dis (__shm_close + 78) 1", 1, "ud2", ""},
	}
	for _, tt := range tests {
		text, rows := tinyCheck(t, tt.line)
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if len(rows) != tt.rows || !strings.Contains(lines[0], tt.first) || !strings.Contains(lines[len(lines)-1], tt.last) {
			t.Errorf("%s: %d rows:\n%s", tt.line, len(rows), text)
		}
	}
	// -r ends with the address, -f begins with it: together the function.
	all := tinyText(t, "dis __shm_close")
	back := tinyText(t, "dis -r ffffffffbe378c5e")
	forward := tinyText(t, "dis -f ffffffffbe378c60")
	if all != back+forward {
		t.Errorf("the parts are not the whole:\n%s\n---\n%s\n---\n%s", all, back, forward)
	}
	// The file has what the linker wrote, the dump what the kernel made of it.
	if file := tinyText(t, "dis --vmlinux __shm_close"); strings.Count(file, "\n") != strings.Count(all, "\n") {
		t.Errorf("--vmlinux:\n%s", file)
	}
	for _, line := range []string{"dis", "dis no_such", "dis 1234", "dis -r -f shm_close", "dis shm_close 0"} {
		tinyFailure(t, line)
	}
}
