package debuginfo

import (
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo/die"
	. "github.com/kdive/kdive/debuginfo/dwarftest"
	"github.com/kdive/kdive/elffile/elftest"
)

const (
	global = byte(elf.STB_GLOBAL)<<4 | byte(elf.STT_OBJECT)
	fnSym  = byte(elf.STB_GLOBAL)<<4 | byte(elf.STT_FUNC)
	local  = byte(elf.STB_LOCAL)<<4 | byte(elf.STT_OBJECT)
)

// write puts an object into a file of the test's own.
func write(tb testing.TB, data []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "vmlinux")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func open(tb testing.TB, path string, opt Options) *Info {
	tb.Helper()
	in, err := Open(path, opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { in.Close() })
	return in
}

// decl is where an entry is declared: file and line.
func decl(file, line int) []any {
	return []any{Num(dwarf.AttrDeclFile, file), Num(dwarf.AttrDeclLine, line)}
}

func base(name string, size, enc int) *Entry {
	return E(dwarf.TagBaseType, Name(name), Num(dwarf.AttrByteSize, size), Num(dwarf.AttrEncoding, enc))
}

func member(name string, t *Entry, off int, more ...any) *Entry {
	return E(dwarf.TagMember, append([]any{Name(name), Type(t), Num(dwarf.AttrDataMemberLoc, off)}, more...)...)
}

func cu(name string, items ...any) *Entry {
	return E(dwarf.TagCompileUnit, append([]any{Name(name), A(dwarf.AttrCompDir, die.FormStrp, "/src"), Num(dwarf.AttrLanguage, 0x0c)}, items...)...)
}

// layoutUnit has a struct of every kind of member.
func layoutUnit() *Entry {
	intT, ulong, boolT, char := base("int", 4, die.EncSigned), base("long unsigned int", 8, die.EncUnsigned), base("_Bool", 1, die.EncBoolean), base("char", 1, die.EncSignedChar)
	short := E(dwarf.TagBaseType, A(dwarf.AttrName, die.FormString, "u8"), Num(dwarf.AttrByteSize, 1), Num(dwarf.AttrEncoding, die.EncUnsigned))
	ptr := E(dwarf.TagPointerType, Num(dwarf.AttrByteSize, 8))
	matrix := E(dwarf.TagArrayType, Type(intT), E(dwarf.TagSubrangeType, Num(dwarf.AttrUpperBound, 1)), E(dwarf.TagSubrangeType, Num(dwarf.AttrCount, 3)))
	flex := E(dwarf.TagArrayType, Type(char), E(dwarf.TagSubrangeType))
	zero := E(dwarf.TagArrayType, Type(char), E(dwarf.TagSubrangeType, A(dwarf.AttrUpperBound, die.FormSdata, -1)))
	exprCount := E(dwarf.TagArrayType, Type(char), E(dwarf.TagSubrangeType, A(dwarf.AttrCount, die.FormExprloc, []byte{0x08, 200})))
	fn := E(dwarf.TagSubroutineType, Type(intT), E(dwarf.TagFormalParameter, Type(ptr)), E(dwarf.TagUnspecifiedParameters))
	fnPtr := E(dwarf.TagPointerType, Num(dwarf.AttrByteSize, 8), Type(fn))
	anon := E(dwarf.TagUnionType, Num(dwarf.AttrByteSize, 8), member("a", intT, 0), member("b", ulong, 0))
	volatileT := E(dwarf.TagVolatileType, Type(intT))
	constT := E(dwarf.TagConstType, Type(volatileT))
	enum := E(dwarf.TagEnumerationType, Name("state"), Num(dwarf.AttrByteSize, 4), Type(intT), E(dwarf.TagEnumerator, Name("RUN"), Num(dwarf.AttrConstValue, 1)),
		E(dwarf.TagEnumerator, Name("BAD"), A(dwarf.AttrConstValue, die.FormData4, 0xffffffff)))
	size := E(dwarf.TagTypedef, Name("size_t"), Type(ulong))
	s := E(dwarf.TagStructType, Name("all"), Num(dwarf.AttrByteSize, 120),
		member("list", ptr, 0),
		E(dwarf.TagMember, Type(anon), Num(dwarf.AttrDataMemberLoc, 8)),
		member("matrix", matrix, 16), member("fn", fnPtr, 40), member("cv", constT, 48), member("st", enum, 52), member("ok", boolT, 56), member("n", size, 64), member("byte", short, 57),
		E(dwarf.TagMember, Name("new1"), Type(intT), Num(dwarf.AttrBitSize, 3), A(dwarf.AttrDataBitOffset, die.FormData2, 72*8+1)),
		E(dwarf.TagMember, Name("new2"), Type(intT), Num(dwarf.AttrBitSize, 5), A(dwarf.AttrDataBitOffset, die.FormData2, 72*8+30)),
		member("old", intT, 76, Num(dwarf.AttrBitSize, 4), Num(dwarf.AttrBitOffset, 24), Num(dwarf.AttrByteSize, 4)),
		E(dwarf.TagMember, Name("expr"), Type(intT), A(dwarf.AttrDataMemberLoc, die.FormExprloc, []byte{die.OpPlusUconst, 80})),
		member("many", exprCount, 84), member("none", zero, 119), member("tail", flex, 120))
	return cu("kernel/all.c", intT, ulong, boolT, char, short, ptr, matrix, flex, zero, exprCount, fn, fnPtr, anon, volatileT, constT, enum, size, s)
}

