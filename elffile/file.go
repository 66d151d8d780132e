// Package elffile reads 64-bit little-endian ELF objects: kernels, kernel
// modules and their separate debug files.
//
// It knows the ELF container (System V gABI, chapters 4 and 5) and the few
// GNU and kernel sections that identify an object: build ID, debug link,
// .modinfo. It must not know DWARF, symbols' meaning or the kernel; core
// files have rules of their own and are not its business either. The file is
// mapped, not loaded, and hostile: every header field is checked when it is
// used, so a damaged section spoils nothing but itself. Start from Open and
// File.Data; see Guard for what reading mapped memory asks of callers.
package elffile

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/kdive/kdive/mapped"
)

const (
	headerSize  = 64      // sizeof(Elf64_Ehdr)
	sectionSize = 64      // sizeof(Elf64_Shdr)
	maxSections = 1 << 17 // -ffunction-sections stays far below
	maxName     = 512     // of a section
)

// ErrNotELF is in the error chain of Open for a file that is no ELF object of
// the supported kind (64-bit, little-endian), as opposed to a damaged one.
var ErrNotELF = errors.New("not a 64-bit little-endian ELF file")

// File is one ELF object. Its methods may be called from many goroutines.
// Slices that it returns are valid until Close and must not be written to;
// they may be backed by the mapped file: read them under Guard.
type File struct {
	Path     string
	Type     elf.Type
	Machine  elf.Machine
	Sections []Section // in file order; index 0 is the null section

	data    []byte
	mapping *mapped.Mapping // nil if made by New

	mu     sync.Mutex
	extra  [][]byte // anonymous memory to give back
	filled map[fillKey]*filled
}

// fillKey names section contents that had to be computed.
type fillKey struct {
	index     int
	relocated bool
}

type filled struct {
	once sync.Once
	data []byte
	err  error
}

// Guard is mapped.Guard: goroutines that read slices of a File run under it.
func Guard(fn func() error) error { return mapped.Guard(fn) }

// Open maps the file and reads its section table.
func Open(path string) (*File, error) {
	m, err := mapped.Open(path)
	if err != nil {
		return nil, err
	}
	f := &File{Path: path, data: m.Data, mapping: m}
	if err := Guard(f.parse); err != nil {
		f.Close()
		return nil, f.wrap(err)
	}
	return f, nil
}

// New reads an object that is in memory already; name stands in for its path
// in messages. The bytes must not change afterwards.
func New(name string, data []byte) (*File, error) {
	f := &File{Path: name, data: data}
	if err := f.parse(); err != nil {
		return nil, f.wrap(err)
	}
	return f, nil
}

// Close gives back the mapping. No slice got from the File may be used after.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.extra {
		release(b)
	}
	f.extra, f.filled = nil, nil
	f.data = nil
	if f.mapping != nil {
		return f.mapping.Close()
	}
	return nil
}

// Size is the length of the file in bytes.
func (f *File) Size() int64 { return int64(len(f.data)) }

// wrap names the file in an error, unless it does so already.
func (f *File) wrap(err error) error {
	var m *mapped.Error
	if err == nil || errors.As(err, &m) {
		return err
	}
	return fmt.Errorf("%s: %w", f.Path, err)
}

// bytes is a checked slice of the file.
func (f *File) bytes(off, size uint64) ([]byte, error) {
	if off > uint64(len(f.data)) || size > uint64(len(f.data))-off {
		return nil, fmt.Errorf("bytes %#x+%#x are beyond the end of the file (%#x): cut off or damaged", off, size, len(f.data))
	}
	return f.data[off : off+size : off+size], nil
}

func (f *File) parse() error {
	h := f.data
	if len(h) < elf.EI_NIDENT || string(h[:4]) != elf.ELFMAG {
		return ErrNotELF
	}
	if elf.Class(h[elf.EI_CLASS]) != elf.ELFCLASS64 || elf.Data(h[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return fmt.Errorf("%w: %v, %v", ErrNotELF, elf.Class(h[elf.EI_CLASS]), elf.Data(h[elf.EI_DATA]))
	}
	if len(h) < headerSize {
		return errors.New("the file ends within its ELF header")
	}
	le := binary.LittleEndian
	f.Type = elf.Type(le.Uint16(h[16:]))
	f.Machine = elf.Machine(le.Uint16(h[18:]))
	off := le.Uint64(h[40:])
	entry, count, names := le.Uint16(h[58:]), uint64(le.Uint16(h[60:])), uint32(le.Uint16(h[62:]))
	if off == 0 {
		return errors.New("no section table")
	}
	if entry != sectionSize {
		return fmt.Errorf("section headers of %d bytes, expected %d", entry, sectionSize)
	}
	first, err := f.bytes(off, sectionSize)
	if err != nil {
		return fmt.Errorf("section table: %w", err)
	}
	// Numbers that do not fit the ELF header are in the null section (gABI,
	// "Special Section Indexes").
	if count == 0 {
		count = le.Uint64(first[32:])
	}
	if names == uint32(elf.SHN_XINDEX) {
		names = le.Uint32(first[40:])
	}
	if count > maxSections {
		return fmt.Errorf("%d sections, more than %d", count, maxSections)
	}
	table, err := f.bytes(off, count*sectionSize)
	if err != nil {
		return fmt.Errorf("section table: %w", err)
	}
	return f.parseSections(table, names)
}

// Fingerprint tells apart files of one build ID whose sections are laid out
// differently (stripped of relocations, split, compressed): a digest of the
// file's size and every field of the section table.
func (f *File) Fingerprint() [16]byte {
	h := sha256.New()
	var b []byte
	le := binary.LittleEndian
	b = le.AppendUint64(b, uint64(len(f.data)))
	b = le.AppendUint16(b, uint16(f.Type))
	b = le.AppendUint16(b, uint16(f.Machine))
	for i := range f.Sections {
		s := &f.Sections[i]
		b = append(append(b, s.Name...), 0)
		b = le.AppendUint32(b, uint32(s.Type))
		b = le.AppendUint32(b, s.Link)
		b = le.AppendUint32(b, s.Info)
		for _, v := range [...]uint64{uint64(s.Flags), s.Addr, s.Offset, s.Size, s.Align, s.EntSize} {
			b = le.AppendUint64(b, v)
		}
		h.Write(b)
		b = b[:0]
	}
	var sum [16]byte
	copy(sum[:], h.Sum(nil))
	return sum
}
