package command

import (
	"strings"
	"testing"
)

func TestConversions(t *testing.T) {
	tests := []struct{ line, want string }{
		{"btop 512a000 fff init_task", "512a000: 512a\nfff: 0\nffffffffbec11600: ffffffffbec11\n"},
		{"ptob 512a 10 0x10", "512a: 512a000\na: a000\n10: 10000\n"},
		{"ptov 1000 0", `VIRTUAL           PHYSICAL        
ffff9b6d00001000  1000            

VIRTUAL           PHYSICAL        
ffff9b6d00000000  0               
`},
		{"ptov 100:a", "PER-CPU OFFSET: 100\n  CPU    VIRTUAL         \n  [0]  ffff9b6d02a00100\n  [1]  ffff9b6d02b00100\n"},
		{"ptov 100:1", "PER-CPU OFFSET: 100\n  CPU    VIRTUAL         \n  [1]  ffff9b6d02b00100\n"},
		{"ptov 100:", "PER-CPU OFFSET: 100\n  CPU    VIRTUAL         \n  [0]  ffff9b6d02a00100\n"},
		{"vmcoreinfo OSRELEASE", "OSRELEASE=6.1.192-tiny-slab\n"},
	}
	for _, tt := range tests {
		if got, rows := tinyCheck(t, tt.line); got != tt.want || len(rows) == 0 {
			t.Errorf("%s:\n%s", tt.line, got)
		}
	}
	for line, want := range map[string]string{
		"btop":                  "no address",
		"btop zz":               "zz",
		"ptob":                  "no page number",
		"ptob 0x10000000000000": "beyond 64-bit",
		"ptov":                  "no address",
		"ptov 12345678901234":   "not in the direct map",
		"ptov 0:9":              "no CPU 9",
		"ptov 0:x":              "invalid CPU specification: x",
		"vmcoreinfo NOSUCHKEY":  "VMCOREINFO has no NOSUCHKEY",
	} {
		if got := tinyFailure(t, line); !strings.Contains(got, want) {
			t.Errorf("%s: %q", line, got)
		}
	}
}

// TestVMCoreInfo has every line of the note as a row.
func TestVMCoreInfo(t *testing.T) {
	got, rows := tinyCheck(t, "vmcoreinfo")
	raw := string(tiny(t).Opened.Dump.VMCoreInfo().Raw())
	if got != raw || len(rows) != strings.Count(raw, "\n") {
		t.Errorf("%d rows of\n%s", len(rows), got)
	}
}

// "set offline hide": CPU 1 of the bundled dump was off line.
func TestOfflineHide(t *testing.T) {
	for line, want := range map[string]string{
		"p cpu_number:a":                         "per_cpu(cpu_number, 0) = $1 = 0\ncpu 1 is OFFLINE\n",
		"p cpu_number":                           "PER-CPU DATA TYPE:\n  int cpu_number;\nPER-CPU ADDRESSES:\n  [0]: ffff9b6d02a15160\ncpu 1 is OFFLINE\n",
		"struct list_head cpu_number:1":          "[1]: [OFFLINE]\n",
		"ptov 8:a | sed 's/.*OFF/OFF/'":          "OFFLINE]\n",
		"bt -a | grep -c PID:":                   "1\n",
		"bt -c 1":                                "",
		"set offline show; bt -a | grep -c PID:": "2\n",
	} {
		if got := tinyText(t, "set offline hide > /dev/null", line); !strings.HasSuffix(got, want) || want == "" && got != "" {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
