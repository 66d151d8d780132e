package command

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/repltest"
)

// The hits are those of crash 9.0.2, without the addresses in the image mapping
// that crash makes up for memory outside of the image.
const searchPhysical = `
1a63d8: ffffffffbec11600 (init_task)
1a63e0: ffffffffbec11600 (init_task)
1b0418: ffffffffbec11600 (init_task)
1b0420: ffffffffbec11600 (init_task)
1dfe58: ffffffffbec11600 (init_task)
2006e0: ffffffffbec11600 (init_task)
23ce58: ffffffffbec11600 (init_task)
285e40: ffffffffbec11600 (init_task)
974dd8: ffffffffbec11600 (init_task)
9dbeb0: ffffffffbec11600 (init_task)
a2ada0: ffffffffbec11600 (init_task)
a3deb0: ffffffffbec11600 (init_task)
1a03df8: ffffffffbec11600 (init_task)
1a03e40: ffffffffbec11600 (init_task)
1a03e70: ffffffffbec11600 (init_task)
1a03eb0: ffffffffbec11600 (init_task)
1a11998: ffffffffbec11600 (init_task)
1a119a0: ffffffffbec11600 (init_task)
1a119c8: ffffffffbec11600 (init_task)
2a1af98: ffffffffbec11600 (init_task)
2a205d0: ffffffffbec11600 (init_task)
`

const searchDynamic = `
ffffa92d00057e58: ffffffffbec11600 (init_task)
ffffa92d000bbe58: ffffffffbec11600 (init_task)
ffffa92d000cbe40: ffffffffbec11600 (init_task)
ffffa92d0015fdd8: ffffffffbec11600 (init_task)
ffffa92d001afeb0: ffffffffbec11600 (init_task)
ffffa92d001cfda0: ffffffffbec11600 (init_task)
ffffa92d001d7eb0: ffffffffbec11600 (init_task)
`

const searchImage = `
ffffffffbec03df8: ffffffffbec11600 (init_task)
ffffffffbec03e40: ffffffffbec11600 (init_task)
ffffffffbec03e70: ffffffffbec11600 (init_task)
ffffffffbec03eb0: ffffffffbec11600 (init_task)
ffffffffbec11998: ffffffffbec11600 (init_task)
ffffffffbec119a0: ffffffffbec11600 (init_task)
ffffffffbec119c8: ffffffffbec11600 (init_task)
`

// inDirectMap is hits in physical memory at their addresses in the direct map.
func inDirectMap(t *testing.T, physical string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimPrefix(physical, "\n")) {
		var p uint64
		addr, rest, _ := strings.Cut(line, ":")
		if _, err := fmt.Sscanf(addr, "%x", &p); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%x:%s", 0xffff9b6d00000000+p, rest)
	}
	return b.String()
}

func TestSearch(t *testing.T) {
	direct := "\n" + inDirectMap(t, searchPhysical)
	tests := []struct{ line, want string }{
		{"search -p init_task", searchPhysical},
		{"search init_task", direct + searchDynamic[1:] + searchImage[1:]},
		{"search -k init_task", direct + searchDynamic[1:] + searchImage[1:]},
		{"search -K init_task", direct + searchImage[1:]},
		{"search -V init_task", searchDynamic},
		{"search -s init_task -l 1000 init_task", "\n" + strings.Join(strings.SplitAfter(searchImage[1:], "\n")[4:], "")},
		{"search -e ffffa92d000cbe40 -V init_task", "\n" + strings.Join(strings.SplitAfter(searchDynamic[1:], "\n")[:2], "")},
		{"search -s linux_banner -l 8 65762078756e694c", "\nffffffffbea474a0: 65762078756e694c \n"},
		{"search -s linux_banner -l 8 -w 65762078", "\nffffffffbea474a4: 65762078 \n"},
		{"search -s linux_banner -l 8 -h 694c 2078", "\nffffffffbea474a0: 694c \nffffffffbea474a4: 2078 \n"},
		{"search -s linux_banner -l 8 -h -m ff 6900", "\nffffffffbea474a0: 694c \n"},
		{"search -s linux_banner -l 20 -c version", "\nffffffffbea474a6: version 6.1.192-tiny-slab (root@vm) (gcc (Debian 12.2.0-\n"},
		{"search -x 2 -s linux_banner+8 -l 8 2e36206e6f697372", `
ffffffffbea47498:  0000000000000000 65762078756e694c   ........Linux ve
ffffffffbea474a8:  2e36206e6f697372 
ffffffffbea474b0:  69742d3239312e31 2062616c732d796e   1.192-tiny-slab 

`},
		{"search -p 123456789abcdef", "\n"},
		{"search -s linux_banner -l 8 (linux_banner)", "\n"},
	}
	for _, tt := range tests {
		got, rows := tinyCheck(t, tt.line)
		if "\n"+got != tt.want {
			t.Errorf("%s:\n%s\nwant%s", tt.line, got, tt.want)
		}
		if len(rows) == 0 || rows[len(rows)-1]["type"] != "searched" {
			t.Errorf("%s: rows %v", tt.line, rows)
		}
	}
}

