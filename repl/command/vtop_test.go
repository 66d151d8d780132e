package command

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/repltest"
)

// As crash 9.0.2 prints it, but for the heading of the second page.
const vtopKernel = `VIRTUAL           PHYSICAL        
ffffffffbec11600  1a11600         

PGD DIRECTORY: ffffffffbec0a000
PAGE DIRECTORY: 1a0c067
   PUD: 1a0cff0 => 1a0d063
   PMD: 1a0dfb0 => 875063
   PTE: 875088 => 8000000001a11163
  PAGE: 1a11000

      PTE         PHYSICAL  FLAGS
8000000001a11163   1a11000  (PRESENT|RW|ACCESSED|DIRTY|GLOBAL|NX)

      PAGE       PHYSICAL      MAPPING       INDEX CNT FLAGS
ffffdd75c005b3b8  1a11000                0        0  1 1000 reserved

VIRTUAL           PHYSICAL        
ffff9b6d001a63d8  1a63d8          

PGD DIRECTORY: ffffffffbec0a000
PAGE DIRECTORY: 1e00067
   PUD: 1e00da0 => 1e01067
   PMD: 1e01000 => 1e02067
   PTE: 1e02d30 => 80000000001a6163
  PAGE: 1a6000

      PTE         PHYSICAL  FLAGS
80000000001a6163   1a6000   (PRESENT|RW|ACCESSED|DIRTY|GLOBAL|NX)

      PAGE       PHYSICAL      MAPPING       INDEX CNT FLAGS
ffffdd75c0005c50   1a6000 ffff9b6d00141e00        0  1 10200 slab,head
`

func TestVtop(t *testing.T) {
	got, rows := tinyCheck(t, "vtop init_task ffff9b6d001a63d8")
	if got != vtopKernel {
		t.Errorf("got\n%s", got)
	}
	if len(rows) != 6 || rows[0]["physical"] != "0x1a11600" || rows[1]["pte"] != "0x8000000001a11163" || rows[2]["page"] != "0xffffdd75c005b3b8" {
		t.Errorf("rows %v", rows)
	}
}

func TestVtopUnmapped(t *testing.T) {
	const want = `VIRTUAL           PHYSICAL        
ffffffff81000000  (not mapped)

PGD DIRECTORY: ffffffffbec0a000
PAGE DIRECTORY: 1a0c067
   PUD: 1a0cff0 => 1a0d063
   PMD: 1a0d040 => 0

`
	got, rows := tinyCheck(t, "vtop ffffffff81000000")
	if got != want || len(rows) != 1 || rows[0]["physical"] != nil || rows[0]["fault"] == nil {
		t.Errorf("got\n%s\n%v", got, rows)
	}
	for line, want := range map[string]string{
		"vtop -k 400000":        "400000            (not a kernel virtual address)",
		"vtop -u init_task":     "ffffffffbec11600  (not a user virtual address)",
		"vtop ff00000000000000": "(not mapped: not canonical)",
	} {
		if got := tinyText(t, line); !strings.Contains(got, want) {
			t.Errorf("%s:\n%s", line, got)
		}
	}
}

// TestVtopUser translates addresses of the init process: its page tables and
// areas are in the dump, its pages are not.
func TestVtopUser(t *testing.T) {
	text, rows := tinyCheck(t, "vtop -c 1 400000")
	for _, want := range []string{"\n   PGD: ", "  PAGE: ", "USER", "      VMA           START       END     FLAGS FILE\n", "     400000     ", " /"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if len(rows) != 4 || rows[2]["start"] != "0x400000" || !strings.HasPrefix(fmt.Sprint(rows[2]["path"]), "/") {
		t.Errorf("rows %v", rows)
	}
}

func TestVtopMisuse(t *testing.T) {
	for line, want := range map[string]string{
		"vtop":            "no address",
		"vtop -u -k 0":    "exclude",
		"vtop -c 99999 0": "invalid task or pid value: 99999",
		"vtop nosuch":     "nosuch",
		"vtop 400000":     "no user memory", // the task in context has exited
		"pte":             "no entry",
		"pte zz":          "zz",
	} {
		if got := tinyFailure(t, line); !strings.Contains(got, want) {
			t.Errorf("%s: %q", line, got)
		}
	}
}

// TestVtopWithoutDebugInfo has no page structures and no tasks.
func TestVtopWithoutDebugInfo(t *testing.T) {
	r := repltest.Run(t, All(bare(t)), repl.Options{}, "vtop ffffffffbec11600")
	want, _, _ := strings.Cut(vtopKernel, "      PAGE  ")
	if r.Out != want || r.Status != 0 || r.Err != "" {
		t.Errorf("%+v", r)
	}
}

func TestPte(t *testing.T) {
	for line, want := range map[string]string{
		"pte d8e067":           " PTE    PHYSICAL  FLAGS\nd8e067   d8e000   (PRESENT|RW|USER|ACCESSED|DIRTY)\n",
		"pte 8000000000000025": "      PTE         PHYSICAL  FLAGS\n8000000000000025      0     (PRESENT|USER|ACCESSED|NX)\n",
		"pte 0":                "PTE  PHYSICAL  FLAGS\n 0       0     (no mapping)\n",
		"pte 80000000185f4863": "      PTE         PHYSICAL  FLAGS\n80000000185f4863  185f4000  (PRESENT|RW|ACCESSED|DIRTY|NX)\n",
	} {
		if got, _ := tinyCheck(t, line); got != want {
			t.Errorf("%s:\n%s", line, got)
		}
	}
	if _, rows := tinyCheck(t, "pte 1fffffffffff5600"); len(rows) != 1 || rows[0]["swap"] != "area 3" || fmt.Sprint(rows[0]["swap_offset"]) != "84" {
		t.Errorf("swapped out: %v", rows)
	}
}
