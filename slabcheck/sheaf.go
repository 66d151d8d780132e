package slabcheck

import (
	"encoding/binary"
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/chain"
	"github.com/kdive/kdive/slabcheck/rules"
)

// maxEntries bounds an array or a sheaf.
const maxEntries = 1 << 12

// sheaves checks the sheaves of CPUs and the barns of nodes (mm/slub.c).
func (c *cacheCheck) sheaves() {
	n, layout := &c.sub, c.Layout()
	if layout.Sheaf == 0 || !n.SheafObjects.Present() || !n.SheafSize.Present() {
		return
	}
	capacity := uint64(0)
	if n.Capacity.Present() {
		v, err := n.Capacity.Uint(c.k, c.Addr)
		if err != nil {
			c.cannot(err)
			return
		}
		if capacity = uint64(uint32(v)); capacity > maxEntries {
			f := rules.New(rules.ArrayLimit, "sheaves hold %d objects", capacity)
			f.At, f.Member, f.Offset, f.Found = n.Capacity.At(c.Addr), n.Capacity.Path, n.Capacity.Offset, rules.Word(capacity, 4)
			c.add(f)
			return
		}
	}
	for _, cpu := range c.cpus {
		off, err := c.k.PerCPUOffset(cpu)
		if err != nil {
			c.cannot(err)
			continue
		}
		for _, x := range [...]struct {
			f    *kernel.Field
			kind slab.Holder
		}{{&n.Main, slab.CPUSheaf}, {&n.Spare, slab.CPUSheaf}, {&n.RCUFree, slab.RCUSheaf}} {
			if !x.f.Present() {
				continue
			}
			at, err := x.f.Uint(c.k, layout.Sheaf+off)
			if err != nil {
				c.cannot(err)
				continue
			}
			if at == 0 && x.f == &n.Main {
				f := rules.New(rules.SheafHeader, "CPU %d has no main sheaf", cpu)
				f.CPU, f.At, f.Member, f.Offset, f.Found = cpu, x.f.At(layout.Sheaf+off), x.f.Path, x.f.Offset, rules.Word(0, 8)
				f.Window, f.Touches = true, []uint64{layout.Sheaf + off, c.Addr}
				c.add(f)
			}
			if at != 0 {
				c.sheaf(at, x.f.At(layout.Sheaf+off), x.f.Path, capacity, slab.Place{Holder: x.kind, CPU: cpu, Node: -1})
			}
		}
	}
	for id := range c.m.NodeCount() {
		if _, barn := c.NodePointers(id); barn != 0 {
			c.barn(id, barn, capacity)
		}
	}
}

// sheaf checks one sheaf that a pointer at from leads to, and returns how many
// objects it says it has, -1 if it is none.
func (c *cacheCheck) sheaf(at, from uint64, member string, capacity uint64, p slab.Place) int {
	n := &c.sub
	here := func(r *rules.Rule, text string, args ...any) rules.Finding {
		f := rules.New(r, "%v: "+text, append([]any{p}, args...)...)
		f.CPU, f.Node, f.At, f.Member, f.Found = p.CPU, p.Node, from, member, rules.Word(at, 8)
		f.Touches = []uint64{at, c.Addr}
		return f
	}
	bootstrap := false
	if o, ok := c.m.Find(at); !ok {
		// The first sheaf of all is in the image.
		if err := c.pageMissing(at); err != nil {
			c.cannot(err)
			return -1
		}
		if _, _, bootstrap = c.k.SymbolAt(at); !bootstrap {
			c.add(here(rules.SheafHeader, "%#x is no object", at))
			return -1
		}
	} else if state, _, _ := o.State(); o.Index < 0 || o.Offset != 0 || state == slab.Free {
		c.add(here(rules.SheafHeader, "%#x is not an allocated object (%v)", at, state))
		if o.Index < 0 {
			return -1
		}
	}
	size, err := n.SheafSize.Uint(c.k, at)
	if err != nil {
		c.cannot(err)
		return -1
	}
	if n.SheafCache.Present() && !bootstrap && capacity > 0 {
		owner, err := n.SheafCache.Uint(c.k, at)
		if err == nil && owner != c.Addr {
			f := here(rules.SheafHeader, "sheaf %#x is of the cache at %#x", at, owner)
			f.At, f.Member, f.Offset = n.SheafCache.At(at), n.SheafCache.Path, n.SheafCache.Offset
			f.Found, f.Expected = rules.Word(owner, 8), rules.Word(c.Addr, 8)
			c.add(f)
		}
	}
	count := uint64(uint32(size))
	if count > maxEntries || capacity > 0 && count > capacity || bootstrap && count > 0 {
		f := here(rules.ArrayLimit, "sheaf %#x says that it has %d objects of at most %d", at, count, capacity)
		f.At, f.Member, f.Offset, f.Found = n.SheafSize.At(at), n.SheafSize.Path, n.SheafSize.Offset, rules.Word(count, 4)
		c.add(f)
		count = min(count, capacity)
	}
	c.entries(n.SheafObjects.At(at), int(count), p, count == uint64(uint32(size)))
	return int(count)
}

