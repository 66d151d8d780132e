package elffile

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kdive/kdive/elffile/elftest"
)

var testID = []byte{0xde, 0xad, 0xbe, 0xef, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20}

// sample has one section of every sort that the package reads.
func sample() elftest.Object {
	sym, str := elftest.Symbols(2,
		elftest.Symbol{Name: "start", Info: 0x12, Section: 3, Value: 0xffffffff81000010, Size: 4},
		elftest.Symbol{Name: "abs", Info: 0x10, Section: uint16(elf.SHN_ABS), Value: 7})
	id := elftest.BuildID(testID)
	id.Addr = 0xffffffff81001000
	return elftest.Object{Type: elf.ET_EXEC, Sections: []elftest.Section{
		sym, str,
		{Name: ".text", Type: elf.SHT_PROGBITS, Flags: elf.SHF_ALLOC | elf.SHF_EXECINSTR, Addr: 0xffffffff81000000, Data: []byte("0123456789abcdefWORD")},
		{Name: ".bss", Type: elf.SHT_NOBITS, Flags: elf.SHF_ALLOC, Addr: 0xffffffff82000000, Size: 1 << 30},
		id,
		elftest.DebugLink("vmlinux.debug", 0x12345678),
		{Name: ".modinfo", Type: elf.SHT_PROGBITS, Data: []byte("name=af_key\x00alias=one\x00alias=two\x00\x00nonsense\x00vermagic=6.1 SMP")},
	}}
}

