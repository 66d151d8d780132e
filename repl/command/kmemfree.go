package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl"
)

// freeLister shows the free pages of the page allocator.
type freeLister struct {
	t     *Target
	c     *repl.Call
	b     *mm.Buddy
	pages *mm.Pages
	each  bool // every block is shown, not only how many there are
}

// kmemFree is kmem -f and -F.
func kmemFree(ctx context.Context, t *Target, c *repl.Call) error {
	b, err := t.buddy()
	if err != nil {
		return err
	}
	pages, err := t.pages()
	if err != nil {
		return err
	}
	l := freeLister{t, c, b, pages, c.Has("F")}
	if len(c.Args) == 0 {
		return l.all(ctx)
	}
	for i, arg := range c.Args {
		if i > 0 {
			c.Out.Print("\n")
		}
		addr, err := t.address(arg)
		if err == nil {
			err = l.holding(addr)
		}
		if err != nil {
			c.Error(err)
		}
	}
	return nil
}

// all shows the lists of all zones.
func (l *freeLister) all(ctx context.Context) error {
	zones, err := l.b.Zones()
	if err != nil {
		l.c.Warn("%v", err)
	}
	var total freeTotal
	for i, z := range zones {
		if i > 0 {
			l.c.Out.Print("\n")
		}
		if i == 0 || z.Node != zones[i-1].Node {
			if i > 0 {
				l.c.Out.Print(strings.Repeat("-", 74) + "\n\n")
			}
			l.nodeHead(z)
		}
		total.counter += z.Free
		row := zoneRow{z, l.pages}
		zoneFreeRecord.Head(l.c.Out)
		zoneFreeRecord.Emit(l.c.Out, &row)
		if z.Spanned == 0 {
			continue
		}
		if pending, err := l.b.Pending(z); err == nil {
			total.pending += pending
		}
		if !l.each {
			freeAreaRecord.Head(l.c.Out)
		}
		for _, a := range l.b.Areas(z) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			total.found += l.area(a)
		}
		total.kept += l.kept(z)
	}
	l.c.Out.Print("\n")
	freeTotalRecord.Emit(l.c.Out, &total)
	return nil
}

// area shows one list and returns how many pages it has.
func (l *freeLister) area(a mm.FreeArea) (pages int64) {
	row := freeAreaRow{FreeArea: a, name: l.b.TypeName(a.Type)}
	if l.each && !l.c.Out.JSON() {
		l.areaHead(a.Order, a.Addr)
	}
	for block, err := range l.b.Blocks(a) {
		if err != nil {
			row.errs = append(row.errs, err)
			continue
		}
		row.blocks++
		if l.each {
			freeBlockRecord.Emit(l.c.Out, &freeBlockRow{block, &row})
		}
	}
	if !l.each || l.c.Out.JSON() {
		freeAreaRecord.Emit(l.c.Out, &row)
	}
	for _, err := range row.errs {
		l.c.Out.Fault(fmt.Sprintf("zone %s, order %d, list %x", a.Zone.Name, a.Order, a.Addr), err)
	}
	return row.blocks << a.Order
}

// areaHead is the heading of a list whose blocks are shown.
func (l *freeLister) areaHead(order int, list uint64) {
	l.c.Out.Print("AREA    SIZE  FREE_AREA_STRUCT\n")
	l.c.Out.Printf("%3d  %6dk  %16x  \n", order, kernel.PageSize<<order>>10, list)
}

// kept counts the pages on the CPUs' own lists, which are data for programs:
// crash does not know them.
func (l *freeLister) kept(z *mm.Zone) (pages int64) {
	lists, err := l.b.CPULists(z)
	if err != nil {
		l.c.Out.Fault("per-CPU lists of zone "+z.Name, err)
	}
	for _, list := range lists {
		row := cpuListRow{CPUList: list, name: l.b.TypeName(list.Type)}
		for _, err := range l.b.Kept(list) {
			if err != nil {
				l.c.Out.Fault(fmt.Sprintf("zone %s, list %x of CPU %d", z.Name, list.Addr, list.CPU), err)
				continue
			}
			row.blocks++
		}
		pages += row.blocks << list.Order
		if l.c.Out.JSON() && row.blocks > 0 {
			cpuListRecord.Emit(l.c.Out, &row)
		}
	}
	return pages
}

// holding shows the block that a page is in: the page of a page structure, of a
// kernel virtual or of a physical address. There is nothing to show if the page
// is not free.
func (l *freeLister) holding(addr uint64) error {
	pfn, err := l.t.frameOf(l.pages, addr)
	if err != nil {
		return fmt.Errorf("cannot determine page for %x: %w", addr, err)
	}
	f, ok, err := l.b.Find(pfn)
	if err != nil && !ok {
		l.c.Warn("%x: lists of free pages are damaged: %v", addr, firstLine(err))
	}
	if ok {
		l.block(addr, pfn, &f)
	}
	return nil
}

// nodeHead is the heading of a zone's node on machines with several.
func (l *freeLister) nodeHead(z *mm.Zone) {
	if zones, _ := l.b.Zones(); len(zones) > 0 && zones[0].Node != zones[len(zones)-1].Node {
		l.c.Out.Printf("NODE\n %2d\n", z.Node)
	}
}

// block shows where a free page is.
func (l *freeLister) block(addr, pfn uint64, f *mm.Free) {
	r := freePageRow{Free: f, asked: addr, number: pfn - f.Head, name: l.b.TypeName(f.Type), zone: zoneRow{f.Zone, l.pages}}
	r.physical = !l.t.Opened.Kernel.IsKernelAddress(addr)
	if !l.c.Out.JSON() {
		l.nodeHead(f.Zone)
		zoneFreeRecord.Head(l.c.Out)
		zoneFreeRecord.Emit(l.c.Out, &r.zone)
	}
	switch {
	case f.CPU >= 0:
		l.c.Out.Print("CPU     SIZE  PER_CPU_LIST\n")
		l.c.Out.Printf("%3d  %6dk  %16x  \n", f.CPU, kernel.PageSize<<f.Order>>10, f.List)
	case f.List == 0:
		l.c.Out.Print("AREA    SIZE  FREE_AREA_STRUCT\n")
		l.c.Out.Printf("%3d  %6dk  %16s  \n", f.Order, kernel.PageSize<<f.Order>>10, "(on no list)")
	default:
		l.areaHead(f.Order, f.List)
	}
	freePageRecord.Emit(l.c.Out, &r)
}

// frameOf is the page frame that an address stands for: a page structure, a
// kernel virtual or a physical address.
func (t *Target) frameOf(pages *mm.Pages, addr uint64) (uint64, error) {
	k := t.Opened.Kernel
	if !k.IsKernelAddress(addr) {
		if _, err := pages.At(addr); err != nil {
			return 0, err
		}
		return addr >> kernel.PageShift, nil
	}
	if pfn, ok := pages.Frame(addr); ok {
		if _, err := pages.At(pfn << kernel.PageShift); err == nil {
			return pfn, nil
		}
	}
	paddr, _, err := k.Translate(addr)
	if err != nil {
		return 0, err
	}
	if _, err := pages.At(paddr); err != nil {
		return 0, err
	}
	return paddr >> kernel.PageShift, nil
}
