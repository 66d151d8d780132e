package identify

import (
	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
)

// Find is what lies at a kernel virtual address.
func (m *Model) Find(addr uint64) Place {
	p := Place{Addr: addr, At: addr, CPU: -1}
	if int64(addr) >= 0 || !m.k.IsKernelAddress(addr) {
		p.Err = &fault.Error{Addr: addr, Space: fault.Virtual, Reason: fault.Unmapped, Detail: "no kernel address"}
		return p
	}
	if start, end, ok := m.k.DirectMap(); ok && addr-start < end-start {
		m.findDirect(&p, addr-start)
		return p
	}
	if m.givenBack(addr) {
		m.findMapped(&p)
		return p
	}
	if !m.findVirtual(&p) {
		m.findMapped(&p)
	}
	return p
}

// findDirect is for addresses in the direct map.
func (m *Model) findDirect(p *Place, paddr uint64) {
	if m.findObject(p) {
		return
	}
	if m.findSpan(p) {
		return
	}
	if !m.readPage(p, paddr) {
		return
	}
	// Memory of no slab may be known better by another address.
	switch p.Kind {
	case Reserved, UsedPage:
		if v, ok := m.imageAddress(paddr); ok && p.Kind == Reserved {
			m.retry(p, v)
			return
		}
		if v, ok := m.mappedAt(paddr); ok {
			m.retry(p, v)
		}
	}
}

// retry looks the memory up at another address and keeps what was known if that
// says nothing.
func (m *Model) retry(p *Place, vaddr uint64) {
	q := Place{Addr: p.Addr, At: vaddr, CPU: -1, Page: p.Page}
	if m.findVirtual(&q) {
		*p = q
	}
}

// findObject is for memory of slabs.
func (m *Model) findObject(p *Place) bool {
	slabs := m.slabModel()
	if slabs == nil {
		return false
	}
	o, ok := slabs.Find(p.At)
	if !ok {
		return false
	}
	m.setObject(p, o.Index >= 0)
	p.Object = o
	if o.Index < 0 {
		p.Base, p.Size = o.Slab.Base, kernel.PageSize<<o.Slab.Cache.Order
		return true
	}
	p.Base, p.Size = p.At-uint64(o.Offset), uint64(o.Slab.Cache.Size)
	return true
}

func (m *Model) setObject(p *Place, inside bool) {
	p.Kind = SlabRest
	if inside {
		p.Kind = Object
	}
}

// findVirtual is for addresses outside the direct map that the kernel's own
// tables tell about.
func (m *Model) findVirtual(p *Place) bool {
	return m.findSpan(p) || m.findSymbol(p) || m.findArea(p) || m.findPageStruct(p)
}

// findSymbol is for the kernel image and modules.
func (m *Model) findSymbol(p *Place) bool {
	if p.At < kernel.StartKernelMap && m.k.ModuleAt(p.At) == nil {
		return false
	}
	if s, ok := m.k.FindSymbol(p.At); ok {
		p.Kind, p.Symbol, p.Base, p.Size, p.Module = Symbol, s, s.Addr, s.Size, s.Module
		code := s.Type|0x20 == 't' || s.Type|0x20 == 'w' // labels have no size
		p.Beyond = p.At-s.Addr >= s.Size && (s.Size > 0 || !code)
		return true
	}
	mod := m.k.ModuleAt(p.At)
	if mod == nil {
		return false
	}
	p.Kind, p.Module = ModuleMemory, mod
	for _, r := range mod.Regions {
		if p.At-r.Base < r.Size {
			p.Base, p.Size = r.Base, r.Size
		}
	}
	return true
}

// findPageStruct is for the array of page structures.
func (m *Model) findPageStruct(p *Place) bool {
	r := m.pageReader()
	if r == nil {
		return false
	}
	page, err := r.pages.ByAddr(p.At)
	if err != nil || !m.isMemory(page.Paddr) {
		return false
	}
	t, err := m.k.StructType("page")
	if err != nil {
		return false
	}
	p.Kind, p.Base, p.Size = PageStruct, page.Addr, uint64(t.Size())
	p.Page.Paddr = page.Paddr
	return true
}

// isMemory reports whether the direct map has a physical address.
func (m *Model) isMemory(paddr uint64) bool {
	start, end, ok := m.k.DirectMap()
	return ok && paddr < end-start
}

// findArea looks an address up in the areas of virtual memory.
func (m *Model) findArea(p *Place) bool {
	m.areaOnce.Do(func() {
		if v, err := mm.LoadVMAreas(m.k); err == nil {
			m.areas = v
		}
	})
	if m.areas == nil {
		return false
	}
	a, ok := m.areas.Find(p.At)
	if !ok {
		return false
	}
	p.Kind, p.Area, p.Base, p.Size = VirtualArea, &a, a.Start, a.End-a.Start
	return true
}

// findMapped is for what only the page tables know.
func (m *Model) findMapped(p *Place) {
	paddr, _, err := m.k.Translate(p.At)
	if err != nil {
		p.Err = err
		return
	}
	start, _, _ := m.k.DirectMap()
	if !m.isMemory(paddr) {
		p.Err = &fault.Error{Addr: p.Addr, Space: fault.Virtual, Reason: fault.Unmapped, Detail: "mapped to no memory of the machine"}
		return
	}
	q := Place{Addr: p.Addr, At: start + paddr, CPU: -1}
	if m.findDirect(&q, paddr); q.Kind != Nothing {
		*p = q
	}
}

// Point is what a word that may be an address points to, as far as symbols and,
// if asked for, caches tell: what is said beside every word of a stack.
func (m *Model) Point(word uint64, objects bool) (Place, bool) {
	p := Place{Addr: word, At: word, CPU: -1}
	if s, ok := m.k.FindSymbol(word); ok {
		p.Kind, p.Symbol, p.Base, p.Size, p.Module = Symbol, s, s.Addr, s.Size, s.Module
		return p, true
	}
	return p, objects && int64(word) < 0 && m.findObject(&p)
}
