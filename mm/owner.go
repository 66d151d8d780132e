package mm

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/walk"
)

// ownerNeeds are of include/linux/fs.h, rmap.h and page-flags.h.
type ownerNeeds struct {
	Host    kernel.Field `need:"address_space.host"`
	Maps    kernel.Field `need:"?address_space.i_mmap"`
	Inode   kernel.Field `need:"inode.i_mapping"`
	Entries kernel.Field `need:"?inode.i_dentry"`
	Alias   kernel.Field `need:"?dentry.d_u.d_alias|dentry.d_alias"`

	Root  kernel.Field `need:"anon_vma.rb_root"`
	Chain kernel.Field `need:"anon_vma_chain.rb"`
	VMA   kernel.Field `need:"anon_vma_chain.vma"`
	Share kernel.Field `need:"?vm_area_struct.shared.rb"`
	MM    kernel.Field `need:"vm_area_struct.vm_mm"`
	PGD   kernel.Field `need:"mm_struct.pgd"`
}

// Owners tells whose memory a page is: of a file, or of processes.
type Owners struct {
	k     kernel.View
	n     ownerNeeds
	w     *walk.Walker
	pages *Pages
	areas *Areas
}

// OwnerKind is who uses a page.
type OwnerKind uint8

// The kinds of owners that page.mapping names (PAGE_MAPPING_ANON and others).
const (
	NoOwner   OwnerKind = iota // page.mapping says nothing
	FileOwner                  // the page cache of a file or device
	AnonOwner                  // memory of processes without a file
	KSMOwner                   // anonymous memory that was merged because it is equal
)

func (k OwnerKind) String() string {
	return [...]string{"none", "file", "anonymous", "ksm"}[min(k, KSMOwner)]
}

// Owner is who uses a page.
type Owner struct {
	Kind    OwnerKind
	Mapping uint64 // address_space, anon_vma or stable node
	Index   uint64 // of the page, in pages: in the file, or as the areas count
	Inode   uint64 // FileOwner
	Dentry  uint64 // FileOwner: a directory entry of the inode, 0 if there is none in memory
}

// Bits of page.mapping.
const (
	mappingAnon    = 1
	mappingMovable = 2 // with mappingAnon: KSM
	mappingBits    = 3
)

// LoadOwners prepares access to the owners of pages.
func LoadOwners(k kernel.View, pages *Pages) (*Owners, error) {
	o := &Owners{k: k, w: walk.New(k), pages: pages}
	if err := k.Bind(&o.n); err != nil {
		return nil, fmt.Errorf("owners of pages: %w", err)
	}
	var err error
	o.areas, err = LoadAreas(k)
	return o, err
}

// Of is the owner of a page frame. A page that has a type, such as slab or page
// table, or that is no memory of files or processes, has none. An error says
// why the word at page.mapping was not believed, or what could not be read.
func (o *Owners) Of(pfn uint64) (Owner, error) {
	folio, err := o.pages.Folio(pfn)
	if err != nil {
		return Owner{}, err
	}
	word := folio.Head.Mapping
	if folio.Type != "" || slices.Contains(folio.Head.Names, "slab") || folio.Head.Count <= 0 || int64(word) >= 0 {
		return Owner{}, nil
	}
	w := Owner{Mapping: word &^ mappingBits, Index: folio.Head.Index + pfn - folio.PFN}
	switch word & mappingBits {
	case mappingAnon:
		w.Kind = AnonOwner
		return w, nil
	case mappingAnon | mappingMovable:
		w.Kind = KSMOwner
		return w, nil
	case mappingMovable:
		return Owner{}, nil // of a driver that can move it
	}
	host, err := o.n.Host.Uint(o.k, w.Mapping)
	if err != nil {
		return Owner{}, fmt.Errorf("address_space at %#x: %w", w.Mapping, err)
	}
	if int64(host) >= 0 {
		return Owner{}, nil // of swap, or the word is something else
	}
	back, err := o.n.Inode.Uint(o.k, host)
	switch {
	case err != nil:
		return Owner{}, fmt.Errorf("inode at %#x: %w", host, err)
	case back != w.Mapping:
		return Owner{}, fmt.Errorf("page.mapping names %#x, whose inode %#x has its pages at %#x", w.Mapping, host, back)
	}
	w.Kind, w.Inode = FileOwner, host
	w.Dentry = o.dentry(host)
	return w, nil
}

