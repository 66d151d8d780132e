package mm

import (
	"slices"
	"strings"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel/kerneltest"
	"github.com/kdive/kdive/vmcore"
)

// buddyDecls is the shape of 6.1 (oldPCP: of 5.10).
const buddyDecls = `
struct list_head { struct list_head *next; struct list_head *prev; };
enum migratetype { MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE, MIGRATE_PCPTYPES };
enum zone_stat_item { NR_FREE_PAGES };
enum pageflags { PG_locked, PG_head = 6 };
struct page { unsigned long flags;
	union { struct { struct list_head lru; void *mapping; unsigned long index; unsigned long private; }; struct { unsigned long compound_head; unsigned char dtor; unsigned char compound_order; }; };
	unsigned int page_type; int _refcount; unsigned long pad; };
struct free_area { struct list_head free_list[3]; unsigned long nr_free; };
struct per_cpu_pages { int count; struct list_head lists[13]; };
struct per_cpu_zonestat { s8 vm_stat_diff[2]; };
struct zone { unsigned long zone_start_pfn; unsigned long spanned_pages; unsigned long present_pages; long managed_pages; char *name;
	struct per_cpu_pages *per_cpu_pageset; struct per_cpu_zonestat *per_cpu_zonestats; struct free_area free_area[4]; long vm_stat[2]; };
struct pglist_data { struct zone node_zones[2]; int node_id; unsigned long node_start_pfn; };`

const (
	fakeNode = 0xffff888000100000
	fakeMap  = 0xffffea0000000000
	pageLen  = 64
)

func pageOf(pfn uint64) uint64 { return fakeMap + pfn*pageLen }

// buddyKernel has one zone of 64 pages from frame 16 on; pages 32-35 are a block
// of order 2 that is movable, 40 and 50 are unmovable ones of order 0, and CPU 0
// keeps page 45 (order 0) and pages 46-47 (order 1).
func buddyKernel(t *testing.T) (*kerneltest.Kernel, uint64) {
	k := kerneltest.New(t, buddyDecls)
	info, err := vmcore.ParseVMCoreInfo([]byte("NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129\nNUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-257\n"))
	if err != nil {
		t.Fatal(err)
	}
	k.Info = info
	k.DefineSymbol("vmemmap_base", 0x1000)
	k.Words(0x1000, fakeMap)
	k.DefineSymbol("contig_page_data", fakeNode)
	k.Map(pageOf(0), 128*pageLen)
	k.Put(fakeNode, "pglist_data.node_id", 3)
	zone := fakeNode + k.Offset("pglist_data.node_zones")
	second := zone + (k.Offset("pglist_data.node_id")-k.Offset("pglist_data.node_zones"))/2
	k.Bytes(0x2000, []byte("Normal\x00"))
	for _, z := range []uint64{zone, second} {
		k.Put(z, "zone.name", 0x2000)
	}
	k.Put(zone, "zone.zone_start_pfn", 16)
	k.Put(zone, "zone.spanned_pages", 64)
	k.Words(zone+k.Offset("zone.vm_stat"), 5)
	list := func(order, typ uint64) uint64 { return zone + k.Offset("zone.free_area") + order*56 + typ*16 }
	link := func(pfn uint64) uint64 { return pageOf(pfn) + k.Offset("page.lru") }
	for order := range uint64(4) {
		for typ := range uint64(3) {
			k.Link(list(order, typ))
		}
	}
	k.Link(list(2, 1), link(32))
	k.Link(list(0, 0), link(40), link(50))
	for pfn, order := range map[uint64]uint64{32: 2, 40: 0, 50: 0} {
		k.Put(pageOf(pfn), "page.page_type", 0xffffff7f)
		k.Put(pageOf(pfn), "page.private", order)
	}
	k.Put(zone, "zone.per_cpu_pageset", 0x5000)
	k.Put(zone, "zone.per_cpu_zonestats", 0x6000)
	k.Bytes(0x6000, []byte{1})
	for i := range uint64(13) {
		k.Link(0x5008 + i*16)
	}
	k.Link(0x5008, link(45))
	k.Link(0x5008+3*16, link(46))
	k.DefineSymbol("migratetype_names", 0x7000)
	k.Words(0x7000, 0x7100, 0x7200, 0x7300)
	k.Bytes(0x7100, []byte("Unmovable\x00"))
	k.Bytes(0x7200, []byte("Movable\x00"))
	k.Bytes(0x7300, []byte("Reclaimable\x00"))
	return k, zone
}

