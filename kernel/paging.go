package kernel

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/kdive/kdive/fault"
)

// Page-table constants of x86-64 (Intel SDM volume 3, chapter 4; Linux
// arch/x86/include/asm/pgtable_types.h).
const (
	PageShift = 12
	PageSize  = 1 << PageShift

	PtePresent  = 1 << 0
	PteRW       = 1 << 1
	PteUser     = 1 << 2
	PtePWT      = 1 << 3
	PtePCD      = 1 << 4
	PteAccessed = 1 << 5
	PteDirty    = 1 << 6
	PtePSE      = 1 << 7
	PteGlobal   = 1 << 8
	PteProtNone = 1 << 8 // in an entry without PRESENT
	PteNX       = 1 << 63

	physBits = 0x000ffffffffff000 // bits 51..12 of an entry
)

// Level is a level of the page tables, counted from the page up.
type Level int

// The levels. A walk starts at P4D or PGD (4 levels: PGD is level 4 and there
// is no P4D; Linux folds the P4D away).
const (
	LevelPTE Level = iota + 1
	LevelPMD
	LevelPUD
	LevelP4D
	LevelPGD
)

func (l Level) String() string {
	return [...]string{"?", "PTE", "PMD", "PUD", "P4D", "PGD"}[max(0, min(int(l), 5))]
}

// PhysMemory is physical memory: what page tables are read from.
type PhysMemory interface {
	ReadPhys(p []byte, paddr uint64) error
}

// Step is one entry that a page walk read.
type Step struct {
	Level Level
	Addr  uint64 // physical address of the entry
	Entry uint64 // as stored, encryption bit included
}

// Mapping is the result of a page walk.
type Mapping struct {
	Steps []Step // from the top; the last one decides
	Paddr uint64 // physical address that the virtual one maps to
	Size  uint64 // bytes mapped by the last entry: 4 KiB, 2 MiB or 1 GiB
}

// PageTables is one tree of page tables. It is safe for concurrent use.
type PageTables struct {
	mem     PhysMemory
	root    uint64 // physical address of the top table
	levels  int    // 4 or 5
	encMask uint64 // memory-encryption bits to strip from entries (sme_mask)

	mu  sync.RWMutex
	tlb map[uint64]tlbEntry // 2 MiB regions -> table of PTEs or large page
}

// tlbEntry caches how far a walk gets without the last table.
type tlbEntry struct {
	table uint64 // physical address of the PTE table, or
	base  uint64 // physical address of the 2 MiB region
	large bool
}

// maxTLB bounds the translation cache; 2 MiB a slot makes 32 GiB of vmalloc
// space before it starts anew.
const maxTLB = 1 << 14

// NewPageTables makes a tree from the physical address of its top table, the
// number of levels (4 or 5) and the memory-encryption bits in its entries.
func NewPageTables(mem PhysMemory, root uint64, levels int, encMask uint64) *PageTables {
	return &PageTables{mem: mem, root: root &^ encMask & physBits, levels: levels, encMask: encMask, tlb: map[uint64]tlbEntry{}}
}

// Root is the physical address of the top table.
func (t *PageTables) Root() uint64 { return t.root }

// Levels is 4 or 5.
func (t *PageTables) Levels() int { return t.levels }

// EncMask is the memory-encryption bits in entries, 0 without encryption.
func (t *PageTables) EncMask() uint64 { return t.encMask }

// Canonical reports whether the tree can map vaddr at all.
func (t *PageTables) Canonical(vaddr uint64) bool {
	shift := 64 - (PageShift + 9*t.levels)
	return uint64(int64(vaddr<<shift)>>shift) == vaddr
}

// Walk follows the tables for vaddr. The steps read so far are returned with an
// error, too: an entry that maps nothing gives a *fault.Error of reason
// Unmapped or SwappedOut, an unreadable table that table's reason.
func (t *PageTables) Walk(vaddr uint64) (Mapping, error) {
	var m Mapping
	if !t.Canonical(vaddr) {
		return m, &fault.Error{Addr: vaddr, Space: space(vaddr), Reason: fault.Unmapped, Detail: "not canonical"}
	}
	table := t.root
	level := LevelPGD
	if t.levels == 4 {
		level = LevelP4D
	}
	for {
		shift := PageShift + 9*(uint(level)-1)
		at := table + (vaddr>>shift&511)*8
		e, err := t.entry(at)
		if err != nil {
			return m, fmt.Errorf("page table entry: %w", fault.At(err, space(vaddr), vaddr))
		}
		name := level
		if t.levels == 4 && level == LevelP4D {
			name = LevelPGD
		}
		m.Steps = append(m.Steps, Step{Level: name, Addr: at, Entry: e})
		if e&PtePresent == 0 {
			return t.notPresent(m, vaddr, e, level, shift)
		}
		next := e & physBits &^ t.encMask
		if level == LevelPTE || (e&PtePSE != 0 && (level == LevelPMD || level == LevelPUD)) {
			m.Size = 1 << shift
			if reservedBits(e, m.Size) {
				return m, reservedFault(vaddr, name, e)
			}
			m.Paddr = next&^(m.Size-1) | vaddr&(m.Size-1)
			return m, nil
		}
		table, level = next, level-1
	}
}

