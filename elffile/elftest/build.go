// Package elftest writes small ELF objects for tests.
//
// It knows the layout of a 64-bit little-endian ELF file and writes what it is
// told, sense or nonsense. Start from Object.
package elftest

import (
	"debug/elf"
	"encoding/binary"
)

// Section is one section to write. A zero Offset is replaced by where the data
// lands, a zero Size by its length.
type Section struct {
	Name    string
	Type    elf.SectionType
	Flags   elf.SectionFlag
	Addr    uint64
	Offset  uint64
	Size    uint64
	Data    []byte
	Link    uint32
	Info    uint32
	Align   uint64
	EntSize uint64
}

// Object is a file to write. The null section before Sections and .shstrtab
// behind them are added: Sections[0] has index 1.
type Object struct {
	Type     elf.Type
	Machine  elf.Machine // EM_X86_64 if zero
	Sections []Section
	Extended bool // write section count and string table index to the null section
}

// Bytes is the file.
func (o Object) Bytes() []byte {
	le := binary.LittleEndian
	if o.Machine == 0 {
		o.Machine = elf.EM_X86_64
	}
	list := append([]Section{{}}, o.Sections...)
	list = append(list, Section{Name: ".shstrtab", Type: elf.SHT_STRTAB})
	names := []byte{0}
	nameOff := make([]int, len(list))
	for i, s := range list {
		if i > 0 {
			nameOff[i] = len(names)
			names = append(append(names, s.Name...), 0)
		}
	}
	list[len(list)-1].Data = names

	file := make([]byte, 64)
	var table []byte
	for i, s := range list {
		if i > 0 && s.Offset == 0 {
			for len(file)%8 != 0 {
				file = append(file, 0)
			}
			s.Offset = uint64(len(file))
			file = append(file, s.Data...)
		}
		if s.Size == 0 {
			s.Size = uint64(len(s.Data))
		}
		if i == 0 && o.Extended {
			s.Size, s.Link = uint64(len(list)), uint32(len(list)-1)
		}
		table = le.AppendUint32(table, uint32(nameOff[i]))
		table = le.AppendUint32(table, uint32(s.Type))
		for _, v := range []uint64{uint64(s.Flags), s.Addr, s.Offset, s.Size} {
			table = le.AppendUint64(table, v)
		}
		table = le.AppendUint32(table, s.Link)
		table = le.AppendUint32(table, s.Info)
		table = le.AppendUint64(table, s.Align)
		table = le.AppendUint64(table, s.EntSize)
	}
	for len(file)%8 != 0 {
		file = append(file, 0)
	}
	h := file[:64]
	copy(h, elf.ELFMAG+"\x02\x01\x01")
	le.PutUint16(h[16:], uint16(o.Type))
	le.PutUint16(h[18:], uint16(o.Machine))
	le.PutUint32(h[20:], 1)
	le.PutUint64(h[40:], uint64(len(file)))
	le.PutUint16(h[52:], 64)
	le.PutUint16(h[58:], 64)
	if o.Extended {
		le.PutUint16(h[62:], uint16(elf.SHN_XINDEX))
	} else {
		le.PutUint16(h[60:], uint16(len(list)))
		le.PutUint16(h[62:], uint16(len(list)-1))
	}
	return append(file, table...)
}

// Note is one note with 4-byte alignment.
func Note(name string, kind uint32, desc []byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, uint32(len(name)+1))
	b = le.AppendUint32(b, uint32(len(desc)))
	b = le.AppendUint32(b, kind)
	b = pad4(append(append(b, name...), 0))
	return pad4(append(b, desc...))
}

// BuildID is a note section with a GNU build ID.
func BuildID(id []byte) Section {
	return Section{Name: ".note.gnu.build-id", Type: elf.SHT_NOTE, Flags: elf.SHF_ALLOC, Data: Note("GNU", 3, id), Align: 4}
}

// DebugLink is a .gnu_debuglink section.
func DebugLink(name string, crc uint32) Section {
	b := pad4(append([]byte(name), 0))
	return Section{Name: ".gnu_debuglink", Type: elf.SHT_PROGBITS, Data: binary.LittleEndian.AppendUint32(b, crc)}
}

// Symbol is an entry of a symbol table.
type Symbol struct {
	Name    string
	Info    byte
	Section uint16
	Value   uint64
	Size    uint64
}

// Symbols makes a .symtab with the null symbol first, and its .strtab. strtab is
// the index that the caller will give the latter.
func Symbols(strtab uint32, list ...Symbol) (sym, str Section) {
	le := binary.LittleEndian
	names := []byte{0}
	data := make([]byte, 24)
	for _, s := range list {
		off := 0
		if s.Name != "" {
			off = len(names)
			names = append(append(names, s.Name...), 0)
		}
		data = le.AppendUint32(data, uint32(off))
		data = append(data, s.Info, 0)
		data = le.AppendUint16(data, s.Section)
		data = le.AppendUint64(data, s.Value)
		data = le.AppendUint64(data, s.Size)
	}
	sym = Section{Name: ".symtab", Type: elf.SHT_SYMTAB, Data: data, Link: strtab, EntSize: 24, Align: 8}
	str = Section{Name: ".strtab", Type: elf.SHT_STRTAB, Data: names}
	return sym, str
}

// Rela is one relocation entry.
func Rela(off uint64, kind elf.R_X86_64, symbol uint32, addend int64) []byte {
	le := binary.LittleEndian
	b := le.AppendUint64(nil, off)
	b = le.AppendUint64(b, uint64(symbol)<<32|uint64(kind))
	return le.AppendUint64(b, uint64(addend))
}

func pad4(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
