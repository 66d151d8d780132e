package mm

import (
	"errors"
	"fmt"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

type pageNeeds struct {
	Size    kernel.Size  `need:"page"`
	Flags   kernel.Field `need:"page.flags"`
	Mapping kernel.Field `need:"page.mapping"`
	Index   kernel.Field `need:"page.__folio_index|page.index"`
	Count   kernel.Field `need:"page._refcount"`
	Base    kernel.Sym   `need:"?vmemmap_base"`
	Map     kernel.Sym   `need:"?mem_map"`

	Reserved kernel.Enum `need:"?PG_reserved"`
}

// vmemmapBases are the addresses of the array of page structures when memory is
// not randomised, with 4 and 5 levels of page tables
// (arch/x86/include/asm/pgtable_64_types.h).
var vmemmapBases = [...]uint64{0xffffea0000000000, 0xffd4000000000000}

// Pages finds the page structures of physical pages.
type Pages struct {
	k     kernel.View
	n     pageNeeds
	bases []uint64 // where the array may begin; the first that can be read counts
	flags flagNames

	frames frames
}

// Page is one struct page. Mapping and Index are the words at these members,
// whatever the page's user keeps there.
type Page struct {
	Addr    uint64 // kernel virtual address of the struct page
	Paddr   uint64 // physical address of the page
	Mapping uint64
	Index   uint64
	Count   int64 // references
	Flags   uint64
	Names   []string // of the flags that are set, as the kernel prints them; not to be changed
}

// LoadPages prepares access to the page structures.
func LoadPages(k kernel.View) (*Pages, error) {
	p := &Pages{k: k}
	if err := k.Bind(&p.n); err != nil {
		return nil, fmt.Errorf("page structures: %w", err)
	}
	switch {
	case p.n.Base != 0:
		base, err := value.Word(k, uint64(p.n.Base))
		if err != nil {
			return nil, fmt.Errorf("vmemmap_base: %w", err)
		}
		p.bases = []uint64{base}
	case p.n.Map != 0: // one array for all of memory
		base, err := value.Word(k, uint64(p.n.Map))
		if err != nil {
			return nil, fmt.Errorf("mem_map: %w", err)
		}
		p.bases = []uint64{base}
	default:
		p.bases = vmemmapBases[:]
	}
	p.flags.load(k)
	return p, nil
}

// At is the page structure of the page that holds physical address paddr. An
// error of reason fault.Unmapped means that there is none: no memory there.
func (p *Pages) At(paddr uint64) (Page, error) {
	pfn := paddr >> kernel.PageShift
	obj := make([]byte, max(0, min(int64(p.n.Size), 4096)))
	var first error
	for _, base := range p.bases {
		addr := base + pfn*uint64(p.n.Size)
		if addr < base {
			return Page{}, &fault.Error{Addr: paddr, Space: fault.Physical, Reason: fault.Unmapped, Detail: "beyond the page structures"}
		}
		err := p.k.Read(obj, addr)
		if err == nil {
			return p.decode(addr, pfn<<kernel.PageShift, obj), nil
		}
		if first == nil {
			first = fmt.Errorf("struct page at %#x: %w", addr, err)
		}
	}
	if first == nil {
		first = errors.New("the array of page structures was not found")
	}
	return Page{}, first
}

func (p *Pages) decode(addr, paddr uint64, obj []byte) Page {
	flags := p.n.Flags.In(obj)
	return Page{
		Addr:    addr,
		Paddr:   paddr,
		Mapping: p.n.Mapping.In(obj),
		Index:   p.n.Index.In(obj),
		Count:   int64(int32(p.n.Count.In(obj))),
		Flags:   flags,
		Names:   p.flags.of(flags),
	}
}

// ByAddr decodes the page structure at the kernel virtual address addr.
func (p *Pages) ByAddr(addr uint64) (Page, error) {
	for i, base := range p.bases {
		next := uint64(1) << 46 // no machine has more page structures
		if i+1 < len(p.bases) {
			next = min(next, p.bases[i+1]-base)
		}
		if size := uint64(p.n.Size); size > 0 && addr >= base && addr-base < next {
			return p.At((addr - base) / size << kernel.PageShift)
		}
	}
	return Page{}, &fault.Error{Addr: addr, Space: fault.Virtual, Reason: fault.Unmapped, Detail: "no page structure lies there"}
}
