package mm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
	"github.com/kdive/kdive/walk"
)

// Amount is a number of pages, or why it is not known.
type Amount struct {
	Pages int64
	Err   error
}

// Usage is how the memory of the machine is used.
type Usage struct {
	Total   Amount // that the page allocator manages
	Free    Amount
	Buffers Amount // page cache of block devices
	Cached  Amount // page cache of files, without swap cache
	Slab    Amount

	HugeTotal, HugeFree Amount // of hugetlb, in pages of the usual size
	SwapTotal, SwapUsed Amount // errors.Is(Err, ErrNoSwap) if the kernel has none

	// What the kernel lets be promised in its strict mode, and what it compares
	// with that.
	CommitLimit, Committed Amount
	CommitPending          Amount // promised, and kept by CPUs apart from Committed
}

type usageNeeds struct {
	Total     kernel.Sym `need:"?_totalram_pages|totalram_pages"`
	Ratio     kernel.Sym `need:"?sysctl_overcommit_ratio"`
	KBytes    kernel.Sym `need:"?sysctl_overcommit_kbytes"`
	Committed kernel.Sym `need:"?vm_committed_as"`

	Count    kernel.Field `need:"?percpu_counter.count"`
	Counters kernel.Field `need:"?percpu_counter.counters"` // s32 per CPU
}

// LoadUsage gathers the numbers; each that is missing says why.
func LoadUsage(k kernel.View) (*Usage, error) {
	var n usageNeeds
	if err := k.Bind(&n); err != nil {
		return nil, fmt.Errorf("memory: %w", err)
	}
	u := &Usage{}
	u.Total = longAt(k, n.Total, "totalram_pages")
	s, err := LoadStats(k)
	if err != nil {
		u.Free.Err, u.Cached.Err, u.Slab.Err = err, err, err
	} else {
		u.Free = s.free()
		u.Slab = s.slab()
	}
	u.Buffers = buffers(k)
	if err == nil {
		u.Cached = s.cached(u.Buffers)
	}
	u.huge(k)
	swap, err := LoadSwap(k)
	u.SwapTotal = Amount{int64(swap.Total), err}
	u.SwapUsed = Amount{int64(swap.Used), err}
	u.commit(k, &n)
	return u, nil
}

// longAt reads a number of pages.
func longAt(k kernel.View, at kernel.Sym, name string) Amount {
	if at == 0 {
		return Amount{Err: fmt.Errorf("no symbol %s", name)}
	}
	v, err := value.Word(k, uint64(at))
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return Amount{int64(v), err}
}

// free sums the zones: the counter of the whole system is made of theirs.
func (s *Stats) free() Amount {
	zones, err := LoadZones(s.k)
	a := Amount{Err: err}
	for _, z := range zones {
		a.Pages += z.Free
	}
	return a
}

// slab is what the kernel counts, in one number or two.
func (s *Stats) slab() Amount {
	for _, names := range [...][2]string{{"NR_SLAB_RECLAIMABLE_B", "NR_SLAB_UNRECLAIMABLE_B"}, {"NR_SLAB_RECLAIMABLE", "NR_SLAB_UNRECLAIMABLE"}, {"NR_SLAB", ""}} {
		v, err := s.Find(names[0])
		if errors.Is(err, errNoCounter) {
			continue
		}
		if names[1] != "" && err == nil {
			var more int64
			more, err = s.Find(names[1])
			v += more
		}
		return Amount{v, err}
	}
	return Amount{Err: errors.New("the kernel does not count the pages of slabs")}
}

// cached is the page cache without that of block devices and swap areas.
func (s *Stats) cached(buffers Amount) Amount {
	files, err := s.Find("NR_FILE_PAGES")
	swap, err2 := s.Find("NR_SWAPCACHE")
	if errors.Is(err2, errNoCounter) {
		swap, err2 = swapCache(s.k)
	}
	return Amount{max(0, files-swap-buffers.Pages), errors.Join(err, err2, buffers.Err)}
}

type swapCacheNeeds struct {
	Spaces kernel.Sym   `need:"swapper_spaces"`
	Counts kernel.Sym   `need:"nr_swapper_spaces"`
	Pages  kernel.Field `need:"address_space.nrpages"`
	Size   kernel.Size  `need:"address_space"`
}

