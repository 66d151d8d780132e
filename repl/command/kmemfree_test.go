package command

import (
	"encoding/json"
	"strings"
	"testing"
)

// The lines are those of crash 9.0.2 on the bundled dump; the zone's counter lags
// behind by what a CPU has not yet added.
func TestKmemFree(t *testing.T) {
	text, rows := tinyCheck(t, "kmem -f")
	for _, want := range []string{
		"ZONE  NAME        SIZE    FREE      MEM_MAP       START_PADDR  START_MAPNR\n  0   DMA32      12287    4755  ffffdd75c0000038      1000          0     \n" +
			"AREA    SIZE  FREE_AREA_STRUCT  BLOCKS  PAGES\n  0       4k  ffffffffbeca4d00       1      1\n",
		"  8    1024k  ffffffffbeca4f60       1    256\n",
		"\n\nZONE  NAME        SIZE    FREE      MEM_MAP       START_PADDR  START_MAPNR\n  2   Movable        0       0         0               0            0     \n",
		"\nnr_free_pages: 4755  (found 4754)\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	var pages, kept int64
	for _, r := range rows {
		switch r["type"] {
		case "free_area":
			pages += count(t, r, "pages")
			if r["type_name"] == nil || r["fault"] != nil {
				t.Errorf("%v", r)
			}
		case "free_cpu_list":
			kept += count(t, r, "blocks")
		case "free_total":
			if count(t, r, "found") != pages || count(t, r, "nr_free_pages")+count(t, r, "pending") != pages || count(t, r, "per_cpu") < kept {
				t.Errorf("%v, the lists have %v pages, the CPUs %v", r, pages, kept)
			}
		}
	}
	if pages != 4754 || kept == 0 {
		t.Errorf("%v pages, %v of CPUs", pages, kept)
	}
}

// count is a field that is a number.
func count(t *testing.T, row map[string]any, field string) int64 {
	t.Helper()
	s, ok := row[field].(json.Number)
	n, err := s.Int64()
	if !ok || err != nil {
		t.Errorf("%s is no number in %v", field, row)
	}
	return n
}

// -F has the first page of every block.
func TestKmemFreeBlocks(t *testing.T) {
	text, rows := tinyCheck(t, "kmem -F")
	blocks := 0
	for _, r := range rows {
		if r["type"] == "free_block" {
			blocks++
			if page := strings.TrimPrefix(r["page"].(string), "0x"); !strings.Contains(text, "\n"+page+"\n") {
				t.Errorf("no line %s", page)
			}
		}
	}
	if blocks < 20 || strings.Count(text, "AREA    SIZE  FREE_AREA_STRUCT\n") != 44 {
		t.Errorf("%d blocks in\n%s", blocks, text)
	}
}

func TestKmemFreePage(t *testing.T) {
	_, rows := tinyCheck(t, "kmem -F")
	for _, r := range rows {
		if r["type"] != "free_block" || count(t, r, "order") != 9 {
			continue
		}
		page := strings.TrimPrefix(r["page"].(string), "0x")
		text, found := tinyCheck(t, "kmem -f "+page)
		if want := page + "  (" + page + " is 1st of 512 pages)\n"; !strings.HasSuffix(text, want) || len(found) != 1 {
			t.Errorf("%q, want %q at the end; rows %v", text, want, found)
		}
		phys := strings.TrimSuffix(strings.TrimPrefix(r["physical"].(string), "0x"), "000")
		if text = tinyText(t, "kmem "+phys+"123"); !strings.Contains(text, phys+"123 is in 1st of 512 pages)\n\n      PAGE ") {
			t.Errorf("%s", text)
		}
		break
	}
	// A page that a CPU keeps, which crash does not call free.
	text := tinyText(t, "kmem 2842989")
	if want := "CPU     SIZE  PER_CPU_LIST\n  0       4k  ffff9b6d02a287e8  \nffffdd75c008ce70  \n\n      PAGE "; !strings.Contains(text, want) {
		t.Errorf("no %q in\n%s", want, text)
	}
	if text = tinyText(t, "kmem -f a38d00"); text != "" {
		t.Errorf("an allocated page: %s", text)
	}
}

func TestKmemVMAreas(t *testing.T) {
	text, rows := tinyCheck(t, "kmem -v")
	if want := `   VMAP_AREA         VM_STRUCT                 ADDRESS RANGE                SIZE
ffff9b6d00143040  ffff9b6d0014b000  ffffa92d00000000 - ffffa92d00005000    20480
`; !strings.HasPrefix(text, want) {
		t.Errorf("%s", text)
	}
	if n := strings.Count(text, "\n") - 1; n != len(rows) || n < 20 {
		t.Errorf("%d lines, %d rows", n, len(rows))
	}
	// The area of a physical address is the one that maps its page.
	stack := tinyText(t, "kmem -v ffffa92d00000123")
	if !strings.HasSuffix(stack, "\nffff9b6d00143040  ffff9b6d0014b000  ffffa92d00000000 - ffffa92d00005000    20480\n") {
		t.Errorf("%s", stack)
	}
	if none := tinyText(t, "kmem -v a38d00"); strings.Count(none, "\n") != 1 {
		t.Errorf("a page that no area maps: %s", none)
	}
}

func TestKmemPageUsers(t *testing.T) {
	text, rows := tinyCheck(t, "kmem 2ba58e8", "page-user.path", "page-user.mapped.comm")
	for _, want := range []string{"     FILE: /bin/work\n    INODE: ffff9b6d00826b60\n   OFFSET: 36000\n", `   MAPPED: 436000  PID: 76  TASK: ffff9b6d00a48040  COMMAND: "zombiepar"` + "\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if r := rows[len(rows)-1]; r["kind"] != "file" || r["path"] != "/bin/work" || len(r["mapped"].([]any)) < 5 {
		t.Errorf("%v", r)
	}
	text = tinyText(t, "kmem 2f91000")
	if want := "\n ANON_VMA: ffff9b6d00ab5f00\n   MAPPED: 7faab6865000  PID: 74  TASK: ffff9b6d00946880  COMMAND: \"files\"\n"; !strings.HasSuffix(text, want) {
		t.Errorf("no %q in\n%s", want, text)
	}
}

func TestKmemFormErrors(t *testing.T) {
	for line, want := range map[string]string{
		"kmem -r":             "no caches of memory cgroups",
		"kmem -S=9 dentry":    "no CPU 9",
		"kmem -S= dentry":     "needs an argument",
		"kmem -f nonsense":    "neither an address nor a symbol",
		"kmem -f 12345678900": "cannot determine page",
		"kmem -v nonsense":    "neither an address nor a symbol",
	} {
		if got := tinyFailure(t, line); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q in it", line, got, want)
		}
	}
}

// The lists have what the node counts, but for pages that CPUs have not yet put
// there.
func TestKmemLRU(t *testing.T) {
	text, rows := tinyCheck(t, "kmem -l ai", "lru-list.cgroup_name")
	want := "LRU_LIST          LRUVEC            NODE    PAGES  LIST            CGROUP\nffffffffbeca5bc0  ffffffffbeca5bc0     0     1822  inactive_anon   -\n" +
		"ffffffffbeca5bd0  ffffffffbeca5bc0     0      564  active_anon     -\n"
	if text != want || len(rows) != 2 {
		t.Errorf("%d rows, text\n%s", len(rows), text)
	}
	if pages := tinyText(t, "kmem -L a"); strings.Count(pages, "\nffffdd75c0") != 564 {
		t.Errorf("%d lines", strings.Count(pages, "\n"))
	}
	if got := tinyFailure(t, "kmem -l x"); !strings.Contains(got, "-l and -L take") {
		t.Errorf("%s", got)
	}
}
