package mm

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// sectionNeeds are of include/linux/mmzone.h.
type sectionNeeds struct {
	Table kernel.Sym   `need:"mem_section"`
	Map   kernel.Field `need:"mem_section.section_mem_map"`
	Size  kernel.Size  `need:"mem_section"`
	Page  kernel.Size  `need:"page"`

	// The flags in the low bits of section_mem_map, an enum since 5.14.
	PresentBit kernel.Enum `need:"?SECTION_MARKED_PRESENT_BIT"`
	MapBit     kernel.Enum `need:"?SECTION_HAS_MEM_MAP_BIT"`
	OnlineBit  kernel.Enum `need:"?SECTION_IS_ONLINE_BIT"`
	EarlyBit   kernel.Enum `need:"?SECTION_IS_EARLY_BIT"`
	DeviceBit  kernel.Enum `need:"?SECTION_TAINT_ZONE_DEVICE_BIT"`
}

// sectionFlag is a flag of a section; bit is what it was before it had a name.
type sectionFlag struct {
	mask   uint64
	letter byte
}

// sectionMask removes the flags of section_mem_map: the array of page structures
// of a section begins at a multiple of 64 at least.
const sectionMask = 1<<6 - 1

// Section is a part of physical memory whose page structures lie in one piece.
type Section struct {
	Nr     uint64
	Addr   uint64 // of the struct mem_section
	Coded  uint64 // section_mem_map without flags: where the page structure of frame 0 would be
	MemMap uint64 // address of the page structure of its first frame, 0 if it has none
	PFN    uint64 // first page frame
	Pages  uint64
	State  string // letters of its flags: P present, M has page structures, O online, E since boot, D of a device
}

// Sections are the sections of memory of a kernel with CONFIG_SPARSEMEM.
type Sections struct {
	k     kernel.View
	n     sectionNeeds
	shift uint // page frames of a section, as a power of 2
	flags []sectionFlag
}

// ErrFlat means that the kernel has one array of page structures and no sections.
var ErrFlat = errors.New("the kernel has no sections of memory")

// LoadSections prepares the sections of memory.
func LoadSections(k kernel.View) (*Sections, error) {
	if _, ok := k.ImageSymbol("mem_section"); !ok {
		return nil, ErrFlat
	}
	s := &Sections{k: k, shift: 27 - kernel.PageShift} // SECTION_SIZE_BITS of arch/x86/include/asm/sparsemem.h
	if err := k.Bind(&s.n); err != nil {
		return nil, fmt.Errorf("sections of memory: %w", err)
	}
	if s.n.Size < 8 || s.n.Size > 4096 {
		return nil, fmt.Errorf("struct mem_section has %d bytes", s.n.Size)
	}
	if v := k.VMCoreInfo(); v != nil {
		if bits, ok := v.Number("SECTION_SIZE_BITS"); ok && bits > kernel.PageShift && bits < 40 {
			s.shift = uint(bits - kernel.PageShift)
		}
	}
	n := &s.n
	for i, x := range [...]struct {
		bit    kernel.Enum
		letter byte
	}{{n.PresentBit, 'P'}, {n.MapBit, 'M'}, {n.OnlineBit, 'O'}, {n.EarlyBit, 'E'}, {n.DeviceBit, 'D'}} {
		bit := int64(i)
		switch {
		case x.bit.Present():
			bit = x.bit.Value
		case n.PresentBit.Present():
			continue // an enum without this flag
		}
		if bit >= 0 && bit < 6 {
			s.flags = append(s.flags, sectionFlag{1 << bit, x.letter})
		}
	}
	return s, nil
}

// maxRoots bounds the table of sections: 52 bits of physical address in sections
// of 128 MiB, 256 to a page.
const maxRoots = 1 << 17

// All reads the sections that are present, by number. With an error come those
// that could be read.
func (s *Sections) All() ([]Section, error) {
	roots, perRoot, err := s.roots()
	if err != nil {
		return nil, fmt.Errorf("sections of memory: %w", err)
	}
	var list []Section
	var errs fault.Several
	seen := map[uint64]int{}
	obj := make([]byte, perRoot*uint64(s.n.Size))
	for i, root := range roots {
		if root == 0 {
			continue
		}
		if j, again := seen[root]; again {
			errs.Add(fmt.Errorf("mem_section[%d]: it is at %#x, as mem_section[%d]", i, root, j))
			continue
		}
		seen[root] = i
		if err := s.k.Read(obj, root); err != nil {
			errs.Add(fmt.Errorf("mem_section[%d]: %w", i, err))
			continue
		}
		for j := range perRoot {
			at := j * uint64(s.n.Size)
			word := s.n.Map.In(obj[at : at+uint64(s.n.Size)])
			if x, ok := s.decode(uint64(i)*perRoot+j, root+at, word); ok {
				list = append(list, x)
			}
		}
	}
	return list, errs.Err()
}

// roots are the addresses of the arrays of sections: a table of pointers to pages
// (CONFIG_SPARSEMEM_EXTREME), found through a pointer since 4.15, or one array.
func (s *Sections) roots() ([]uint64, uint64, error) {
	t, err := s.k.VariableType("mem_section")
	if err != nil {
		return nil, 0, err
	}
	perRoot := uint64(kernel.PageSize) / uint64(s.n.Size)
	table, count := uint64(s.n.Table), uint64(2048)
	if v := s.k.VMCoreInfo(); v != nil {
		if n, ok := v.Length("mem_section"); ok {
			count = uint64(max(0, n))
		}
	}
	switch u := t.Underlying(); u.Kind() {
	case ctype.Pointer:
		if table, err = value.Word(s.k, table); err != nil {
			return nil, 0, err
		}
	case ctype.Array:
		count = uint64(max(0, u.Count()))
		if e := u.Elem().Underlying(); e.Kind() != ctype.Pointer {
			size := max(int64(s.n.Size), e.Size())
			roots := make([]uint64, min(count, maxRoots))
			for i := range roots {
				roots[i] = table + uint64(i)*uint64(size)
			}
			return roots, 1, nil
		}
	}
	b := make([]byte, 8*min(count, maxRoots))
	if err := s.k.Read(b, table); err != nil {
		return nil, 0, err
	}
	roots := make([]uint64, len(b)/8)
	for i := range roots {
		roots[i] = binary.LittleEndian.Uint64(b[i*8:])
	}
	return roots, perRoot, nil
}

func (s *Sections) decode(nr, addr, word uint64) (Section, bool) {
	x := Section{Nr: nr, Addr: addr, Coded: word &^ sectionMask, PFN: nr << s.shift, Pages: 1 << s.shift}
	for _, f := range s.flags {
		if word&f.mask != 0 {
			x.State += string(f.letter)
		}
	}
	present := len(s.flags) > 0 && word&s.flags[0].mask != 0
	if present && len(s.flags) > 1 && word&s.flags[1].mask != 0 {
		x.MemMap = x.Coded + x.PFN*uint64(s.n.Page)
	}
	return x, present
}
