package scan

import (
	"debug/dwarf"
	"iter"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/kdive/kdive/debuginfo/die"
	dw "github.com/kdive/kdive/debuginfo/dwarftest"
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

// all is the records of all parts.
func all(res *Result) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for _, p := range res.Parts {
			for _, r := range slices.Concat(p...) {
				if !yield(r) {
					return
				}
			}
		}
	}
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
		for r := range all(res) {
			counts[r.Kind]++
			n++
		}
		b.Log(len(res.Units), n, counts, res.Warnings)
	}
}

func sample(version int) die.Sections {
	i := dw.E(dwarf.TagBaseType, dw.A(dwarf.AttrName, die.FormString, "int"), dw.Num(dwarf.AttrByteSize, 4), dw.Num(dwarf.AttrEncoding, 5))
	anon := dw.E(dwarf.TagEnumerationType, dw.Num(dwarf.AttrByteSize, 4), dw.Num(dwarf.AttrDeclFile, 1), dw.Num(dwarf.AttrDeclLine, 1), dw.E(dwarf.TagEnumerator, dw.Name("ONE"), dw.Num(dwarf.AttrConstValue, 1)))
	decl := dw.E(dwarf.TagVariable, dw.Name("v"), dw.Type(i), dw.Flag(dwarf.AttrDeclaration), dw.Flag(dwarf.AttrExternal))
	root := dw.E(dwarf.TagCompileUnit, dw.Name("a.c"), dw.Num(dwarf.AttrLanguage, 0x0c), i, anon, decl,
		dw.E(dwarf.TagVariable, dw.A(dwarf.AttrSpecification, die.FormRef4, decl), dw.Addr(0x1000)),
		dw.E(dwarf.TagStructType, dw.Name("s"), dw.Num(dwarf.AttrByteSize, 8), dw.Num(dwarf.AttrDeclFile, 2), dw.Num(dwarf.AttrDeclLine, 3), dw.E(dwarf.TagMember, dw.Name("hidden"), dw.Type(i))),
		dw.E(dwarf.TagSubprogram, dw.Name("f"), dw.A(dwarf.AttrLowpc, die.FormAddr, 0x1000), dw.E(dwarf.TagLexDwarfBlock, dw.E(dwarf.TagVariable, dw.Name("local"), dw.Type(i)))))
	return dw.Build(dw.Unit{Version: version, Root: root, Line: dw.Lines([]string{"a.c", "s.h"})}, dw.Unit{Version: version, Root: root, Line: dw.Lines([]string{"a.c", "s.h"})})
}

func names(t *testing.T, s die.Sections) map[string]int {
	t.Helper()
	res, err := Scan(die.New(s), mapped.Guard, nil)
	if err != nil || len(res.Warnings) > 0 {
		t.Fatal(err, res.Warnings)
	}
	got := map[string]int{}
	for r := range all(res) {
		got[r.Kind.String()+" "+string(s.String(r.Name))]++
	}
	return got
}

func TestScan(t *testing.T) {
	want := map[string]int{
		"base int": 1, "enumerator ONE": 2, // declared in a source file: once per unit
		"variable v": 3, "struct s": 1, "function f": 2,
	}
	for _, version := range []int{4, 5} {
		if got := names(t, sample(version)); !maps.Equal(got, want) {
			t.Errorf("version %d: %v, want %v", version, got, want)
		}
	}
}

func TestOtherLanguagesAreLeftOut(t *testing.T) {
	root := dw.E(dwarf.TagCompileUnit, dw.Name("lib.rs"), dw.Num(dwarf.AttrLanguage, 0x1c), dw.E(dwarf.TagStructType, dw.Name("task_struct"), dw.Num(dwarf.AttrByteSize, 1)))
	if got := names(t, dw.Build(dw.Unit{Root: root})); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// FuzzScan scans sections made of anything.
func FuzzScan(f *testing.F) {
	for _, version := range []int{4, 5} {
		s := sample(version)
		f.Add(s.Info, s.Abbrev, s.Str, s.Line)
	}
	f.Fuzz(func(t *testing.T, info, abbrev, str, line []byte) {
		s := die.Sections{Info: info, Abbrev: abbrev, Str: str, LineStr: str, Line: line, Ranges: line, RngLists: line, Addr: line, StrOffsets: line}
		res, err := Scan(die.New(s), mapped.Guard, nil)
		if err != nil {
			t.Fatal(err)
		}
		for r := range all(res) {
			if r.Kind == None || int(r.Off) >= len(info) {
				t.Fatalf("%+v", r)
			}
		}
	})
}
