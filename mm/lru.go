package mm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
	"github.com/kdive/kdive/walk"
)

// lruNeeds are of include/linux/mmzone.h and memcontrol.h.
type lruNeeds struct {
	Lists kernel.Field `need:"lruvec.lists"`
	Gens  kernel.Field `need:"?lruvec.lrugen.folios|lruvec.lrugen.lists"` // [generation][anon, file][zone], since 6.1
	Max   kernel.Field `need:"?lruvec.lrugen.max_seq"`
	Link  kernel.Field `need:"page.lru"`
	Head  kernel.Size  `need:"list_head"`

	Root     kernel.Sym   `need:"?root_mem_cgroup"`
	Info     kernel.Field `need:"?mem_cgroup.nodeinfo"`
	Children kernel.Field `need:"?mem_cgroup.css.children"`
	Sibling  kernel.Field `need:"?mem_cgroup.css.sibling"`
	Kernfs   kernel.Field `need:"?mem_cgroup.css.cgroup"`
	Node     kernel.Field `need:"?cgroup.kn"`
	Name     kernel.Field `need:"?kernfs_node.name"`
	Of       kernel.Field `need:"?mem_cgroup_per_node.lruvec"`
	NodeVec  kernel.Field `need:"?pglist_data.__lruvec|pglist_data.lruvec"`
}

// LRUs are the lists by which the kernel finds pages to reclaim.
type LRUs struct {
	k     kernel.View
	n     lruNeeds
	z     zoneNeeds
	w     *walk.Walker
	pages *Pages
	names []string // of enum lru_list
}

// LRUVec is a struct lruvec: the lists of a memory cgroup on a node.
type LRUVec struct {
	Addr   uint64
	Node   int
	Cgroup uint64 // mem_cgroup, 0 if memory cgroups are off
	Name   string // of the cgroup, without those above it; "/" is the root
}

// LRUList is one list of a LRUVec.
type LRUList struct {
	Vec    *LRUVec
	Addr   uint64 // of its list_head
	Name   string // "inactive_anon", "active_file", "unevictable"; of a generation "anon" or "file"
	Active bool   // one of the two youngest generations, or an active list
	Seq    int64  // number of the generation, -1 if it is none
	Zone   int    // of a generation's list, else -1
}

// LoadLRUs prepares access to the lists.
func LoadLRUs(k kernel.View, pages *Pages) (*LRUs, error) {
	l := &LRUs{k: k, w: walk.New(k), pages: pages}
	if err := errors.Join(k.Bind(&l.n), k.Bind(&l.z)); err != nil {
		return nil, fmt.Errorf("LRU lists: %w", err)
	}
	l.names = make([]string, max(0, min(l.n.Lists.Type.Underlying().Count(), 16)))
	if t, err := k.StructType("lru_list"); err == nil {
		for _, e := range t.Underlying().Enumerators() {
			if name, ok := strings.CutPrefix(e.Name, "LRU_"); ok && e.Value >= 0 && e.Value < int64(len(l.names)) && l.names[e.Value] == "" {
				l.names[e.Value] = strings.ToLower(name)
			}
		}
	}
	return l, nil
}

// maxCgroups bounds the memory cgroups (their ids have 16 bits), maxCgroupDepth
// how deep they are nested.
const (
	maxCgroups     = 1 << 17
	maxCgroupDepth = 256
)

