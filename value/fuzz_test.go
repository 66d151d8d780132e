package value

import (
	"encoding/json"
	"testing"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/fault"
)

// typeSource makes types out of bytes: what damaged debug info can describe.
type typeSource struct {
	data []byte
	made []*ctype.Type
}

func (s *typeSource) byte() byte {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return b
}

// number is small most of the time, and sometimes absurd.
func (s *typeSource) number() int64 {
	b := s.byte()
	switch {
	case b < 200:
		return int64(b % 40)
	case b < 220:
		return -int64(s.byte())
	}
	return int64(s.byte()) << (b % 64)
}

func (s *typeSource) typ(depth int) *ctype.Type {
	b := s.byte()
	if depth > 6 {
		b %= 8
	}
	if len(s.made) > 0 && b > 240 {
		return s.made[int(s.byte())%len(s.made)] // perhaps a type that contains this one
	}
	switch b % 14 {
	case 0, 1, 2:
		return ctype.New(ctype.Int, "int", ctype.Def{Size: s.number(), Signed: b&16 != 0})
	case 3:
		return ctype.New(ctype.Bool, "_Bool", ctype.Def{Size: s.number()})
	case 4:
		return ctype.New(ctype.Float, "double", ctype.Def{Size: 4 << (s.byte() % 3)})
	case 5:
		return ctype.New(ctype.Enum, "e", ctype.Def{Size: s.number(), Enumerators: []ctype.Enumerator{{Name: "A", Value: s.number()}, {Name: "B", Value: s.number()}}})
	case 6:
		return nil
	case 7:
		return ctype.New(ctype.Unknown, "", ctype.Def{})
	case 8, 9:
		return ctype.ArrayOf(s.typ(depth+1), s.number()-1)
	case 10:
		return ctype.New(ctype.Pointer, "", ctype.Def{Size: 8, Elem: s.typ(depth + 1)})
	case 11:
		return ctype.New(ctype.Const, "", ctype.Def{Elem: s.typ(depth + 1)})
	}
	d := ctype.Def{Size: s.number() * 4}
	kind := ctype.Struct
	if b&16 != 0 {
		kind = ctype.Union
	}
	t := ctype.NewLazy(kind, "s", ctype.Origin{}, func(def *ctype.Def) error { *def = d; return nil })
	s.made = append(s.made, t)
	names := []string{"", "a", "b", "long_name"}
	for range s.byte() % 8 {
		m := ctype.Member{Name: names[s.byte()%4], Type: s.typ(depth + 1), Offset: s.number() * 4}
		if s.byte() > 200 {
			m.BitOffset, m.BitSize = s.number(), s.number()
		}
		d.Members = append(d.Members, m)
	}
	return t
}

// patchy is memory whose odd pages are missing, one reason each.
type patchy []byte

func (m patchy) Read(p []byte, addr uint64) error {
	for page := addr >> 12; page <= (addr+uint64(len(p))-1)>>12; page++ {
		if page&1 != 0 {
			return &fault.Error{Addr: max(addr, page<<12), Space: fault.Virtual, Reason: fault.Reason(1 + page>>1%6)}
		}
	}
	if len(m) == 0 {
		clear(p)
		return nil
	}
	n := copy(p, m)
	for ; n < len(p); n *= 2 {
		copy(p[n:], p[:n])
	}
	return nil
}

func FuzzFormat(f *testing.F) {
	f.Add([]byte("\x0c\x10\x03\x01\x00\x04\x00\x01"), []byte("swapper/0\x00\xff"), uint64(0xffff888000000ff8))
	f.Add([]byte{12, 9, 5, 1, 8, 0, 1, 10, 2, 12, 8, 250, 0, 0, 250, 9}, []byte{1, 2, 3, 0xc3, 0xa4, 0xe2}, uint64(8))
	f.Fuzz(func(t *testing.T, types, data []byte, addr uint64) {
		s := &typeSource{data: types}
		typ := s.typ(0)
		v := New(patchy(data), typ, addr)
		style := Style{Max: 4, Deep: 4, Names: symbols{"init_task": {addr, 64}}}
		Format(v, style)
		style.Radix = 16
		AppendTop(nil, v, style)
		if b := AppendJSON(nil, v, style); !json.Valid(b) && len(b) < maxText {
			t.Errorf("not JSON: %s", b)
		}
		for _, l := range typ.Definition() {
			_ = l
		}
		for _, path := range []string{"a", "b.a", "a[1]", "long_name->a"} {
			if m, err := v.Path(path); err == nil {
				m.Uint()
				m.Wide()
				m.CString(64)
				m.Float()
				m.Scalar()
			}
			Offset(typ, path)
		}
	})
}

func FuzzParsePath(f *testing.F) {
	f.Add("a.b[3].c->d")
	f.Add("a[")
	f.Fuzz(func(t *testing.T, path string) {
		steps, err := ParsePath(path)
		if err != nil {
			return
		}
		again, err := ParsePath(PathString(steps))
		if err != nil || PathString(again) != PathString(steps) {
			t.Errorf("%q is spelled %q, which reads as %v, %v", path, PathString(steps), again, err)
		}
	})
}

// BenchmarkFormat prints a struct of 2,000 members of all kinds in nested
// structs, all in memory, as a task_struct is.
func BenchmarkFormat(b *testing.B) {
	list := object(ctype.Struct, "list_head", 16, m("next", ptr(nil), 0), m("prev", ptr(nil), 8))
	part := object(ctype.Struct, "part", 96, m("flags", ulong, 0), m("list", list, 8), m("name", arr(char, 16), 24),
		m("n", integ, 40), m("e", color, 44), m("bits", arr(ulong, 2), 48), bf("one", uinteg, 64, 0, 1), bf("two", uinteg, 64, 1, 1),
		m("", object(ctype.Union, "", 16, m("u", long, 0), m("fn", ptr(fn), 8)), 72), m("c", uchar, 88))
	var members []ctype.Member
	for i := range 150 {
		members = append(members, m("part", part, int64(i)*96))
	}
	s := object(ctype.Struct, "big", 150*96, members...)
	v := New(zeroes{}, s, base)
	buf := Append(nil, v, Style{})
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = Append(buf[:0], v, Style{})
	}
}

func BenchmarkMember(b *testing.B) {
	s := object(ctype.Struct, "s", 64, m("a", long, 0), m("", object(ctype.Struct, "", 32, m("b", integ, 0), m("c", integ, 16)), 16))
	v := New(zeroes{}, s, base).Load()
	b.ReportAllocs()
	for b.Loop() {
		c, err := v.Member("c")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Uint(); err != nil {
			b.Fatal(err)
		}
	}
}
