package command

import (
	"fmt"
	"strings"
	"testing"
)

// What crash 9.0.2 prints of the bundled dump.
const (
	crashKmemI = `                 PAGES        TOTAL      PERCENTAGE
    TOTAL MEM     8722      34.1 MB         ----
         FREE     4755      18.6 MB   54% of TOTAL MEM
         USED     3967      15.5 MB   45% of TOTAL MEM
      BUFFERS        0            0    0% of TOTAL MEM
       CACHED     1186       4.6 MB   13% of TOTAL MEM
         SLAB      966       3.8 MB   11% of TOTAL MEM

   TOTAL HUGE        0            0         ----
    HUGE FREE        0            0    0% of TOTAL HUGE


 COMMIT LIMIT     4361        17 MB         ----
    COMMITTED    21042      82.2 MB  482% of TOTAL LIMIT
`
	crashKmemN = `NODE    SIZE      PGLIST_DATA       BOOTMEM_DATA       NODE_ZONES   
  0    12287    ffffffffbeca4c40        ----        ffffffffbeca4c40
                                                    ffffffffbeca5100
                                                    ffffffffbeca55c0
    MEM_MAP          START_PADDR    START_MAPNR
ffffdd75c0000038        1000             1     

ZONE  NAME         SIZE       MEM_MAP      START_PADDR  START_MAPNR
  0   DMA32       12287  ffffdd75c0000038         1000            1
  1   Normal          0                 0            0            0
  2   Movable         0                 0            0            0

-------------------------------------------------------------------

NR      SECTION        CODED_MEM_MAP        MEM_MAP       STATE PFN
 0  ffff9b6d02e23000  ffffdd75c0000000  ffffdd75c0000000  PMOE  0               
`
	crashKmemZ = `NODE: 0  ZONE: 0  ADDR: ffffffffbeca4c40  NAME: "DMA32"
  SIZE: 12287  PRESENT: 12190  MIN/LOW/HIGH: 171/213/255
  VM_STAT:
        NR_FREE_PAGES: 4755
NR_ZONE_INACTIVE_ANON: 1825
  NR_ZONE_ACTIVE_ANON: 564
NR_ZONE_INACTIVE_FILE: 0
  NR_ZONE_ACTIVE_FILE: 0
  NR_ZONE_UNEVICTABLE: 0
NR_ZONE_WRITE_PENDING: 0
             NR_MLOCK: 0
            NR_BOUNCE: 0
    NR_FREE_CMA_PAGES: 0


NODE: 0  ZONE: 1  ADDR: ffffffffbeca5100  NAME: "Normal"
  [unpopulated]

NODE: 0  ZONE: 2  ADDR: ffffffffbeca55c0  NAME: "Movable"
  [unpopulated]

`
	crashKmemO = `PER-CPU OFFSET VALUES:
  CPU 0: ffff9b6d02a00000
  CPU 1: ffff9b6d02b00000
`
)

func TestKmemAsCrash(t *testing.T) {
	for line, want := range map[string]string{"kmem -i": crashKmemI, "kmem -n": crashKmemN, "kmem -z": crashKmemZ, "kmem -o": crashKmemO} {
		if text, _ := tinyCheck(t, line); text != want {
			t.Errorf("%s: got\n%s\nwant\n%s", line, text, want)
		}
	}
}

func TestKmemCounters(t *testing.T) {
	text, rows := tinyCheck(t, "kmem -V")
	for _, want := range []string{"  VM_ZONE_STAT:\n             NR_FREE_PAGES: 4755\n", "\n\n  VM_NODE_STAT:\n          NR_INACTIVE_ANON: 1825\n", "NR_KERNEL_MISC_RECLAIMABLE: 0\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	free := rows[0]
	if free["name"] != "NR_FREE_PAGES" || fmt.Sprint(free["value"]) != "4755" || free["zone"] != nil || fmt.Sprint(free["pending"]) != "-1" {
		t.Errorf("row %v", free)
	}
}

func TestKmemFlags(t *testing.T) {
	text, rows := tinyCheck(t, "kmem -g 4080")
	want := `FLAGS: 4080
  PAGE-FLAG         BIT  VALUE
  PG_waiters          7  000080
  PG_private_2       14  004000
  PG_fscache         14  004000
`
	if text != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
	if len(rows) != 3 || fmt.Sprint(rows[0]["bit"]) != "7" || rows[0]["value"] != "0x80" {
		t.Errorf("rows %v", rows)
	}
	if all, _ := tinyCheck(t, "kmem -g"); !strings.HasPrefix(all, "PAGE-FLAG         BIT  VALUE\nPG_locked           0  000001\n") {
		t.Errorf("%s", all)
	}
}

func TestKmemPages(t *testing.T) {
	text, rows := tinyCheck(t, "kmem -p")
	head := "      PAGE       PHYSICAL      MAPPING       INDEX CNT FLAGS\nffffdd75c0000000        0                0        0  1 1000 reserved\n"
	if !strings.HasPrefix(text, head) || strings.Count(text, "\n") != 32769 || len(rows) != 32768 {
		t.Errorf("%d lines, %d rows, %q", strings.Count(text, "\n"), len(rows), text[:200])
	}
	// One page by its structure, by an address in it, and by its number.
	for _, line := range []string{"kmem -p ffffdd75c0000070", "kmem -p ffffdd75c0000078", "kmem -p 2123", "kmem -p -P 2000"} {
		if got, _ := tinyCheck(t, line); !strings.HasSuffix(got, "\nffffdd75c0000070     2000                0        0  1 1000 reserved\n") || strings.Count(got, "\n") != 2 {
			t.Errorf("%s: %q", line, got)
		}
	}
	got, rows := tinyCheck(t, "kmem -m mapping,_refcount,flags,lru,_mapcount 2000")
	want := "      PAGE        mapping  _refcount  flags  lru  _mapcount\nffffdd75c0000070  0000000000000000  00000001  0000000000001000  ffffdd75c0000078,ffffdd75c0000078  -1  \n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if m, _ := rows[0]["members"].(map[string]any); m["flags"] != "0x1000" || fmt.Sprint(m["_mapcount"]) != "-1" {
		t.Errorf("row %v", rows[0])
	}
	if err := tinyFailure(t, "kmem -m no_such_member"); !strings.Contains(err, "no_such_member") {
		t.Errorf("%s", err)
	}
	if err := tinyFailure(t, "kmem -p fffffffff000"); !strings.Contains(err, "no page structure") {
		t.Errorf("%s", err)
	}
}

func TestKmemUsage(t *testing.T) {
	_, rows := tinyCheck(t, "kmem -i=shared")
	uses := map[any]map[string]any{}
	for _, r := range rows {
		uses[r["use"]] = r
	}
	if free := uses["free"]; fmt.Sprintf("%v %v %v", free["pages"], free["bytes"], free["percent"]) != "4755 19476480 54" || free["fault"] != nil {
		t.Errorf("%v", free)
	}
	if s := uses["shared"]; fmt.Sprint(s["pages"]) != "862" {
		t.Errorf("%v", s)
	}
	for line, want := range map[string]string{"kmem -h": "no huge pages", "kmem -c": "no page hash table", "kmem -i 1234": "no addresses"} {
		if err := tinyFailure(t, line); !strings.Contains(err, want) {
			t.Errorf("%s: %s", line, err)
		}
	}
}