func TestSearchStacks(t *testing.T) {
	const want = `PID: 0        TASK: ffffffffbec11600  CPU: 0    COMMAND: "swapper/0"
ffffffffbec03df8: ffffffffbec11600 (init_task)
ffffffffbec03e40: ffffffffbec11600 (init_task)
ffffffffbec03e70: ffffffffbec11600 (init_task)
ffffffffbec03eb0: ffffffffbec11600 (init_task)

PID: `
	got, rows := tinyCheck(t, "search -t init_task")
	if !strings.HasPrefix(got, want) || strings.Count(got, "(init_task)") != 11 {
		t.Errorf("got\n%s", got)
	}
	if rows[0]["task"] != "0xffffffffbec11600" || rows[0]["physical"] != "0x1a03df8" {
		t.Errorf("rows %v", rows)
	}
	if got := tinyText(t, "search -T init_task"); strings.Contains(got, "kthreadd") {
		t.Errorf("not only active tasks:\n%s", got)
	}
}

func TestSearchMisuse(t *testing.T) {
	for line, want := range map[string]string{
		"search":                                  "nothing to search for",
		"search -p -k 1":                          "exclude each other",
		"search -w init_task":                     "needs more than 4 bytes",
		"search -h 12345":                         "needs more than 2 bytes",
		"search zzz":                              "zzz",
		"search -l 10 1":                          "-l needs -s",
		"search -s init_task -l 0 1":              "-l needs -s",
		"search -s init_task -e ffff -p 1":        "is below starting address",
		"search -s 1000 1":                        "not a kernel virtual address",
		"search -u -s init_task 1":                "not a range of user virtual addresses",
		"search -t -s init_task 1":                "stacks are searched as a whole",
		"search -c -x 1 a":                        "not for strings",
		"search -c -m 1 a":                        "not for strings",
		"search -x 0 1":                           "0 values of context",
		`search -c ""`:                            "string of 0 bytes",
		"search -s init_task -l 8 -e 0 init_task": "exclude each other",
	} {
		if got := tinyFailure(t, line); !strings.Contains(got, want) {
			t.Errorf("%s: %q", line, got)
		}
	}
}

// TestSearchWithoutDebugInfo finds the same without a vmlinux, by page tables
// alone.
func TestSearchWithoutDebugInfo(t *testing.T) {
	strip := func(s string) string { return strings.ReplaceAll(s[1:], "(init_task)", "") }
	for line, want := range map[string]string{
		"search -p ffffffffbec11600": strip(searchPhysical),
		"search -k ffffffffbec11600": strip("\n" + inDirectMap(t, searchPhysical) + searchDynamic[1:] + searchImage[1:]),
	} {
		if r := repltest.Run(t, All(bare(t)), repl.Options{}, line); r.Out != want || r.Status != 0 || r.Err != "" {
			t.Errorf("%s: %+v", line, r)
		}
	}
}

// TestSearchTruncated searches a dump that was cut off: what is left is
// searched, and what is missing is told.
func TestSearchTruncated(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "tiny", "vmcore.kdump"))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "cut")
	if err := os.WriteFile(name, raw[:len(raw)*9/10], 0o600); err != nil {
		t.Fatal(err)
	}
	target := bareFile(t, name)
	r := repltest.Run(t, All(target), repl.Options{}, "search -p ffffffffbec11600")
	whole := strings.ReplaceAll(searchPhysical[1:], "(init_task)", "")
	if r.Out == "" || !strings.HasPrefix(whole, r.Out) || !strings.Contains(r.Err, "bytes of the dump could not be read: truncated") {
		t.Errorf("%+v", r)
	}
	_, rows := repltest.Check(t, All(target), "search -p ffffffffbec11600")
	if unread, ok := rows[len(rows)-1]["unread"].(map[string]any); rows[len(rows)-1]["type"] == "searched" && (!ok || unread["truncated"] == nil) {
		t.Errorf("rows %v", rows[len(rows)-2:])
	}
}
