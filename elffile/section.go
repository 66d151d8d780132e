package elffile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrNoData is in the error chain of Data for a section that has no bytes in
// this file: .bss, or any allocated section of a separate debug file.
var ErrNoData = errors.New("the section has no bytes in this file")

// Section is one entry of the section table, as it stands in the file but for
// Addr; nothing in it has been checked against the file's size.
type Section struct {
	Index   int
	Name    string
	Type    elf.SectionType
	Flags   elf.SectionFlag
	Addr    uint64 // link-time virtual address; see below for ET_REL
	Offset  uint64 // in the file
	Size    uint64 // bytes in the file, compressed if Flags say so
	Link    uint32 // section index
	Info    uint32 // section index or symbol index, by Type
	Align   uint64
	EntSize uint64
}

// The sections of a relocatable object (ET_REL, kernel modules) all claim
// address zero. They are given addresses of our own: the allocated sections
// one behind the other from layoutBase, in file order. So an address names its
// section, in a module and in its separate debug file alike, and whoever knows
// where the kernel put each section can translate.
const layoutBase = 0x1000

func (f *File) parseSections(table []byte, names uint32) error {
	le := binary.LittleEndian
	f.Sections = make([]Section, len(table)/sectionSize)
	nameOff := make([]uint32, len(f.Sections))
	for i := range f.Sections {
		h := table[i*sectionSize:][:sectionSize]
		nameOff[i] = le.Uint32(h)
		f.Sections[i] = Section{
			Index:   i,
			Type:    elf.SectionType(le.Uint32(h[4:])),
			Flags:   elf.SectionFlag(le.Uint64(h[8:])),
			Addr:    le.Uint64(h[16:]),
			Offset:  le.Uint64(h[24:]),
			Size:    le.Uint64(h[32:]),
			Link:    le.Uint32(h[40:]),
			Info:    le.Uint32(h[44:]),
			Align:   le.Uint64(h[48:]),
			EntSize: le.Uint64(h[56:]),
		}
	}
	if uint64(names) >= uint64(len(f.Sections)) {
		return fmt.Errorf("section names in section %d of %d", names, len(f.Sections))
	}
	s := &f.Sections[names]
	strtab, err := f.bytes(s.Offset, s.Size)
	if err != nil {
		return fmt.Errorf("section names: %w", err)
	}
	for i := range f.Sections {
		f.Sections[i].Name = string(cString(strtab, nameOff[i], maxName))
	}
	if f.Type == elf.ET_REL {
		return f.layout()
	}
	return nil
}

// layout gives the allocated sections of a relocatable object their addresses.
func (f *File) layout() error {
	addr := uint64(layoutBase)
	for i := range f.Sections {
		s := &f.Sections[i]
		if s.Flags&elf.SHF_ALLOC == 0 {
			continue
		}
		if s.Size > 1<<40 || s.Align > 1<<30 || s.Align&(s.Align-1) != 0 {
			return fmt.Errorf("section %s: size %#x or alignment %#x makes no sense", s.Name, s.Size, s.Align)
		}
		if s.Align > 1 {
			addr = (addr + s.Align - 1) &^ (s.Align - 1)
		}
		s.Addr = addr
		addr += s.Size
	}
	return nil
}

// cString is the NUL-terminated string at off, without its NUL, at most max
// bytes of it; nil if off is outside the table.
func cString(table []byte, off uint32, max int) []byte {
	if uint64(off) >= uint64(len(table)) {
		return nil
	}
	s := table[off:]
	if len(s) > max {
		s = s[:max]
	}
	if n := bytes.IndexByte(s, 0); n >= 0 {
		s = s[:n]
	}
	return s[:len(s):len(s)]
}

// Section is the first section of that name, or nil.
func (f *File) Section(name string) *Section {
	for i := range f.Sections {
		if s := &f.Sections[i]; s.Name == name && s.Type != elf.SHT_NULL {
			return s
		}
	}
	return nil
}

// SectionByIndex is the section a Link or Info field or a symbol names, or nil.
func (f *File) SectionByIndex(i uint32) *Section {
	if i == 0 || uint64(i) >= uint64(len(f.Sections)) {
		return nil
	}
	return &f.Sections[i]
}

// HasData says whether the section has bytes in this file.
func (s *Section) HasData() bool {
	return s != nil && s.Type != elf.SHT_NOBITS && s.Type != elf.SHT_NULL
}

// Data is the contents of the section: the mapped bytes, or, for a compressed
// one, memory they are inflated into at the first call.
func (f *File) Data(s *Section) ([]byte, error) {
	if !s.HasData() {
		name := "(none)"
		if s != nil {
			name = s.Name
		}
		return nil, f.wrap(fmt.Errorf("section %s: %w", name, ErrNoData))
	}
	if s.Flags&elf.SHF_COMPRESSED != 0 {
		return f.fill(s, false, f.inflate)
	}
	data, err := f.bytes(s.Offset, s.Size)
	if err != nil {
		return nil, f.wrap(fmt.Errorf("section %s: %w", s.Name, err))
	}
	return data, nil
}

// fill computes contents once, whoever asks and however often; the others wait.
func (f *File) fill(s *Section, relocated bool, compute func(*Section) ([]byte, error)) ([]byte, error) {
	key := fillKey{s.Index, relocated}
	f.mu.Lock()
	if f.data == nil {
		f.mu.Unlock()
		return nil, f.wrap(errors.New("the file is closed"))
	}
	c := f.filled[key]
	if c == nil {
		c = new(filled)
		if f.filled == nil {
			f.filled = make(map[fillKey]*filled)
		}
		f.filled[key] = c
	}
	f.mu.Unlock()
	c.once.Do(func() {
		c.err = Guard(func() (err error) {
			c.data, err = compute(s)
			return err
		})
		if c.err != nil {
			c.err = f.wrap(fmt.Errorf("section %s: %w", s.Name, c.err))
		}
	})
	return c.data, c.err
}

// allocate is anonymous memory that lives until Close.
func (f *File) allocate(size int) ([]byte, error) {
	b, err := anonymous(size)
	if err != nil {
		return nil, fmt.Errorf("%d bytes of memory: %w", size, err)
	}
	if size > 0 {
		f.mu.Lock()
		f.extra = append(f.extra, b)
		f.mu.Unlock()
	}
	return b, nil
}

// anonymous is memory outside the Go heap, so that hundreds of megabytes of
// inflated sections do not double the collector's goal.
func anonymous(size int) ([]byte, error) {
	if size == 0 {
		return []byte{}, nil
	}
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
}

func release(data []byte) {
	if len(data) > 0 {
		_ = unix.Munmap(data) // fails only for memory that is not a mapping
	}
}

// DataAt is size bytes of initialised memory at a link-time virtual address:
// what the kernel or module held there when it was loaded, before relocation.
func (f *File) DataAt(addr, size uint64) ([]byte, error) {
	for i := range f.Sections {
		s := &f.Sections[i]
		// Per-CPU data of older kernels is linked at zero and overlaps nothing
		// else there; every other allocated section has a real address.
		if s.Flags&elf.SHF_ALLOC == 0 || addr < s.Addr || addr-s.Addr >= s.Size || size > s.Size-(addr-s.Addr) {
			continue
		}
		data, err := f.Data(s)
		if err != nil {
			return nil, err
		}
		off := addr - s.Addr
		if off > uint64(len(data)) || size > uint64(len(data))-off {
			break
		}
		return data[off : off+size : off+size], nil
	}
	return nil, f.wrap(fmt.Errorf("no section holds address %#x+%#x", addr, size))
}
