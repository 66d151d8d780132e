package slabcheck

import (
	"slices"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slabcheck/rules"
)

// settle decides which findings an interrupted update explains: a CPU was
// stopped in the allocator and still has the slab, the list or the cache in its
// registers or on its stack.
func (ck *checker) settle(list []*rules.Finding) {
	if ck.opt.Frames == nil || !slices.ContainsFunc(list, func(f *rules.Finding) bool { return f.Window }) {
		return
	}
	frames := ck.opt.Frames()
	for _, f := range list {
		if !f.Window {
			continue
		}
		for i := range frames {
			if at := ck.holds(&frames[i], f); at != 0 {
				f.Sure = rules.InFlight
				f.Proof = &rules.Proof{CPU: frames[i].CPU, Function: frames[i].Function, PC: frames[i].PC, Holds: at}
				break
			}
		}
	}
}

// holds is an address that a CPU has in hand and must have, if it is to explain
// the finding; 0 if it has none.
func (ck *checker) holds(f *Frame, x *rules.Finding) uint64 {
	for _, at := range x.Touches {
		if at != 0 && slices.Contains(f.Words, at) {
			return at
		}
	}
	if x.Within == nil {
		return 0
	}
	size := uint64(kernel.PageSize) << x.Within.Cache.Order
	for _, at := range f.Words {
		if at == x.Within.Addr || at >= x.Within.Base && at-x.Within.Base < size {
			return at
		}
	}
	return 0
}