// reservedBits reports whether an entry that maps size bytes has bits set that
// must be 0: those between bit 12, which is PAT in large pages, and the page's
// address (Intel SDM volume 3, 4.5). The processor refuses such an entry; where
// tables are damaged, most entries are of that kind.
func reservedBits(e, size uint64) bool { return e&(size-1)&^(2*PageSize-1) != 0 }

func reservedFault(vaddr uint64, level Level, e uint64) error {
	return &fault.Error{Addr: vaddr, Space: space(vaddr), Reason: fault.Unmapped, Detail: fmt.Sprintf("%v entry %#x has reserved bits set", level, e)}
}

// notPresent decides what an entry without PRESENT says. A PROT_NONE mapping
// still names its page, with the frame number inverted as the L1TF mitigation
// stores it (arch/x86/include/asm/pgtable-invert.h).
func (t *PageTables) notPresent(m Mapping, vaddr, e uint64, level Level, shift uint) (Mapping, error) {
	reason := fault.Unmapped
	switch {
	case e == 0:
	case level <= LevelPMD && e&PteProtNone != 0:
		m.Size = 1 << shift
		m.Paddr = ^e&physBits&^(m.Size-1) | vaddr&(m.Size-1)
		return m, nil
	case level == LevelPTE:
		reason = fault.SwappedOut
	}
	return m, &fault.Error{Addr: vaddr, Space: space(vaddr), Reason: reason, Detail: fmt.Sprintf("%v entry %#x", m.Steps[len(m.Steps)-1].Level, e)}
}

// Translate maps a virtual address to a physical one; size is how many bytes
// from paddr on belong to the same mapping.
func (t *PageTables) Translate(vaddr uint64) (paddr, size uint64, err error) {
	region := vaddr >> 21
	t.mu.RLock()
	c, ok := t.tlb[region]
	t.mu.RUnlock()
	if ok {
		if c.large {
			return c.base + vaddr&(1<<21-1), 1<<21 - vaddr&(1<<21-1), nil
		}
		e, err := t.entry(c.table + (vaddr>>12&511)*8)
		if err == nil && e&PtePresent != 0 {
			return e&physBits&^t.encMask + vaddr&(PageSize-1), PageSize - vaddr&(PageSize-1), nil
		}
	}
	m, err := t.Walk(vaddr)
	if err != nil {
		return 0, 0, err
	}
	t.remember(region, m)
	return m.Paddr, m.Size - vaddr&(m.Size-1), nil
}

func (t *PageTables) remember(region uint64, m Mapping) {
	last := m.Steps[len(m.Steps)-1]
	if last.Entry&PtePresent == 0 {
		return
	}
	c := tlbEntry{table: last.Addr &^ (PageSize - 1)}
	if m.Size > PageSize {
		c = tlbEntry{large: true, base: m.Paddr &^ (1<<21 - 1)}
	}
	t.mu.Lock()
	if len(t.tlb) >= maxTLB {
		clear(t.tlb)
	}
	t.tlb[region] = c
	t.mu.Unlock()
}

func (t *PageTables) entry(paddr uint64) (uint64, error) {
	var b [8]byte
	if err := t.mem.ReadPhys(b[:], paddr); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

// Read fills p from virtual memory mapped by t. Bytes before the failing
// address are valid.
func (t *PageTables) Read(p []byte, vaddr uint64) error {
	for len(p) > 0 {
		paddr, n, err := t.Translate(vaddr)
		if err != nil {
			return err
		}
		n = min(n, uint64(len(p)))
		if err := t.mem.ReadPhys(p[:n], paddr); err != nil {
			return virtualFault(err, paddr, vaddr)
		}
		p, vaddr = p[n:], vaddr+n
	}
	return nil
}

// virtualFault turns the fault of a physical read that started at paddr into
// one of the virtual read that started at vaddr.
func virtualFault(err error, paddr, vaddr uint64) error {
	if e, ok := err.(*fault.Error); ok && e.Addr >= paddr {
		vaddr += e.Addr - paddr
	}
	return fault.At(err, space(vaddr), vaddr)
}

// space tells the halves of the address space apart.
func space(vaddr uint64) fault.Space {
	if int64(vaddr) < 0 {
		return fault.Virtual
	}
	return fault.User
}
