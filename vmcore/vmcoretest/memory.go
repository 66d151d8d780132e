// Package vmcoretest builds dump files for tests: the same memory as an ELF
// core in each layout, as a compressed dump with each codec, flattened, split.
//
// It writes the formats from their description and shares no code with the
// readers, so that a mistake in a reader shows. It knows no kernel. Start from
// Memory.
package vmcoretest

import (
	"encoding/binary"
	"maps"
	"slices"
)

// PageSize is the size of a page frame.
const PageSize = 4096

// Memory is the physical memory to dump.
type Memory struct {
	Pages    map[uint64][]byte // by page frame number, PageSize bytes each
	Excluded map[uint64]bool   // RAM that the dump filter left out

	Notes      []Note
	VMCoreInfo string // becomes the last note, unless empty
}

// Note is an ELF note.
type Note struct {
	Name string
	Type uint32
	Desc []byte
}

// Write puts bytes at a physical address, on fresh zeroed pages where there
// are none yet.
func (m *Memory) Write(paddr uint64, b []byte) {
	if m.Pages == nil {
		m.Pages = map[uint64][]byte{}
	}
	for len(b) > 0 {
		pfn, in := paddr/PageSize, paddr%PageSize
		if m.Pages[pfn] == nil {
			m.Pages[pfn] = make([]byte, PageSize)
		}
		n := copy(m.Pages[pfn][in:], b)
		b, paddr = b[n:], paddr+uint64(n)
	}
}

// Exclude marks page frames as RAM that is not in the dump.
func (m *Memory) Exclude(pfns ...uint64) {
	if m.Excluded == nil {
		m.Excluded = map[uint64]bool{}
	}
	for _, pfn := range pfns {
		m.Excluded[pfn] = true
	}
}

// held lists the page frames in the dump, ascending.
func (m *Memory) held() []uint64 { return slices.Sorted(maps.Keys(m.Pages)) }

// ram lists the page frames that are RAM, ascending.
func (m *Memory) ram() []uint64 {
	all := m.held()
	for pfn := range m.Excluded {
		if m.Pages[pfn] == nil {
			all = append(all, pfn)
		}
	}
	slices.Sort(all)
	return all
}

// maxPFN is one beyond the last page frame.
func (m *Memory) maxPFN() uint64 {
	if all := m.ram(); len(all) > 0 {
		return all[len(all)-1] + 1
	}
	return 0
}

// notes returns the note segment and where in it VMCOREINFO's text stands.
func (m *Memory) notes() (b []byte, infoAt int) {
	for _, n := range m.Notes {
		b = append(b, n.bytes()...)
	}
	if m.VMCoreInfo == "" {
		return b, 0
	}
	n := Note{"VMCOREINFO", 0, []byte(m.VMCoreInfo)}
	infoAt = len(b) + 12 + 12
	return append(b, n.bytes()...), infoAt
}

func (n Note) bytes() []byte {
	b := put32(nil, uint32(len(n.Name)+1), uint32(len(n.Desc)), n.Type)
	b = pad(append(append(b, n.Name...), 0), 4)
	return pad(append(b, n.Desc...), 4)
}

// PRStatus is a CPU's register note: regs are in the order of struct
// user_regs_struct, R15 first.
func PRStatus(pid int32, regs [27]uint64) Note {
	d := make([]byte, 336)
	binary.LittleEndian.PutUint32(d[32:], uint32(pid))
	for i, r := range regs {
		binary.LittleEndian.PutUint64(d[112+8*i:], r)
	}
	return Note{"CORE", 1, d}
}

// QEMUState is what matters of QEMU's CPU note.
type QEMUState struct {
	Rip, Rsp, CR0, CR2, CR3, CR4, GDTBase, IDTBase, KernelGSBase uint64
}

// Note returns the state as QEMU writes it (QEMUCPUState version 1).
func (s QEMUState) Note() Note {
	d := make([]byte, 440)
	le := binary.LittleEndian
	le.PutUint32(d, 1)
	le.PutUint32(d[4:], 440)
	for at, v := range map[int]uint64{
		8 + 6*8: s.Rsp, 8 + 16*8: s.Rip, 152 + 8*24 + 16: s.GDTBase, 152 + 9*24 + 16: s.IDTBase,
		392: s.CR0, 408: s.CR2, 416: s.CR3, 424: s.CR4, 432: s.KernelGSBase,
	} {
		le.PutUint64(d[at:], v)
	}
	return Note{"QEMU", 0, d}
}

func put16(b []byte, v ...uint16) []byte {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint16(b, x)
	}
	return b
}

func put32(b []byte, v ...uint32) []byte {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}

func put64(b []byte, v ...uint64) []byte {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	return b
}

// pad appends zeros up to a multiple of n bytes.
func pad(b []byte, n int) []byte {
	for len(b)%n != 0 {
		b = append(b, 0)
	}
	return b
}
