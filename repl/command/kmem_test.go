package command

import (
	"strings"
	"testing"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/repltest"
)

// The totals are those of crash 9.0.2, which shows no objects of this kernel.
func TestKmemCaches(t *testing.T) {
	text, rows := tinyCheck(t, "kmem -s")
	for _, want := range []string{
		"CACHE             OBJSIZE  ALLOCATED     TOTAL  SLABS  SSIZE  NAME\n",
		"ffff9b6d00141080       32       3123      3224     26     4k  kmalloc-32\n",
		"ffff9b6d00141e00     5120         59        62     62     8k  task_struct\n",
		"ffff9b6d00170c00      192        977      1008     48     4k  dentry\n",
		"ffffffffbec965e0      128         56        64      2     4k  kmem_cache\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no line %q", want)
		}
	}
	if len(rows) != 57 {
		t.Errorf("%d caches, want 57", len(rows))
	}
	if strings.Contains(text, "?") {
		t.Error("a number is missing")
	}
}

func TestKmemIgnored(t *testing.T) {
	text, rows := tinyCheck(t, "kmem -s -I dentry,pid dentry")
	if want := "ffff9b6d00170c00 [IGNORED]                                    dentry\n"; !strings.HasSuffix(text, want) {
		t.Errorf("%q, want %q at the end", text, want)
	}
	if len(rows) != 1 || rows[0]["ignored"] != true || rows[0]["allocated"] != nil {
		t.Errorf("rows %v", rows)
	}
}

// The stray write changed the shm_file_data at this address: it is an object of
// the 32-byte cache, allocated, and so is the one before it that was overrun.
func TestKmemObject(t *testing.T) {
	for _, operand := range []string{"ffff9b6d00a38d00", "ffff9b6d00a38d1f", "-P a38d00", "a38d08"} {
		text, rows := tinyCheck(t, "kmem "+operand)
		want := `CACHE             OBJSIZE  ALLOCATED     TOTAL  SLABS  SSIZE  NAME
ffff9b6d00141080       32       3123      3224     26     4k  kmalloc-32
  SLAB              MEMORY            NODE  TOTAL  ALLOCATED  FREE
  ffffdd75c0023c40  ffff9b6d00a38000     0    124         23   101
  FREE / [ALLOCATED]
  [ffff9b6d00a38d00]

      PAGE       PHYSICAL      MAPPING       INDEX CNT FLAGS
ffffdd75c0023c40   a38000 ffff9b6d00141080 ffff9b6d00a38f84  1 200 slab
`
		if text != want {
			t.Errorf("kmem %s:\n%s", operand, text)
		}
		found := false
		for _, r := range rows {
			if r["type"] == "slab_object" {
				found = r["object"] == "0xffff9b6d00a38d00" && r["state"] == "allocated" && r["cache_name"] == "kmalloc-32"
			}
		}
		if !found {
			t.Errorf("kmem %s: rows %v", operand, rows)
		}
	}
}

func TestKmemTask(t *testing.T) {
	text, _ := tinyCheck(t, "kmem ffff9b6d001f22c0")
	for _, want := range []string{"  [ffff9b6d001f22c0]\n\n    PID: 11\n", "slab,head\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// -S lists as many objects as the slabs on lists have, and the free ones with
// who holds them; the page structure's address stands for the slab.
func TestKmemSlabs(t *testing.T) {
	text, rows := tinyCheck(t, "kmem -S ep_head")
	held, objects := 0, 0
	for _, r := range rows {
		if r["type"] == "slab_object" {
			objects++
			if r["holder"] == "array of CPU 1" {
				held++
			}
		}
	}
	if objects != 240 || held != 15 || strings.Count(text, "(cpu 1 cache)\n") != 15 || strings.Count(text, "  [") != 1 {
		t.Errorf("%d objects, %d held by CPU 1:\n%s", objects, held, text)
	}
	whole := tinyText(t, "kmem ffffdd75c0024a78")
	if strings.Count(whole, "\n   ffff") != 239 {
		t.Errorf("of a page structure:\n%s", whole)
	}
}

func TestKmemErrors(t *testing.T) {
	for line, want := range map[string]string{
		"kmem":                     "an option or an address is expected",
		"kmem -s nonexistent":      "no such cache",
		"kmem -s dentry pid":       "one cache or address",
		"kmem 0xdead000000000100":  "dead000000000100",
		"kmem -s ffffffffbec11600": "not allocated in slab",
		"kmem -I dentry 1000":      "go with -s",
	} {
		if got := tinyFailure(t, line); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q in it", line, got, want)
		}
	}
	if r := repltest.Run(t, All(&Target{}), repl.Options{}, "kmem -s"); r.Status == 0 {
		t.Error("kmem worked without a dump")
	}
}
