package slab

import (
	"errors"
	"fmt"
	"math/bits"
	"sync/atomic"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// vmemmapBases are the addresses of the array of page structures when memory is
// not randomised, with 4 and 5 levels of page tables
// (arch/x86/include/asm/pgtable_64_types.h).
var vmemmapBases = [...]uint64{0xffffea0000000000, 0xffd4000000000000}

// pageArray is the array of page structures, by page frame number.
type pageArray struct {
	base, size uint64
	isSlab     func(page []byte) bool
	nodeShift  int // of the node's id in the flags; 64 if there is one node
	buffer     int // bytes to read of a page structure
}

// locate finds the array: the first candidate that holds the page structure of
// a page that certainly exists.
func (p *pageArray) locate(m *Model) error {
	p.size = uint64(m.n.PageSize)
	if p.size < 32 || p.size > 1024 {
		return fmt.Errorf("struct page has %d bytes", p.size)
	}
	p.buffer = int(p.size)
	p.nodeShift = 64 - bits.Len(uint(m.nodeSlots()-1))
	var err error
	if p.isSlab, err = m.slabPageTest(); err != nil {
		return err
	}
	known, _, err := m.k.Translate(uint64(m.n.Caches))
	if err != nil {
		return fmt.Errorf("slab_caches: %w", err)
	}
	var candidates []uint64
	for _, s := range [...]kernel.Sym{m.n.Vmemmap, m.n.MemMap} {
		if s == 0 {
			continue
		}
		var base uint64
		if base, err = value.Word(m.k, uint64(s)); err == nil {
			candidates = append(candidates, base)
		}
	}
	buf := make([]byte, p.buffer)
	for _, base := range append(candidates, vmemmapBases[:]...) {
		if int64(base) >= 0 {
			continue
		}
		if err = m.k.Read(buf, base+known>>kernel.PageShift*p.size); err == nil {
			p.base = base
			return nil
		}
	}
	return fmt.Errorf("the array of page structures was not found: %w", err)
}

// slabPageTest tells how this kernel marks the pages of slabs: with a bit of the
// flags, or since 6.10 with a type, first a bit that is cleared
// (include/linux/page-flags.h), then a number in the highest byte.
func (m *Model) slabPageTest() (func([]byte) bool, error) {
	n := &m.n
	if n.PGTYSlab.Present() && n.PageType.Present() {
		return func(b []byte) bool { return n.PageType.In(b)&0xffffffff>>24 == uint64(n.PGTYSlab.Value) }, nil
	}
	if n.PGSlab.Present() && n.PGSlab.Value >= 0 && n.PGSlab.Value < 64 {
		return func(b []byte) bool { return n.PageFlags.In(b)>>n.PGSlab.Value&1 != 0 }, nil
	}
	bit, ok := uint64(n.PGSlab.Value), n.PGSlab.Present()
	if v := m.k.VMCoreInfo(); !ok && v != nil {
		var value int64
		value, ok = v.Number("PAGE_SLAB_MAPCOUNT_VALUE")
		bit = uint64(^uint32(value))
	}
	if !ok || !n.PageType.Present() {
		return nil, errors.New("how pages of slabs are marked is not known")
	}
	const typed = 1 << 31
	return func(b []byte) bool { return n.PageType.In(b)&(typed|bit) == typed }, nil
}

// address of the page structure of a page frame.
func (p *pageArray) address(pfn uint64) uint64 { return p.base + pfn*p.size }

// frame is the page frame of a page structure.
func (p *pageArray) frame(page uint64) (pfn uint64, ok bool) {
	d := page - p.base
	return d / p.size, page >= p.base && d%p.size == 0
}

// maxOrder bounds compound pages: 1 GiB.
const maxOrder = 18

// head is the frame of the first page of the compound page that pfn belongs to;
// info is what its structure says: 0 in bit 0 for a first page, else the address
// of the first page's structure, or since 7.1 a mask for the address of any
// (include/linux/page-flags.h).
func (p *pageArray) head(pfn, info uint64) (uint64, bool) {
	if info&1 == 0 {
		return pfn, true
	}
	page := info - 1
	if page>>(64-8) == 0xff && bits.LeadingZeros64(^page)+bits.TrailingZeros64(page) == 64 {
		page &= p.address(pfn)
	}
	head, ok := p.frame(page)
	return head, ok && head < pfn && pfn-head < 1<<maxOrder
}

// recentPages remembers what pages belong to: a fixed number of them, so that a
// scan of all memory does not grow it.
type recentPages [1 << 15]atomic.Pointer[pageEntry]

type pageEntry struct {
	pfn  uint64
	slab *Slab // nil: no page of a slab
	err  error // why that is not known
}

func (r *recentPages) slot(pfn uint64) *atomic.Pointer[pageEntry] {
	return &r[pfn%uint64(len(r))]
}

// slabAt is the slab that a page frame belongs to, nil if it belongs to none.
func (m *Model) slabAt(pfn uint64) (*Slab, error) {
	slot := m.recent.slot(pfn)
	if e := slot.Load(); e != nil && e.pfn == pfn {
		return e.slab, e.err
	}
	e := &pageEntry{pfn: pfn}
	e.slab, e.err = m.readSlabAt(pfn, 0)
	slot.Store(e)
	return e.slab, e.err
}

func (m *Model) readSlabAt(pfn uint64, depth int) (*Slab, error) {
	var room [128]byte
	var buf []byte
	if m.pages.buffer <= len(room) {
		buf = room[:m.pages.buffer]
	} else {
		buf = make([]byte, m.pages.buffer)
	}
	page := m.pages.address(pfn)
	if err := m.k.Read(buf, page); err != nil {
		return nil, fmt.Errorf("struct page at %#x: %w", page, err)
	}
	head, ok := m.pages.head(pfn, m.n.Compound.In(buf))
	switch {
	case !ok:
		return nil, nil // the word is something else's
	case head != pfn && depth == 0:
		e := m.recent.slot(head).Load()
		if e == nil || e.pfn != head {
			e = &pageEntry{pfn: head}
			e.slab, e.err = m.readSlabAt(head, 1)
			m.recent.slot(head).Store(e)
		}
		return e.slab, e.err
	case head != pfn, !m.pages.isSlab(buf):
		return nil, nil
	}
	return m.decodeSlab(pfn, buf), nil
}

// nodeOf is the NUMA node in the flags of a page structure.
func (m *Model) nodeOf(page []byte) int {
	return int(m.n.PageFlags.In(page) >> m.pages.nodeShift) // shifts by 64 give 0
}

// PageAt is the memory, in the direct map, of the page whose structure is at or
// contains addr; ok is false if addr is in no page structure of the machine.
func (m *Model) PageAt(addr uint64) (memory uint64, ok bool) {
	pfn := (addr - m.pages.base) / m.pages.size
	if addr < m.pages.base || pfn >= (m.direct.end-m.direct.start)>>kernel.PageShift {
		return 0, false
	}
	return m.direct.start + pfn<<kernel.PageShift, true
}
