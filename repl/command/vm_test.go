package command

import (
	"fmt"
	"strings"
	"testing"
)

const initMemory = `PID: 1        TASK: ffff9b6d001a6040  CPU: 0    COMMAND: "init"
       MM               PGD          RSS    TOTAL_VM
ffff9b6d00144ac0  ffff9b6d0087a000  1732k    2256k  
`

func TestVM(t *testing.T) {
	text, rows := tinyCheck(t, "vm 1")
	if !strings.HasPrefix(text, initMemory+`      VMA           START       END     FLAGS FILE
ffff9b6d00867580     400000     401000     71 /bin/busybox
`) || !strings.HasSuffix(text, "ffff9b6d00867300 7ffdb51fd000 7ffdb51fe000  40075 \n") || len(rows) != 11 {
		t.Errorf("%s%v", text, rows)
	}
	if r := rows[0]; r["type"] != "vm" || fmt.Sprintf("%v %v", r["rss"], r["total"]) != "1732 2256" || r["pgd"] != "0xffff9b6d0087a000" {
		t.Errorf("%v", r)
	}
	if r := rows[1]; r["type"] != "vm_area" || r["path"] != "/bin/busybox" || r["start"] != "0x400000" || fmt.Sprint(r["offset"]) != "0" || r["flag_names"].([]any)[0] != "READ" {
		t.Errorf("%v", r)
	}
	const none = "       MM               PGD          RSS    TOTAL_VM\n       0                 0            0k       0k   \n"
	if text := tinyText(t, "vm -p 2 0"); strings.Count(text, none) != 3 || strings.Count(text, "\n\nPID: 0 ") != 2 || strings.HasSuffix(text, "\n\n") {
		t.Errorf("%s", text)
	}
}

func TestVMPages(t *testing.T) {
	text, rows := tinyCheck(t, "vm -P ffff9b6d00867380 1")
	if !strings.HasPrefix(text, `PID: 1        TASK: ffff9b6d001a6040  CPU: 0    COMMAND: "init"
      VMA           START       END     FLAGS FILE
ffff9b6d00867380     5e5000     5ec000 100073 
VIRTUAL     PHYSICAL
5e5000  `) || !strings.Contains(text, "5e6000      (not mapped)\n") || len(rows) != 8 {
		t.Errorf("%s%v", text, rows)
	}
	if r := rows[2]; r["type"] != "vm_page" || r["virtual"] != "0x5e6000" || r["physical"] != nil || r["file"] != nil {
		t.Errorf("%v", r)
	}
	if text := tinyText(t, "vm -P ffff9b6d00867380 60"); !strings.HasSuffix(text, "\n(not found)\n") {
		t.Errorf("%s", text)
	}
	text, rows = tinyCheck(t, "vm -p work")
	if !strings.Contains(text, "  FILE: /bin/work  OFFSET: ") || strings.Count(text, "      VMA  ") != strings.Count(text, "VIRTUAL     PHYSICAL\n") {
		t.Errorf("%s", text)
	}
	inFile := 0
	for _, r := range rows {
		if r["type"] == "vm_page" && r["file"] == "/bin/work" {
			inFile++
		}
	}
	if inFile != strings.Count(text, "  FILE: ") {
		t.Errorf("%d pages in the file, the text has %d", inFile, strings.Count(text, "  FILE: "))
	}
}

func TestVMReference(t *testing.T) {
	const heading, area = "      VMA           START       END     FLAGS FILE\n", "ffff9b6d00867380     5e5000     5ec000 100073 \n"
	for _, ref := range []string{"ffff9b6d00867380"} {
		if text, _ := tinyCheck(t, "vm -R "+ref+" 1"); text != initMemory+heading+area+"\n" {
			t.Errorf("%s: %s", ref, text)
		}
	}
	if text := tinyText(t, "vm -R 5e6000 1"); text != initMemory+heading+area+"VIRTUAL     PHYSICAL\n5e6000      (not mapped)\n\n" {
		t.Errorf("%s", text)
	}
	if text := tinyText(t, "vm -R ffff9b6d00144ac0 1"); text != initMemory+"\n" {
		t.Errorf("%s", text)
	}
	if text := tinyText(t, "vm -R busybox 1"); strings.Count(text, "/bin/busybox\n") != 5 || strings.Count(text, "\n") != 10 {
		t.Errorf("%s", text)
	}
	for _, ref := range []string{"5e6001", "/", "nosuch"} {
		if text := tinyText(t, "vm -R "+ref+" 1"); text != "" {
			t.Errorf("%s: %q", ref, text)
		}
	}
	// By what is said of a page: its physical address, its place in the file.
	text := tinyText(t, "vm -p 1")
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 2 && strings.HasPrefix(line, "40") && !strings.HasPrefix(f[1], "(") {
			if got := tinyText(t, "vm -R "+f[1]+" 1"); !strings.Contains(got, line) {
				t.Errorf("page at %s: %q", f[1], got)
			}
			break
		}
	}
}

func TestVMStructures(t *testing.T) {
	text, rows := tinyCheck(t, "vm -m 1")
	if !strings.Contains(text, "\nstruct mm_struct {\n") || !strings.HasSuffix(text, "\n}\n") || len(rows) != 1 || rows[0]["name"] != "mm_struct" {
		t.Errorf("%s", text)
	}
	if text, rows = tinyCheck(t, "vm -x -v 1"); strings.Count(text, "struct vm_area_struct {\n  ") != 10 || len(rows) != 10 || !strings.Contains(text, "vm_start = 0x400000,\n") {
		t.Errorf("%s", text)
	}
	if text := tinyText(t, "vm -m 2"); strings.Count(text, "\n") != 1 {
		t.Errorf("a kernel thread: %s", text)
	}
	if text := tinyText(t, "vm -M ffff9b6d00144ac0 2"); !strings.Contains(text, "ffff9b6d00867580     400000     401000     71 /bin/busybox\n") {
		t.Errorf("%s", text)
	}
	if text, rows := tinyCheck(t, "vm -f 100073"); text != "100073: (READ|WRITE|MAYREAD|MAYWRITE|MAYEXEC|ACCOUNT)\n" || len(rows) != 1 {
		t.Errorf("%s", text)
	}
	for _, line := range []string{"vm -m -v", "vm -p -m", "vm -P 1 -R 2", "vm -f zz", "vm -M 0", "vm -P 0", "vm 99999"} {
		tinyFailure(t, line)
	}
	if err := tinyFailure(t, "vm -M ffffffffffff0000 2"); !strings.Contains(err, "not mapped") {
		t.Errorf("%s", err)
	}
}