// barn checks a node's full and empty sheaves.
func (c *cacheCheck) barn(id int, barn, capacity uint64) {
	n := &c.sub
	for _, l := range [...]struct {
		head, count *kernel.Field
		name        string
		least, most uint64
	}{{&n.BarnFull, &n.NrFull, "full", 1, capacity}, {&n.BarnEmpty, &n.NrEmpty, "empty", 0, 0}} {
		if !l.head.Present() || !n.SheafList.Present() {
			continue
		}
		off := uint64(n.SheafList.Offset)
		name := fmt.Sprintf("%s sheaves of node %d", l.name, id)
		entries, whole, err := c.lists.Check(&chain.Links{Name: name, Head: l.head.At(barn), Entry: func(at uint64) bool {
			_, ok := c.m.Find(at - off)
			return ok
		}}, func(_ uint64, f rules.Finding) {
			f.Rule, f.Node = rules.BarnList, id
			f.Touches = append(f.Touches, c.Addr, barn)
			c.add(f)
		})
		if err != nil {
			c.cannot(fmt.Errorf("%s: %w", name, err))
			continue
		}
		for _, at := range entries {
			got := c.sheaf(at-off, at, "barn_list", capacity, slab.Place{Holder: slab.NodeSheaf, CPU: -1, Node: id})
			if got < 0 || uint64(got) >= l.least && uint64(got) <= l.most {
				continue // some objects of a full one may have gone elsewhere
			}
			f := rules.New(rules.BarnList, "sheaf %#x on the list of %s has %d objects", at-off, name, got)
			f.Node, f.At, f.Member, f.Offset = id, n.SheafSize.At(at-off), n.SheafSize.Path, n.SheafSize.Offset
			if f.Found = rules.Word(uint64(got), 4); l.most == 0 {
				f.Expected = rules.Word(0, 4)
			}
			f.Window, f.Touches = true, []uint64{at - off, barn, c.Addr}
			c.add(f)
		}
		if whole {
			c.nodeCount(rules.BarnList, id, barn, l.count, len(entries), name)
		}
	}
}

// entries checks n pointers to objects in an array or a sheaf. If n is not sure,
// they end at the first that is none.
func (c *cacheCheck) entries(at uint64, n int, p slab.Place, sure bool) {
	buf := make([]byte, 8*n)
	if err := c.k.Read(buf, at); err != nil {
		c.cannot(fmt.Errorf("%v: %w", p, err))
		return
	}
	for i := range n {
		v := binary.LittleEndian.Uint64(buf[8*i:])
		where := at + uint64(8*i)
		f := rules.New(rules.ArrayEntry, "entry %d of the %v is %#x", i, p, v)
		f.CPU, f.Node, f.At, f.Found, f.Target = p.CPU, p.Node, where, rules.Word(v, 8), v
		f.Member, f.Offset = fmt.Sprintf("entry %d", i), int64(8*i)
		f.Window, f.Touches = true, []uint64{v, c.Addr}
		o, ok := c.m.Find(v)
		lead := int64(0)
		if !c.slub {
			lead = -c.Layout().Lead
		}
		switch {
		case !ok && (c.inStray(v) || c.inUnmarked(v)):
			continue // what is wrong is the slab's page
		case !ok && c.pageMissing(v) != nil:
			c.cannot(c.pageMissing(v))
			continue
		case !ok:
			f.Text += ", which is in no slab"
			f.Window = false
		case o.Slab.Cache != c.Cache:
			f.Rule = rules.ArrayCache
			f.Text += ", an object of " + o.Slab.Cache.Name
			f.Slab, f.Object, f.Index, f.Window = o.Slab, o.Addr, o.Index, false
		case o.Slab.Guarded():
			f.Rule, f.Window = rules.ArrayState, false
			f.Text += ", an object of KFENCE"
		case o.Index < 0 || o.Offset != lead:
			f.Text += ", which is not the start of an object"
			f.Slab, f.Window = o.Slab, false
		default:
			f.About(o)
			if p.Node >= 0 && p.Holder == slab.NodeArray && o.Slab.Node != p.Node {
				f.Rule, f.Text = rules.ArrayNode, f.Text+fmt.Sprintf(", of node %d", o.Slab.Node)
				c.add(f)
			}
			c.hold(o, holder{p, where})
			continue
		}
		if !sure {
			return
		}
		c.add(f)
	}
}
