package identify

import (
	"errors"

	"github.com/kdive/kdive/kernel"
)

// Page is what the structure of a page says about who uses it.
type Page struct {
	Paddr   uint64 // physical address of the page
	Mapping uint64 // FilePage: address_space, AnonPage: anon_vma
	Index   uint64 // FilePage, AnonPage: in pages of the file or of the area
	Inode   uint64 // FilePage
	Order   int    // FreePage: the block has 2^Order pages
	Buddy   bool   // FreePage: in a list of the buddy allocator
}

// pageNeeds are members of struct page (include/linux/mm_types.h) and how the
// kernel tells kinds of pages apart (include/linux/page-flags.h).
type pageNeeds struct {
	Size     kernel.Size  `need:"page"`
	Flags    kernel.Field `need:"page.flags.f|page.flags"`
	Mapping  kernel.Field `need:"page.mapping"`
	Index    kernel.Field `need:"page.__folio_index|page.index"`
	Count    kernel.Field `need:"page._refcount"`
	Private  kernel.Field `need:"page.private"`
	Compound kernel.Field `need:"page.compound_info|page.compound_head"`
	Type     kernel.Field `need:"?page.page_type"`
	Host     kernel.Field `need:"address_space.host"`
	Inode    kernel.Field `need:"?inode.i_mapping"`
	Reserved kernel.Enum  `need:"PG_reserved"`
	Buddy    kernel.Enum  `need:"?PGTY_buddy"`
	Base     kernel.Sym   `need:"?vmemmap_base"`
	Map      kernel.Sym   `need:"?mem_map"`
	Text     kernel.Sym   `need:"_text"`
	TextEnd  kernel.Sym   `need:"_etext"`
	End      kernel.Sym   `need:"_end"`
}

// vmemmapBases are the addresses of the array of page structures when memory is
// not randomised (arch/x86/include/asm/pgtable_64_types.h).
var vmemmapBases = [...]uint64{0xffffea0000000000, 0xffd4000000000000}

// pageReader reads page structures.
type pageReader struct {
	m         *Model
	n         pageNeeds
	base      uint64
	size      uint64
	frames    uint64 // that the direct map has
	buddyBits uint64 // that a free page's type has cleared, before types were numbers
	image     struct{ start, size, phys uint64 }
}

const (
	maxOrder  = 18
	anonBit   = 1 // of page.mapping
	movable   = 2
	pageTyped = 0x80 // highest byte of page_type: it is one, and no count of mappings
)

var errNoPages = errors.New("the page structures were not found")

// pageReader is nil if there is none.
func (m *Model) pageReader() *pageReader {
	m.pageOnce.Do(func() {
		r := &pageReader{m: m}
		if r.load() == nil {
			m.pages = r
		}
	})
	return m.pages
}

func (r *pageReader) load() error {
	k := r.m.k
	if err := k.Bind(&r.n); err != nil {
		return err
	}
	start, end, ok := k.DirectMap()
	if r.size = uint64(r.n.Size); !ok || r.size < 32 || r.size > 1024 {
		return errNoPages
	}
	r.frames = (end - start) >> kernel.PageShift
	phys, _, err := k.Translate(uint64(r.n.Text))
	if err != nil {
		return err
	}
	r.image.start, r.image.size, r.image.phys = uint64(r.n.Text), uint64(r.n.End-r.n.Text), phys
	if v := k.VMCoreInfo(); v != nil {
		if n, ok := v.Number("PAGE_BUDDY_MAPCOUNT_VALUE"); ok {
			r.buddyBits = uint64(^uint32(n))
		}
	}
	var candidates []uint64
	for _, s := range [...]kernel.Sym{r.n.Base, r.n.Map} {
		if base, err := r.m.word(uint64(s)); s != 0 && err == nil {
			candidates = append(candidates, base)
		}
	}
	for _, base := range append(candidates, vmemmapBases[:]...) {
		if _, err := r.m.word(base + phys>>kernel.PageShift*r.size); int64(base) < 0 && err == nil {
			r.base = base
			return nil
		}
	}
	return errNoPages
}

// frame is the number of the page whose structure holds an address.
func (r *pageReader) frame(addr uint64) (uint64, bool) {
	pfn := (addr - r.base) / r.size
	return pfn, addr >= r.base && pfn < r.frames
}

func (r *pageReader) read(buf []byte, pfn uint64) ([]byte, error) {
	buf = buf[:min(int(r.size), len(buf))]
	return buf, r.m.k.Read(buf, r.base+pfn*r.size)
}

