// Package line reads line number programs (.debug_line): which source line an
// instruction belongs to, and the file tables that declarations refer to.
//
// It knows DWARF 2 to 5 line tables (DWARF 5 standard, 6.2) and nothing of
// units beyond where their table starts. Start from ReadHeader, then Table.
package line

import (
	"errors"
	"fmt"

	"github.com/kdive/kdive/debuginfo/die"
)

// File is one entry of a file table.
type File struct {
	Name die.StrRef
	Dir  uint32 // index into Header.Dirs
}

// Header is the head of a line number program. Files and Dirs are indexed as
// the DWARF version does it: from 0 in version 5, from 1 before, where entry 0
// is there and empty (the unit's directory, no file).
type Header struct {
	Version int
	Dirs    []die.StrRef
	Files   []File

	addrSize      int
	minInst       uint64
	maxOps        uint64
	lineBase      int64
	lineRange     uint64
	opcodeBase    uint8
	lengths       []byte // operand counts of the standard opcodes
	program, end  int    // in .debug_line
	formats       []format
	defaultIsStmt bool
}

type format struct {
	content uint64
	form    die.Form
}

// Contents of file and directory entries (DWARF 5, 6.2.4.1).
const (
	contentPath = 1
	contentDir  = 2
)

var errHeader = errors.New("line table header cut off or damaged")

// Read reads the header at off into h, whose slices it uses again.
func (h *Header) Read(s *die.Sections, off int64) error {
	if off < 0 || off >= int64(len(s.Line)) {
		return fmt.Errorf("line table at %#x: outside .debug_line", off)
	}
	b := die.At(s.Line, int(off))
	n := b.U32()
	if n >= 0xfffffff0 {
		return fmt.Errorf("line table at %#x: 64-bit DWARF is not supported", off)
	}
	if b.Bad || uint64(n) > uint64(b.Len()) {
		return fmt.Errorf("line table at %#x: reaches beyond the end of .debug_line", off)
	}
	h.end = b.Pos + int(n)
	b.Data = b.Data[:h.end]
	h.Version = int(b.U16())
	if h.Version < 2 || h.Version > 5 {
		return fmt.Errorf("line table at %#x: version %d is not supported", off, h.Version)
	}
	h.addrSize = 8
	if h.Version == 5 {
		h.addrSize = int(b.U8())
		b.U8() // segment selector size
	}
	n = b.U32()
	if uint64(n) > uint64(b.Len()) {
		return fmt.Errorf("line table at %#x: %w", off, errHeader)
	}
	h.program = b.Pos + int(n)
	h.minInst, h.maxOps = uint64(b.U8()), 1
	if h.Version >= 4 {
		h.maxOps = uint64(b.U8())
	}
	h.defaultIsStmt = b.U8() != 0
	h.lineBase = int64(int8(b.U8()))
	h.lineRange = uint64(b.U8())
	h.opcodeBase = b.U8()
	if h.opcodeBase == 0 {
		return fmt.Errorf("line table at %#x: %w", off, errHeader)
	}
	h.lengths = b.Bytes(int(h.opcodeBase) - 1)
	h.Dirs, h.Files = h.Dirs[:0], h.Files[:0]
	if h.Version == 5 {
		h.tables5(&b)
	} else {
		h.tables4(&b)
	}
	if b.Bad || b.Pos > h.program {
		return fmt.Errorf("line table at %#x: %w", off, errHeader)
	}
	return nil
}

// tables4 reads the directories and files as DWARF 2 to 4 have them.
func (h *Header) tables4(b *die.Buf) {
	h.Dirs = append(h.Dirs, 0)
	h.Files = append(h.Files, File{})
	for !b.Bad {
		pos := b.Pos
		if len(b.CString()) == 0 {
			break
		}
		h.Dirs = append(h.Dirs, die.LineRef(pos))
	}
	for !b.Bad {
		pos := b.Pos
		if len(b.CString()) == 0 {
			break
		}
		f := File{Name: die.LineRef(pos), Dir: uint32(b.Uleb())}
		b.Uleb() // modification time
		b.Uleb() // length
		h.Files = append(h.Files, f)
	}
}

