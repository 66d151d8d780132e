package chain

import (
	"fmt"
	"math/bits"

	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/rules"
)

// Free is a free list of SLUB under check.
type Free struct {
	Model      *slab.Model
	Slab       *slab.Slab
	What       string      // the list, for findings
	HeadAt     uint64      // address of the head
	HeadOffset int64       // of the head in its structure
	HeadRule   *rules.Rule // that a head breaks that leads to no object
	CPU        int         // whose list it is, -1: the slab's own
	Expect     int         // how many objects should be on it, -1: not known
	Own        Set         // objects on the slab's own list, if this is another one
	Held       func(object uint64) bool
	Report     func(rules.Finding)

	Seen   Set // what is on it
	Len    int
	Broken bool  // it does not end
	Err    error // if so: what could not be read, nil if that is not why
}

// Follow goes from object at on; visit gets each object and where its address is.
func (w *Free) Follow(at uint64, visit func(i int, from uint64)) {
	w.Seen = NewSet(w.Slab.Objects)
	from := w.HeadAt
	var prev, raw uint64
	raw = at
	for at != 0 {
		i, ok := w.Slab.Index(at)
		switch {
		case !ok:
			w.bad(w.classify(at, prev), prev, from, raw, at)
			return
		case w.Seen.Has(i):
			w.bad(rules.FreeCycle, prev, from, raw, at)
			return
		}
		w.Seen.Set(i)
		w.Len++
		visit(i, from)
		next, word, err := w.Slab.NextFree(at)
		if err != nil {
			w.Broken, w.Err = true, err
			return
		}
		prev, from, raw, at = at, at+uint64(w.Slab.Cache.Layout().Link), word, next
	}
}

// classify names the rule that a pointer to no object breaks.
func (w *Free) classify(to, prev uint64) *rules.Rule {
	s := w.Slab
	if prev == 0 {
		return w.HeadRule
	}
	if d := to - s.First(); to >= s.First() && d < uint64(s.Objects)*uint64(s.Cache.Size) {
		return rules.FreeAlign
	}
	if o, ok := w.Model.Find(to); ok && o.Slab.Addr != s.Addr {
		return rules.FreeForeign
	}
	return rules.FreePointer
}

func (w *Free) bad(r *rules.Rule, prev, from, raw, to uint64) {
	w.Broken = true
	f := rules.New(r, "%s: %s leads to %#x", w.What, w.from(prev), to)
	switch r {
	case rules.FreeCycle:
		f.Text += ", which is on it already"
	case rules.FreeAlign:
		f.Text += ", which is not the start of an object"
	default:
		f.Text += w.where(to)
	}
	f.Slab, f.CPU, f.At, f.Found, f.Target = w.Slab, w.CPU, from, rules.Word(raw, 8), to
	if prev != 0 {
		f.Object, f.Offset, f.Member = prev, w.Slab.Cache.Layout().Link, "free pointer"
		f.Index, _ = w.Slab.Index(prev)
	} else {
		f.Offset, f.Member = w.HeadOffset, "freelist"
	}
	if want, ok := w.recover(to); ok {
		f.Want, f.HasWant = want, true
		f.Expected = rules.Word(want, 8)
		if prev != 0 {
			f.Expected = rules.Word(w.Slab.LinkWord(prev, want), 8)
		}
	}
	w.Report(f)
}

func (w *Free) from(prev uint64) string {
	if prev == 0 {
		return "the head"
	}
	return fmt.Sprintf("object %#x", prev)
}

func (w *Free) where(to uint64) string {
	o, ok := w.Model.Find(to)
	switch {
	case ok && o.Slab.Addr != w.Slab.Addr && o.Index >= 0:
		return fmt.Sprintf(", in object %#x of %s in another slab", o.Addr, o.Slab.Cache.Name)
	case ok && o.Slab.Addr != w.Slab.Addr:
		return ", in another slab, of " + o.Slab.Cache.Name
	case to>>47 != 0 && to>>47 != 1<<17-1 && w.Slab.Cache.Layout().Mixed:
		return ", which is no address: the word does not decode"
	}
	return ", no object of the slab"
}

// recover finds the object that a broken link should lead to: the rest of the
// list is still chained, and its length is known.
func (w *Free) recover(found uint64) (want uint64, ok bool) {
	rest := w.Expect - w.Len
	switch {
	case w.Expect < 0:
		return w.recoverAny()
	case rest < 0:
		return 0, false
	case rest == 0:
		return 0, true
	}
	best, tie := 65, false
	for i, n := range w.chains() {
		o := w.Slab.Object(i)
		if n != rest || w.Held(o) {
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
func (w *Free) recoverAny() (want uint64, ok bool) {
	if !w.Slab.Cache.Layout().Mixed {
		return 0, false // any word of an allocated object may look like a free pointer
	}
	chains := w.chains()
	led := NewSet(w.Slab.Objects)
	for i, n := range chains {
		if n < 0 || w.Own.Has(i) {
			continue
		}
		if next, _, err := w.Slab.NextFree(w.Slab.Object(i)); err == nil {
			if j, ok := w.Slab.Index(next); ok {
				led.Set(j)
			}
		}
	}
	for i, n := range chains {
		if n < 0 || led.Has(i) || w.Own.Has(i) {
			continue
		}
		if ok {
			return 0, false
		}
		want, ok = w.Slab.Object(i), true
	}
	return want, ok
}

// chains is, for each object that is not on the list, how many there are from it
// on to the end of what its free pointer leads to; -1 if that does not end, or
// comes to what is on the list.
func (w *Free) chains() []int {
	const todo, end = -2, -3
	next, length := make([]int, w.Slab.Objects), make([]int, w.Slab.Objects)
	for i := range next {
		length[i], next[i] = todo, -1
		if w.Seen.Has(i) {
			length[i] = -1
			continue
		}
		to, _, err := w.Slab.NextFree(w.Slab.Object(i))
		if err != nil {
			length[i] = -1
		} else if j, ok := w.Slab.Index(to); ok {
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

// OwnList are the objects on a slab's own free list, as far as it goes.
func OwnList(s *slab.Slab) Set {
	own := NewSet(s.Objects)
	for at := s.FreeHead(); at != 0; {
		i, ok := s.Index(at)
		if !ok || own.Has(i) {
			break
		}
		own.Set(i)
		next, _, err := s.NextFree(at)
		if err != nil {
			break
		}
		at = next
	}
	return own
}
