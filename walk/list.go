package walk

import (
	"iter"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

type listNeeds struct {
	Next kernel.Field `need:"list_head.next"`
	Prev kernel.Field `need:"list_head.prev"`
	Size kernel.Size  `need:"list_head"`
}

// ListOption changes how a list is walked.
type ListOption uint8

// Options of List.
const (
	Reverse   ListOption = 1 << iota // follow prev instead of next
	CheckBack                        // report back pointers that disagree, as *LinkError
)

// List yields the objects of the list whose list_head, not part of any object,
// is at head; offset is that of the list_head within an object. The head itself
// is not yielded. An entry that cannot be read ends the walk with its error.
func (w *Walker) List(head uint64, offset int64, opts ...ListOption) iter.Seq2[uint64, error] {
	var opt ListOption
	for _, o := range opts {
		opt |= o
	}
	return func(yield func(uint64, error) bool) {
		n, err := w.lists.Get(w.k)
		if err != nil {
			yield(0, err)
			return
		}
		next, prev := n.Next, n.Prev
		if opt&Reverse != 0 {
			next, prev = prev, next
		}
		buf := make([]byte, n.Size)
		if err := w.k.Read(buf, head); err != nil {
			yield(0, notFollowed("list head", head, head, err))
			return
		}
		var seen visited
		for at, from := next.In(buf), head; at != head; at, from = next.In(buf), at {
			if seen.again(at) {
				yield(at-uint64(offset), &LoopError{Addr: at, From: from})
				return
			}
			if err := w.k.Read(buf, at); err != nil {
				yield(at-uint64(offset), notFollowed("list entry", at, from, err))
				return
			}
			if back := prev.In(buf); opt&CheckBack != 0 && back != from {
				if !yield(at-uint64(offset), &LinkError{Addr: at, Have: back, Want: from}) {
					return
				}
			}
			if !yield(at-uint64(offset), nil) {
				return
			}
		}
	}
}

// Chain describes objects that are linked by a bare pointer.
type Chain struct {
	Next int64  // offset of the pointer from the address it holds
	End  uint64 // the walk ends before an address equal to End, as at a null pointer
	Mask uint64 // bits of the pointer that are flags
}

// Chain yields start and what it leads to, until a null pointer, c.End, or the
// way back to start.
func (w *Walker) Chain(start uint64, c Chain) iter.Seq2[uint64, error] {
	return func(yield func(uint64, error) bool) {
		var seen visited
		from := start
		for at := start; at != 0 && (at != c.End || c.End == 0); {
			if seen.again(at) {
				if at != start {
					yield(at, &LoopError{Addr: at, From: from})
				}
				return
			}
			next, err := value.Word(w.k, at+uint64(c.Next))
			if err != nil {
				yield(at, notFollowed("list entry", at, from, err))
				return
			}
			if !yield(at, nil) {
				return
			}
			from, at = at, next&^c.Mask
		}
	}
}

type hlistNeeds struct {
	First kernel.Field `need:"hlist_head.first"`
	Next  kernel.Field `need:"hlist_node.next"`
	PPrev kernel.Field `need:"?hlist_node.pprev"`
}

// HList yields the objects of the hash list whose hlist_head is at head. The
// lists of hlist_nulls and hlist_bl heads end in, or begin with, a flag bit;
// they are walked as well.
func (w *Walker) HList(head uint64, offset int64) iter.Seq2[uint64, error] {
	return func(yield func(uint64, error) bool) {
		n, err := w.hlists.Get(w.k)
		if err != nil {
			yield(0, err)
			return
		}
		first, err := n.First.Uint(w.k, head)
		if err != nil {
			yield(0, notFollowed("list head", head, head, err))
			return
		}
		if first&1 != 0 && first>>1 < 1<<32 {
			return // an empty hlist_nulls list: a number, marked by bit 0
		}
		single(w.k, first&^1, n.Next.Offset, offset, yield)
	}
}

type llistNeeds struct {
	First kernel.Field `need:"llist_head.first"`
	Next  kernel.Field `need:"llist_node.next"`
}

// LList yields the objects of the lock-less list whose llist_head is at head.
func (w *Walker) LList(head uint64, offset int64) iter.Seq2[uint64, error] {
	return func(yield func(uint64, error) bool) {
		n, err := w.llists.Get(w.k)
		if err != nil {
			yield(0, err)
			return
		}
		first, err := n.First.Uint(w.k, head)
		if err != nil {
			yield(0, notFollowed("list head", head, head, err))
			return
		}
		single(w.k, first, n.Next.Offset, offset, yield)
	}
}

// single follows next pointers until a null pointer or an odd one (the end mark
// of hlist_nulls).
func single(m value.Memory, at uint64, next, offset int64, yield func(uint64, error) bool) {
	var seen visited
	for from := at; at != 0 && at&1 == 0; {
		if seen.again(at) {
			yield(at-uint64(offset), &LoopError{Addr: at, From: from})
			return
		}
		follow, err := value.Word(m, at+uint64(next))
		if err != nil {
			yield(at-uint64(offset), notFollowed("list entry", at, from, err))
			return
		}
		if !yield(at-uint64(offset), nil) {
			return
		}
		from, at = at, follow
	}
}
