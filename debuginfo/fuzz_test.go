package debuginfo

import (
	"testing"
	"time"

	"github.com/kdive/kdive/debuginfo/die"
	. "github.com/kdive/kdive/debuginfo/dwarftest"
	"github.com/kdive/kdive/elffile"
)

// FuzzDecode asks everything of an object whose debug sections are made of
// anything.
func FuzzDecode(f *testing.F) {
	for _, s := range []die.Sections{Build(Unit{Root: layoutUnit()}), Build(Unit{Version: 4, Root: layoutUnit()}), Build(codeUnit())} {
		f.Add(s.Info, s.Abbrev, s.Str, s.Line)
	}
	f.Fuzz(func(t *testing.T, info, abbrev, str, line []byte) {
		start := time.Now()
		file, err := elffile.New("fuzz", File(die.Sections{Info: info, Abbrev: abbrev, Str: str, Line: line, Ranges: line, RngLists: line}))
		if err != nil {
			return
		}
		in := newInfo(file, file, Options{})
		defer in.Close()
		n := 0
		for typ := range in.AllTypes() {
			if n++; n > 200 {
				break
			}
			_, _, _ = typ.Size(), typ.Declare("x"), typ.Underlying().Size()
			for _, m := range typ.Members() {
				_, _ = m.Type.Size(), m.Type.Declare(m.Name)
			}
			typ.Find("nope")
		}
		for name := range in.names() {
			if n++; n > 400 {
				break
			}
			_, _ = in.Variables(name)
			_, _ = in.Functions(name)
			_, _, _ = in.Enumerator(name)
		}
		for pc := uint64(0x0ff0); pc < 0x1100; pc += 8 {
			_, _, _ = in.Line(pc)
			_, _ = in.Scopes(pc)
		}
		for range in.Lines(0x1000, 0x1100) {
			if n++; n > 2000 {
				break
			}
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Fatalf("took %v", d)
		}
	})
}
