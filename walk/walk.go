// Package walk follows the containers that the kernel links its objects with:
// lists, hash lists, red-black trees, radix trees, xarrays, maple trees.
//
// Every walk is an iterator over addresses or entries, together with an error
// for what could not be followed; after an error the rest goes on where there
// is a way. Walks are bounded: no node is visited twice (LoopError), depths are
// limited. They end when the caller breaks out of the loop. The package knows
// the containers and nothing of what they contain. Start from New.
package walk

import (
	"encoding/binary"
	"fmt"

	"github.com/kdive/kdive/kernel"
)

// Walker walks the containers of one kernel. It is safe for concurrent use.
type Walker struct {
	k kernel.View

	lists  kernel.Bound[listNeeds]
	hlists kernel.Bound[hlistNeeds]
	llists kernel.Bound[llistNeeds]
	rbs    kernel.Bound[rbNeeds]
	xas    kernel.Bound[xaNeeds]
	radixs kernel.Bound[radixNeeds]
	idrs   kernel.Bound[idrNeeds]
	layers kernel.Bound[layerNeeds]
	maples kernel.Bound[mapleNeeds]
}

// New makes a Walker for k.
func New(k kernel.View) *Walker { return &Walker{k: k} }

// LoopError says that a walk came to a node a second time.
type LoopError struct {
	Addr uint64 // the node
	From uint64 // the node whose pointer led back to it
}

func (e *LoopError) Error() string {
	return fmt.Sprintf("duplicate entry %#x: %#x leads back to it", e.Addr, e.From)
}

// LinkError says that a node's back pointer does not name the node before it.
// The walk goes on behind it.
type LinkError struct {
	Addr uint64 // the node
	Have uint64 // its back pointer
	Want uint64 // the node that the walk came from
}

func (e *LinkError) Error() string {
	return fmt.Sprintf("entry %#x: its back pointer is %#x, not %#x", e.Addr, e.Have, e.Want)
}

// poison gives a name to pointers that the kernel leaves in unlinked entries
// (include/linux/poison.h with CONFIG_ILLEGAL_POINTER_VALUE of x86-64).
func poison(addr uint64) string {
	switch addr {
	case 0xdead000000000100:
		return "LIST_POISON1: the entry was removed from its list"
	case 0xdead000000000122, 0xdead000000000200:
		return "LIST_POISON2: the entry was removed from its list"
	}
	return ""
}

// notFollowed is the error of a pointer that leads nowhere.
func notFollowed(what string, addr, from uint64, err error) error {
	if p := poison(addr); p != "" {
		return fmt.Errorf("%s %#x (from %#x) is %s", what, addr, from, p)
	}
	return fmt.Errorf("%s %#x (from %#x): %w", what, addr, from, err)
}

// exactLimit is how many nodes are remembered one by one. Beyond it a loop is
// still found, with Brent's algorithm, but only after some nodes came twice.
const exactLimit = 1 << 21

// visited detects loops.
type visited struct {
	set   map[uint64]struct{}
	mark  uint64 // Brent: the node to meet again
	steps uint64
	limit uint64
}

// again reports whether addr was visited before.
func (v *visited) again(addr uint64) bool {
	if len(v.set) < exactLimit {
		if v.set == nil {
			v.set = make(map[uint64]struct{})
		}
		n := len(v.set)
		v.set[addr] = struct{}{}
		return len(v.set) == n
	}
	if _, ok := v.set[addr]; ok || v.limit != 0 && addr == v.mark {
		return true
	}
	if v.steps == v.limit {
		v.mark, v.steps, v.limit = addr, 0, max(exactLimit, v.limit*2)
	}
	v.steps++
	return false
}

func word(buf []byte, off int64) uint64 {
	if off < 0 || off+8 > int64(len(buf)) {
		return 0
	}
	return binary.LittleEndian.Uint64(buf[off:])
}
