package command

import (
	"fmt"
	"strings"
	"testing"
)

func TestIPCsSegments(t *testing.T) {
	text, rows := tinyCheck(t, "ipcs -m")
	const row = "ffff9b6d00941a00 000027c5 13008943   0     740   20672      13      \n"
	if !strings.HasPrefix(text, "SHMID_KERNEL     KEY      SHMID      UID   PERMS BYTES      NATTCH STATUS\n") ||
		!strings.Contains(text, row) || strings.Contains(text, "13008988") || !strings.HasSuffix(text, "\n\n") {
		t.Errorf("%s", text)
	}
	if len(rows) != 64 {
		t.Fatalf("%d segments", len(rows))
	}
	// What the segment says of itself, and what the processes say.
	for _, r := range rows {
		attached := r["attached"].([]any)
		if fmt.Sprint(len(attached)) != fmt.Sprint(r["attaches"]) {
			t.Errorf("segment %v: %d mappings found, it says %v", r["id"], len(attached), r["attaches"])
		}
	}
}

func TestIPCsFindsTheBrokenID(t *testing.T) {
	text, rows := tinyCheck(t, "ipcs -Ma 13008943")
	if n := strings.Count(text, "PID: "); n != 13 || strings.Count(text, "SHM_FILE_DATA ffff9b6d00a38d00 SAYS 13008988") != 1 {
		t.Errorf("%d mappings:\n%s", n, text)
	}
	if !strings.Contains(text, "PAGES ALLOCATED/RESIDENT/SWAPPED: 6/1/0\nINODE: ffff9b6d0094b0c0\n") {
		t.Errorf("%s", text)
	}
	last := rows[0]["attached"].([]any)[12].(map[string]any)
	if got := fmt.Sprintf("%v %v %v %v %v", len(rows), rows[0]["resident"], last["comm"], last["data_id"], last["exiting"]); got != "1 1 victim 13008988 true" {
		t.Errorf("%s: %v", got, rows)
	}
}

func TestIPCsKinds(t *testing.T) {
	for line, want := range map[string]string{
		"ipcs -s 2":                "SEM_ARRAY        KEY      SEMID      UID   PERMS NSEMS     \nffff9b6d00949c00 00005002 2          0     600   3         \n\n",
		"ipcs -q ffff9b6d00941900": "MSG_QUEUE        KEY      MSQID      UID   PERMS USED-BYTES   MESSAGES    \nffff9b6d00941900 00006000 0          0     644   50           1           \n\n",
	} {
		if text, _ := tinyCheck(t, line); text != want {
			t.Errorf("%s:\n%s", line, text)
		}
	}
	text, rows := tinyCheck(t, "ipcs -n 1 1")
	if len(rows) != 3 || strings.Count(text, "\n\n") != 3 {
		t.Errorf("%d rows:\n%s", len(rows), text)
	}
	if text, rows = tinyCheck(t, "ipcs -c -q 4"); len(rows) != 6 || strings.Count(text, "hello kernel dump") != 5 {
		t.Errorf("%d rows:\n%s", len(rows), text)
	}
	for _, line := range []string{"ipcs 99999", "ipcs nothing", "ipcs -s 13008943", "ipcs -n 99999"} {
		if got := tinyFailure(t, line); !strings.Contains(got, "invalid") {
			t.Errorf("%s: %s", line, got)
		}
	}
}