// Vecs are the lruvecs of all nodes and memory cgroups. With an error come those
// that were found.
func (l *LRUs) Vecs(ctx context.Context) ([]*LRUVec, error) {
	n := &l.n
	root := uint64(0)
	if n.Root != 0 && n.Info.Present() && n.Of.Present() {
		var err error
		if root, err = value.Word(l.k, uint64(n.Root)); err != nil {
			return nil, fmt.Errorf("root_mem_cgroup: %w", err)
		}
	}
	var vecs []*LRUVec
	var errs fault.Several
	var nodes []int
	for node, err := range l.z.nodes(l.k) {
		var id int64
		if err == nil {
			id, err = l.z.NodeID.Int(l.k, node)
		}
		if err != nil || id < 0 || id >= maxNodes {
			errs.Add(err)
			continue
		}
		nodes = append(nodes, int(id))
		if root == 0 && n.NodeVec.Present() {
			vecs = append(vecs, &LRUVec{Addr: n.NodeVec.At(node), Node: int(id)})
		}
	}
	if root == 0 {
		return vecs, errs.Err()
	}
	left := maxCgroups
	var visit func(group uint64, depth int) error
	visit = func(group uint64, depth int) error {
		if left--; left < 0 || depth > maxCgroupDepth {
			return errors.New("memory cgroups have no end")
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		name := l.cgroupName(group)
		for _, id := range nodes {
			info, err := value.Word(l.k, n.Info.At(group)+uint64(id)*8)
			if err != nil {
				errs.Add(fmt.Errorf("mem_cgroup %#x: %w", group, err))
				continue
			}
			if info != 0 {
				vecs = append(vecs, &LRUVec{Addr: n.Of.At(info), Node: id, Cgroup: group, Name: name})
			}
		}
		if !n.Children.Present() || !n.Sibling.Present() {
			return nil
		}
		for child, err := range l.w.List(n.Children.At(group), n.Sibling.Offset) {
			if err == nil {
				err = visit(child, depth+1)
			}
			if err != nil {
				return fmt.Errorf("children of mem_cgroup %#x: %w", group, err)
			}
		}
		return nil
	}
	err := visit(root, 0)
	errs.Add(err)
	return vecs, errs.Err()
}

// cgroupName is the last part of a cgroup's path, "" if it cannot be read.
func (l *LRUs) cgroupName(group uint64) string {
	n := &l.n
	if !n.Kernfs.Present() || !n.Node.Present() || !n.Name.Present() {
		return ""
	}
	cgroup, err := n.Kernfs.Uint(l.k, group)
	if err != nil {
		return ""
	}
	node, err := n.Node.Uint(l.k, cgroup)
	if err != nil {
		return ""
	}
	name, err := n.Name.Uint(l.k, node)
	if err != nil {
		return ""
	}
	s, err := value.CString(l.k, name, maxName)
	if err != nil {
		return ""
	}
	if s == "" {
		return "/"
	}
	return s
}

// noList is what the head of a list that must not be used is left with
// (LIST_POISON1): since 6.0 unevictable pages are on none (lruvec_init).
const noList = 0xdead000000000100

// Lists are the lists of a lruvec: the five classic ones, and where the kernel
// has generations those of each generation, type and zone.
func (l *LRUs) Lists(v *LRUVec) ([]LRUList, error) {
	var lists []LRUList
	for i, name := range l.names {
		head := l.n.Lists.At(v.Addr) + uint64(i)*uint64(l.n.Head)
		if next, err := value.Word(l.k, head); err == nil && next == noList {
			continue
		}
		lists = append(lists, LRUList{Vec: v, Addr: head, Name: name,
			Active: strings.HasPrefix(name, "active"), Seq: -1, Zone: -1})
	}
	if !l.n.Gens.Present() || !l.n.Max.Present() {
		return lists, nil
	}
	gens, types, zones, ok := dimensions(l.n.Gens.Type)
	if !ok {
		return lists, nil
	}
	youngest, err := l.n.Max.Int(l.k, v.Addr)
	if err != nil {
		return lists, fmt.Errorf("lruvec %#x: %w", v.Addr, err)
	}
	for back := range gens { // a generation's lists are found by its number modulo gens
		seq := youngest - int64(back)
		if seq < 0 {
			break
		}
		for t := range types {
			for z := range zones {
				nth := (uint64(seq)%uint64(gens)*uint64(types)+uint64(t))*uint64(zones) + uint64(z)
				lists = append(lists, LRUList{Vec: v, Addr: l.n.Gens.At(v.Addr) + nth*uint64(l.n.Head), Name: [...]string{"anon", "file"}[min(t, 1)],
					Active: back < 2, Seq: seq, Zone: z})
			}
		}
	}
	return lists, nil
}

// dimensions are those of the array of a generation's lists, each at most 64.
func dimensions(t *ctype.Type) (gens, types, zones int, ok bool) {
	var d [3]int64
	for i := range d {
		u := t.Underlying()
		if u.Kind() != ctype.Array || u.Count() < 1 || u.Count() > 64 {
			return 0, 0, 0, false
		}
		d[i], t = u.Count(), u.Elem()
	}
	return int(d[0]), int(d[1]), int(d[2]), true
}

// Walk calls f for the first page structure of everything on a list and the
// number of its pages. A list that breaks is walked from its other end, too. It
// returns how many pages there are, and why that may be too few.
func (l *LRUs) Walk(ctx context.Context, list *LRUList, f func(page, pages uint64)) (total uint64, err error) {
	var errs fault.Several
	seen := map[uint64]bool{}
	one := func(page uint64) {
		seen[page] = true
		n := uint64(1)
		if pfn, ok := l.pages.Frame(page); ok {
			if folio, err := l.pages.Folio(pfn); err == nil {
				n = 1 << folio.Order
			}
		} else {
			errs.Add(fmt.Errorf("%#x is on the list and no page structure", page))
			return
		}
		total += n
		f(page, n)
	}
	for page, err := range l.w.List(list.Addr, l.n.Link.Offset) {
		if ctx.Err() != nil {
			return total, ctx.Err()
		}
		if err != nil {
			errs.Add(err)
			break
		}
		one(page)
	}
	if errs.Err() == nil {
		return total, nil
	}
	for page, err := range l.w.List(list.Addr, l.n.Link.Offset, walk.Reverse) {
		if err != nil || seen[page] || ctx.Err() != nil {
			break
		}
		one(page)
	}
	return total, errs.Err()
}
