package elffile

import (
	"debug/elf"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/kdive/kdive/elffile/elftest"
)

// module is a relocatable object whose .text has index 3, .data 4 and
// .debug_info 5.
func module(rela ...[]byte) elftest.Object {
	sym, str := elftest.Symbols(2,
		elftest.Symbol{Info: byte(elf.STT_SECTION), Section: 3},
		elftest.Symbol{Name: "var", Section: 4, Value: 8},
		elftest.Symbol{Name: "extern"},
		elftest.Symbol{Name: "abs", Section: uint16(elf.SHN_ABS), Value: 0x77})
	var r []byte
	for _, b := range rela {
		r = append(r, b...)
	}
	return elftest.Object{Type: elf.ET_REL, Sections: []elftest.Section{
		sym, str,
		{Name: ".text", Type: elf.SHT_PROGBITS, Flags: elf.SHF_ALLOC, Data: make([]byte, 0x21), Align: 16},
		{Name: ".data", Type: elf.SHT_NOBITS, Flags: elf.SHF_ALLOC, Size: 0x40, Align: 32},
		{Name: ".debug_info", Type: elf.SHT_PROGBITS, Data: make([]byte, 16)},
		{Name: ".rela.debug_info", Type: elf.SHT_RELA, Data: r, Link: 1, Info: 5, EntSize: 24},
	}}
}

func TestLayout(t *testing.T) {
	f := mustNew(t, module())
	if a := f.Section(".text").Addr; a != 0x1000 {
		t.Errorf(".text at %#x", a)
	}
	if a := f.Section(".data").Addr; a != 0x1040 {
		t.Errorf(".data at %#x", a)
	}
	if a := f.Section(".debug_info").Addr; a != 0 {
		t.Errorf(".debug_info at %#x", a)
	}
	table, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range map[int]uint64{1: 0x1000, 2: 0x1048, 3: 0, 4: 0x77} {
		s := table.At(i)
		if a := table.Addr(&s); a != want {
			t.Errorf("symbol %d at %#x, want %#x", i, a, want)
		}
	}
}

func TestRelocate(t *testing.T) {
	tests := []struct {
		name string
		rela []byte
		want uint64 // at offset 8
		err  string
	}{
		{"64", elftest.Rela(8, elf.R_X86_64_64, 2, 0x10), 0x1058, ""},
		{"64 section", elftest.Rela(8, elf.R_X86_64_64, 1, 4), 0x1004, ""},
		{"32", elftest.Rela(8, elf.R_X86_64_32, 2, -8), 0x1040, ""},
		{"32S", elftest.Rela(8, elf.R_X86_64_32S, 3, -1), 0xffffffff, ""},
		{"PC32", elftest.Rela(8, elf.R_X86_64_PC32, 2, 0), 0x1040, ""},
		{"PLT32", elftest.Rela(8, elf.R_X86_64_PLT32, 3, 4), 0xfffffffc, ""},
		{"PC64", elftest.Rela(8, elf.R_X86_64_PC64, 4, 0), 0x6f, ""},
		{"16", elftest.Rela(8, elf.R_X86_64_16, 4, 0x11100), 0x1177, ""},
		{"8", elftest.Rela(8, elf.R_X86_64_8, 4, 0x11100), 0x77, ""},
		{"none", elftest.Rela(1<<63, elf.R_X86_64_NONE, 0, 5), 0, ""},
		{"no symbol", elftest.Rela(8, elf.R_X86_64_64, 0, 5), 5, ""},
		{"outside", elftest.Rela(9, elf.R_X86_64_64, 2, 0), 0, "beyond the end"},
		{"far outside", elftest.Rela(^uint64(0)-3, elf.R_X86_64_64, 2, 0), 0, "beyond the end"},
		{"symbol", elftest.Rela(8, elf.R_X86_64_64, 99, 0), 0, "symbol 99"},
		{"kind", elftest.Rela(8, elf.R_X86_64_COPY, 2, 0), 0, "R_X86_64_COPY"},
	}
	for _, tt := range tests {
		f := mustNew(t, module(tt.rela))
		data, err := f.RelocatedData(f.Section(".debug_info"))
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%s: %v, want %q", tt.name, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := binary.LittleEndian.Uint64(data[8:]); got != tt.want {
			t.Errorf("%s: %#x, want %#x", tt.name, got, tt.want)
		}
		if raw, _ := f.Data(f.Section(".debug_info")); binary.LittleEndian.Uint64(raw[8:]) != 0 {
			t.Errorf("%s: the file's own bytes were changed", tt.name)
		}
	}
}

func TestManyRelocationSections(t *testing.T) {
	o := module()
	for range 10 {
		o.Sections = append(o.Sections, o.Sections[5])
	}
	f := mustNew(t, o)
	if _, err := f.RelocatedData(f.Section(".debug_info")); err == nil {
		t.Error("eleven relocation sections for one section were accepted")
	}
}

func TestLivepatchRelocationsAreSkipped(t *testing.T) {
	o := module(elftest.Rela(8, elf.R_X86_64_64, 2, 0))
	klp := o.Sections[5]
	klp.Flags, klp.Data = livepatchRela, elftest.Rela(8, elf.R_X86_64_64, 4, 0)
	o.Sections = append(o.Sections, klp)
	f := mustNew(t, o)
	data, err := f.RelocatedData(f.Section(".debug_info"))
	if err != nil || binary.LittleEndian.Uint64(data[8:]) != 0x1048 {
		t.Errorf("% x, %v", data, err)
	}
}
