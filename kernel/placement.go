package kernel

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/vmcore"
)

// placement is where the kernel ran: what turns the addresses of vmlinux into
// physical ones.
type placement struct {
	kaslr    uint64 // run-time minus link-time virtual address
	physBase uint64 // physical address of StartKernelMap (may wrap below zero)
	encMask  uint64 // memory-encryption bits in page-table entries (sme_mask)
	levels   int    // of the page tables
	root     uint64 // physical address of the kernel's top page table
	tables   *PageTables
	source   string // where it was learned, for the user
}

// locate finds the placement. Each source is believed only if the kernel's
// banner can be read through it: VMCOREINFO can be damaged, CR3 can belong to a
// user address space.
func (k *Kernel) locate(force bool) error {
	sources := []func() (placement, error){k.placeFromVMCoreInfo, k.placeFromCPUs}
	if k.Info != nil {
		sources = append(sources, k.placeFromBanner)
	}
	var errs []error
	var doubted, unconfirmed *placement
	for _, source := range sources {
		p, err := source()
		if err == nil {
			k.setPlacement(p)
			if err = k.checkBanner(); err == nil {
				if len(errs) > 0 {
					k.note("kernel placement deduced from %s: KASLR offset %#x, phys_base %#x (%v)", p.source, p.kaslr, p.physBase, joined(errs))
				}
				return nil
			}
			doubted = &p
			if unconfirmed == nil && (missing(err) || k.sameBuild()) {
				unconfirmed = &p
			}
		}
		errs = append(errs, err)
		var mismatch *MismatchError
		if errors.As(err, &mismatch) && !force && !k.sameBuild() {
			return err
		}
	}
	if !force {
		// A dump is worth opening if it lacks the very page that would confirm it,
		// or has it damaged: of the same build, nothing else can be wrong.
		doubted = unconfirmed
	}
	if doubted != nil {
		k.setPlacement(*doubted)
		k.note("kernel placement from %s not confirmed: %v", doubted.source, joined(errs))
		return nil
	}
	k.place = placement{}
	k.image = span{}
	return fmt.Errorf("cannot locate the kernel in the dump: %w", joined(errs))
}

// missing reports whether a check failed because the dump lacks the memory that
// it would have looked at, and not because that memory said otherwise.
func missing(err error) bool {
	switch fault.ReasonOf(err) {
	case fault.Excluded, fault.Truncated, fault.Damaged, fault.NotRAM:
		return true
	}
	return false
}

// joined is one error that says all of errs on one line.
func joined(errs []error) error {
	var all error
	for _, err := range errs {
		if all == nil {
			all = err
		} else {
			all = fmt.Errorf("%w; %w", all, err)
		}
	}
	return all
}

func (k *Kernel) setPlacement(p placement) {
	p.tables = NewPageTables(k.Dump, p.root, p.levels, p.encMask)
	k.place = p
	// Without symbols the size of the image is not known; the mapping reaches
	// at most 1 GiB (KERNEL_IMAGE_SIZE), and the page tables know the rest.
	k.image = span{}
	if start, ok := k.Symbol("_text"); ok {
		if end, ok := k.Symbol("_end"); ok && end > start && end-start < 1<<30 {
			k.image = span{start: start, end: end, phys: start - StartKernelMap + p.physBase}
		}
	}
}

func (k *Kernel) linkSymbol(names ...string) (uint64, error) {
	for _, n := range names {
		if s := k.Info.Lookup(n); len(s) > 0 {
			return s[0].Addr, nil
		}
	}
	return 0, fmt.Errorf("vmlinux has no symbol %s", names[0])
}

// placeFromVMCoreInfo takes what the kernel exported for this purpose
// (kernel/vmcore_info.c, arch/x86/kernel/vmcore_info_64.c).
func (k *Kernel) placeFromVMCoreInfo() (placement, error) {
	p := placement{source: "VMCOREINFO", levels: 4}
	v := k.Dump.VMCoreInfo()
	if v == nil {
		return p, errors.New("no VMCOREINFO")
	}
	if k.Info != nil {
		stext, err := k.linkSymbol("_stext")
		if err != nil {
			return p, err
		}
		run, ok := v.Symbol("_stext")
		if !ok {
			return p, errors.New("VMCOREINFO: no SYMBOL(_stext)")
		}
		p.kaslr = run - stext
	}
	base, ok := v.Number("phys_base")
	if !ok {
		var err error
		if base, err = k.physBaseFromFile(); err != nil {
			return p, err
		}
	}
	p.physBase = uint64(base)
	if m, ok := v.Number("sme_mask"); ok {
		p.encMask = uint64(m)
	}
	if l5, ok := v.Number("pgtable_l5_enabled"); ok && l5 != 0 {
		p.levels = 5
	}
	top, ok := v.Symbol("init_top_pgt")
	if !ok {
		if top, ok = v.Symbol("swapper_pg_dir"); !ok {
			return p, errors.New("VMCOREINFO: neither init_top_pgt nor swapper_pg_dir")
		}
	}
	p.root = top - StartKernelMap + p.physBase
	return p, nil
}

// physBaseFromFile uses what the dump's own headers tell: a compressed dump has
// a field for it, and in kexec's /proc/vmcore the PT_LOAD of the kernel image
// has its virtual address.
func (k *Kernel) physBaseFromFile() (int64, error) {
	if info := k.Dump.Info(); info.HasPhysBase {
		return int64(info.PhysBase), nil
	}
	for _, s := range k.Dump.Segments() {
		if s.Vaddr >= StartKernelMap && s.Vaddr != ^uint64(0) {
			return int64(s.Paddr - (s.Vaddr - StartKernelMap)), nil
		}
	}
	return 0, errors.New("neither NUMBER(phys_base) nor a program header of the kernel image")
}

