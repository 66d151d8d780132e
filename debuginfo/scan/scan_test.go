package scan

import (
	"os"
	"testing"

	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/elffile"
	"github.com/kdive/kdive/mapped"
)

// realData opens the kernel that KDIVE_TEST_VMLINUX names.
func realData(tb testing.TB) *die.Data {
	path := os.Getenv("KDIVE_TEST_VMLINUX")
	if path == "" {
		tb.Skip("KDIVE_TEST_VMLINUX names no kernel")
	}
	f, err := elffile.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { f.Close() })
	get := func(name string) []byte {
		s := f.Section(name)
		if s == nil {
			return nil
		}
		b, err := f.RelocatedData(s)
		if err != nil {
			tb.Fatal(err)
		}
		return b
	}
	return die.New(die.Sections{
		Info: get(".debug_info"), Abbrev: get(".debug_abbrev"), Str: get(".debug_str"), LineStr: get(".debug_line_str"),
		StrOffsets: get(".debug_str_offsets"), Addr: get(".debug_addr"), Line: get(".debug_line"),
		Ranges: get(".debug_ranges"), RngLists: get(".debug_rnglists"),
	})
}

func BenchmarkScan(b *testing.B) {
	d := realData(b)
	for b.Loop() {
		res, err := Scan(d, mapped.Guard, nil)
		if err != nil {
			b.Fatal(err)
		}
		counts := map[Kind]int{}
		n := 0
		for _, p := range res.Parts {
			for _, r := range p {
				counts[r.Kind]++
				n++
			}
		}
		b.Log(len(res.Units), n, counts, res.Warnings)
	}
}