func TestLayout(t *testing.T) {
	for _, version := range []int{4, 5} {
		in := open(t, write(t, File(Build(Unit{Version: version, Root: layoutUnit()}))), Options{})
		s, err := in.Type("struct all")
		if err != nil {
			t.Fatal(err)
		}
		want := []struct {
			decl             string
			off, bit, bitLen int64
		}{
			{"void *list", 0, 0, 0}, {"union {...}", 8, 0, 0}, {"int matrix[2][3]", 16, 0, 0}, {"int (*fn)(void *, ...)", 40, 0, 0},
			{"const volatile int cv", 48, 0, 0}, {"enum state st", 52, 0, 0}, {"_Bool ok", 56, 0, 0}, {"size_t n", 64, 0, 0}, {"u8 byte", 57, 0, 0},
			{"int new1", 72, 1, 3}, {"int new2", 75, 6, 5}, {"int old", 76, 4, 4}, {"int expr", 80, 0, 0},
			{"char many[200]", 84, 0, 0}, {"char none[0]", 119, 0, 0}, {"char tail[]", 120, 0, 0},
		}
		for i, m := range s.Members() {
			if got := m.Type.Declare(m.Name); i >= len(want) || got != want[i].decl || m.Offset != want[i].off || m.BitOffset != want[i].bit || m.BitSize != want[i].bitLen {
				t.Errorf("version %d, member %d: %s at %d:%d+%d", version, i, got, m.Offset, m.BitOffset, m.BitSize)
			}
		}
		if len(s.Members()) != len(want) || s.Size() != 120 || s.Err() != nil {
			t.Errorf("version %d: %d members, size %d, %v", version, len(s.Members()), s.Size(), s.Err())
		}
		if m, ok := s.Find("b"); !ok || m.Offset != 8 {
			t.Errorf("version %d: member of an anonymous union: %+v, %v", version, m, ok)
		}
		if v, enum, ok := in.Enumerator("BAD"); !ok || v != -1 || enum.Name() != "state" || !enum.Signed() {
			t.Errorf("version %d: BAD = %d of %v", version, v, enum)
		}
	}
}

// shared is a struct that a header declares.
func shared(name string, line int, t *Entry, members ...string) *Entry {
	items := append([]any{Name(name), Num(dwarf.AttrByteSize, 4*len(members))}, decl(2, line)...)
	for i, m := range members {
		items = append(items, member(m, t, 4*i))
	}
	return E(dwarf.TagStructType, items...)
}

