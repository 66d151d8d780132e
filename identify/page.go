package identify

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
)

// Page is what the structure of a page says about who uses it.
type Page struct {
	Paddr uint64   // physical address of the page
	Type  string   // UsedPage: "table", "offline" and so on; "" if the page has no type
	Owner mm.Owner // FilePage, AnonPage
	Free  *mm.Free // FreePage
}

// pageNeeds are how the kernel tells pages apart (include/linux/page-flags.h,
// mm_types.h), and where its image is.
type pageNeeds struct {
	Reserved kernel.Enum `need:"PG_reserved"`
	Text     kernel.Sym  `need:"_text"`
	TextEnd  kernel.Sym  `need:"_etext"`
	End      kernel.Sym  `need:"_end"`
}

// pageReader reads page structures.
type pageReader struct {
	k     *kernel.Kernel
	n     pageNeeds
	pages *mm.Pages
	buddy *mm.Buddy  // nil if the lists of free pages cannot be read
	users *mm.Owners // nil if they cannot be told
	image struct{ start, size, phys uint64 }
	freed []atomic.Uint32 // by page of the image: 0 not looked at yet, 1 it is the image's, 2 given back
}

var errNoPages = errors.New("the page structures were not found")

// pageReader is nil if there is none.
func (m *Model) pageReader() *pageReader {
	m.pageOnce.Do(func() {
		r := &pageReader{k: m.k}
		if r.load() == nil {
			m.pages = r
		}
	})
	return m.pages
}

func (r *pageReader) load() error {
	err := r.k.Bind(&r.n)
	if err != nil {
		return err
	}
	if r.pages, err = mm.LoadPages(r.k); err != nil {
		return err
	}
	if b, err := mm.LoadBuddy(r.k, r.pages); err == nil {
		r.buddy = b
	}
	if o, err := mm.LoadOwners(r.k, r.pages); err == nil {
		r.users = o
	}
	phys, _, err := r.k.Translate(uint64(r.n.Text))
	if r.n.End < r.n.Text || r.n.End-r.n.Text > maxImage {
		return fmt.Errorf("the kernel's image from %#x to %#x", uint64(r.n.Text), uint64(r.n.End))
	}
	r.image.start, r.image.size, r.image.phys = uint64(r.n.Text), uint64(r.n.End-r.n.Text), phys
	r.freed = make([]atomic.Uint32, r.image.size>>kernel.PageShift+1)
	return err
}

func (r *pageReader) reserved(p *mm.Page) bool { return p.Flags>>(r.n.Reserved.Value&63)&1 != 0 }

// readPage tells what the page of a physical address is used for.
func (m *Model) readPage(p *Place, paddr uint64) bool {
	r := m.pageReader()
	if r == nil {
		p.Err = errNoPages
		return false
	}
	pfn := paddr >> kernel.PageShift
	folio, err := r.pages.Folio(pfn)
	if err != nil {
		p.Err = err
		return false
	}
	p.Page.Paddr = pfn << kernel.PageShift
	p.Base, p.Size = p.At&^(kernel.PageSize-1), kernel.PageSize
	p.Kind = UsedPage
	switch {
	case r.reserved(&folio.Head):
		p.Kind = Reserved
	case folio.Head.Count == 0 && r.free(p, pfn):
	case folio.Type != "":
		p.Page.Type = folio.Type
	default:
		r.owner(p, pfn)
	}
	return true
}

// free is for pages on the lists of free ones.
func (r *pageReader) free(p *Place, pfn uint64) bool {
	if r.buddy == nil {
		return false
	}
	f, ok, _ := r.buddy.Find(pfn)
	if ok {
		p.Kind, p.Page.Free = FreePage, &f
		p.Base -= (pfn - f.Head) << kernel.PageShift
		p.Size = kernel.PageSize << f.Order
	}
	return ok
}

// owner is for pages of files and processes.
func (r *pageReader) owner(p *Place, pfn uint64) {
	if r.users == nil {
		return
	}
	o, err := r.users.Of(pfn)
	switch {
	case err != nil || o.Kind == mm.NoOwner:
		return
	case o.Kind == mm.FileOwner:
		p.Kind = FilePage
	default:
		p.Kind = AnonPage
	}
	p.Page.Owner = o
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

// givenBack reports whether an address in the image is of memory that the kernel
// freed after it started, and that is used for other things since.
func (m *Model) givenBack(addr uint64) bool {
	if addr < kernel.StartKernelMap || !m.inImage(addr) || addr < uint64(m.pages.n.TextEnd) {
		return false
	}
	off := addr - m.pages.image.start
	state := &m.pages.freed[off>>kernel.PageShift]
	if state.Load() == 0 {
		page, err := m.pages.pages.At(off + m.pages.image.phys)
		if err == nil && !m.pages.reserved(&page) {
			state.Store(2)
		} else {
			state.Store(1)
		}
	}
	return state.Load() == 2
}

// maxImage is the largest kernel image (KERNEL_IMAGE_SIZE).
const maxImage = 1 << 30