// readPage tells what the page of a physical address is used for.
func (m *Model) readPage(p *Place, paddr uint64) bool {
	r := m.pageReader()
	if r == nil {
		p.Err = errNoPages
		return false
	}
	var room [128]byte
	pfn := paddr >> kernel.PageShift
	b, err := r.read(room[:], pfn)
	if err != nil {
		p.Err = err
		return false
	}
	p.Page.Paddr = pfn << kernel.PageShift
	p.Base, p.Size = p.At&^(kernel.PageSize-1), kernel.PageSize
	n := &r.n
	switch count := int32(n.Count.In(b)); {
	case n.Flags.In(b)>>n.Reserved.Value&1 != 0:
		p.Kind = Reserved
		return true
	case n.Compound.In(b)&1 != 0:
		r.tail(p, pfn, n.Compound.In(b))
		return true
	case count == 0:
		p.Kind = FreePage
		r.buddy(p, pfn)
		return true
	}
	r.owner(p, b, 0)
	return true
}

// tail is for the pages of a compound page but the first.
func (r *pageReader) tail(p *Place, pfn, info uint64) {
	p.Kind = UsedPage
	head, ok := headFrame(r, pfn, info)
	if !ok {
		return
	}
	var room [128]byte
	if b, err := r.read(room[:], head); err == nil {
		r.owner(p, b, pfn-head)
	}
}

// headFrame is the first page of the compound page: info is the address of its
// structure plus one, or since 7.1 a mask that makes it of that of any page.
func headFrame(r *pageReader, pfn, info uint64) (uint64, bool) {
	head, ok := r.frame(info - 1)
	if !ok {
		head, ok = r.frame((info - 1) & (r.base + pfn*r.size))
	}
	return head, ok && head < pfn && pfn-head < 1<<maxOrder
}

// owner reads the mapping of a page; nth is which page of a compound page it is.
func (r *pageReader) owner(p *Place, b []byte, nth uint64) {
	p.Kind = UsedPage
	mapping := r.n.Mapping.In(b)
	if r.n.Type.Present() && r.typed(r.n.Type.In(b)) || mapping == 0 || mapping&movable != 0 {
		return
	}
	page := Page{Paddr: p.Page.Paddr, Mapping: mapping &^ 3, Index: r.n.Index.In(b) + nth}
	if int64(mapping) >= 0 {
		return
	}
	if mapping&anonBit != 0 {
		p.Kind, p.Page = AnonPage, page
		return
	}
	// The word may be anything of who allocated the page: an address_space
	// belongs to an inode that knows it.
	host, err := r.n.Host.Uint(r.m.k, mapping)
	if err != nil || int64(host) >= 0 {
		return
	}
	if r.n.Inode.Present() {
		back, err := r.n.Inode.Uint(r.m.k, host)
		if err != nil || back != mapping {
			return
		}
	}
	page.Inode = host
	p.Kind, p.Page = FilePage, page
}

// typed reports whether page_type holds a type, and no count of mappings.
func (r *pageReader) typed(t uint64) bool {
	if r.n.Buddy.Present() {
		return t>>24&0xff >= pageTyped && uint32(t) != ^uint32(0)
	}
	const low, high = 0xf0000000, 0xffffff7f // PAGE_TYPE_BASE less PAGE_MAPCOUNT_RESERVE
	return t&low == low && uint32(t) < high
}

// buddy finds the block of free pages that a page is in.
func (r *pageReader) buddy(p *Place, pfn uint64) {
	var room [128]byte
	for order := 0; order <= maxOrder; order++ {
		head := pfn &^ (1<<order - 1)
		if order > 0 && head == pfn&^(1<<(order-1)-1) && head != pfn {
			continue // looked at already
		}
		b, err := r.read(room[:], head)
		if err != nil {
			return
		}
		if n := r.n.Private.In(b); r.isBuddy(b) && n <= maxOrder && pfn-head < 1<<n {
			p.Page.Order, p.Page.Buddy = int(n), true
			p.Base -= (pfn - head) << kernel.PageShift
			p.Size = kernel.PageSize << n
			return
		}
	}
}

func (r *pageReader) isBuddy(b []byte) bool {
	if !r.n.Type.Present() {
		return false
	}
	t := r.n.Type.In(b) & 0xffffffff
	if r.n.Buddy.Present() {
		return t>>24 == uint64(r.n.Buddy.Value)
	}
	const base = 0xf0000000
	return r.buddyBits != 0 && t&(base|r.buddyBits) == base
}

// imageAddress is the address in the kernel image of a physical one.
func (m *Model) imageAddress(paddr uint64) (uint64, bool) {
	r := m.pageReader()
	if r == nil || paddr-r.image.phys >= r.image.size {
		return 0, false
	}
	return paddr - r.image.phys + r.image.start, true
}

// inImage reports whether an address is one of the kernel image.
func (m *Model) inImage(addr uint64) bool {
	r := m.pageReader()
	return r != nil && addr-r.image.start < r.image.size
}