// dentry is the first directory entry of an inode, 0 if there is none.
func (o *Owners) dentry(inode uint64) uint64 {
	if !o.n.Entries.Present() || !o.n.Alias.Present() {
		return 0
	}
	for entry, err := range o.w.HList(o.n.Entries.At(inode), o.n.Alias.Offset) {
		if err != nil {
			return 0
		}
		return entry
	}
	return 0
}

// Mapper is an area of an address space that may map a page.
type Mapper struct {
	Area
	MM      uint64 // mm_struct
	Vaddr   uint64 // user virtual address of the page
	Present bool   // the page tables map the page there
	Err     error  // why that is not known
}

// translator are page tables.
type translator interface {
	Translate(vaddr uint64) (paddr, size uint64, err error)
}

// Mappers yields the areas that may map the page, by the owner's tree of areas:
// of anonymous memory also those of processes that got a copy of their own.
func (o *Owners) Mappers(w Owner, pfn uint64) iter.Seq2[Mapper, error] {
	var root uint64
	var node *kernel.Field
	switch {
	case w.Kind == AnonOwner:
		root, node = o.n.Root.At(w.Mapping), &o.n.Chain
	case w.Kind == FileOwner && o.n.Maps.Present() && o.n.Share.Present():
		root, node = o.n.Maps.At(w.Mapping), &o.n.Share
	default:
		return func(func(Mapper, error) bool) {}
	}
	return func(yield func(Mapper, error) bool) {
		for n, err := range o.w.RBTree(root, walk.InOrder) {
			var link *walk.LinkError
			if errors.As(err, &link) {
				continue // the node follows
			}
			var m Mapper
			ok := false
			if err == nil {
				m, ok, err = o.mapper(w, pfn, n.Addr-uint64(node.Offset))
			}
			if (ok || err != nil) && !yield(m, err) {
				return
			}
		}
	}
}

// mapper reads the area behind a node of a tree; ok is false if it does not span
// the page.
func (o *Owners) mapper(w Owner, pfn, obj uint64) (m Mapper, ok bool, err error) {
	if w.Kind == AnonOwner {
		chain := obj
		if obj, err = o.n.VMA.Uint(o.k, chain); err != nil {
			return m, false, fmt.Errorf("anon_vma_chain at %#x: %w", chain, err)
		}
	}
	if m.Area, err = o.areas.read(obj); err != nil {
		return m, false, err
	}
	first := m.Offset >> kernel.PageShift
	if w.Index < first || w.Index-first >= (m.End-m.Start)>>kernel.PageShift {
		return m, false, nil
	}
	m.Vaddr = m.Start + (w.Index-first)<<kernel.PageShift
	if m.MM, err = o.n.MM.Uint(o.k, obj); err != nil {
		return m, false, fmt.Errorf("vm_area_struct at %#x: %w", obj, err)
	}
	m.Present, m.Err = o.maps(m.MM, m.Vaddr, pfn)
	return m, true, nil
}

// maps asks the page tables of an address space whether vaddr is in page pfn.
func (o *Owners) maps(mm, vaddr, pfn uint64) (bool, error) {
	pgd, err := o.n.PGD.Uint(o.k, mm)
	if err != nil {
		return false, fmt.Errorf("mm_struct at %#x: %w", mm, err)
	}
	user, err := o.k.UserMemory(pgd)
	if err != nil {
		return false, err
	}
	tables, ok := user.(translator)
	if !ok {
		return false, errors.New("the page tables were not found")
	}
	paddr, _, err := tables.Translate(vaddr)
	return err == nil && paddr>>kernel.PageShift == pfn, nil
}
