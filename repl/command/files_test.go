package command

import (
	"strings"
	"testing"
)

func TestFiles(t *testing.T) {
	const want = `PID: 1        TASK: ffff9b6d001a6040  CPU: 0    COMMAND: "init"
ROOT: /    CWD: /
 FD       FILE            DENTRY           INODE       TYPE PATH
  0 ffff9b6d0014dd00 ffff9b6d0040e540 ffff9b6d002d4280 CHR  /dev/console
  1 ffff9b6d0014dd00 ffff9b6d0040e540 ffff9b6d002d4280 CHR  /dev/console
  2 ffff9b6d0014dd00 ffff9b6d0040e540 ffff9b6d002d4280 CHR  /dev/console
 10 ffff9b6d00303f00 ffff9b6d0040ff00 ffff9b6d002f4338 REG  /init

`
	if text, rows := tinyCheck(t, "files 1"); text != want || len(rows) != 5 || rows[4]["path"] != "/init" {
		t.Errorf("%s%v", text, rows)
	}
	if text := tinyText(t, "files -R init 1"); strings.Count(text, "\n") != 6 || !strings.Contains(text, " 10 ffff9b6d00303f00") {
		t.Errorf("%s", text)
	}
	if text := tinyText(t, "files -R nosuch 1"); text != "\n" {
		t.Errorf("%q", text)
	}
	if text := tinyText(t, "files 2"); !strings.HasSuffix(text, "No open files\n\n") {
		t.Errorf("%s", text)
	}
	text, rows := tinyCheck(t, "files -c sockets")
	if !strings.Contains(text, " FD      INODE          I_MAPPING     NRPAGES TYPE PATH\n") || len(rows) < 4 {
		t.Errorf("%s", text)
	}
}

func TestFilesNodes(t *testing.T) {
	const dentry = "     DENTRY           INODE           SUPERBLK     TYPE PATH\nffff9b6d0040ff00 ffff9b6d002f4338 ffff9b6d00196000 REG  /init\n"
	if text, _ := tinyCheck(t, "files -d ffff9b6d0040ff00"); text != dentry {
		t.Errorf("%s", text)
	}
	text, rows := tinyCheck(t, "files -p ffff9b6d002f4338")
	if !strings.HasSuffix(text, "ffffdd75c0063ca8  1c83000 ffff9b6d002f4488        0  1 8003e referenced,uptodate,dirty,lru,active,swapbacked\n") || len(rows) != 2 {
		t.Errorf("%s", text)
	}
	tinyFailure(t, "files -d 1234")
	tinyFailure(t, "files -p 1234")
	tinyFailure(t, "files 99999")
}
