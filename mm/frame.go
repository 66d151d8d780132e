package mm

import (
	"fmt"
	"math/bits"
	"strings"
	"sync"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// frameNeeds are what page structures say beyond Page, of
// include/linux/mm_types.h and page-flags.h.
type frameNeeds struct {
	Type     kernel.Field `need:"?page.page_type"`
	MapCount kernel.Field `need:"?page._mapcount"`
	Compound kernel.Field `need:"?page.compound_info|page.compound_head"`
	Private  kernel.Field `need:"?page.private"`
	PGTY     kernel.Enum  `need:"?PGTY_buddy"`

	// The order of a compound page, in the structure of its second page or in
	// that part of struct folio.
	PageOrder  kernel.Field `need:"?page.compound_order"`
	FolioOrder kernel.Field `need:"?folio._folio_order"`
	FolioFlags kernel.Field `need:"?folio._flags_1"` // low byte
	Head       kernel.Enum  `need:"?PG_head"`

	MaxPFN kernel.Sym `need:"?max_pfn"`
}

// frames is what is known of the meaning of page types.
type frames struct {
	once  sync.Once
	n     frameNeeds
	bytes map[uint64]string // since 6.11: names by the highest byte of page_type
	bits  []typeBit         // before: a cleared bit of page_type
	end   uint64            // page frames are below
}

type typeBit struct {
	bit  uint64
	name string
}

// maxOrder bounds compound pages and blocks of free pages: 1 GiB.
const maxOrder = 18

// know reads the tables of page types: an enum since 6.11. Before, the values are
// preprocessor constants; VMCOREINFO has the first (4.20 and later), the others
// are the next bits (include/linux/page-flags.h).
func (p *Pages) know() *frames {
	f := &p.frames
	f.once.Do(func() {
		if p.k.Bind(&f.n) != nil {
			return // everything is optional
		}
		f.end = 1 << (52 - kernel.PageShift)
		if f.n.MaxPFN != 0 {
			if n, err := value.Word(p.k, uint64(f.n.MaxPFN)); err == nil && n != 0 {
				f.end = min(n, f.end)
			}
		}
		if t, err := p.k.StructType("pagetype"); err == nil && f.n.PGTY.Present() {
			f.bytes = map[uint64]string{}
			for _, e := range t.Underlying().Enumerators() {
				if name, ok := strings.CutPrefix(e.Name, "PGTY_"); ok {
					f.bytes[uint64(e.Value)] = name
				}
			}
			return
		}
		v := p.k.VMCoreInfo()
		if v == nil {
			return
		}
		for _, x := range [...]struct{ name, number string }{
			{"buddy", "PAGE_BUDDY_MAPCOUNT_VALUE"}, {"offline", "PAGE_OFFLINE_MAPCOUNT_VALUE"},
			{"hugetlb", "PAGE_HUGETLB_MAPCOUNT_VALUE"}, {"slab", "PAGE_SLAB_MAPCOUNT_VALUE"},
		} {
			if n, ok := v.Number(x.number); ok && bits.OnesCount32(^uint32(n)) == 1 {
				f.bits = append(f.bits, typeBit{uint64(^uint32(n)), x.name})
			}
		}
		f.tableBits()
	})
	return f
}

// tableBits adds the types that VMCOREINFO leaves out: those of page tables and
// guard pages come behind that of offline pages.
func (f *frames) tableBits() {
	for _, b := range f.bits {
		if b.name == "offline" && b.bit == 1<<8 {
			f.bits = append(f.bits, typeBit{b.bit << 1, "table"}, typeBit{b.bit << 2, "guard"})
			return
		}
	}
}

// typed reports whether the word of a page type is one, and its name; "" if the
// type has none here.
func (f *frames) typed(word uint64) (string, bool) {
	word &= 0xffffffff
	if f.bytes != nil {
		if word>>24 == 0xff {
			return "", false // a counter of mappings that is -1
		}
		name, ok := f.bytes[word>>24]
		return name, ok
	}
	if word>>28 != 0xf || word == 0xffffffff {
		return "", false // a counter of mappings
	}
	for _, b := range f.bits {
		if word&b.bit == 0 {
			return b.name, true
		}
	}
	return "", true
}

// Frame is the page frame number of the page whose structure is at addr, which
// must be its first byte.
func (p *Pages) Frame(addr uint64) (pfn uint64, ok bool) {
	size, end := uint64(p.n.Size), p.know().end
	for _, base := range p.bases {
		if d := addr - base; addr >= base && size > 0 && d%size == 0 && d/size < end {
			return d / size, true
		}
	}
	return 0, false
}

// Address is where the structure of a page frame is, by the first place where
// the array of page structures may begin.
func (p *Pages) Address(pfn uint64) uint64 {
	if len(p.bases) == 0 {
		return 0
	}
	return p.bases[0] + pfn*uint64(p.n.Size)
}

// Folio is a page or several that were allocated as one.
type Folio struct {
	PFN   uint64 // of its first page
	Order int    // it has 1<<Order pages
	Head  Page   // the structure of its first page
	Type  string // what the pages are used for: buddy, table, slab, hugetlb, offline, ...; "" if they have no type
}

// Folio is what the page frame pfn was allocated as part of. Of a free page it is
// the block if pfn is its first page; see Buddy.Find for the others.
func (p *Pages) Folio(pfn uint64) (Folio, error) {
	f := p.know()
	page, err := p.At(pfn << kernel.PageShift)
	if err != nil {
		return Folio{}, err
	}
	info, err := f.n.Compound.Uint(p.k, page.Addr)
	if head, ok := p.headOf(pfn, info); f.n.Compound.Present() && err == nil && ok && head != pfn {
		if page, err = p.At(head << kernel.PageShift); err != nil {
			return Folio{}, err
		}
		if !f.isHead(&page) {
			return Folio{}, fmt.Errorf("struct page at %#x: the first page that it names, %#x, is none", p.Address(pfn), page.Addr)
		}
		pfn = head
	}
	folio := Folio{PFN: pfn, Head: page}
	if f.n.Type.Present() {
		if word, err := f.n.Type.Uint(p.k, page.Addr); err == nil {
			folio.Type, _ = f.typed(word)
		}
	}
	switch {
	case f.isHead(&page):
		folio.Order, err = p.order(page.Addr)
	case folio.Type == "buddy" && f.n.Private.Present():
		var order uint64
		order, err = f.n.Private.Uint(p.k, page.Addr)
		folio.Order = int(min(order, maxOrder))
	default:
		err = nil
	}
	return folio, err
}

func (f *frames) isHead(page *Page) bool {
	return f.n.Head.Present() && f.n.Head.Value >= 0 && f.n.Head.Value < 64 && page.Flags>>f.n.Head.Value&1 != 0
}

// headOf is the first page of the compound page that pfn belongs to; info is what
// its structure says: bit 0 marks the address of the first page's structure, or
// since 7.1 a mask for the address of any (include/linux/page-flags.h).
func (p *Pages) headOf(pfn, info uint64) (uint64, bool) {
	if info&1 == 0 {
		return pfn, true
	}
	page := info - 1
	if page>>(64-8) == 0xff && bits.LeadingZeros64(^page)+bits.TrailingZeros64(page) == 64 {
		page &= p.Address(pfn)
	}
	head, ok := p.Frame(page)
	return head, ok && head < pfn && pfn-head < 1<<maxOrder
}

// order of the compound page whose first structure is at head.
func (p *Pages) order(head uint64) (int, error) {
	n := &p.frames.n
	for _, x := range [...]struct {
		field *kernel.Field
		base  uint64
		mask  uint64
	}{{&n.PageOrder, head + uint64(p.n.Size), 0xff}, {&n.FolioOrder, head, 0xff}, {&n.FolioFlags, head, 0xff}} {
		if !x.field.Present() {
			continue
		}
		v, err := x.field.Uint(p.k, x.base)
		if v &= x.mask; err == nil && v > maxOrder {
			err = fmt.Errorf("the compound page at %#x has order %d", head, v)
		}
		return int(v), err
	}
	return 0, nil
}

// Type is what the page whose structure is at addr is used for by its page type:
// buddy, table, slab, offline, ...; "" if it has none.
func (p *Pages) Type(addr uint64) (string, error) {
	f := p.know()
	if !f.n.Type.Present() {
		return "", nil
	}
	word, err := f.n.Type.Uint(p.k, addr)
	if err != nil {
		return "", err
	}
	name, _ := f.typed(word)
	return name, nil
}