func loadBuddy(t *testing.T, k *kerneltest.Kernel) (*Buddy, *Pages) {
	t.Helper()
	p, err := LoadPages(k)
	if err != nil {
		t.Fatal(err)
	}
	b, err := LoadBuddy(k, p)
	if err != nil {
		t.Fatal(err)
	}
	return b, p
}

// counts are the blocks of every list that has some, and the errors.
func counts(b *Buddy) (found []string, errs []error) {
	zones, _ := b.Zones()
	for _, a := range b.Areas(zones[0]) {
		for x, err := range b.Blocks(a) {
			if err != nil {
				errs = append(errs, err)
				continue
			}
			found = append(found, b.TypeName(a.Type)+":"+string(rune('0'+a.Order))+":"+string(rune('0'+x.PFN/10))+string(rune('0'+x.PFN%10)))
		}
	}
	return found, errs
}

func TestBuddy(t *testing.T) {
	k, zone := buddyKernel(t)
	b, _ := loadBuddy(t, k)
	zones, err := b.Zones()
	if err != nil || len(zones) != 2 || zones[0].Name != "Normal" || zones[0].Node != 3 || zones[0].Free != 5 || zones[0].Addr != zone || zones[1].Spanned != 0 {
		t.Fatalf("zones %+v, %v", zones, err)
	}
	found, errs := counts(b)
	if want := []string{"Unmovable:0:40", "Unmovable:0:50", "Movable:2:32"}; !slices.Equal(found, want) || errs != nil {
		t.Errorf("blocks %v, %v", found, errs)
	}
	if n, err := b.Pending(zones[0]); n != 1 || err != nil {
		t.Errorf("pending %d, %v", n, err)
	}
	for _, x := range []struct {
		pfn, head  uint64
		order, cpu int
		ok         bool
	}{{32, 32, 2, -1, true}, {35, 32, 2, -1, true}, {36, 0, 0, 0, false}, {31, 0, 0, 0, false}, {50, 50, 0, -1, true}, {45, 45, 0, 0, true}, {47, 46, 1, 0, true}, {48, 0, 0, 0, false}} {
		f, ok, err := b.Find(x.pfn)
		if ok != x.ok || err != nil || ok && (f.Head != x.head || f.Order != x.order || f.CPU != x.cpu) {
			t.Errorf("frame %d: %+v, %v, %v", x.pfn, f, ok, err)
		}
	}
}

// A list whose middle is damaged is counted from both ends, and the others are
// not concerned.
func TestBrokenFreeList(t *testing.T) {
	k, zone := buddyKernel(t)
	head := zone + k.Offset("zone.free_area")
	link := func(pfn uint64) uint64 { return pageOf(pfn) + k.Offset("page.lru") }
	k.Link(head, link(40), link(41), link(42), link(50))
	k.Words(link(41), 0xdead000000000100) // next; the way back is whole
	b, _ := loadBuddy(t, k)
	found, errs := counts(b)
	if want := []string{"Unmovable:0:40", "Unmovable:0:41", "Unmovable:0:50", "Unmovable:0:42", "Movable:2:32"}; !slices.Equal(found, want) {
		t.Errorf("blocks %v", found)
	}
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "LIST_POISON1") {
		t.Errorf("errors %v", errs)
	}
	if f, ok, err := b.Find(42); !ok || err != nil || f.Head != 42 {
		t.Errorf("behind the break: %+v, %v, %v", f, ok, err)
	}
	if _, ok, err := b.Find(60); ok || err == nil {
		t.Errorf("not found in damaged lists: %v, %v", ok, err)
	}
	// A page that only its own structure calls free.
	k.Put(pageOf(60), "page.page_type", 0xffffff7f)
	k.Put(pageOf(60), "page.private", 2)
	if f, ok, err := b.Find(62); !ok || err == nil || f.Head != 60 || f.Type != -1 || f.List != 0 {
		t.Errorf("on no list: %+v, %v, %v", f, ok, err)
	}
}