// tables5 reads the directories and files as DWARF 5 has them.
func (h *Header) tables5(b *die.Buf) {
	for n := h.entryCount(b); n > 0 && !b.Bad; n-- {
		h.Dirs = append(h.Dirs, h.entry(b).Name)
	}
	for n := h.entryCount(b); n > 0 && !b.Bad; n-- {
		h.Files = append(h.Files, h.entry(b))
	}
}

// entryCount reads an entry format description and how many entries follow.
// Every entry takes at least a byte, which bounds the count.
func (h *Header) entryCount(b *die.Buf) uint64 {
	h.formats = h.formats[:0]
	for n := b.U8(); n > 0; n-- {
		h.formats = append(h.formats, format{b.Uleb(), die.Form(b.Uleb())})
	}
	n := b.Uleb()
	if n > uint64(b.Len()) || n > 0 && len(h.formats) == 0 {
		b.Bad = true
		return 0
	}
	return n
}

func (h *Header) entry(b *die.Buf) File {
	var f File
	for _, c := range h.formats {
		var v uint64
		var ref die.StrRef
		switch c.form {
		case die.FormLineStrp:
			ref = die.LineStrpRef(b.U32())
		case die.FormStrp:
			ref = die.StrpRef(b.U32())
		case die.FormString:
			ref = die.LineRef(b.Pos)
			b.CString()
		case die.FormUdata:
			v = b.Uleb()
		case die.FormData1:
			v = uint64(b.U8())
		case die.FormData2:
			v = uint64(b.U16())
		case die.FormData4:
			v = uint64(b.U32())
		case die.FormData8:
			v = b.U64()
		case die.FormData16:
			b.Skip(16)
		case die.FormBlock:
			b.Skip(b.Uleb())
		default:
			b.Bad = true
		}
		switch c.content {
		case contentPath:
			f.Name = ref
		case contentDir:
			f.Dir = uint32(v)
		}
	}
	return f
}

// Path is the name of file i with its directory as the table gives it: not
// joined with the unit's directory. Empty if there is no such file.
func (h *Header) Path(s *die.Sections, i uint64) string {
	if i >= uint64(len(h.Files)) {
		return ""
	}
	f := h.Files[i]
	name := string(s.String(f.Name))
	if name == "" || name[0] == '/' || f.Dir == 0 || uint64(f.Dir) >= uint64(len(h.Dirs)) {
		return name
	}
	if dir := s.String(h.Dirs[f.Dir]); len(dir) > 0 {
		return string(dir) + "/" + name
	}
	return name
}

// FileIDs turns the files of header after header into numbers that are equal
// for equal paths, whatever the unit. The lowest bit tells a source file (.c)
// from a header. The names repeat in every unit, so the digests are kept.
type FileIDs struct {
	s     *die.Sections
	cache [1 << 12]struct {
		ref  die.StrRef
		hash uint64
	}
	dirs []uint64
}

// NewFileIDs is for one goroutine.
func NewFileIDs(s *die.Sections) *FileIDs { return &FileIDs{s: s} }

// Append appends the identities of the files of h to ids.
func (f *FileIDs) Append(ids []uint64, h *Header) []uint64 {
	f.dirs = f.dirs[:0]
	for _, d := range h.Dirs {
		f.dirs = append(f.dirs, f.hash(d))
	}
	for _, file := range h.Files {
		var dir uint64
		if uint64(file.Dir) < uint64(len(f.dirs)) {
			dir = f.dirs[file.Dir]
		}
		name := f.hash(file.Name)
		ids = append(ids, die.Mix(dir, name)&^1|name&1)
	}
	return ids
}

func (f *FileIDs) hash(ref die.StrRef) uint64 {
	c := &f.cache[uint64(ref)*0x9e3779b97f4a7c15>>52]
	if c.ref != ref {
		name := f.s.String(ref)
		c.ref, c.hash = ref, die.Hash(name)&^1
		if n := len(name); n > 2 && name[n-1] == 'c' && name[n-2] == '.' {
			c.hash |= 1
		}
	}
	return c.hash
}
