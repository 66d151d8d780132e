package mm

import (
	"encoding/binary"

	"github.com/kdive/kdive/kernel"
)

// maxMapped bounds the pages that are looked at, in all areas (64 GiB).
const maxMapped = 1 << 24

// Mapped are the areas in use that map the page at the physical address paddr,
// each with the kernel virtual address of that page.
func (v *VMAreas) Mapped(pages *Pages, paddr uint64) (areas []VMArea, vaddrs []uint64) {
	v.mapOnce.Do(func() { v.mapPages(pages) })
	for _, vaddr := range v.byPage[paddr>>kernel.PageShift] {
		if a, ok := v.Find(vaddr); ok {
			areas, vaddrs = append(areas, a), append(vaddrs, vaddr|paddr&(kernel.PageSize-1))
		}
	}
	return areas, vaddrs
}

// mapPages enters the pages of all areas: what the page tables map, or if they
// are not known, what the areas' arrays of page structures have.
func (v *VMAreas) mapPages(pages *Pages) {
	v.byPage = map[uint64][]uint64{}
	tables, ok := v.k.(interface {
		Translate(vaddr uint64) (paddr, n uint64, err error)
	})
	all, _ := v.All()
	left := uint64(maxMapped)
	for i := range all {
		a := &all[i]
		n := (a.End - a.Start) >> kernel.PageShift
		if a.Lazy || n > left {
			continue
		}
		left -= n
		if !ok {
			v.arrayPages(pages, a)
			continue
		}
		for at := uint64(0); at < n; { // by pages: a damaged area may end at the last address
			vaddr := a.Start + at<<kernel.PageShift
			paddr, size, err := tables.Translate(vaddr)
			if err != nil {
				at++
				continue
			}
			run := max(1, min(size>>kernel.PageShift, n-at))
			for off := uint64(0); off < run<<kernel.PageShift; off += kernel.PageSize {
				pfn := (paddr + off) >> kernel.PageShift
				v.byPage[pfn] = append(v.byPage[pfn], vaddr+off)
			}
			at += run
		}
	}
}

func (v *VMAreas) arrayPages(pages *Pages, a *VMArea) {
	if a.Pages == 0 || a.NrPages > (a.End-a.Start)>>kernel.PageShift {
		return
	}
	b := make([]byte, a.NrPages*8)
	if v.k.Read(b, a.Pages) != nil {
		return // its pages are not known
	}
	for at := a.Start; len(b) >= 8; b, at = b[8:], at+kernel.PageSize {
		if pfn, ok := pages.Frame(binary.LittleEndian.Uint64(b)); ok {
			v.byPage[pfn] = append(v.byPage[pfn], at)
		}
	}
}