// swapCache counts the pages in the caches of swap areas: an array of them for
// each area (4.11 to 5.11; later there is a counter).
func swapCache(k kernel.View) (int64, error) {
	var n swapCacheNeeds
	if k.Bind(&n) != nil {
		return 0, nil // no swap in this kernel
	}
	var sum int64
	for i := range uint64(maxSwapAreas) {
		var b [4]byte
		if err := k.Read(b[:], uint64(n.Counts)+i*4); err != nil {
			return sum, fmt.Errorf("nr_swapper_spaces: %w", err)
		}
		count := binary.LittleEndian.Uint32(b[:])
		if count == 0 {
			continue
		}
		at, err := value.Word(k, uint64(n.Spaces)+i*8)
		for j := uint64(0); err == nil && at != 0 && j < uint64(min(count, 1<<20)); j++ {
			var pages uint64
			pages, err = n.Pages.Uint(k, at+j*uint64(n.Size))
			sum += int64(pages)
		}
		if err != nil {
			return sum, fmt.Errorf("swap cache of area %d: %w", i, err)
		}
	}
	return sum, nil
}

type bufferNeeds struct {
	Super   kernel.Sym   `need:"blockdev_superblock"`
	Inodes  kernel.Field `need:"super_block.s_inodes"`
	Link    kernel.Field `need:"inode.i_sb_list"`
	Mapping kernel.Field `need:"inode.i_mapping"`
	Pages   kernel.Field `need:"address_space.nrpages"`
}

// buffers is the page cache of block devices: of the inodes of bdev's super
// block (block/bdev.c).
func buffers(k kernel.View) Amount {
	var n bufferNeeds
	if _, ok := k.ImageSymbol("blockdev_superblock"); !ok {
		return Amount{} // no block devices
	}
	if err := k.Bind(&n); err != nil {
		return Amount{Err: fmt.Errorf("block devices: %w", err)}
	}
	super, err := value.Word(k, uint64(n.Super))
	if err != nil || super == 0 {
		return Amount{Err: err}
	}
	var a Amount
	for inode, err := range walk.New(k).List(n.Inodes.At(super), n.Link.Offset) {
		var mapping, pages uint64
		if err == nil {
			mapping, err = n.Mapping.Uint(k, inode)
		}
		if err == nil && mapping != 0 {
			pages, err = n.Pages.Uint(k, mapping)
		}
		if err != nil {
			a.Err = fmt.Errorf("inodes of block devices: %w", err)
			return a
		}
		a.Pages += int64(pages)
	}
	return a
}

func (u *Usage) huge(k kernel.View) {
	list, err := LoadHugePages(k)
	if errors.Is(err, ErrNoHugePages) {
		err = nil
	}
	u.HugeTotal.Err, u.HugeFree.Err = err, err
	for _, h := range list {
		u.HugeTotal.Pages += int64(h.Total << h.Order)
		u.HugeFree.Pages += int64(h.Free << h.Order)
	}
}

// commit computes the limit as the kernel does (vm_commit_limit in mm/util.c).
func (u *Usage) commit(k kernel.View, n *usageNeeds) {
	u.CommitLimit = u.Total
	kbytes, err := uint64(0), error(nil)
	if n.KBytes != 0 {
		kbytes, err = value.Word(k, uint64(n.KBytes))
	}
	var b [4]byte
	switch {
	case err != nil:
	case kbytes != 0:
		u.CommitLimit = Amount{Pages: int64(kbytes >> (kernel.PageShift - 10))}
	case n.Ratio == 0:
		err = errors.New("no symbol sysctl_overcommit_ratio")
	default:
		err = errors.Join(u.HugeTotal.Err, k.Read(b[:], uint64(n.Ratio)))
		ratio := int64(int32(binary.LittleEndian.Uint32(b[:])))
		u.CommitLimit.Pages = (u.Total.Pages - u.HugeTotal.Pages) * ratio / 100
	}
	if !errors.Is(u.SwapTotal.Err, ErrNoSwap) {
		err = errors.Join(err, u.SwapTotal.Err)
		u.CommitLimit.Pages += u.SwapTotal.Pages
	}
	u.CommitLimit.Err = errors.Join(u.CommitLimit.Err, err)
	if n.Committed == 0 || !n.Count.Present() {
		u.Committed.Err = errors.New("no vm_committed_as")
		return
	}
	u.Committed = longAt(k, kernel.Sym(n.Count.At(uint64(n.Committed))), "vm_committed_as")
	u.Committed.Pages = max(0, u.Committed.Pages)
	u.CommitPending = n.pending(k)
}

// pending is the sum of what CPUs keep of vm_committed_as.
func (n *usageNeeds) pending(k kernel.View) (a Amount) {
	if !n.Counters.Present() {
		return a // one CPU
	}
	base, err := n.Counters.Uint(k, uint64(n.Committed))
	cpus, err2 := k.PossibleCPUs()
	a.Err = errors.Join(err, err2)
	for i := 0; a.Err == nil && i < len(cpus); i++ {
		var b [4]byte
		off, err := k.PerCPUOffset(cpus[i])
		if err == nil {
			err = k.Read(b[:], base+off)
		}
		a.Pages += int64(int32(binary.LittleEndian.Uint32(b[:])))
		a.Err = err
	}
	return a
}