func mustNew(t *testing.T, o elftest.Object) *File {
	t.Helper()
	f, err := New("test", o.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestSections(t *testing.T) {
	for _, extended := range []bool{false, true} {
		o := sample()
		o.Extended = extended
		f := mustNew(t, o)
		if len(f.Sections) != len(o.Sections)+2 || f.Type != elf.ET_EXEC || f.Machine != elf.EM_X86_64 {
			t.Fatalf("extended %v: %d sections, %v, %v", extended, len(f.Sections), f.Type, f.Machine)
		}
		data, err := f.Data(f.Section(".text"))
		if err != nil || string(data) != "0123456789abcdefWORD" {
			t.Errorf(".text: %q, %v", data, err)
		}
		if _, err := f.Data(f.Section(".bss")); !errors.Is(err, ErrNoData) {
			t.Errorf(".bss: %v", err)
		}
		if _, err := f.Data(f.Section(".nowhere")); !errors.Is(err, ErrNoData) {
			t.Errorf(".nowhere: %v", err)
		}
		if _, err := f.RelocatedData(f.Section(".text")); err != nil {
			t.Error(err)
		}
		word, err := f.DataAt(0xffffffff81000010, 4)
		if err != nil || string(word) != "WORD" {
			t.Errorf("DataAt: %q, %v", word, err)
		}
		for _, addr := range []uint64{0xffffffff81000011, 0xffffffff82000000, 0, ^uint64(0)} {
			if b, err := f.DataAt(addr, 4); err == nil {
				t.Errorf("DataAt(%#x) = %q", addr, b)
			}
		}
	}
}

func TestIdentity(t *testing.T) {
	f := mustNew(t, sample())
	if id := f.BuildID(); !bytes.Equal(id, testID) {
		t.Errorf("build ID %x", id)
	}
	if name, crc, ok := f.DebugLink(); name != "vmlinux.debug" || crc != 0x12345678 || !ok {
		t.Errorf("debug link %q %#x %v", name, crc, ok)
	}
	info, err := f.ModInfo()
	if err != nil || info["name"] != "af_key" || info["alias"] != "one" || info["vermagic"] != "6.1 SMP" || len(info) != 3 {
		t.Errorf("modinfo %v, %v", info, err)
	}
}

func TestNoIdentity(t *testing.T) {
	f := mustNew(t, elftest.Object{Sections: []elftest.Section{
		{Name: ".note.a", Type: elf.SHT_NOTE, Data: elftest.Note("Linux", 3, testID)},
		{Name: ".note.b", Type: elf.SHT_NOTE, Data: elftest.Note("GNU", 3, testID)[:20]},
		{Name: ".note.c", Type: elf.SHT_NOTE, Data: elftest.Note("GNU", 3, nil)},
		elftest.DebugLink("../../etc/shadow", 0),
	}})
	if id := f.BuildID(); id != nil {
		t.Errorf("build ID %x", id)
	}
	if name, _, ok := f.DebugLink(); ok {
		t.Errorf("debug link %q", name)
	}
	if _, err := f.ModInfo(); err == nil {
		t.Error("modinfo of a file without")
	}
	if _, err := f.Symbols(); err == nil {
		t.Error("symbols of a file without")
	}
}

func TestNotesAligned8(t *testing.T) {
	note := append([]byte{4, 0, 0, 0, 3, 0, 0, 0, 9, 0, 0, 0}, "GNU\x00abc\x00\x00\x00\x00\x00"...)
	f := mustNew(t, elftest.Object{Sections: []elftest.Section{
		{Name: ".note.gnu.property", Type: elf.SHT_NOTE, Align: 8, Data: append(note, note...)},
	}})
	var got []string
	for n := range f.Notes() {
		got = append(got, n.Name+":"+string(n.Desc))
	}
	if strings.Join(got, " ") != "GNU:abc GNU:abc" {
		t.Errorf("notes %q", got)
	}
}

func TestSymbols(t *testing.T) {
	f := mustNew(t, sample())
	table, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i, s := range table.All() {
		names = append(names, string(s.Name))
		switch i {
		case 1:
			if s.Value != 0xffffffff81000010 || s.Size != 4 || s.Section != 3 || s.Special || table.Addr(&s) != s.Value {
				t.Errorf("start: %+v", s)
			}
		case 2:
			if s.Value != 7 || !s.Special {
				t.Errorf("abs: %+v", s)
			}
		}
	}
	if strings.Join(names, " ") != "start abs" {
		t.Errorf("symbols %q", names)
	}
}

func TestRefused(t *testing.T) {
	good := sample().Bytes()
	change := func(off int, b ...byte) []byte {
		c := bytes.Clone(good)
		copy(c[off:], b)
		return c
	}
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "not a 64-bit"},
		{"text", []byte("#!/bin/sh\necho hello world, this is no object file at all, really\n"), "not a 64-bit"},
		{"32 bits", change(elf.EI_CLASS, 1), "ELFCLASS32"},
		{"big endian", change(elf.EI_DATA, 2), "ELFDATA2MSB"},
		{"header only", good[:40], "within its ELF header"},
		{"no table", change(40, 0, 0, 0, 0, 0, 0, 0, 0), "no section table"},
		{"table far away", change(40, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "beyond the end"},
		{"entry size", change(58, 40), "section headers of 40 bytes"},
		{"many sections", change(60, 0xff, 0xff), "beyond the end"},
		{"names index", change(62, 0x77), "section names in section 119"},
		{"cut off", good[:len(good)-10], "beyond the end"},
	}
	for _, tt := range tests {
		_, err := New("bad", tt.data)
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "bad: ") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestDamagedSectionSpoilsOnlyItself(t *testing.T) {
	o := sample()
	o.Sections = append(o.Sections, elftest.Section{Name: ".far", Type: elf.SHT_PROGBITS, Offset: 1 << 62, Size: 1 << 63})
	f := mustNew(t, o)
	if _, err := f.Data(f.Section(".far")); err == nil || !strings.Contains(err.Error(), ".far") {
		t.Errorf(".far: %v", err)
	}
	if _, err := f.Data(f.Section(".text")); err != nil {
		t.Error(err)
	}
}

func TestOpenOddFiles(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "no such file",
		empty:                      "empty file",
		dir:                        "not a regular file",
		"/dev/zero":                "not a regular file",
	} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestFingerprint(t *testing.T) {
	a := mustNew(t, sample()).Fingerprint()
	if b := mustNew(t, sample()).Fingerprint(); a != b {
		t.Error("equal files differ")
	}
	o := sample()
	o.Sections[2].Data = []byte("shorter")
	if b := mustNew(t, o).Fingerprint(); a == b {
		t.Error("different layouts look equal")
	}
}
