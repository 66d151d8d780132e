// Package chain follows the lists of an allocator that may be damaged, as far as they
// go, and finds out what a link that breaks should be.
//
// Doubly linked lists are walked from both ends (Lists); what is behind the break of a
// free list is still chained, and its length is known (Free). It knows links and not
// what a list is for: who asks says what can be on it. Start from Lists.Check and
// Free.Follow.
package chain

import (
	"fmt"
	"slices"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slabcheck/rules"
)

// Lists reads lists of struct list_head (include/linux/types.h).
type Lists struct {
	k    kernel.View
	Next kernel.Field `need:"list_head.next"`
	Prev kernel.Field `need:"list_head.prev"`
}

// NewLists needs the kernel's struct list_head.
func NewLists(k kernel.View) (*Lists, error) {
	r := &Lists{k: k}
	return r, k.Bind(r)
}

// Links is a doubly linked list under check. Addresses are those of struct
// list_heads.
type Links struct {
	Name string // for findings
	Head uint64
	// Entry says whether a list_head can be at an address that a link names.
	Entry func(at uint64) bool
}

// maxList bounds a list.
const maxList = 1 << 24

// chain is one direction of a walk, as far as the links agree.
type chain struct {
	at   []uint64 // without the head
	last uint64   // the entry, or the head, whose link is the first to disagree
	link uint64   // that link
	done bool     // it came round to the head
	err  error    // the link leads to memory that cannot be read
	why  string
}

// Read reads the links of a list_head.
func (r *Lists) Read(at uint64) (next, prev uint64, err error) {
	var b [16]byte
	if err := r.k.Read(b[:], at); err != nil {
		return 0, 0, err
	}
	return r.Next.In(b[:]), r.Prev.In(b[:]), nil
}

// follow walks in one direction until the links disagree. stop ends the walk at
// entries that the other direction came to.
func (r *Lists) follow(l *Links, reverse bool, stop map[uint64]bool) chain {
	var c chain
	c.last = l.Head
	next, prev, err := r.Read(l.Head)
	if err != nil {
		c.err = err
		return c
	}
	step := func(next, prev uint64) (uint64, uint64) {
		if reverse {
			return prev, next
		}
		return next, prev
	}
	ahead, _ := step(next, prev)
	seen := map[uint64]bool{}
	for {
		c.link = ahead
		switch {
		case ahead == l.Head:
			// The head must lead back.
			if _, back := step(next, prev); back == c.last {
				c.done = true
				return c
			}
			c.why = "the head's other link does not lead there"
			return c
		case seen[ahead]:
			c.why = "it was on the way already"
			return c
		case stop[ahead]:
			return c
		case !l.Entry(ahead):
			c.why = "that is no entry"
			return c
		case len(c.at) >= maxList:
			c.why = "the list is too long"
			return c
		}
		n, p, err := r.Read(ahead)
		if err != nil {
			c.err, c.why = err, "that cannot be read"
			return c
		}
		onward, back := step(n, p)
		if back != c.last {
			c.why = fmt.Sprintf("the entry there links back to %#x", back)
			return c
		}
		seen[ahead] = true
		c.at = append(c.at, ahead)
		c.last, ahead = ahead, onward
	}
}

// Check walks a list from both ends, reports where the links disagree, and
// returns the entries of both walks. whole is false if there may be more; the
// error is that of the head.
func (r *Lists) Check(l *Links, report func(entry uint64, f rules.Finding)) (entries []uint64, whole bool, err error) {
	front := r.follow(l, false, nil)
	if front.err != nil && front.why == "" {
		return nil, false, front.err
	}
	if front.done {
		return front.at, true, nil
	}
	if fault.NotInDump(front.err) {
		return append(front.at, reversed(r.follow(l, true, setOf(front.at)).at)...), false, front.err
	}
	back := r.follow(l, true, setOf(front.at))
	entries = append(front.at, reversed(back.at)...)
	if fault.NotInDump(back.err) {
		return entries, false, back.err
	}
	f, b := front.last, back.last
	broken := func(at, found uint64, member string, want uint64, known bool, why string) {
		x := rules.New(rules.ListLink, "%s: %s of the entry at %#x leads to %#x: %s", l.Name, member, at, found, why)
		if at == l.Head {
			x.Text = fmt.Sprintf("%s: %s of the head at %#x leads to %#x: %s", l.Name, member, at, found, why)
		}
		x.Member, x.Found = member, rules.Word(found, 8)
		if member == "next" {
			x.At = r.Next.At(at)
		} else {
			x.At = r.Prev.At(at)
		}
		if known {
			x.Expected, x.Want, x.HasWant = rules.Word(want, 8), want, true
		}
		x.Window = found == l.Head || l.Entry(found)
		x.Touches = []uint64{l.Head, f, b, found}
		report(at, x)
	}
	switch {
	case front.link == b:
		// The entry behind is the last one that the way back came to: only its
		// link back is wrong.
		broken(b, back.link, "prev", f, true, back.why)
		return entries, true, nil
	case back.link == f:
		broken(f, front.link, "next", b, true, front.why)
		return entries, true, nil
	}
	broken(f, front.link, "next", b, false, front.why)
	broken(b, back.link, "prev", f, false, back.why)
	return entries, false, nil
}

func setOf(list []uint64) map[uint64]bool {
	set := map[uint64]bool{}
	for _, at := range list {
		set[at] = true
	}
	return set
}

func reversed(list []uint64) []uint64 {
	slices.Reverse(list)
	return list
}
