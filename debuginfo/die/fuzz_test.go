package die_test

import (
	"debug/dwarf"
	"testing"

	"github.com/kdive/kdive/debuginfo/die"
	. "github.com/kdive/kdive/debuginfo/dwarftest"
)

func sample(version int) die.Sections {
	i := E(dwarf.TagBaseType, Name("int"), Num(dwarf.AttrByteSize, 4), Num(dwarf.AttrEncoding, 5))
	s := E(dwarf.TagStructType, A(dwarf.AttrName, die.FormString, "s"), Num(dwarf.AttrByteSize, 8),
		E(dwarf.TagMember, Name("a"), Type(i), A(dwarf.AttrDataMemberLoc, die.FormExprloc, []byte{0x23, 4})))
	return Build(Unit{Version: version, Root: E(dwarf.TagCompileUnit, Name("a.c"), A(dwarf.AttrLowpc, die.FormAddr, 0x1000), A(dwarf.AttrHighpc, die.FormUdata, 64), i, s,
		E(dwarf.TagVariable, A(dwarf.AttrName, die.FormStrx1, 0), Type(s), Addr(0x1000), A(dwarf.AttrDeclLine, die.FormImplicitConst, -3)),
		E(dwarf.TagSubprogram, A(dwarf.AttrRanges, die.FormSecOffset, 0), A(dwarf.AttrAbstractOrigin, die.FormRefAddr, s)))})
}

// FuzzEntries reads everything that can be read of sections made of anything.
func FuzzEntries(f *testing.F) {
	for _, version := range []int{4, 5} {
		s := sample(version)
		f.Add(s.Info, s.Abbrev, []byte("int\x00"), []byte{0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8})
	}
	f.Fuzz(func(t *testing.T, info, abbrev, str, other []byte) {
		d := die.New(die.Sections{Info: info, Abbrev: abbrev, Str: str, LineStr: str, StrOffsets: other, Addr: other, Ranges: other, RngLists: other, Loc: other, LocLists: other})
		for h, err := range d.Headers() {
			if err != nil {
				continue
			}
			u, err := d.Unit(h.Off)
			if err != nil {
				continue
			}
			_, _ = u.CodeRanges()
			_, _ = u.Name(), u.CompDir()
			root := u.Root()
			left := 2000
			walk(t, &root, &left)
		}
	})
}

func walk(t *testing.T, e *die.Entry, left *int) {
	if *left--; *left < 0 {
		return
	}
	_, _ = e.Ranges()
	for a, v := range e.All() {
		_, _, _ = v.Str(), v.Int(), v.IsConst()
		_, _ = v.Addr()
		_, _ = e.Unit.Locations(v)
		if _, err := v.Ref(); err == nil {
			_, _, _ = e.Ref(a)
		}
	}
	for k, err := range e.Kids() {
		if err != nil {
			return
		}
		if k.Off <= e.Off {
			t.Fatalf("a child at %#x of the entry at %#x", k.Off, e.Off)
		}
		walk(t, &k, left)
	}
}
