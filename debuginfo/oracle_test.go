package debuginfo

import (
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo/scan"
)

// needOracle skips tests that take many seconds.
func needOracle(t *testing.T) {
	if os.Getenv("KDIVE_TEST_ORACLE") == "" {
		t.Skip("KDIVE_TEST_ORACLE is not set")
	}
}

func stdDWARF(t *testing.T) *dwarf.Data {
	f, err := elf.Open(os.Getenv("KDIVE_TEST_VMLINUX"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	d, err := f.DWARF()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestNamesAgainstStdlib compares the names of each kind in the index, and
// where variables and functions are, with what debug/dwarf finds entry by
// entry.
func TestNamesAgainstStdlib(t *testing.T) {
	in := openReal(t, Options{})
	needOracle(t)
	want := map[scan.Kind]map[string]int{}
	located := map[scan.Kind]int{}
	for k := scan.Struct; k <= scan.Function; k++ {
		want[k] = map[string]int{}
	}
	d := stdDWARF(t)
	r := d.Reader()
	names := map[dwarf.Offset]string{}
	skipUnit := false
	for {
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e == nil {
			break
		}
		if e.Tag == dwarf.TagCompileUnit {
			lang, _ := e.Val(dwarf.AttrLanguage).(int64)
			if skipUnit = lang == 0x1c; skipUnit { // Rust
				r.SkipChildren()
			}
			continue
		}
		k := kindOf(e.Tag)
		switch e.Tag {
		case dwarf.TagVariable:
			k = scan.Variable
		case dwarf.TagSubprogram:
			k = scan.Function
		case dwarf.TagEnumerator:
			k = scan.Enumerator
		}
		if e.Tag != dwarf.TagEnumerationType {
			r.SkipChildren()
		}
		name, _ := e.Val(dwarf.AttrName).(string)
		if name == "" {
			for _, a := range []dwarf.Attr{dwarf.AttrAbstractOrigin, dwarf.AttrSpecification} {
				if off, ok := e.Val(a).(dwarf.Offset); ok && k != scan.None {
					name = names[off]
				}
			}
		}
		if name == "" || k == scan.None {
			continue
		}
		if k == scan.Variable || k == scan.Function {
			names[e.Offset] = name
			if (e.Val(dwarf.AttrLocation) != nil || e.Val(dwarf.AttrConstValue) != nil || e.Val(dwarf.AttrLowpc) != nil || e.Val(dwarf.AttrRanges) != nil) && e.Val(dwarf.AttrInline) == nil {
				located[k]++
			}
		}
		want[k][name]++
	}
	x, data, err := in.indexAndData()
	if err != nil {
		t.Fatal(err)
	}
	got := map[scan.Kind]map[string]bool{}
	for i := range x.Names() {
		ref, recs := x.Name(i)
		name := string(data.String(ref))
		for _, r := range recs {
			if got[r.Kind] == nil {
				got[r.Kind] = map[string]bool{}
			}
			got[r.Kind][name] = true
			if r.Flags&scan.Located != 0 {
				located[r.Kind]--
			}
		}
	}
	for k, names := range want {
		all := 0
		for name, n := range names {
			all += n
			if !got[k][name] {
				t.Errorf("%s %s is missing", k, name)
			}
		}
		if len(got[k]) != len(names) {
			t.Errorf("%s: %d names, want %d", k, len(got[k]), len(names))
		}
		t.Logf("%-10s %8d entries, %7d names, equal", k, all, len(names))
	}
	for k, n := range located {
		if n != 0 {
			t.Errorf("%s: %d more definitions with a place in the oracle", k, n)
		}
	}
}

// TestLayoutsAgainstStdlib compares random structs member by member.
func TestLayoutsAgainstStdlib(t *testing.T) {
	in := openReal(t, Options{})
	needOracle(t)
	d := stdDWARF(t)
	var list []*ctype.Type
	for typ := range in.AllTypes() {
		if k := typ.Kind(); (k == ctype.Struct || k == ctype.Union) && !typ.Incomplete() {
			list = append(list, typ)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	members, bits := 0, 0
	for _, typ := range list[:min(2000, len(list))] {
		m, b := compareStruct(t, d, typ, dwarf.Offset(typ.Origin().Offset))
		members += m
		bits += b
	}
	t.Logf("%d types, %d members, %d bit-fields compared", min(2000, len(list)), members, bits)
}

// compareStruct compares the attributes themselves: dwarf.Data.Type knows
// neither all bit-fields nor multi-dimensional arrays.
func compareStruct(t *testing.T, d *dwarf.Data, typ *ctype.Type, off dwarf.Offset) (members, bits int) {
	r := d.Reader()
	r.Seek(off)
	e, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if size, _ := e.Val(dwarf.AttrByteSize).(int64); size != typ.Size() {
		t.Errorf("%s: size %d, want %d", typ, typ.Size(), size)
	}
	list := typ.Members()
	for {
		c, err := r.Next()
		if err != nil || c == nil || c.Tag == 0 {
			break
		}
		r.SkipChildren()
		if c.Tag != dwarf.TagMember {
			continue
		}
		if members >= len(list) {
			t.Errorf("%s: %d members, and more in the oracle", typ, len(list))
			return
		}
		m := list[members]
		members++
		name, _ := c.Val(dwarf.AttrName).(string)
		loc, _ := c.Val(dwarf.AttrDataMemberLoc).(int64)
		size, isBits := c.Val(dwarf.AttrBitSize).(int64)
		want := loc * 8
		if isBits {
			bits++
			if v, ok := c.Val(dwarf.AttrDataBitOffset).(int64); ok {
				want += v
			} else if v, ok := c.Val(dwarf.AttrBitOffset).(int64); ok {
				storage, _ := c.Val(dwarf.AttrByteSize).(int64)
				want += storage*8 - v - size
			}
		}
		if got := m.Offset*8 + m.BitOffset; got != want || m.BitSize != size || m.Name != name {
			t.Errorf("%s.%s: bit %d+%d, want %s at %d+%d", typ, m.Name, got, m.BitSize, name, want, size)
		}
		wantType := stdSpell(d, c.Val(dwarf.AttrType), 0)
		if got := flatSpell(m.Type); got != wantType {
			t.Errorf("%s.%s: type %s, want %s", typ, m.Name, got, wantType)
		}
	}
	if members != len(list) {
		t.Errorf("%s: %d members, want %d", typ, len(list), members)
	}
	return members, bits
}

// flatSpell and stdSpell write a type from left to right in the same words.
func flatSpell(t *ctype.Type) string {
	switch t.Kind() {
	case ctype.Void:
		return "void"
	case ctype.Pointer:
		return "*" + flatSpell(t.Elem())
	case ctype.Array:
		return fmt.Sprintf("[%d]", t.Count()) + flatSpell(t.Elem())
	case ctype.Const:
		return "const " + flatSpell(t.Elem())
	case ctype.Volatile:
		return "volatile " + flatSpell(t.Elem())
	case ctype.Restrict:
		return "restrict " + flatSpell(t.Elem())
	case ctype.Func:
		s := "func("
		for _, p := range t.Params() {
			s += flatSpell(p.Type) + ","
		}
		if t.Variadic() {
			s += "..."
		}
		return s + ")" + flatSpell(t.Elem())
	case ctype.Struct, ctype.Union, ctype.Enum:
		return map[ctype.Kind]string{ctype.Struct: "struct ", ctype.Union: "union ", ctype.Enum: "enum "}[t.Kind()] + t.Name()
	}
	return t.Name()
}

func stdSpell(d *dwarf.Data, ref any, depth int) string {
	off, ok := ref.(dwarf.Offset)
	if !ok {
		return "void"
	}
	r := d.Reader()
	r.Seek(off)
	e, err := r.Next()
	if err != nil || depth > 30 {
		return fmt.Sprint(err)
	}
	elem := func() string { return stdSpell(d, e.Val(dwarf.AttrType), depth+1) }
	name, _ := e.Val(dwarf.AttrName).(string)
	var kids []*dwarf.Entry
	if e.Children {
		for {
			c, err := r.Next()
			if err != nil || c.Tag == 0 {
				break
			}
			kids = append(kids, c)
			r.SkipChildren()
		}
	}
	switch e.Tag {
	case dwarf.TagPointerType:
		return "*" + elem()
	case dwarf.TagConstType:
		return "const " + elem()
	case dwarf.TagVolatileType:
		return "volatile " + elem()
	case dwarf.TagRestrictType:
		return "restrict " + elem()
	case dwarf.TagStructType:
		return "struct " + name
	case dwarf.TagUnionType:
		return "union " + name
	case dwarf.TagEnumerationType:
		return "enum " + name
	case dwarf.TagSubroutineType:
		s := "func("
		for _, c := range kids {
			if c.Tag == dwarf.TagUnspecifiedParameters {
				s += "..."
			} else if c.Tag == dwarf.TagFormalParameter {
				s += stdSpell(d, c.Val(dwarf.AttrType), depth+1) + ","
			}
		}
		return s + ")" + elem()
	case dwarf.TagArrayType:
		s := ""
		for _, c := range kids {
			n := int64(-1)
			if v, ok := c.Val(dwarf.AttrUpperBound).(int64); ok {
				n = v + 1
			}
			if v, ok := c.Val(dwarf.AttrCount).(int64); ok {
				n = v
			}
			s += fmt.Sprintf("[%d]", n)
		}
		return s + elem()
	}
	return name
}

// randomPCs is the middles of n random functions.
func randomPCs(in *Info, n int) []uint64 {
	var pcs []uint64
	for s := range in.Symbols() {
		if (s.Type == 'T' || s.Type == 't') && s.Size > 0 {
			pcs = append(pcs, s.Addr+s.Size/2)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(len(pcs), func(i, j int) { pcs[i], pcs[j] = pcs[j], pcs[i] })
	return pcs[:min(n, len(pcs))]
}

// TestLinesAgainstStdlib compares lines with the rows that debug/dwarf decodes.
func TestLinesAgainstStdlib(t *testing.T) {
	in := openReal(t, Options{})
	needOracle(t)
	pcs := randomPCs(in, 20000)
	slices.Sort(pcs)
	d := stdDWARF(t)
	want := map[uint64]string{}
	r := d.Reader()
	for {
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e == nil {
			break
		}
		r.SkipChildren()
		lr, err := d.LineReader(e)
		if err != nil || lr == nil {
			continue
		}
		var last, row dwarf.LineEntry
		for open := false; lr.Next(&row) == nil; last, open = row, !row.EndSequence {
			if open && row.Address == last.Address && last.IsStmt && !row.IsStmt && !row.EndSequence {
				row = last // of the rows of one address the last that begins a statement counts
			}
			if !open || row.Address == last.Address {
				continue
			}
			first, _ := slices.BinarySearch(pcs, last.Address)
			for _, pc := range pcs[first:] {
				if pc >= row.Address {
					break
				}
				want[pc] = fmt.Sprintf("%s:%d", path.Clean(last.File.Name), last.Line)
			}
		}
	}
	wrong, none := 0, 0
	for _, pc := range pcs {
		file, lineno, ok := in.Line(pc)
		got := fmt.Sprintf("%s:%d", path.Clean(file), lineno)
		switch {
		case want[pc] == "" || strings.HasSuffix(want[pc], ":0"):
			if none++; ok {
				t.Errorf("%#x: got %s, want none", pc, got)
			}
		case got != want[pc] && !strings.HasSuffix(got, "/"+want[pc]): // units may have a relative directory
			if wrong++; wrong < 20 {
				t.Errorf("%#x: got %s, want %s", pc, got, want[pc])
			}
		}
	}
	t.Logf("%d addresses, %d of them without a line, %d differ", len(pcs), none, wrong)
}
