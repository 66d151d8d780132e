package mm

import (
	"errors"
	"fmt"

	"github.com/kdive/kdive/kernel"
)

type hugeNeeds struct {
	States   kernel.Sym   `need:"hstates"`
	Size     kernel.Size  `need:"hstate"`
	Order    kernel.Field `need:"hstate.order"`
	Name     kernel.Field `need:"hstate.name"`
	Total    kernel.Field `need:"hstate.nr_huge_pages"`
	Free     kernel.Field `need:"hstate.free_huge_pages"`
	Reserved kernel.Field `need:"?hstate.resv_huge_pages"`
	Surplus  kernel.Field `need:"?hstate.surplus_huge_pages"`
}

// HugePages are the huge pages of one size that the kernel keeps for hugetlb, of
// include/linux/hugetlb.h. All counts are in huge pages.
type HugePages struct {
	Addr     uint64 // of the struct hstate
	Order    int    // a huge page has 1<<Order pages
	Name     string
	Total    uint64
	Free     uint64
	Reserved uint64 // promised, not yet taken
	Surplus  uint64 // beyond what was configured
}

// ErrNoHugePages means that the kernel has no hugetlb.
var ErrNoHugePages = errors.New("the kernel has no huge pages of hugetlb")

// LoadHugePages reads the sizes of huge pages, in the order of hstates.
func LoadHugePages(k kernel.View) ([]HugePages, error) {
	var n hugeNeeds
	if _, ok := k.ImageSymbol("hstates"); !ok {
		return nil, ErrNoHugePages
	}
	if err := k.Bind(&n); err != nil {
		return nil, fmt.Errorf("hstates: %w", err)
	}
	t, err := k.VariableType("hstates")
	if err != nil {
		return nil, err
	}
	if n.Size <= 0 || n.Size > 1<<16 {
		return nil, fmt.Errorf("struct hstate has %d bytes", n.Size)
	}
	var list []HugePages
	obj := make([]byte, n.Size)
	for i := range uint64(max(0, min(t.Underlying().Count(), 16))) {
		addr := uint64(n.States) + i*uint64(n.Size)
		if err := k.Read(obj, addr); err != nil {
			return list, fmt.Errorf("hstates[%d]: %w", i, err)
		}
		h := HugePages{Addr: addr, Order: int(n.Order.In(obj)), Name: text(n.Name.Bytes(obj)), Total: n.Total.In(obj), Free: n.Free.In(obj)}
		if h.Order <= 0 || h.Order > 2*maxOrder {
			continue // not used
		}
		if n.Reserved.Present() {
			h.Reserved = n.Reserved.In(obj)
		}
		if n.Surplus.Present() {
			h.Surplus = n.Surplus.In(obj)
		}
		list = append(list, h)
	}
	return list, nil
}

// text is an array of characters up to its NUL.
func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
