package slabcheck

import (
	"errors"
	"math/bits"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/rules"
)

// missingMemory reports whether a read failed for want of the dump: its filter
// left the page out, or its file ends before it.
func missingMemory(err error) bool {
	var e *fault.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Reason == fault.Excluded || e.Reason == fault.Truncated || e.Reason == fault.Damaged
}

// pageMissing says why the structure of the page at an address of the direct map
// is not in the dump; nil if it is, or if there is none.
func (ck *checker) pageMissing(addr uint64) error {
	start, end, _ := ck.k.DirectMap()
	if addr < start || addr >= end {
		return nil
	}
	_, err := ck.n.PageFlags.Uint(ck.k, ck.m.PageOf((addr-start)/kernel.PageSize))
	if missingMemory(err) {
		return err
	}
	return nil
}

// objectSet is a set of objects of a slab by their indexes.
type objectSet []uint64

func newObjectSet(n int) objectSet { return make(objectSet, (n+63)/64) }

func (b objectSet) has(i int) bool { return i/64 < len(b) && b[i/64]>>(i%64)&1 != 0 }

func (b objectSet) set(i int) { b[i/64] |= 1 << (i % 64) }

func (b objectSet) count() (n int) {
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// freeWalk follows a free list of SLUB.
type freeWalk struct {
	c        *cacheCheck
	s        *slab.Slab
	what     string
	headAt   uint64 // where the head is
	headRule *rules.Rule
	cpu      int
	expect   int // how many objects should be on it, -1: not known

	own    objectSet // objects on the slab's own list, if this is another one
	seen   objectSet
	n      int
	broken bool // it does not end
}

// follow goes from object at on; visit gets each object and where its address is.
func (w *freeWalk) follow(at uint64, visit func(i int, from uint64)) {
	w.seen = newObjectSet(w.s.Objects)
	from := w.headAt
	var prev, raw uint64
	raw = at
	for at != 0 {
		i, ok := w.s.Index(at)
		switch {
		case !ok:
			w.bad(w.classify(at, prev), prev, from, raw, at)
			return
		case w.seen.has(i):
			w.bad(rules.FreeCycle, prev, from, raw, at)
			return
		}
		w.seen.set(i)
		w.n++
		visit(i, from)
		next, word, err := w.s.NextFree(at)
		if err != nil {
			w.broken = true
			w.c.cannot(err)
			return
		}
		prev, from, raw, at = at, at+uint64(w.c.Layout().Link), word, next
	}
}

// classify names the rule that a pointer to no object breaks.
func (w *freeWalk) classify(to, prev uint64) *rules.Rule {
	s := w.s
	if prev == 0 {
		return w.headRule
	}
	if d := to - s.First(); to >= s.First() && d < uint64(s.Objects)*uint64(s.Cache.Size) {
		return rules.FreeAlign
	}
	if o, ok := w.c.m.Find(to); ok && o.Slab.Addr != s.Addr {
		return rules.FreeForeign
	}
	return rules.FreePointer
}

func (w *freeWalk) bad(r *rules.Rule, prev, from, raw, to uint64) {
	w.broken = true
	f := rules.New(r, "%s: %s leads to %#x", w.what, w.from(prev), to)
	switch r {
	case rules.FreeCycle:
		f.Text += ", which is on it already"
	case rules.FreeAlign:
		f.Text += ", which is not the start of an object"
	default:
		f.Text += w.where(to)
	}
	f.Slab, f.CPU, f.At, f.Found, f.Target = w.s, w.cpu, from, rules.Word(raw, 8), to
	if prev != 0 {
		f.Object, f.Offset, f.Member = prev, w.c.Layout().Link, "free pointer"
		f.Index, _ = w.s.Index(prev)
	} else {
		f.Member = "freelist"
		f.Offset = int64(from - w.s.Addr)
		if w.cpu >= 0 {
			f.Offset = w.c.sub.CPUFreelist.Offset
		}
	}
	if want, ok := w.recover(to); ok {
		f.Want, f.HasWant = want, true
		f.Expected = rules.Word(want, 8)
		if prev != 0 {
			f.Expected = rules.Word(w.s.LinkWord(prev, want), 8)
		}
	}
	w.c.add(f)
}

func (w *freeWalk) from(prev uint64) string {
	if prev == 0 {
		return "the head"
	}
	return "object " + hex(prev)
}

func (w *freeWalk) where(to uint64) string {
	o, ok := w.c.m.Find(to)
	switch {
	case ok && o.Slab.Addr != w.s.Addr && o.Index >= 0:
		return ", in object " + hex(o.Addr) + " of " + o.Slab.Cache.Name + " in another slab"
	case ok && o.Slab.Addr != w.s.Addr:
		return ", in another slab, of " + o.Slab.Cache.Name
	case to>>47 != 0 && to>>47 != 1<<17-1 && w.c.Layout().Mixed:
		return ", which is no address: the word does not decode"
	}
	return ", no object of the slab"
}

// recover finds the object that a broken link should lead to: the rest of the
// list is still chained, and its length is known.
func (w *freeWalk) recover(found uint64) (want uint64, ok bool) {
	rest := w.expect - w.n
	switch {
	case w.expect < 0:
		return w.recoverAny()
	case rest < 0:
		return 0, false
	case rest == 0:
		return 0, true
	}
	best, tie := 65, false
	for i, n := range w.chains() {
		o := w.s.Object(i)
		if _, held := w.c.held[o]; held || n != rest {
			continue
		}
		switch d := bits.OnesCount64(o ^ found); {
		case d < best:
			best, tie, want = d, false, o
		case d == best:
			tie = true
		}
	}
	return want, best <= 64 && !tie
}

// recoverAny is recover for a list of unknown length: the only object that leads
// to the end, and that none leads to.
func (w *freeWalk) recoverAny() (want uint64, ok bool) {
	if !w.c.Layout().Mixed {
		return 0, false // any word of an allocated object may look like a free pointer
	}
	chains := w.chains()
	led := newObjectSet(w.s.Objects)
	for i, n := range chains {
		if n < 0 || w.own.has(i) {
			continue
		}
		if next, _, err := w.s.NextFree(w.s.Object(i)); err == nil {
			if j, ok := w.s.Index(next); ok {
				led.set(j)
			}
		}
	}
	for i, n := range chains {
		if n < 0 || led.has(i) || w.own.has(i) {
			continue
		}
		if ok {
			return 0, false
		}
		want, ok = w.s.Object(i), true
	}
	return want, ok
}

// chains is, for each object that is not on the list, how many there are from it
// on to the end of what its free pointer leads to; -1 if that does not end, or
// comes to what is on the list.
func (w *freeWalk) chains() []int {
	const todo, end = -2, -3
	next, length := make([]int, w.s.Objects), make([]int, w.s.Objects)
	for i := range next {
		length[i], next[i] = todo, -1
		if w.seen.has(i) {
			length[i] = -1
			continue
		}
		to, _, err := w.s.NextFree(w.s.Object(i))
		if err != nil {
			length[i] = -1
		} else if j, ok := w.s.Index(to); ok {
			next[i] = j
		} else if to == 0 {
			next[i] = end
		}
	}
	var way []int
	for i := range next {
		way = way[:0]
		at := i
		for at >= 0 && length[at] == todo {
			length[at] = -1 // until it is known; of a cycle for good
			way = append(way, at)
			at = next[at]
		}
		n := -1
		switch {
		case at == end:
			n = 0
		case at >= 0:
			n = length[at]
		}
		for j := len(way) - 1; j >= 0 && n >= 0; j-- {
			n++
			length[way[j]] = n
		}
	}
	return length
}