// twoUnits share a header, and disagree about struct priv.
func twoUnits() []byte {
	i1, i2, i3 := base("int", 4, die.EncSigned), base("int", 4, die.EncSigned), base("int", 4, die.EncSigned)
	declared := E(dwarf.TagStructType, Name("foo"), Flag(dwarf.AttrDeclaration))
	ptr := E(dwarf.TagPointerType, Num(dwarf.AttrByteSize, 8), Type(declared))
	priv2 := E(dwarf.TagStructType, Name("priv"), Num(dwarf.AttrByteSize, 8), Num(dwarf.AttrDeclFile, 1), Num(dwarf.AttrDeclLine, 5), member("x", i2, 0), member("y", i2, 4))
	priv1 := E(dwarf.TagStructType, Name("priv"), Num(dwarf.AttrByteSize, 4), Num(dwarf.AttrDeclFile, 1), Num(dwarf.AttrDeclLine, 5), member("x", i1, 0))
	far := E(dwarf.TagStructType, Name("far"), Flag(dwarf.AttrDeclaration))
	extern := E(dwarf.TagVariable, append([]any{Name("spec"), Type(i2), Flag(dwarf.AttrExternal), Flag(dwarf.AttrDeclaration)}, decl(2, 30)...)...)
	return File(Build(
		Unit{Root: cu("kernel/a.c", i1, shared("foo", 10, i1, "a", "b"), priv1, far,
			E(dwarf.TagVariable, Name("counter"), Type(i1), Num(dwarf.AttrDeclFile, 1), Num(dwarf.AttrDeclLine, 7), Addr(0x1100)),
			E(dwarf.TagVariable, Name("by_script"), Type(i1), Flag(dwarf.AttrExternal), Flag(dwarf.AttrDeclaration)),
		), Line: Lines([]string{"a.c", "inc.h"})},
		Unit{Root: cu("kernel/b.c", i2, shared("foo", 10, i2, "a", "b"), priv2, extern,
			E(dwarf.TagVariable, A(dwarf.AttrSpecification, die.FormRef4, extern), Num(dwarf.AttrDeclFile, 1), Num(dwarf.AttrDeclLine, 9), Addr(0x1200)),
			E(dwarf.TagVariable, Name("counter"), Type(i2), Num(dwarf.AttrDeclFile, 1), Num(dwarf.AttrDeclLine, 8), Addr(0x1108)),
		), Line: Lines([]string{"b.c", "inc.h"})},
		Unit{Root: cu("kernel/c.c", i3, declared, ptr,
			E(dwarf.TagStructType, Name("holder"), Num(dwarf.AttrByteSize, 8), member("foo", ptr, 0)),
			E(dwarf.TagVariable, Name("by_script"), Type(i3), Flag(dwarf.AttrExternal), Flag(dwarf.AttrDeclaration)),
		)},
	), elftest.Symbol{Name: "by_script", Info: global, Section: 1, Value: 0x1300}, elftest.Symbol{Name: "by_script", Info: local, Section: 1, Value: 0x1400},
		elftest.Symbol{Name: "func", Info: fnSym, Section: 1, Value: 0x1500, Size: 16}, elftest.Symbol{Name: "a_label", Section: 1, Value: 0x1500})
}

