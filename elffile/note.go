package elffile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"strings"
)

const (
	noteGNUBuildID = 3       // NT_GNU_BUILD_ID, linux/elf.h
	maxBuildID     = 64      // SHA-1 has 20 bytes, the linker takes any --build-id=0x...
	maxModInfo     = 1 << 20 // a few hundred aliases make some ten kilobytes
)

// Note is one entry of a note section. Desc is a slice of the file.
type Note struct {
	Section string
	Name    string // without the terminating NUL
	Type    uint32
	Desc    []byte
}

// Notes runs over the notes of all note sections; a section that is damaged
// ends with its last good note.
func (f *File) Notes() iter.Seq[Note] {
	return func(yield func(Note) bool) {
		for i := range f.Sections {
			s := &f.Sections[i]
			if s.Type != elf.SHT_NOTE {
				continue
			}
			data, err := f.Data(s)
			if err != nil {
				continue
			}
			if !notes(s, data, yield) {
				return
			}
		}
	}
}

func notes(s *Section, data []byte, yield func(Note) bool) bool {
	align := uint64(4)
	if s.Align == 8 {
		align = 8 // .note.gnu.property
	}
	le := binary.LittleEndian
	for uint64(len(data)) >= 12 {
		nameLen, descLen := uint64(le.Uint32(data)), uint64(le.Uint32(data[4:]))
		desc := 12 + (nameLen+3)&^3
		if align == 8 {
			desc = (12 + nameLen + 7) &^ 7
		}
		if desc > uint64(len(data)) || descLen > uint64(len(data))-desc {
			return true
		}
		n := Note{Section: s.Name, Type: le.Uint32(data[8:]), Desc: data[desc : desc+descLen : desc+descLen]}
		if nameLen <= 256 {
			n.Name = string(bytes.TrimRight(data[12:12+nameLen], "\x00"))
		}
		if !yield(n) {
			return false
		}
		next := (desc + descLen + align - 1) &^ (align - 1)
		data = data[min(next, uint64(len(data))):]
	}
	return true
}

// BuildID is a copy of the GNU build ID, or nil if the file has none.
func (f *File) BuildID() []byte {
	var id []byte
	err := Guard(func() error {
		for n := range f.Notes() {
			if n.Name == "GNU" && n.Type == noteGNUBuildID && len(n.Desc) > 0 && len(n.Desc) <= maxBuildID {
				id = bytes.Clone(n.Desc)
				break
			}
		}
		return nil
	})
	if err != nil {
		return nil
	}
	return id
}

// DebugLink is the name of the separate debug file and the CRC-32 of its
// contents, from .gnu_debuglink (GDB manual, "Separate Debug Files"). ok is
// false if there is no such section or it is damaged; the name has no slash.
func (f *File) DebugLink() (name string, crc uint32, ok bool) {
	s := f.Section(".gnu_debuglink")
	if s == nil {
		return "", 0, false
	}
	err := Guard(func() error {
		data, err := f.Data(s)
		if err != nil {
			return err
		}
		n := bytes.IndexByte(data, 0)
		at := (n + 4) &^ 3
		if n <= 0 || n > 255 || at+4 > len(data) || bytes.IndexByte(data[:n], '/') >= 0 {
			return errors.New("damaged debug link")
		}
		name, crc = string(data[:n]), binary.LittleEndian.Uint32(data[at:])
		return nil
	})
	return name, crc, err == nil
}

// ModInfo is what a kernel module says of itself in .modinfo: name, vermagic,
// srcversion, depends and so on; of a repeated key the first value.
func (f *File) ModInfo() (map[string]string, error) {
	s := f.Section(".modinfo")
	if s == nil {
		return nil, f.wrap(errors.New("no .modinfo section: not a kernel module"))
	}
	info := make(map[string]string)
	err := Guard(func() error {
		data, err := f.Data(s)
		if err != nil {
			return err
		}
		if len(data) > maxModInfo {
			return f.wrap(fmt.Errorf("section .modinfo: %d bytes are too many", len(data)))
		}
		for word := range strings.SplitSeq(string(data), "\x00") {
			if key, value, ok := strings.Cut(word, "="); ok {
				if _, dup := info[key]; !dup {
					info[key] = value
				}
			}
		}
		return nil
	})
	return info, err
}