// placeFromCPUs uses the control registers and the interrupt table in QEMU's
// CPU notes: CR3 gives page tables, gate 0 of the IDT the run-time address of
// the divide-error entry.
func (k *Kernel) placeFromCPUs() (placement, error) {
	p := placement{source: "the CPU registers in the dump"}
	if k.Info == nil {
		return p, errors.New("the CPU registers tell nothing without a vmlinux")
	}
	handler, err := k.linkSymbol("asm_exc_divide_error", "divide_error")
	if err != nil {
		return p, err
	}
	stext, err := k.linkSymbol("_stext")
	if err != nil {
		return p, err
	}
	err = errors.New("no CPU registers with CR3 in the dump")
	for _, c := range k.Dump.CPUs() {
		if !c.HasQEMU || c.CR3 == 0 {
			continue
		}
		for _, pt := range tablesOf(k.Dump, &c) {
			p.levels, p.root = pt.levels, pt.root
			var gate [16]byte
			if err = pt.Read(gate[:], c.IDTBase); err != nil {
				continue
			}
			p.kaslr = gateOffset(gate) - handler
			paddr, _, terr := pt.Translate(stext + p.kaslr)
			if terr != nil {
				err = terr
				continue
			}
			p.physBase = paddr - (stext + p.kaslr - StartKernelMap)
			return p, nil
		}
	}
	return p, err
}

// tablesOf are the page tables that a CPU used: those that its CR3 may mean.
// The low bits are the PCID; bit 12 tells the user half of a pair of tables
// under page-table isolation from the kernel half.
func tablesOf(d *vmcore.Dump, c *vmcore.CPUState) []*PageTables {
	levels := 4
	if c.CR4&(1<<12) != 0 { // CR4.LA57
		levels = 5
	}
	root := c.CR3 & physBits
	tables := []*PageTables{NewPageTables(d, root&^(1<<12), levels, 0)}
	if root&(1<<12) != 0 {
		tables = append(tables, NewPageTables(d, root, levels, 0))
	}
	return tables
}

// anyTables are page tables of some CPU that map its interrupt table: enough to
// read kernel memory when nothing says where the kernel is.
func (k *Kernel) anyTables() *PageTables {
	for _, c := range k.Dump.CPUs() {
		if !c.HasQEMU || c.CR3 == 0 {
			continue
		}
		for _, pt := range tablesOf(k.Dump, &c) {
			if _, _, err := pt.Translate(c.IDTBase); err == nil {
				return pt
			}
		}
	}
	return nil
}

// gateOffset is the handler address in a 64-bit interrupt gate (Intel SDM
// volume 3, 6.14.1).
func gateOffset(g [16]byte) uint64 {
	return uint64(g[0]) | uint64(g[1])<<8 | uint64(g[6])<<16 | uint64(g[7])<<24 |
		uint64(g[8])<<32 | uint64(g[9])<<40 | uint64(g[10])<<48 | uint64(g[11])<<56
}

// placeFromBanner searches physical memory for vmlinux's own banner. Where it
// lies gives the sum of KASLR offset and phys_base; the kernel's page tables,
// which the sum locates, say which virtual address maps to it.
func (k *Kernel) placeFromBanner() (placement, error) {
	p := placement{source: "a search for linux_banner"}
	addr, err := k.linkSymbol("linux_banner")
	if err != nil {
		return p, err
	}
	banner, err := k.fileBanner()
	if err != nil {
		return p, err
	}
	top, err := k.linkSymbol("init_top_pgt", "swapper_pg_dir", "init_level4_pgt")
	if err != nil {
		return p, err
	}
	err = errors.New("linux_banner of the vmlinux is nowhere in the dump")
	scanErr := scanPages(k.Dump, int(addr&(PageSize-1)), banner, func(paddr uint64) bool {
		sum := paddr - (addr - StartKernelMap)
		for _, p.levels = range [...]int{4, 5} {
			p.root = top - StartKernelMap + sum
			pt := NewPageTables(k.Dump, p.root, p.levels, 0)
			// KASLR moves the image in steps of CONFIG_PHYSICAL_ALIGN, at least 2 MiB,
			// within 1 GiB.
			for p.kaslr = 0; p.kaslr < 1<<30; p.kaslr += 2 << 20 {
				if at, _, terr := pt.Translate(addr + p.kaslr); terr == nil && at == paddr {
					p.physBase = sum - p.kaslr
					err = nil
					return false
				}
			}
		}
		return true
	})
	return p, errors.Join(err, scanErr)
}

// scanPages calls found with the physical address of each place in the dump's
// memory where text stands at the given offset of a page; found returns false
// to stop. Pages that cannot be read are passed over.
func scanPages(d *vmcore.Dump, offset int, text []byte, found func(paddr uint64) bool) error {
	n := min(len(text), PageSize-offset)
	if n <= 0 {
		return errors.New("nothing to search for")
	}
	r := d.NewReader()
	buf := make([]byte, n)
	for run := range d.Runs() {
		for page := run.Start &^ (PageSize - 1); page < run.End; page += PageSize {
			at := page + uint64(offset)
			if r.ReadPhys(buf, at) == nil && bytes.Equal(buf, text[:n]) && !found(at) {
				return nil
			}
		}
	}
	return nil
}
