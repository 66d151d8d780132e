package elffile

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
)

const (
	symbolSize = 24   // sizeof(Elf64_Sym)
	maxSymbol  = 4096 // bytes of a symbol's name; C++ and Rust names are long
)

// Symbol is one entry of a symbol table, as it stands in the file.
type Symbol struct {
	Name    []byte // slice of the string table; empty for section symbols
	NameOff uint32 // where in the string table Name starts
	Value   uint64 // address, or offset in its section in an ET_REL file: see SymbolTable.Addr
	Size    uint64
	Info    byte   // binding and type: elf.ST_BIND, elf.ST_TYPE
	Other   byte   // visibility
	Section uint32 // section index, or an elf.SHN_ constant from SHN_LORESERVE up if Special
	Special bool   // Section is no index: SHN_ABS, SHN_COMMON, ...
}

// Undefined says whether the symbol is only referred to.
func (s *Symbol) Undefined() bool { return s.Section == uint32(elf.SHN_UNDEF) }

// SymbolTable gives access by index, without copying anything.
type SymbolTable struct {
	file    *File
	data    []byte // whole entries
	strings []byte
	extend  []byte // SHT_SYMTAB_SHNDX: section indexes too large for st_shndx
}

// Symbols is the .symtab of the file, or else its dynamic symbols. A table that
// reaches beyond its section's or file's end is an error; names outside the
// string table are empty.
func (f *File) Symbols() (*SymbolTable, error) {
	for _, kind := range []elf.SectionType{elf.SHT_SYMTAB, elf.SHT_DYNSYM} {
		for i := range f.Sections {
			if s := &f.Sections[i]; s.Type == kind {
				return f.symbolTable(s)
			}
		}
	}
	return nil, f.wrap(errors.New("no symbol table"))
}

func (f *File) symbolTable(s *Section) (*SymbolTable, error) {
	if s.EntSize != symbolSize {
		return nil, f.wrap(fmt.Errorf("section %s: symbols of %d bytes, expected %d", s.Name, s.EntSize, symbolSize))
	}
	data, err := f.Data(s)
	if err != nil {
		return nil, err
	}
	t := &SymbolTable{file: f, data: data[:len(data)/symbolSize*symbolSize]}
	if t.strings, err = f.Data(f.SectionByIndex(s.Link)); err != nil {
		return nil, err
	}
	for i := range f.Sections {
		if x := &f.Sections[i]; x.Type == elf.SHT_SYMTAB_SHNDX && x.Link == uint32(s.Index) {
			if t.extend, err = f.Data(x); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

// Len is the number of symbols, the null symbol at index 0 included.
func (t *SymbolTable) Len() int { return len(t.data) / symbolSize }

// At is symbol i, which must be below Len. It reads mapped memory: see Guard.
func (t *SymbolTable) At(i int) Symbol {
	le := binary.LittleEndian
	e := t.data[i*symbolSize:][:symbolSize]
	s := Symbol{
		Name:    cString(t.strings, le.Uint32(e), maxSymbol),
		NameOff: le.Uint32(e),
		Info:    e[4],
		Other:   e[5],
		Section: uint32(le.Uint16(e[6:])),
		Value:   le.Uint64(e[8:]),
		Size:    le.Uint64(e[16:]),
	}
	if s.Section >= uint32(elf.SHN_LORESERVE) {
		s.Special = true
		if s.Section == uint32(elf.SHN_XINDEX) && i*4+4 <= len(t.extend) {
			s.Section, s.Special = le.Uint32(t.extend[i*4:]), false
		}
	}
	return s
}

// All runs over the symbols from index 1 on. It reads mapped memory: see Guard.
func (t *SymbolTable) All() iter.Seq2[int, Symbol] {
	return func(yield func(int, Symbol) bool) {
		for i := 1; i < t.Len(); i++ {
			if !yield(i, t.At(i)) {
				return
			}
		}
	}
}

// Addr is the link-time virtual address of a symbol: its value, or in an
// ET_REL file its offset plus the address of its section (see Section.Addr).
func (t *SymbolTable) Addr(s *Symbol) uint64 {
	if t.file.Type != elf.ET_REL || s.Special {
		return s.Value
	}
	if sec := t.file.SectionByIndex(s.Section); sec != nil {
		return s.Value + sec.Addr
	}
	return s.Value
}
