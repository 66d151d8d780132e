package mm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel/kerneltest"
	"github.com/kdive/kdive/vmcore"
)

// twoNodeDecls is the shape of 6.1: counters of zones and nodes apart, with
// differences by CPU.
const twoNodeDecls = `
enum zone_stat_item { NR_FREE_PAGES, NR_ZONE_LRU_BASE, NR_ZONE_INACTIVE_ANON = 1, NR_ZONE_ACTIVE_ANON, NR_VM_ZONE_STAT_ITEMS };
enum node_stat_item { NR_SLAB_RECLAIMABLE_B, NR_SLAB_UNRECLAIMABLE_B, NR_FILE_PAGES, NR_SWAPCACHE, NR_VM_NODE_STAT_ITEMS };
enum vm_event_item { PGPGIN, PGPGOUT, NR_VM_EVENT_ITEMS };
enum zone_watermarks { WMARK_MIN, WMARK_LOW, WMARK_HIGH, WMARK_PROMO, NR_WMARK };
struct vm_event_state { unsigned long event[2]; };
struct per_cpu_zonestat { s8 vm_stat_diff[3]; };
struct per_cpu_nodestat { s8 stat_threshold; s8 vm_node_stat_diff[4]; };
struct zone { unsigned long _watermark[4]; unsigned long watermark_boost; struct per_cpu_zonestat *per_cpu_zonestats; unsigned long zone_start_pfn; unsigned long managed_pages;
	unsigned long spanned_pages; unsigned long present_pages; char *name; unsigned long vm_stat[3]; };
struct pglist_data { struct zone node_zones[2]; unsigned long node_start_pfn; unsigned long node_present_pages; unsigned long node_spanned_pages; int node_id;
	struct per_cpu_nodestat *per_cpu_nodestats; };
struct percpu_counter { int lock; s64 count; s32 *counters; };`

const (
	sysNode0, sysNode1 = 0xffff888000100000, 0xffff888000200000
	sysStats           = 0xffff888000300000 // per-CPU, of all zones and nodes
)

// twoNodes has a zone DMA32 in node 0, Normal in node 1, two CPUs.
func twoNodes(t testing.TB, decls ...string) *kerneltest.Kernel {
	k := kerneltest.New(t, append([]string{twoNodeDecls}, decls...)...)
	k.Possible, k.PerCPU = []int{0, 1}, []uint64{0, 0x1000}
	k.DefineSymbol("node_data", 0x1000)
	k.DefineSymbol("nr_node_ids", 0x1020)
	k.Words(0x1000, sysNode0, sysNode1)
	k.Bytes(0x1020, []byte{2, 0, 0, 0})
	k.Bytes(0x1100, []byte("DMA32\x00"))
	k.Bytes(0x1110, []byte("Normal\x00"))
	zone := k.Offset("pglist_data.node_start_pfn") / 2 // bytes
	for id, node := range []uint64{sysNode0, sysNode1} {
		k.Map(node, 4096)
		k.Put(node, "pglist_data.node_id", uint64(id))
		k.Put(node, "pglist_data.node_start_pfn", uint64(id)*0x1000+1)
		k.Put(node, "pglist_data.node_spanned_pages", 0xfff)
		k.Put(node, "pglist_data.node_present_pages", 0xf00)
		k.Put(node, "pglist_data.per_cpu_nodestats", sysStats+0x100)
		for i, name := range []uint64{0x1100, 0x1110} {
			z := node + uint64(i)*zone
			k.Put(z, "zone.name", name)
			k.Put(z, "zone.per_cpu_zonestats", sysStats)
			if i == id {
				k.Put(z, "zone.zone_start_pfn", uint64(id)*0x1000+1)
				k.Put(z, "zone.spanned_pages", 0xfff)
				k.Put(z, "zone.present_pages", 0xf00)
				k.Words(z+k.Offset("zone._watermark"), 10, 20, 30, 40)
				k.Put(z, "zone.watermark_boost", 7)
				k.Words(z+k.Offset("zone.vm_stat"), 100+uint64(id), 5, math.MaxUint64) // -1: what a CPU took away
			}
		}
	}
	for cpu := range uint64(2) {
		k.Map(sysStats+cpu*0x1000, 0x200)
		k.Bytes(sysStats+cpu*0x1000, []byte{0xfd, 2, 0})       // -3, 2
		k.Bytes(sysStats+cpu*0x1000+0x100, []byte{9, 0x80, 1}) // threshold, -128, 1
	}
	k.DefineSymbol("vm_zone_stat", 0x2000)
	k.Words(0x2000, 201, 10, math.MaxUint64-1)
	k.DefineSymbol("vm_node_stat", 0x2100)
	k.Words(0x2100, 1000, 500, math.MaxInt64, 4)
	k.DefineSymbol("vm_event_states", 0x3000)
	k.Words(0x3000, 1, math.MaxUint64)
	k.Words(0x4000, 2, 2)
	return k
}