func TestSameAndDifferentDefinitions(t *testing.T) {
	in := open(t, write(t, twoUnits()), Options{})
	foo, err := in.Types(ctype.Struct, "foo")
	if err != nil || len(foo) != 1 || foo[0].Origin().File != "inc.h" || foo[0].Origin().Line != 10 {
		t.Fatalf("struct foo: %v, %v", foo, err)
	}
	holder, err := in.Type("struct holder")
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := holder.Find("foo"); m.Type.Elem() != foo[0] {
		t.Errorf("a pointer to a declared struct foo does not lead to its definition: %v", m.Type.Elem())
	}
	priv, err := in.Types(ctype.Struct, "priv")
	if err != nil || len(priv) != 2 {
		t.Fatalf("struct priv: %v, %v", priv, err)
	}
	for spec, size := range map[string]int64{"struct priv@a.c": 4, "struct priv@b.c": 8, "struct priv@kernel/b.c": 8, "struct foo@inc.h": 8} {
		if typ, err := in.Type(spec); err != nil || typ.Size() != size {
			t.Errorf("%s: %v, %v", spec, typ, err)
		}
	}
	for spec, want := range map[string]string{"struct priv@z.c": "defined in a.c, b.c", "union foo": "there is struct foo", "struct nope": "no such type", "foo": "there is struct foo", "": "no such type"} {
		if _, err := in.Type(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
	if far, err := in.Types(ctype.Struct, "far"); err != nil || len(far) != 1 || !far[0].Incomplete() {
		t.Errorf("struct far: %v, %v", far, err)
	}
}

func TestVariables(t *testing.T) {
	in := open(t, write(t, twoUnits()), Options{})
	tests := []struct {
		name  string
		addrs []uint64
		files []string
	}{
		{"counter", []uint64{0x1100, 0x1108}, []string{"a.c", "b.c"}},
		{"spec", []uint64{0x1200}, []string{"b.c"}},
		{"by_script", []uint64{0x1300}, []string{""}},
		{"nope", nil, nil},
	}
	for _, tt := range tests {
		vars, err := in.Variables(tt.name)
		if err != nil || len(vars) != len(tt.addrs) {
			t.Errorf("%s: %+v, %v", tt.name, vars, err)
			continue
		}
		for i, v := range vars {
			if v.Addr != tt.addrs[i] || !v.HasAddr || v.File != tt.files[i] || v.Type.String() != "int" {
				t.Errorf("%s: %+v", tt.name, v)
			}
		}
	}
}

func TestSymbols(t *testing.T) {
	in := open(t, write(t, twoUnits()), Options{})
	if list := in.Lookup("by_script"); len(list) != 2 || list[0].Addr != 0x1300 || list[0].Type != 'T' || list[1].Type != 't' {
		t.Errorf("by_script: %+v", list)
	}
	if s, ok := in.SymbolAt(0x150f); !ok || s.Name != "func" {
		t.Errorf("at func+15: %+v", s)
	}
	if list := in.SymbolsAt(0x1500); len(list) != 2 || list[0].Name != "a_label" {
		t.Errorf("at func: %+v", list)
	}
	if s, ok := in.SymbolAt(0x12ff); ok {
		t.Errorf("below the first symbol: %+v", s)
	}
	var names []string
	for s := range in.SymbolsFrom(0x1301) {
		names = append(names, s.Name)
	}
	if !slices.Equal(names, []string{"by_script", "a_label", "func"}) {
		t.Errorf("from 0x1301: %v", names)
	}
}

func TestNames(t *testing.T) {
	in := open(t, write(t, twoUnits()), Options{})
	got := slices.Sorted(in.TypeNames("struct f"))
	if !slices.Equal(got, []string{"struct far", "struct foo"}) {
		t.Errorf("types: %v", got)
	}
	if got := slices.Sorted(in.VariableNames("")); !slices.Equal(got, []string{"by_script", "counter", "spec"}) {
		t.Errorf("variables: %v", got)
	}
	n := 0
	for typ := range in.AllTypes() {
		n++
		_ = typ.String()
	}
	if n != 6 { // foo, priv twice, far, holder, int
		t.Errorf("%d types", n)
	}
}

// codeUnit has a function with a call inlined into it, in two sequences.
func codeUnit() Unit {
	intT := base("int", 4, die.EncSigned)
	arg := E(dwarf.TagFormalParameter, Name("arg"), Type(intT))
	inlined := E(dwarf.TagSubprogram, append([]any{Name("helper"), Num(dwarf.AttrInline, 3), Flag(dwarf.AttrPrototyped), Type(intT), arg}, decl(2, 3)...)...)
	call := E(dwarf.TagInlinedSubroutine, A(dwarf.AttrAbstractOrigin, die.FormRef4, inlined), A(dwarf.AttrLowpc, die.FormAddr, 0x1010), A(dwarf.AttrHighpc, die.FormData4, 0x10), Num(dwarf.AttrCallFile, 1), Num(dwarf.AttrCallLine, 21))
	fn := E(dwarf.TagSubprogram, Name("outer"), Flag(dwarf.AttrExternal), Flag(dwarf.AttrPrototyped), A(dwarf.AttrLowpc, die.FormAddr, 0x1000), A(dwarf.AttrHighpc, die.FormData4, 0x40), Num(dwarf.AttrDeclFile, 1), Num(dwarf.AttrDeclLine, 20),
		E(dwarf.TagLexDwarfBlock, A(dwarf.AttrLowpc, die.FormAddr, 0x1008), A(dwarf.AttrHighpc, die.FormData4, 0x30), call))
	outOfLine := E(dwarf.TagSubprogram, A(dwarf.AttrAbstractOrigin, die.FormRef4, inlined), A(dwarf.AttrLowpc, die.FormAddr, 0x1080), A(dwarf.AttrHighpc, die.FormData4, 0x10))
	u := cu("kernel/code.c", A(dwarf.AttrLowpc, die.FormAddr, 0x1000), A(dwarf.AttrHighpc, die.FormData4, 0x100), intT, inlined, fn, outOfLine)
	return Unit{Root: u, Line: Lines([]string{"kernel/code.c", "inc.h"},
		At(0x1080), SetFile(2), Row(0, 2), Row(8, 1), End(8),
		At(0x1000), Row(0, 19), Row(0x10, 1), Row(0, -18), Row(0x10, 19), End(0x20))}
}

func TestCode(t *testing.T) {
	in := open(t, write(t, File(Build(codeUnit()))), Options{})
	lines := map[uint64]string{0x1000: "/src/kernel/code.c:20", 0x100f: "/src/kernel/code.c:20", 0x1010: "/src/kernel/code.c:3", 0x103f: "/src/kernel/code.c:22", 0x1040: "", 0x1080: "/src/inc.h:3", 0x108f: "/src/inc.h:4", 0x1090: "", 0x5: ""}
	for pc, want := range lines {
		file, line, ok := in.Line(pc)
		if got := fileLine(file, line); ok != (want != "") || ok && got != want {
			t.Errorf("line of %#x: %s, %v; want %s", pc, got, ok, want)
		}
	}
	var rows []string
	for r := range in.Lines(0x1008, 0x1084) {
		rows = append(rows, fileLine(r.File, r.Line))
	}
	if want := []string{"/src/kernel/code.c:20", "/src/kernel/code.c:3", "/src/kernel/code.c:22", "/src/inc.h:3"}; !slices.Equal(rows, want) {
		t.Errorf("rows: %v, want %v", rows, want)
	}
	scopes, err := in.Scopes(0x1012)
	if err != nil || len(scopes) != 3 || scopes[0].Name != "outer" || !scopes[1].Block() || !scopes[2].Inlined() || scopes[2].Name != "helper" || scopes[2].CallLine != 21 || scopes[2].CallFile != "/src/kernel/code.c" {
		t.Errorf("scopes: %+v, %v", scopes, err)
	}
	fns, err := in.Functions("helper")
	if err != nil || len(fns) != 1 || fns[0].Low != 0x1080 || fns[0].Type.String() != "int (int)" || fns[0].Type.Params()[0].Name != "arg" || fns[0].File != "inc.h" {
		t.Errorf("helper: %+v, %v", fns, err)
	}
	if name, dir, ok := in.Unit(0x1080); !ok || name != "kernel/code.c" || dir != "/src" {
		t.Errorf("unit: %s in %s, %v", name, dir, ok)
	}
}

func fileLine(file string, line int) string { return fmt.Sprintf("%s:%d", file, line) }

func TestPointerSymbol(t *testing.T) {
	in := open(t, write(t, File(Build(codeUnit()),
		elftest.Symbol{Name: "alias", Info: fnSym, Section: 1, Value: 0x1000, Size: 0x40},
		elftest.Symbol{Name: "label", Section: 1, Value: 0x1060},
		elftest.Symbol{Name: "__x_text_start", Section: 1, Value: 0x1070}, elftest.Symbol{Name: "zz", Section: 1, Value: 0x1070, Size: 8})), Options{})
	for addr, want := range map[uint64]string{
		0x1000: "outer+0", 0x103f: "outer+63", // the function, not its alias
		0x1050: "", 0x1062: "label+2", 0x1070: "zz+0", 0x1079: "", 0x1080: "helper+0", 0xfff: "", 0x2000: "",
	} {
		name, off, ok := in.PointerSymbol(addr)
		if got := fmt.Sprintf("%s+%d", name, off); ok != (want != "") || ok && got != want {
			t.Errorf("%#x: %s, %v; want %s", addr, got, ok, want)
		}
	}
	for addr, want := range map[uint64]string{0x1070: "zz", 0x1071: "zz", 0x1060: "label"} {
		if s, _ := in.SymbolAt(addr); s.Name != want {
			t.Errorf("%#x: %s, want %s", addr, s.Name, want)
		}
	}
}

func TestSpellings(t *testing.T) {
	for name, want := range map[string][2]string{
		"printed.6":          {"printed", "printed.6"},
		"__func__.2":         {"__func__.2", "__func__.2"},
		"CSWTCH.31":          {"CSWTCH.31", "CSWTCH.31"},
		"event__id":          {"event.id", "event__id"},
		"reset.cold":         {"reset[cold]", "reset.cold"},
		"count.isra.0.cold":  {"count.isra[cold]", "count"},
		"walk.part.0.isra.1": {"walk.part.0.isra", "walk"},
		"flags.constprop.0":  {"flags.constprop", "flags.constprop.0"},
		"":                   {"", ""},
	} {
		if got := [2]string{GDBName(name), CrashName(name)}; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