func TestFreeListFaults(t *testing.T) {
	for name, break_ := range map[string]func(k *kerneltest.Kernel, head, link uint64){
		"loop":              func(k *kerneltest.Kernel, head, link uint64) { k.Words(link, link) },
		"not a page":        func(k *kerneltest.Kernel, head, link uint64) { k.Link(head, 0xffffea0000000101) },
		"outside the zone":  func(k *kerneltest.Kernel, head, link uint64) { k.Link(head, pageOf(100)+8) },
		"not aligned":       func(k *kerneltest.Kernel, head, link uint64) { k.Link(head+2*56, pageOf(33)+8) },
		"head not readable": func(k *kerneltest.Kernel, head, link uint64) { k.Words(head, 0xffff900000000000) },
	} {
		k, zone := buddyKernel(t)
		head := zone + k.Offset("zone.free_area")
		break_(k, head, pageOf(40)+8)
		b, _ := loadBuddy(t, k)
		found, errs := counts(b)
		if len(errs) == 0 || !slices.Contains(found, "Movable:2:32") {
			t.Errorf("%s: blocks %v, errors %v", name, found, errs)
		}
	}
}

func TestFolio(t *testing.T) {
	k, _ := buddyKernel(t)
	_, p := loadBuddy(t, k)
	k.Put(pageOf(64), "page.flags", 1<<6)
	k.Put(pageOf(65), "page.compound_order", 3)
	for pfn := uint64(65); pfn < 72; pfn++ {
		k.Put(pageOf(pfn), "page.compound_head", pageOf(64)+1)
	}
	f, err := p.Folio(70)
	if err != nil || f.PFN != 64 || f.Order != 3 || f.Head.Addr != pageOf(64) {
		t.Errorf("%+v, %v", f, err)
	}
	// A tail whose head is none, and one that names no page.
	k.Put(pageOf(80), "page.compound_head", pageOf(79)+1)
	if f, err := p.Folio(80); err == nil {
		t.Errorf("head that is none: %+v", f)
	}
	k.Put(pageOf(81), "page.compound_head", 0xffff888000000001)
	if f, err := p.Folio(81); err != nil || f.PFN != 81 {
		t.Errorf("not a tail: %+v, %v", f, err)
	}
	k.Put(pageOf(82), "page.flags", 1<<6)
	k.Put(pageOf(83), "page.compound_order", 77)
	if f, err := p.Folio(82); err == nil {
		t.Errorf("order 77: %+v", f)
	}
	k.Put(pageOf(90), "page.page_type", 0xfffffdff)
	if s, err := p.Type(pageOf(90)); s != "table" || err != nil {
		t.Errorf("type %q, %v", s, err)
	}
	if pfn, ok := p.Frame(pageOf(90)); !ok || pfn != 90 {
		t.Errorf("frame %d, %v", pfn, ok)
	}
	if _, ok := p.Frame(pageOf(90) + 8); ok {
		t.Error("the middle of a page structure is taken for one")
	}
	k.Fail(pageOf(0), fault.Excluded)
	if _, err := p.Folio(1); fault.ReasonOf(err) != fault.Excluded {
		t.Errorf("excluded: %v", err)
	}
}

func TestNewPageTypes(t *testing.T) {
	k := kerneltest.New(t, buddyDecls, "enum pagetype { PGTY_buddy = 0xf0, PGTY_table = 0xf2, PGTY_mapcount_underflow = 0xff };")
	k.DefineSymbol("vmemmap_base", 0x1000)
	k.Words(0x1000, fakeMap)
	k.Map(pageOf(0), 8*pageLen)
	p, err := LoadPages(k)
	if err != nil {
		t.Fatal(err)
	}
	for word, want := range map[uint64]string{0xf0000000: "buddy", 0xf2ffffff: "table", 0xffffffff: "", 0: "", 5: "", 0xf7000000: ""} {
		k.Put(pageOf(1), "page.page_type", word)
		if s, err := p.Type(pageOf(1)); s != want || err != nil {
			t.Errorf("%#x: %q, %v", word, s, err)
		}
	}
}