func TestNodes(t *testing.T) {
	k := twoNodes(t)
	nodes, err := LoadNodes(k)
	if err != nil || len(nodes) != 2 {
		t.Fatalf("%d nodes, %v", len(nodes), err)
	}
	for id, n := range nodes {
		if n.ID != id || n.Start != uint64(id)*0x1000+1 || n.Spanned != 0xfff || n.Present != 0xf00 || len(n.Zones) != 2 || n.BootMem != 0 {
			t.Errorf("node %d: %+v", id, n)
		}
		for i, z := range n.Zones {
			if z.Node != id || z.Index != i || (z.Spanned == 0xfff) != (i == id) {
				t.Errorf("zone %d of node %d: %+v", i, id, z)
			}
		}
	}
	k.Fail(sysNode0, fault.Excluded)
	nodes, err = LoadNodes(k)
	if fault.ReasonOf(err) != fault.Excluded || len(nodes) != 1 || nodes[0].ID != 1 || len(nodes[0].Zones) != 2 {
		t.Errorf("%d nodes, %v", len(nodes), err)
	}
}

func TestStats(t *testing.T) {
	k := twoNodes(t)
	s, err := LoadStats(k)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range s.Groups() {
		got = append(got, g.Name)
		if g.Err != nil {
			t.Errorf("%s: %v", g.Name, g.Err)
		}
		for _, x := range g.Stats {
			got = append(got, fmt.Sprint(x))
		}
	}
	// Two populated zones, two nodes and two CPUs have differences.
	want := []string{"VM_ZONE_STAT", "{NR_FREE_PAGES 201 -12}", "{NR_ZONE_INACTIVE_ANON 10 8}", "{NR_ZONE_ACTIVE_ANON -2 0}",
		"VM_NODE_STAT", "{NR_SLAB_RECLAIMABLE_B 1000 -512}", "{NR_SLAB_UNRECLAIMABLE_B 500 4}", "{NR_FILE_PAGES 9223372036854775807 0}", "{NR_SWAPCACHE 4 0}",
		"VM_EVENT_STATES", "{PGPGIN 3 0}", "{PGPGOUT 1 0}"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	zones, err := LoadZones(k)
	if err != nil {
		t.Fatal(err)
	}
	w, g := s.Zone(zones[3])
	if w != (Watermarks{10, 20, 30, 7}) || g.Err != nil || len(g.Stats) != 3 || g.Stats[0] != (Stat{"NR_FREE_PAGES", 101, -6}) || g.Stats[2].Value != -1 {
		t.Errorf("%+v %+v", w, g)
	}
	k.Fail(sysStats+0x1000, fault.Excluded)
	if _, g = s.Zone(zones[3]); fault.ReasonOf(g.Err) != fault.Excluded || g.Stats[0].Value != 101 {
		t.Errorf("a CPU's differences cannot be read: %+v", g)
	}
	k.Fail(0x2000, fault.Excluded)
	if _, err := s.Find("NR_FREE_PAGES"); fault.ReasonOf(err) != fault.Excluded {
		t.Errorf("error %v", err)
	}
	if g := s.Groups()[0]; g.Stats != nil || fault.ReasonOf(g.Err) != fault.Excluded {
		t.Errorf("%+v", g)
	}
}

// Until 4.8 there was one array; per_cpu_pageset had the differences until 5.13.
func TestOldStats(t *testing.T) {
	k := kerneltest.New(t, `
enum zone_stat_item { NR_FREE_PAGES, NR_SLAB_RECLAIMABLE, NR_SLAB_UNRECLAIMABLE, NR_FILE_PAGES, NR_VM_ZONE_STAT_ITEMS };
struct per_cpu_pageset { int pcp; s8 stat_threshold; s8 vm_stat_diff[4]; };
struct zone { unsigned long watermark[3]; struct per_cpu_pageset *pageset; unsigned long zone_start_pfn; unsigned long spanned_pages; unsigned long present_pages; char *name; unsigned long vm_stat[4]; };
struct bootmem_data { long x; };
struct pglist_data { struct zone node_zones[1]; struct bootmem_data *bdata; unsigned long node_start_pfn; unsigned long node_present_pages; unsigned long node_spanned_pages; int node_id; };`)
	k.DefineSymbol("contig_page_data", sysNode0)
	k.DefineSymbol("vm_stat", 0x2000)
	k.Map(sysNode0, 4096)
	k.Bytes(0x1100, []byte("Normal\x00"))
	k.Put(sysNode0, "zone.name", 0x1100)
	k.Put(sysNode0, "zone.pageset", sysStats)
	k.Put(sysNode0, "zone.spanned_pages", 9)
	k.Put(sysNode0, "zone.present_pages", 9)
	k.Put(sysNode0, "pglist_data.bdata", 0x7000)
	k.Words(sysNode0+k.Offset("zone.watermark"), 1, 2, 3)
	k.Words(0x2000, 50, 3, 4, 20)
	k.Bytes(sysStats, []byte{0, 0, 0, 0, 9, 0xff, 0, 0, 1})
	s, err := LoadStats(k)
	if err != nil {
		t.Fatal(err)
	}
	groups := s.Groups()
	if len(groups) != 1 || groups[0].Name != "VM_STAT" || groups[0].Err != nil || groups[0].Stats[0] != (Stat{"NR_FREE_PAGES", 50, -1}) {
		t.Errorf("%+v", groups[0])
	}
	if a := s.slab(); a.Pages != 7 || a.Err != nil {
		t.Errorf("slab %+v", a)
	}
	nodes, err := LoadNodes(k)
	if err != nil || nodes[0].BootMem != 0x7000 {
		t.Fatalf("%+v, %v", nodes, err)
	}
	if w, _ := s.Zone(nodes[0].Zones[0]); w != (Watermarks{Min: 1, Low: 2, High: 3}) {
		t.Errorf("%+v", w)
	}
}

func TestUsage(t *testing.T) {
	k := twoNodes(t, `
struct hstate { unsigned int order; unsigned long nr_huge_pages; unsigned long free_huge_pages; unsigned long resv_huge_pages; unsigned long surplus_huge_pages; char name[32]; };
struct hstate hstates[2];
struct swap_info_struct { unsigned long flags; unsigned int pages; unsigned int inuse_pages; void *swap_file; };`)
	k.DefineSymbol("_totalram_pages", 0x5000)
	k.DefineSymbol("sysctl_overcommit_ratio", 0x5010)
	k.DefineSymbol("sysctl_overcommit_kbytes", 0x5020)
	k.DefineSymbol("vm_committed_as", 0x5030)
	k.Words(0x5000, 2000, 0, 50, 0, 0, 0, 0, 700)
	k.Put(0x5030, "percpu_counter.count", 700)
	k.Put(0x5030, "percpu_counter.counters", sysStats+0x180)
	k.Bytes(sysStats+0x180, []byte{0xfe, 0xff, 0xff, 0xff})
	k.Bytes(sysStats+0x1180, []byte{50, 0, 0, 0})
	k.Words(0x5010, 50)
	k.DefineSymbol("hstates", 0x6000)
	k.Put(0x6000, "hstate.order", 9)
	k.Put(0x6000, "hstate.nr_huge_pages", 2)
	k.Put(0x6000, "hstate.free_huge_pages", 1)
	k.PutString(0x6000, "hstate.name", "hugepages-2048kB")
	k.Map(0x6000, 4096)
	k.DefineSymbol("swap_info", 0x7000)
	k.DefineSymbol("nr_swapfiles", 0x7100)
	k.Words(0x7000, 0x8000, 0, 0x8100)
	k.Words(0x7100, 3)
	k.Put(0x8000, "swap_info_struct.flags", 3)
	k.Put(0x8000, "swap_info_struct.pages", 100)
	k.Put(0x8000, "swap_info_struct.inuse_pages", 40)
	k.Map(0x8100, 64) // an area that is not in use
	k.Put(0x8100, "swap_info_struct.pages", 1000)
	check := func(want string) {
		t.Helper()
		u, err := LoadUsage(k)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, a := range []Amount{u.Total, u.Free, u.Buffers, u.Cached, u.Slab, u.HugeTotal, u.HugeFree, u.SwapTotal, u.SwapUsed, u.CommitLimit, u.Committed, u.CommitPending} {
			if a.Err != nil {
				got += fmt.Sprintf("(%s) ", fault.ReasonOf(a.Err))
			} else {
				got += fmt.Sprintf("%d ", a.Pages)
			}
		}
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	check(fmt.Sprintf("2000 201 0 %d 1500 1024 512 100 40 588 700 48 ", int64(math.MaxInt64-4)))
	k.Words(0x5020, 4096) // in KiB; the ratio does not count then
	check(fmt.Sprintf("2000 201 0 %d 1500 1024 512 100 40 1124 700 48 ", int64(math.MaxInt64-4)))
	k.Fail(0x2100, fault.Excluded) // the counters
	k.Fail(0x8000, fault.Excluded) // the swap area
	x := fmt.Sprint(fault.Excluded)
	check(fmt.Sprintf("2000 201 0 (%s) (%s) 1024 512 (%s) (%s) (%s) 700 48 ", x, x, x, x, x))

	list, err := LoadHugePages(k)
	if err != nil || len(list) != 1 || list[0].Name != "hugepages-2048kB" || list[0].Total != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := LoadHugePages(twoNodes(t)); !errors.Is(err, ErrNoHugePages) {
		t.Errorf("error %v", err)
	}
	if _, err := LoadSwap(twoNodes(t)); !errors.Is(err, ErrNoSwap) {
		t.Errorf("error %v", err)
	}
}

const sectionDecls = `
struct mem_section { unsigned long section_mem_map; void *usage; };
enum pageflags { PG_locked, PG_referenced, PG_reserved = 12, __NR_PAGEFLAGS = 13 };
struct page { unsigned long flags; unsigned long lru[2]; void *mapping; unsigned long index; unsigned long private; int _mapcount; int _refcount; };`

// sections puts two sections of 4 MiB into memory, the third and the fifth,
// with page structures at 0xffffea0000000000.
func sections(t testing.TB, variable string) *kerneltest.Kernel {
	k := kerneltest.New(t, sectionDecls, variable)
	info, err := vmcore.ParseVMCoreInfo([]byte("NUMBER(SECTION_SIZE_BITS)=22\nLENGTH(mem_section)=2\n"))
	if err != nil {
		t.Fatal(err)
	}
	k.Info = info
	const root, base = 0xffff888000400000, 0xffffea0000000000
	k.Map(root, 4096)
	k.Words(root+2*16, base|0xf)
	k.Words(root+3*16, 2) // has no P: not there
	k.Words(root+4*16, base|1<<0|1<<1|1<<4)
	k.DefineSymbol("mem_section", 0x1000)
	k.Words(0x1000, 0x1100)
	k.Words(0x1100, root, 0)
	k.DefineSymbol("vmemmap_base", 0x1200)
	k.Words(0x1200, base)
	k.Map(base+2*1024*56, 1024*56)
	k.Map(base+4*1024*56, 1024*56)
	return k
}

func TestSections(t *testing.T) {
	k := sections(t, "struct mem_section **mem_section;")
	s, err := LoadSections(k)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.All()
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	if x := list[0]; x.Nr != 2 || x.State != "PMOE" || x.PFN != 2048 || x.Pages != 1024 || x.Coded != 0xffffea0000000000 || x.MemMap != x.Coded+2048*56 {
		t.Errorf("%+v", x)
	}
	if x := list[1]; x.Nr != 4 || x.State != "PMD" {
		t.Errorf("%+v", x)
	}
	if blocks, err := s.MemoryBlocks(); blocks != nil || err != nil {
		t.Errorf("a kernel without memory hotplug: %v, %v", blocks, err)
	}
	k.Fail(0xffff888000400000, fault.Excluded)
	if list, err = s.All(); list != nil || fault.ReasonOf(err) != fault.Excluded {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := LoadSections(kerneltest.New(t, sectionDecls)); !errors.Is(err, ErrFlat) {
		t.Errorf("error %v", err)
	}
}

// Until 4.15 the table was an array; without SPARSEMEM_EXTREME it holds the
// sections themselves.
func TestOldSections(t *testing.T) {
	k := sections(t, "struct mem_section *mem_section[2];")
	k.DefineSymbol("mem_section", 0x1100)
	s, err := LoadSections(k)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := s.All(); err != nil || len(list) != 2 || list[1].Nr != 4 {
		t.Errorf("%+v, %v", list, err)
	}
	k = sections(t, "struct mem_section mem_section[5];")
	k.DefineSymbol("mem_section", 0xffff888000400000)
	if s, err = LoadSections(k); err != nil {
		t.Fatal(err)
	}
	if list, err := s.All(); err != nil || len(list) != 2 || list[0].Nr != 2 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestBlocks(t *testing.T) {
	k := sections(t, "struct mem_section **mem_section;")
	const first = 0xffffea0000000000 + 2048*56
	k.Fail(first+5*4096, fault.Excluded) // holds structures 365.7 to 438.9
	p, err := LoadPages(k)
	if err != nil {
		t.Fatal(err)
	}
	ranges, err := p.Ranges()
	if err != nil || len(ranges) != 2 {
		t.Fatalf("%v, %v", ranges, err)
	}
	k.Put(first+7*56, "page.flags", 1<<12|1)
	next, missing := uint64(2048), 0
	for b := range p.Blocks(context.Background(), ranges) {
		if next == 3072 {
			next = 4096
		}
		if b.PFN != next || b.Addr != 0xffffea0000000000+b.PFN*56 {
			t.Fatalf("block of frame %#x at %#x, want frame %#x", b.PFN, b.Addr, next)
		}
		next += uint64(b.Pages)
		if b.Err != nil {
			missing += b.Pages
			continue
		}
		if i := int(2055 - b.PFN); b.PFN <= 2055 && i < b.Pages {
			if x := p.Decode(b, i); x.Paddr != 2055<<12 || !slices.Equal(x.Names, []string{"locked", "reserved"}) || !p.Reserved(&x) {
				t.Errorf("%+v", x)
			}
		}
	}
	if next != 5120 || missing < 75 || missing > 75+2*smallestBlock {
		t.Errorf("ends at frame %#x, %d missing", next, missing)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	for range p.Blocks(ctx, ranges) {
		n++
		cancel()
	}
	if n == 0 || n > 8 {
		t.Errorf("%d blocks after the end", n)
	}
	if b, ok, err := p.BlockByAddr(ranges, first+56+3); !ok || err != nil || b.PFN != 2049 {
		t.Errorf("%+v, %v, %v", b, ok, err)
	}
	if _, ok, _ := p.BlockByAddr(ranges, 0xffffffff81000000); ok {
		t.Error("the kernel's text holds page structures")
	}
	if _, err := p.BlockByFrame(ranges, 1<<40); fault.ReasonOf(err) != fault.Unmapped {
		t.Errorf("error %v", err)
	}
}

// The kernel's own table of names goes before the enum.
func TestFlagTable(t *testing.T) {
	k := sections(t, "struct trace_print_flags { unsigned long mask; char *name; };")
	k.DefineSymbol("pageflag_names", 0x9000)
	k.Bytes(0x9100, []byte("waiters\x00locked\x00"))
	k.Words(0x9000, 1<<7, 0x9100, 1<<0, 0x9108, 0, 0)
	p, err := LoadPages(k)
	if err != nil {
		t.Fatal(err)
	}
	if names := p.flags.of(1<<0 | 1<<7 | 1<<1); !slices.Equal(names, []string{"waiters", "locked"}) {
		t.Errorf("%v", names)
	}
	k.Bytes(0x9600, []byte("locked\x00"))
	for i := range uint64(80) { // no end: not believed
		k.Words(0xa000+i*16, 1, 0x9600)
	}
	k.DefineSymbol("pageflag_names", 0xa000)
	if p, err = LoadPages(k); err != nil || !slices.Equal(p.flags.of(3), []string{"locked", "referenced"}) {
		t.Errorf("%v, %v", p.flags.table, err)
	}
}

// Memory blocks are found through their bus, by a pointer or since 6.3 by name;
// their state became an enum.
func TestMemoryBlocks(t *testing.T) {
	common := `
struct list_head { struct list_head *next; struct list_head *prev; };
struct kobject { char *name; struct list_head entry; };
struct kset { struct list_head list; };
struct klist { struct list_head k_list; };
struct klist_node { void *n_klist; struct list_head n_node; };
struct subsys { struct list_head list; struct kobject kobj; };
struct subsys_private { struct subsys subsys; struct klist klist_devices; };
struct device { struct kobject kobj; };
struct device_private { struct klist_node knode_bus; struct device *device; };`
	for _, x := range []struct{ decls, state string }{
		{"struct bus_type { char *name; struct subsys_private *p; }; struct memory_block { unsigned long start_section_nr; unsigned long state; int nid; struct device dev; };", "OFFLINE"},
		{"struct bus_type { char *name; }; enum mbs { MEM_ONLINE, MEM_GOING_OFFLINE, MEM_OFFLINE, MEM_X, MEM_LAST }; struct memory_block { unsigned long start_section_nr; enum mbs state; struct device dev; };", "LAST"},
	} {
		k := sections(t, "struct mem_section **mem_section;"+common+x.decls)
		const bus, block, private, devp, kset = 0x20000, 0x21000, 0x22000, 0x23000, 0x24000
		k.DefineSymbol("memory_subsys", bus)
		k.DefineSymbol("bus_kset", 0x20800)
		k.Map(bus, 4096)
		k.Words(0x20800, kset)
		k.Bytes(0x20900, []byte("memory\x00memory3\x00"))
		k.Put(private, "subsys_private.subsys.kobj.name", 0x20900)
		k.Link(kset, private+k.Offset("subsys_private.subsys.kobj.entry"))
		if _, err := k.StructType("mbs"); err != nil {
			k.Put(bus, "bus_type.p", private)
			k.Put(block, "memory_block.nid", 1)
		}
		k.Map(private, 4096)
		k.Map(devp, 4096)
		k.Link(private+k.Offset("subsys_private.klist_devices.k_list"), devp+k.Offset("device_private.knode_bus.n_node"))
		k.Put(devp, "device_private.device", block+k.Offset("memory_block.dev"))
		k.Put(block, "memory_block.start_section_nr", 3)
		k.Put(block, "memory_block.state", 4)
		k.Put(block, "memory_block.dev.kobj.name", 0x20907)
		s, err := LoadSections(k)
		if err != nil {
			t.Fatal(err)
		}
		list, err := s.MemoryBlocks()
		if err != nil || len(list) != 1 {
			t.Errorf("%+v, %v", list, err)
			continue
		}
		b := list[0]
		if b.Addr != block || b.Name != "memory3" || b.Start != 3<<22 || b.End != 4<<22-1 || b.State != x.state {
			t.Errorf("%+v", b)
		}
	}
}
