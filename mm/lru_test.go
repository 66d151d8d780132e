package mm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kdive/kdive/kernel/kerneltest"
)

const lruDecls = `
enum lru_list { LRU_INACTIVE_ANON, LRU_ACTIVE_ANON, LRU_UNEVICTABLE, NR_LRU_LISTS };
struct lru_gen_folio { unsigned long max_seq; struct list_head folios[4][2][3]; };
struct lruvec { struct list_head lists[3]; struct lru_gen_folio lrugen; };
struct cgroup_subsys_state { void *cgroup; struct list_head sibling; struct list_head children; };
struct mem_cgroup_per_node { int pad; struct lruvec lruvec; };
struct mem_cgroup { struct cgroup_subsys_state css; struct mem_cgroup_per_node *nodeinfo[2]; };
struct kernfs_node { void *parent; char *name; };
struct cgroup { struct kernfs_node *kn; };`

// lruKernel has a root cgroup and one child on node 0.
func lruKernel(t *testing.T) (*kerneltest.Kernel, *LRUs) {
	k := kerneltest.New(t, buddyDecls, lruDecls)
	k.DefineSymbol("vmemmap_base", 0x1000)
	k.Words(0x1000, fakeMap)
	k.DefineSymbol("contig_page_data", fakeNode)
	k.Map(pageOf(0), 128*pageLen)
	k.Map(fakeNode, 4096)
	k.DefineSymbol("root_mem_cgroup", 0x1100)
	k.Words(0x1100, 0x10000)
	info := k.Offset("mem_cgroup.nodeinfo")
	children, sibling := k.Offset("mem_cgroup.css.children"), k.Offset("mem_cgroup.css.sibling")
	for i, group := range []uint64{0x10000, 0x11000} {
		vec := 0x20000 + uint64(i)*0x1000 + k.Offset("mem_cgroup_per_node.lruvec")
		k.Words(group+info, vec-k.Offset("mem_cgroup_per_node.lruvec"))
		k.Link(group + children)
		k.Put(group, "mem_cgroup.css.cgroup", 0x30000)
		for n := range uint64(2) {
			k.Link(vec + n*16)
		}
		k.Words(vec+32, 0xdead000000000100, 0xdead000000000122)
		k.Put(vec, "lruvec.lrugen.max_seq", 6)
		for n := range uint64(24) {
			k.Link(vec + k.Offset("lruvec.lrugen.folios") + n*16)
		}
	}
	k.Link(0x10000+children, 0x11000+sibling)
	k.Put(0x30000, "cgroup.kn", 0x31000)
	k.Put(0x31000, "kernfs_node.name", 0x32000)
	k.Bytes(0x32000, []byte("job\x00"))
	p, err := LoadPages(k)
	if err != nil {
		t.Fatal(err)
	}
	l, err := LoadLRUs(k, p)
	if err != nil {
		t.Fatal(err)
	}
	return k, l
}

// contents are the lists that have pages, with the numbers of pages and errors.
func contents(t *testing.T, l *LRUs) (found []string, errs int) {
	vecs, err := l.Vecs(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vecs {
		lists, err := l.Lists(v)
		if err != nil {
			t.Fatal(err)
		}
		for i := range lists {
			n, err := l.Walk(context.Background(), &lists[i], func(uint64, uint64) {})
			if err != nil {
				errs++
			}
			if n > 0 {
				x := &lists[i]
				found = append(found, fmt.Sprintf("%x %s %d %d %v: %d", v.Cgroup, x.Name, x.Seq, x.Zone, x.Active, n))
			}
		}
	}
	return found, errs
}

func TestLRU(t *testing.T) {
	k, l := lruKernel(t)
	link := func(pfn uint64) uint64 { return pageOf(pfn) + k.Offset("page.lru") }
	vec := 0x20000 + k.Offset("mem_cgroup_per_node.lruvec")
	k.Link(vec+16, link(5), link(6))
	// Generation 4, file, zone 1 of the child: (4%4*2+1)*3+1.
	k.Put(pageOf(16), "page.flags", 1<<6)
	k.Put(pageOf(17), "page.compound_order", 2)
	k.Link(vec+0x1000+k.Offset("lruvec.lrugen.folios")+4*16, link(16))
	found, errs := contents(t, l)
	if want := []string{"10000 active_anon -1 -1 true: 2", "11000 file 4 1 false: 4"}; !slices.Equal(found, want) || errs != 0 {
		t.Errorf("%q, %d errors", found, errs)
	}
	vecs, _ := l.Vecs(context.Background())
	if len(vecs) != 2 || vecs[1].Name != "job" || vecs[1].Node != 0 {
		t.Errorf("%+v", vecs)
	}
}

func TestLRUFaults(t *testing.T) {
	k, l := lruKernel(t)
	link := func(pfn uint64) uint64 { return pageOf(pfn) + k.Offset("page.lru") }
	vec := 0x20000 + k.Offset("mem_cgroup_per_node.lruvec")
	k.Link(vec, link(5), link(6), link(7))
	k.Words(link(5), 0xffff900000000000)
	found, errs := contents(t, l)
	if want := []string{"10000 inactive_anon -1 -1 false: 3"}; !slices.Equal(found, want) || errs != 1 {
		t.Errorf("%q, %d errors", found, errs)
	}
	// A child that leads back to its parent.
	k.Link(0x11000+k.Offset("mem_cgroup.css.children"), 0x10000+k.Offset("mem_cgroup.css.sibling"))
	if _, err := l.Vecs(context.Background()); err == nil || !strings.Contains(err.Error(), "no end") && !strings.Contains(err.Error(), "duplicate") {
		t.Errorf("a circle of cgroups: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.Vecs(ctx); err == nil {
		t.Error("not cancelled")
	}
}
