package elffile

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	relaSize = 24 // sizeof(Elf64_Rela)

	// livepatchRela marks relocations against symbols that only a running
	// kernel knows (SHF_RELA_LIVEPATCH, include/uapi/linux/elf.h).
	livepatchRela elf.SectionFlag = 0x00100000
)

// RelocatedData is the contents of a section with its relocations applied, as
// the linker or the module loader would, for the addresses in File.Sections.
// Only sections of ET_REL files need it, for any other file (whose relocation
// sections, if it has any, are applied already) it is Data. References to
// symbols that the file does not define are left as references to zero.
func (f *File) RelocatedData(s *Section) ([]byte, error) {
	if f.Type != elf.ET_REL || !s.HasData() || len(f.relocations(s)) == 0 {
		return f.Data(s)
	}
	return f.fill(s, true, f.relocate)
}

// relocations lists the sections that relocate s.
func (f *File) relocations(s *Section) []*Section {
	var list []*Section
	for i := range f.Sections {
		r := &f.Sections[i]
		if r.Type == elf.SHT_RELA && r.Info == uint32(s.Index) && r.Flags&livepatchRela == 0 {
			list = append(list, r)
		}
	}
	return list
}

func (f *File) relocate(s *Section) ([]byte, error) {
	if f.Machine != elf.EM_X86_64 {
		return nil, fmt.Errorf("relocation for %v is not supported", f.Machine)
	}
	src, err := f.Data(s)
	if err != nil {
		return nil, err
	}
	dst, err := f.allocate(len(src))
	if err != nil {
		return nil, err
	}
	copy(dst, src)
	list := f.relocations(s)
	// The linker writes one. Thousands that share their bytes would keep us
	// busy for hours.
	if len(list) > 4 {
		return nil, fmt.Errorf("%d relocation sections", len(list))
	}
	for _, r := range list {
		if err := f.applyRela(dst, s, r); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name, err)
		}
	}
	return dst, nil
}

// applyRela applies one relocation section to the contents of its target.
func (f *File) applyRela(dst []byte, target, r *Section) error {
	table := f.SectionByIndex(r.Link)
	if table == nil || table.Type != elf.SHT_SYMTAB {
		return errors.New("names no symbol table")
	}
	symbols, err := f.symbolTable(table)
	if err != nil {
		return err
	}
	data, err := f.Data(r)
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	for ; len(data) >= relaSize; data = data[relaSize:] {
		off, info, addend := le.Uint64(data), le.Uint64(data[8:]), le.Uint64(data[16:])
		index, kind := info>>32, elf.R_X86_64(info&0xffffffff)
		if index >= uint64(symbols.Len()) {
			return fmt.Errorf("symbol %d of %d", index, symbols.Len())
		}
		value := addend
		if index != 0 {
			sym := symbols.At(int(index))
			value += symbols.Addr(&sym)
		}
		if err := applyX86(dst, off, target.Addr+off, kind, value); err != nil {
			return fmt.Errorf("at offset %#x: %w", off, err)
		}
	}
	return nil
}

// applyX86 stores one relocated value (psABI x86-64, "Relocation Types"): value
// is S + A, place is P. Values are cut to the field: the addresses of Sections
// are small, and what was linked for the top 2 GiB wraps as intended.
func applyX86(dst []byte, off, place uint64, kind elf.R_X86_64, value uint64) error {
	var width uint64
	switch kind {
	case elf.R_X86_64_NONE:
		return nil
	case elf.R_X86_64_64:
		width = 8
	case elf.R_X86_64_PC64:
		width, value = 8, value-place
	case elf.R_X86_64_32, elf.R_X86_64_32S:
		width = 4
	case elf.R_X86_64_PC32, elf.R_X86_64_PLT32:
		width, value = 4, value-place
	case elf.R_X86_64_16:
		width = 2
	case elf.R_X86_64_8:
		width = 1
	default:
		return fmt.Errorf("%v is not supported", kind)
	}
	if off > uint64(len(dst)) || width > uint64(len(dst))-off {
		return errors.New("beyond the end of the section")
	}
	field := dst[off : off+width]
	switch width {
	case 8:
		binary.LittleEndian.PutUint64(field, value)
	case 4:
		binary.LittleEndian.PutUint32(field, uint32(value))
	case 2:
		binary.LittleEndian.PutUint16(field, uint16(value))
	case 1:
		field[0] = byte(value)
	}
	return nil
}
