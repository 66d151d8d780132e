package elffile

import (
	"debug/elf"
	"testing"

	"github.com/kdive/kdive/elffile/elftest"
)

// FuzzOpen asks a damaged object everything there is to ask.
func FuzzOpen(f *testing.F) {
	f.Add(sample().Bytes())
	o := sample()
	o.Extended = true
	f.Add(o.Bytes())
	f.Add(module(elftest.Rela(8, elf.R_X86_64_64, 2, 0x10), elftest.Rela(0, elf.R_X86_64_PC32, 1, 1)).Bytes())
	for _, s := range []elftest.Section{
		compressed(elf.COMPRESS_ZLIB, 64, zlibBytes(make([]byte, 64))),
		compressed(elf.COMPRESS_ZSTD, 64, zstdBytes(make([]byte, 64))),
	} {
		f.Add(elftest.Object{Type: elf.ET_EXEC, Sections: []elftest.Section{s}}.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := New("fuzz", data)
		if err != nil {
			return
		}
		defer file.Close()
		file.BuildID()
		file.DebugLink()
		file.ModInfo()
		file.Fingerprint()
		for i := range min(len(file.Sections), 100) {
			s := &file.Sections[i]
			if b, err := file.Data(s); err == nil && len(b) > 0 {
				_ = b[0] + b[len(b)-1]
			}
			file.RelocatedData(s)
			file.DataAt(s.Addr, 8)
			file.Section(s.Name)
		}
		if table, err := file.Symbols(); err == nil {
			for _, s := range table.All() {
				table.Addr(&s)
			}
		}
	})
}
