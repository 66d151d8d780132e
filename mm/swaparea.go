package mm

import (
	"errors"
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

type swapAreaNeeds struct {
	Info  kernel.Sym   `need:"swap_info"`
	Count kernel.Sym   `need:"nr_swapfiles"`
	Flags kernel.Field `need:"swap_info_struct.flags"`
	Pages kernel.Field `need:"swap_info_struct.pages"`
	Inuse kernel.Field `need:"swap_info_struct.inuse_pages.counter|swap_info_struct.inuse_pages"`
}

// Swap is how much room there is in all swap areas, in pages.
type Swap struct {
	Total, Used uint64
}

// swapUsed is SWP_USED of include/linux/swap.h; swapOffList a bit that shares the
// word of the pages in use (SWAP_USAGE_OFFLIST_BIT of mm/swapfile.c, 6.13).
const (
	swapUsed    = 1 << 0
	swapOffList = 1 << 30
)

// ErrNoSwap means that the kernel was built without swap.
var ErrNoSwap = errors.New("the kernel has no swap")

// LoadSwap sums the swap areas that are in use.
func LoadSwap(k kernel.View) (Swap, error) {
	var s Swap
	if _, ok := k.ImageSymbol("swap_info"); !ok {
		return s, ErrNoSwap
	}
	var n swapAreaNeeds
	if err := k.Bind(&n); err != nil {
		return s, fmt.Errorf("swap: %w", err)
	}
	var b [4]byte
	if err := k.Read(b[:], uint64(n.Count)); err != nil {
		return s, fmt.Errorf("nr_swapfiles: %w", err)
	}
	for i := range uint64(min(b[0], maxSwapAreas)) {
		area, err := value.Word(k, uint64(n.Info)+i*8)
		if err != nil {
			return s, fmt.Errorf("swap area %d: %w", i, err)
		}
		if area == 0 {
			continue
		}
		flags, err1 := n.Flags.Uint(k, area)
		pages, err2 := n.Pages.Uint(k, area)
		used, err3 := n.Inuse.Uint(k, area)
		if err := errors.Join(err1, err2, err3); err != nil {
			return s, fmt.Errorf("swap area %d: %w", i, err)
		}
		if flags&swapUsed == 0 {
			continue
		}
		if pages &= 0xffffffff; used > pages {
			used &^= swapOffList
		}
		s.Total += pages
		s.Used += used
	}
	return s, nil
}
