package vmcore

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/kdive/kdive/kdump/source"
)

// Sizes of Elf64_Ehdr, Elf64_Phdr and Elf64_Shdr, and constants of the System
// V ABI and its x86-64 supplement.
const (
	ehdrSize = 64
	phdrSize = 56
	shdrSize = 64

	machineX86_64 = 62
	phnumExtended = 0xffff // PN_XNUM: section 0's sh_info has the number

	typeLoad = 1
	typeNote = 4

	// elfIncomplete is the bit of e_flags that makedumpfile sets when it ran
	// out of space (DUMP_ELF_INCOMPLETE, makedumpfile.c).
	elfIncomplete = 1
)

// maxSegments bounds the program headers read; makedumpfile begins a new one
// after 256 excluded pages, so that a dump of 1 TiB has at most a million.
const maxSegments = 1 << 20

// Segment is a PT_LOAD program header as it stands in an ELF core.
type Segment struct {
	Vaddr  uint64 // kernel virtual address; 0 or -1 where the writer knew none
	Paddr  uint64 // physical address
	Memsz  uint64 // bytes of memory described
	Filesz uint64 // bytes of it in the file; the rest was left out by a filter
	Offset uint64 // of the bytes in the file
}

// elfHeader is what is needed of an ELF core's headers. e_ehsize is not: QEMU
// has written wrong ones.
type elfHeader struct {
	flags    uint32
	phoff    uint64
	phentsz  uint64
	phnum    uint64
	segments []Segment
	notes    []Segment
	warnings []string
}

func readELF(src source.Source) (*elfHeader, error) {
	var b [ehdrSize]byte
	if err := source.ReadFull(src, b[:], 0); err != nil {
		return nil, fmt.Errorf("ELF core ends in its header: %w", err)
	}
	le := binary.LittleEndian
	switch {
	case string(b[:4]) != "\x7fELF":
		return nil, errors.New("not an ELF file")
	case b[4] != elfClass64:
		return nil, errors.New("32-bit ELF core is not supported")
	case b[5] != elfDataLSB:
		return nil, errors.New("big-endian ELF core is not supported")
	case le.Uint16(b[16:]) != elfTypeCore:
		return nil, fmt.Errorf("ELF file of type %d is not a core", le.Uint16(b[16:]))
	case le.Uint16(b[18:]) != machineX86_64:
		return nil, fmt.Errorf("ELF core of machine %d is not supported (only x86-64)", le.Uint16(b[18:]))
	}
	h := &elfHeader{
		flags:   le.Uint32(b[48:]),
		phoff:   le.Uint64(b[32:]),
		phentsz: uint64(le.Uint16(b[54:])),
		phnum:   uint64(le.Uint16(b[56:])),
	}
	if h.phentsz != phdrSize {
		h.warn("ELF header says that program headers have %d bytes; reading them as %d", h.phentsz, phdrSize)
		h.phentsz = phdrSize
	}
	if shoff := le.Uint64(b[40:]); h.phnum == phnumExtended && shoff != 0 {
		var s [shdrSize]byte
		if shoff > uint64(src.Size()) {
			return nil, fmt.Errorf("section header with the number of segments at %#x lies beyond the end of the dump (%d bytes)", shoff, src.Size())
		}
		if err := source.ReadFull(src, s[:], int64(shoff)); err != nil {
			return nil, fmt.Errorf("section header with the number of segments: %w", err)
		}
		h.phnum = uint64(le.Uint32(s[44:]))
	}
	return h, h.readSegments(src)
}

func (h *elfHeader) warn(format string, args ...any) {
	h.warnings = append(h.warnings, fmt.Sprintf(format, args...))
}

func (h *elfHeader) readSegments(src source.Source) error {
	size := uint64(src.Size())
	switch {
	case h.phnum == 0:
		return errors.New("ELF core has no program headers")
	case h.phoff > size || size-h.phoff < phdrSize:
		return fmt.Errorf("program headers at %#x lie beyond the end of the dump (%d bytes)", h.phoff, size)
	case h.phnum > maxSegments:
		return fmt.Errorf("ELF core claims %d program headers", h.phnum)
	}
	if fit := (size - h.phoff) / phdrSize; fit < h.phnum {
		h.warn("%d of the %d program headers lie beyond the end of the dump", h.phnum-fit, h.phnum)
		h.phnum = fit
	}
	if h.phnum*phdrSize > uint64(src.Stored()) {
		return fmt.Errorf("ELF core claims %d program headers, more than the file could hold", h.phnum)
	}
	b := make([]byte, h.phnum*phdrSize)
	if n, err := src.ReadAt(b, int64(h.phoff)); n < phdrSize {
		// makedumpfile -F -E writes them last.
		return fmt.Errorf("program headers, without which no memory can be found: %w", err)
	} else if n < len(b) {
		h.warn("program headers are cut off: %v", err)
		b = b[:n/phdrSize*phdrSize]
	}
	for ; len(b) > 0; b = b[phdrSize:] {
		h.addSegment(b)
	}
	if len(h.segments) == 0 && len(h.notes) == 0 {
		return errors.New("ELF core has neither memory nor notes among its program headers")
	}
	return nil
}

func (h *elfHeader) addSegment(b []byte) {
	le := binary.LittleEndian
	s := Segment{
		Offset: le.Uint64(b[8:]),
		Vaddr:  le.Uint64(b[16:]),
		Paddr:  le.Uint64(b[24:]),
		Filesz: le.Uint64(b[32:]),
		Memsz:  le.Uint64(b[40:]),
	}
	switch le.Uint32(b) {
	case typeNote:
		h.notes = append(h.notes, s)
	case typeLoad:
		if s.Memsz != 0 || s.Filesz != 0 {
			h.segments = append(h.segments, s)
		}
	}
}

// maxNotes bounds what is read of notes.
const maxNotes = 64 << 20

// readNotes reads the notes of all note segments. Damage is returned beside
// the notes that could be read.
func (h *elfHeader) readNotes(src source.Source) (notes []Note, damaged []error) {
	room := uint64(min(maxNotes, src.Stored()))
	for _, s := range h.notes {
		if s.Filesz == 0 {
			continue
		}
		if s.Offset >= uint64(src.Size()) {
			damaged = append(damaged, fmt.Errorf("notes at %#x lie beyond the end of the dump (%d bytes)", s.Offset, src.Size()))
			continue
		}
		n := min(s.Filesz, uint64(src.Size())-s.Offset, room)
		room -= n
		b := make([]byte, n)
		got, err := src.ReadAt(b, int64(s.Offset))
		if got < len(b) {
			damaged = append(damaged, fmt.Errorf("notes: only %d of %d bytes: %w", got, s.Filesz, err))
		} else if n < s.Filesz {
			damaged = append(damaged, fmt.Errorf("notes: only %d of %d bytes can be read", n, s.Filesz))
		}
		part, err := parseNotes(b[:got])
		notes = append(notes, part...)
		if err != nil {
			damaged = append(damaged, err)
		}
	}
	return notes, damaged
}
