package value

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/fault"
)

// image is memory made of a few ranges; everything else is not mapped, and
// pages listed in excluded are not in the dump.
type image struct {
	at       map[uint64][]byte
	excluded map[uint64]bool
	reads    int
}

func (m *image) Read(p []byte, addr uint64) error {
	m.reads++
	for i := range p {
		a := addr + uint64(i)
		if m.excluded[a&^0xfff] {
			return &fault.Error{Addr: a, Space: fault.Virtual, Reason: fault.Excluded}
		}
		ok := false
		for base, data := range m.at {
			if a >= base && a-base < uint64(len(data)) {
				p[i], ok = data[a-base], true
			}
		}
		if !ok {
			return &fault.Error{Addr: a, Space: fault.Virtual, Reason: fault.Unmapped}
		}
	}
	return nil
}

// zeroes is memory that is there and zero everywhere.
type zeroes struct{}

func (zeroes) Read(p []byte, _ uint64) error { clear(p); return nil }

type symbols map[string][2]uint64

func (s symbols) SymbolAt(addr uint64) (string, uint64, bool) {
	for name, r := range s {
		if addr >= r[0] && addr-r[0] < r[1] {
			return name, addr - r[0], true
		}
	}
	return "", 0, false
}

func scalar(name string, size int64, signed bool) *ctype.Type {
	return ctype.New(ctype.Int, name, ctype.Def{Size: size, Signed: signed})
}

var (
	char   = scalar("char", 1, true)
	uchar  = scalar("unsigned char", 1, false)
	short  = scalar("short", 2, true)
	integ  = scalar("int", 4, true)
	uinteg = scalar("unsigned int", 4, false)
	long   = scalar("long", 8, true)
	ulong  = scalar("unsigned long", 8, false)
	int128 = scalar("__int128", 16, true)
	boolT  = ctype.New(ctype.Bool, "_Bool", ctype.Def{Size: 1})
	float  = ctype.New(ctype.Float, "float", ctype.Def{Size: 4})
	double = ctype.New(ctype.Float, "double", ctype.Def{Size: 8})
	fn     = ctype.New(ctype.Func, "", ctype.Def{Params: []ctype.Param{{Type: integ}}})
	color  = enum("color", 4, "RED", 0, "GREEN", 5, "BLUE", 10)
	flags  = enum("flags", 4, "A", 1, "B", 2, "B2", 2, "C", 4)
)

func enum(name string, size int64, list ...any) *ctype.Type {
	d := ctype.Def{Size: size}
	for i := 0; i < len(list); i += 2 {
		d.Enumerators = append(d.Enumerators, ctype.Enumerator{Name: list[i].(string), Value: int64(list[i+1].(int))})
	}
	return ctype.New(ctype.Enum, name, d)
}

func ptr(t *ctype.Type) *ctype.Type          { return ctype.PointerTo(t) }
func arr(t *ctype.Type, n int64) *ctype.Type { return ctype.ArrayOf(t, n) }
func m(name string, t *ctype.Type, off int64) ctype.Member {
	return ctype.Member{Name: name, Type: t, Offset: off}
}
func bf(name string, t *ctype.Type, off, first, size int64) ctype.Member {
	return ctype.Member{Name: name, Type: t, Offset: off, BitOffset: first, BitSize: size}
}
func object(k ctype.Kind, name string, size int64, members ...ctype.Member) *ctype.Type {
	return ctype.New(k, name, ctype.Def{Size: size, Members: members})
}

const base = 0xffff888000001000

func mem(data ...byte) *image { return &image{at: map[uint64][]byte{base: data}} }

func seq(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// The expected texts were observed in crash 9.0.2 (gdb 16.2) on types and bytes
// of the same shape.
func TestFormat(t *testing.T) {
	pair := object(ctype.Struct, "pair", 8, m("x", integ, 0), m("y", integ, 4))
	text := append([]byte("swapper/0"), make([]byte, 7)...)
	names := symbols{"init_task": {base, 64}, "fork": {0x1000, 16}}
	zeros := make([]byte, 400)
	tests := []struct {
		name string
		typ  *ctype.Type
		data []byte
		want string
		hex  string
	}{
		{"char", char, []byte{65}, `65 'A'`, "0x41"},
		{"char negative", char, []byte{255}, `-1 '\377'`, "0xff"},
		{"char quote", char, []byte{'\''}, `39 '\''`, "0x27"},
		{"char newline", uchar, []byte{10}, `10 '\n'`, "0xa"},
		{"char zero", uchar, []byte{0}, `0 '\000'`, "0x0"},
		{"short", short, []byte{0xff, 0xff}, "-1", "0xffff"},
		{"unsigned", uinteg, []byte{0xff, 0xff, 0xff, 0xff}, "4294967295", "0xffffffff"},
		{"int128", int128, append(seq(15), 0xff), "-1256271214286163627607479687759920896", "0xff0e0d0c0b0a09080706050403020100"},
		{"bool", boolT, []byte{1}, "true", "0x1"},
		{"bool odd", boolT, []byte{117}, "117", "0x75"},
		{"float", float, []byte{0xcd, 0xcc, 0xcc, 0x3d}, "0.100000001", "0.100000001"},
		{"double", double, []byte{0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xd5, 0x3f}, "0.33333333333333331", "0.33333333333333331"},
		{"double nan", double, []byte{1, 0, 0, 0, 0, 0, 0xf8, 0xff}, "-nan(0x8000000000001)", "-nan(0x8000000000001)"},
		{"enum", color, []byte{5, 0, 0, 0}, "GREEN", "GREEN"},
		{"enum unknown", color, []byte{7, 0, 0, 0}, "7", "7"},
		{"flags", flags, []byte{7, 0, 0, 0}, "(A | B | C)", "(A | B | C)"},
		{"flags unknown", flags, []byte{0x45, 0, 0, 0}, "(A | C | unknown: 0x40)", "(A | C | unknown: 0x40)"},
		{"flags all unknown", flags, []byte{0x40, 0, 0, 0}, "(unknown: 0x40)", "(unknown: 0x40)"},
		{"flags none", flags, []byte{0, 0, 0, 0}, "0", "0"},
		{"pointer", ptr(pair), []byte{8, 0x10, 0, 0, 0x80, 0x88, 0xff, 0xff}, "0xffff888000001008 <init_task+8>", "0xffff888000001008 <init_task+8>"},
		{"pointer null", ptr(char), zeros[:8], "0x0", "0x0"},
		{"function pointer", ptr(fn), []byte{0, 0x10, 0, 0, 0, 0, 0, 0}, "0x1000 <fork>", "0x1000 <fork>"},
		{"char pointer", ptr(uchar), append([]byte{8, 0x10, 0, 0, 0x80, 0x88, 0xff, 0xff}, "a\"\\b\x00"...),
			`0xffff888000001008 <init_task+8> "a\"\\b"`, `0xffff888000001008 <init_task+8> "a\"\\b"`},
		{"char pointer bad", ptr(char), []byte{1, 0, 0, 0, 0, 0, 0, 0}, "0x1 <not mapped>", "0x1 <not mapped>"},
		{"char array", arr(char, 16), text, `"swapper/0\000\000\000\000\000\000"`, `"swapper/0\000\000\000\000\000\000"`},
		{"char array full", arr(uchar, 4), []byte("abcd"), `"abcd"`, `"abcd"`},
		{"char array of zero", arr(char, 1), []byte{0}, `""`, `""`},
		{"char array utf-8", arr(char, 6), []byte("\xc2\xbe\x80\xff\xe2\x80"), `"¾\200\377", <incomplete sequence \342\200>`, `"¾\200\377", <incomplete sequence \342\200>`},
		{"int array", arr(short, 3), []byte{1, 0, 255, 255, 3, 0}, "{1, -1, 3}", "{0x1, 0xffff, 0x3}"},
		{"int array 2d", arr(arr(short, 2), 2), seq(8), "{{256, 770}, {1284, 1798}}", "{{0x100, 0x302}, {0x504, 0x706}}"},
		{"char array 2d", arr(arr(char, 4), 2), []byte("abc\x00wxyz"), `{"abc", "wxyz"}`, `{"abc", "wxyz"}`},
		{"bool array", arr(boolT, 3), []byte{1, 0, 2}, "{true, false, 2}", "{0x1, 0x0, 0x2}"},
		{"struct array", arr(pair, 2), zeros[:16], "{{\n    x = 0,\n    y = 0\n  }, {\n    x = 0,\n    y = 0\n  }}", "{{\n    x = 0x0,\n    y = 0x0\n  }, {\n    x = 0x0,\n    y = 0x0\n  }}"},
		{"flexible", arr(integ, ctype.Flexible), zeros[:8], "0xffff888000001000 <init_task>", "0xffff888000001000 <init_task>"},
		{"flexible text", arr(char, 0), []byte("hi\x00"), `0xffff888000001000 <init_task> "hi"`, `0xffff888000001000 <init_task> "hi"`},
		{"empty", object(ctype.Struct, "e", 0), nil, "{<No data fields>}", "{<No data fields>}"},
		{"incomplete", ctype.New(ctype.Struct, "f", ctype.Def{Declaration: true}), nil, "<incomplete type>", "<incomplete type>"},
		{"nested", object(ctype.Struct, "n", 16, m("", object(ctype.Union, "", 8, m("l", long, 0), m("c", arr(char, 2), 0)), 0), m("p", pair, 8)),
			seq(16), "{\n  {\n    l = 506097522914230528,\n    c = \"\\000\\001\"\n  },\n  p = {\n    x = 185207048,\n    y = 252579084\n  }\n}",
			"{\n  {\n    l = 0x706050403020100,\n    c = \"\\000\\001\"\n  },\n  p = {\n    x = 0xb0a0908,\n    y = 0xf0e0d0c\n  }\n}"},
		{"bit-fields", object(ctype.Struct, "b", 16, bf("a", integ, 0, 0, 3), bf("b", uinteg, 0, 3, 5), bf("", integ, 0, 8, 2), bf("c", long, 0, 30, 40), bf("d", char, 8, 7, 2), bf("e", boolT, 0, 16, 1)),
			[]byte{0xfd, 0, 1, 0xc0, 0xff, 0xff, 0xff, 0xff, 0xbf, 1, 0, 0, 0, 0, 0, 0},
			"{\n  a = -3,\n  b = 31,\n  c = -1,\n  d = -1 '\\377',\n  e = true\n}",
			"{\n  a = 0xfffffffd,\n  b = 0x1f,\n  c = 0xffffffffffffffff,\n  d = 0xff,\n  e = 0x1\n}"},
		{"many", arr(uchar, 300), zeros, "", ""},
	}
	for _, tt := range tests {
		if tt.want == "" {
			continue
		}
		v := New(mem(tt.data...), tt.typ, base)
		if got := Format(v, Style{Names: names}); got != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.name, got, tt.want)
		}
		if got := Format(v, Style{Names: names, Radix: 16}); got != tt.hex {
			t.Errorf("%s: %s\nwant %s", tt.name, got, tt.hex)
		}
	}
}

func TestFormatTop(t *testing.T) {
	s := object(ctype.Struct, "s", 8)
	cchar := ctype.New(ctype.Const, "", ctype.Def{Elem: char})
	for _, tt := range []struct {
		typ  *ctype.Type
		want string
	}{
		{ptr(s), "(struct s *) 0x0"},
		{ptr(fn), "(void (*)(int)) 0x0"},
		{ptr(char), "0x0"},
		{ptr(cchar), "0x0"},
		{ptr(uchar), "(unsigned char *) 0x0"},
		{ctype.New(ctype.Typedef, "str_t", ctype.Def{Elem: ptr(char)}), "(str_t) 0x0"},
		{long, "0"},
	} {
		if got := string(AppendTop(nil, Const(tt.typ, 0), Style{})); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.typ, got, tt.want)
		}
	}
	f := New(nil, fn, 0x1000)
	if got := string(AppendTop(nil, f, Style{Names: symbols{"fork": {0x1000, 16}}})); got != "{void (int)} 0x1000 <fork>" {
		t.Errorf("function: %s", got)
	}
}

func TestFormatLimits(t *testing.T) {
	data := make([]byte, 2000)
	for i := range data {
		data[i] = 'a'
	}
	long := fmt.Sprintf("%0256d", 0)
	for _, tt := range []struct {
		typ  *ctype.Type
		want string
	}{
		{arr(char, 1000), `"` + long + `"...`},
		{arr(char, 256), `"` + long + `"`},
	} {
		d := []byte(long + "000000")
		d = append(d, make([]byte, 2000)...)
		if got := Format(New(mem(d...), tt.typ, base), Style{}); got != tt.want {
			t.Errorf("%s: %s", tt.typ, got)
		}
	}
	if got := Format(New(mem(data...), arr(short, 5), base), Style{Max: 2}); got != "{24929, 24929...}" {
		t.Errorf("array: %s", got)
	}
	var s *ctype.Type
	s = ctype.NewLazy(ctype.Struct, "s", ctype.Origin{}, func(d *ctype.Def) error {
		d.Size, d.Members = 8, []ctype.Member{m("a", s, 0)}
		return nil
	})
	if got := Format(New(mem(data...), s, base), Style{Deep: 2}); got != "{\n  a = {\n    a = {...}\n  }\n}" {
		t.Errorf("deep: %s", got)
	}
	// Arrays of arrays of a damaged type: the text is bounded.
	huge := arr(arr(arr(arr(arr(char, 1<<10), 1<<10), 1<<10), 1<<10), 1<<10)
	if got := len(Format(New(zeroes{}, huge, base), Style{})); got > maxText+1000 {
		t.Errorf("huge array: %d bytes of text", got)
	}
}

// What a bound cuts off is still JSON.
func TestJSONLimits(t *testing.T) {
	huge := arr(arr(arr(long, 1<<12), 1<<12), 1<<12)
	for _, s := range []Style{{Max: 1 << 12}, {Max: 3, Deep: 2}} {
		got := AppendJSON(nil, New(zeroes{}, huge, base), s)
		if !json.Valid(got) || len(got) > maxText+1000 {
			t.Errorf("%+v: %d bytes, valid JSON: %v", s, len(got), json.Valid(got))
		}
	}
}

func TestFaultsInPlace(t *testing.T) {
	im := &image{at: map[uint64][]byte{base: make([]byte, 3*4096)}, excluded: map[uint64]bool{base + 4096: true}}
	s := object(ctype.Struct, "s", 3*4096,
		m("a", integ, 0), m("split", long, 4092), m("b", integ, 4100),
		m("sub", object(ctype.Struct, "", 8, m("x", integ, 0), m("y", integ, 4)), 5000),
		m("ints", arr(integ, 4), 4096+4096-8), m("c", integ, 8192))
	want := "{\n  a = 0,\n  split = <excluded>,\n  b = <excluded>,\n  sub = <excluded>,\n  ints = {<excluded> <repeats 2 times>, 0, 0},\n  c = 0\n}"
	if got := Format(New(im, s, base), Style{}); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if im.reads > 4 {
		t.Errorf("%d reads, want one and one for each page", im.reads)
	}
	v, err := New(im, s, base).Load().Path("sub.x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = v.Uint(); fault.ReasonOf(err) != fault.Excluded {
		t.Errorf("read of an excluded page: %v", err)
	}
	text := New(im, arr(char, 8), base+4092)
	if got := Format(text, Style{}); got != `"\000\000\000\000"<excluded>` {
		t.Errorf("text: %s", got)
	}
	if got := Format(New(im, arr(char, 8), base+4100), Style{}); got != "<excluded>" {
		t.Errorf("text: %s", got)
	}
}

// The expected texts were observed in crash 9.0.2 with "set print_array on" and
// "set null-stop on".
func TestFormatSettings(t *testing.T) {
	pair := object(ctype.Struct, "pair", 8, m("x", integ, 0), m("y", integ, 4))
	s := object(ctype.Struct, "s", 24, m("pairs", arr(pair, 2), 0), m("text", arr(char, 8), 16))
	data := append(make([]byte, 16), "ab\x00cd\x00\x00\x00"...)
	want := "{\n  pairs = {\n    {\n      x = 0,\n      y = 0\n    },\n    {\n      x = 0,\n      y = 0\n    }\n  },\n  text = \"ab\"\n}"
	if got := Format(New(mem(data...), s, base), Style{Lines: true, Stop: true}); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := Format(New(mem(data...), arr(short, 2), base), Style{Lines: true}); got != "{\n  0,\n  0\n}" {
		t.Error(got)
	}
}

func TestFollow(t *testing.T) {
	pair := object(ctype.Struct, "pair", 8, m("x", integ, 0), m("y", integ, 4))
	s := object(ctype.Struct, "s", 32,
		m("next", ptr(nil), 0),
		m("", object(ctype.Union, "", 16, m("pairs", arr(pair, 2), 0), m("raw", arr(uchar, 16), 0)), 8),
		m("", object(ctype.Struct, "", 8, bf("lo", uinteg, 0, 0, 4), bf("hi", uinteg, 0, 4, 4)), 24),
		m("more", arr(short, ctype.Flexible), 32))
	node := object(ctype.Struct, "node", 16, m("s", ptr(s), 0), m("self", ptr(nil), 8))
	data := append([]byte{0x10, 0x10, 0, 0, 0x80, 0x88, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0}, seq(40)...)
	v := New(mem(data...), node, base)
	for _, tt := range []struct {
		path string
		want uint64
		err  string
	}{
		{path: "s->pairs[1].y", want: 0x17161514},
		{path: "s.raw[3]", want: 11},
		{path: "s->lo", want: 8},
		{path: "s->hi", want: 1},
		{path: "s->more[1]", want: 0x2322},
		{path: "s[0].lo", want: 8},
		{path: "s->nope", err: "s.nope: struct s has no member nope"},
		{path: "s->lo.x", err: "s.lo.x: unsigned int is not a struct or union: wrong type"},
		{path: "self->x", err: "self.x: void * points to no object: wrong type"},
		{path: "s[", err: `member path "s[": no index at column 2`},
		{path: "s..x", err: `member path "s..x": no member name at column 3`},
		{path: "", err: `member path "": no member name at column 1`},
		{path: "s x", err: `member path "s x": unexpected " " at column 2`},
	} {
		got, err := v.Path(tt.path)
		if err != nil || tt.err != "" {
			if fmt.Sprint(err) != tt.err {
				t.Errorf("%s: %v, want %v", tt.path, err, tt.err)
			}
			continue
		}
		if n, err := got.Uint(); n != tt.want || err != nil {
			t.Errorf("%s = %#x, %v; want %#x", tt.path, n, err, tt.want)
		}
	}
	if off, typ, err := Offset(s, "pairs[1].y"); off != 20 || typ != integ || err != nil {
		t.Errorf("Offset = %d, %s, %v", off, typ, err)
	}
	if _, _, err := Offset(node, "s->lo"); err == nil {
		t.Error("Offset follows a pointer")
	}
	if _, err := FromBytes(nil, arr(integ, 2), seq(8)).Index(2); err == nil {
		t.Error("element behind the end of a computed array")
	}
	if _, err := Const(integ, 5).Index(0); !errors.Is(err, ErrType) {
		t.Errorf("index of an int: %v", err)
	}
}

func TestCString(t *testing.T) {
	im := mem(append([]byte{8, 0x10, 0, 0, 0x80, 0x88, 0xff, 0xff}, "abc\x00def"...)...)
	for _, tt := range []struct {
		v     Value
		limit int
		want  string
	}{
		{New(im, ptr(char), base), 10, "abc"},
		{New(im, ptr(char), base), 2, "ab"},
		{New(im, arr(char, 7), base+8), 10, "abc"},
		{New(im, arr(char, 0), base+12), 3, "def"},
	} {
		if got, err := tt.v.CString(tt.limit); got != tt.want || err != nil {
			t.Errorf("CString(%d) = %q, %v; want %q", tt.limit, got, err, tt.want)
		}
	}
	if s, err := New(im, arr(char, 0), base+12).CString(10); s != "" && fault.ReasonOf(err) != fault.Unmapped {
		t.Errorf("CString beyond memory = %q, %v", s, err)
	}
}

func TestJSON(t *testing.T) {
	s := object(ctype.Struct, "s", 64,
		m("comm", arr(char, 8), 0), m("raw", arr(uchar, 4), 8), m("mixed", arr(char, 4), 12),
		m("", object(ctype.Union, "", 8, m("ul", ulong, 0), m("l", long, 0)), 16),
		m("p", ptr(char), 24), m("e", color, 32), m("f", flags, 36), m("b", boolT, 40),
		m("a", arr(short, 3), 42), m("d", double, 48), m("z", object(ctype.Struct, "", 0), 56),
		m("gone", arr(long, 2), 8192), m("flex", arr(integ, ctype.Flexible), 64))
	data := make([]byte, 64)
	copy(data, "sh\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04x\x00y\x00")
	copy(data[16:], []byte{0, 0, 0, 0, 0, 0, 0x20, 0x80})
	copy(data[24:], []byte{0, 0x10, 0, 0, 0x80, 0x88, 0xff, 0xff})
	data[32], data[36], data[40] = 10, 5, 1
	v := New(mem(data...), s, base)
	got := AppendJSON(nil, v, Style{Names: symbols{"x": {base, 8}}, Max: 2})
	want := `{"comm":"sh","raw":{"hex":"01020304"},"mixed":{"text":"x","hex":"78007900"},` +
		`"ul":"9232379236109516800","l":"-9214364837600034816",` +
		`"p":{"addr":"0xffff888000001000","symbol":"x","text":"sh"},"e":{"value":10,"name":"BLUE"},` +
		`"f":{"value":5,"flags":["A","C"]},"b":true,"a":[0,0,{"omitted":1}],"d":0,"z":{},` +
		`"gone":{"type":"fault","reason":"not mapped","space":"kernel virtual","addr":"0xffff888000003000"},` +
		`"flex":{"addr":"0xffff888000001040"}}`
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	for _, tt := range []struct {
		v    Value
		want string
	}{
		{Const(long, 1<<53), "9007199254740992"}, {Const(long, 1<<53+1), `"9007199254740993"`}, {Const(long, ^uint64(0)), "-1"},
		{Const(ulong, ^uint64(0)), `"18446744073709551615"`}, {Const(uinteg, ^uint64(0)), "4294967295"}, {Const(integ, ^uint64(0)), "-1"},
		{FromBytes(nil, int128, append(seq(15), 0xff)), `"-1256271214286163627607479687759920896"`}, {FromBytes(nil, int128, make([]byte, 16)), "0"},
		{FromBytes(nil, arr(char, 4), []byte("<\x00\x00\x00")), `"\u003c"`}, {Const(double, 0x7ff8000000000000), `"nan"`}, {Const(double, 0x3ff8000000000000), "1.5"},
		{New(mem(), integ, base), `{"type":"fault","reason":"not mapped","space":"kernel virtual","addr":"0xffff888000001000"}`},
		{Const(boolT, 2), "2"}, {Const(nil, 0), "null"},
	} {
		if got := string(AppendJSON(nil, tt.v, Style{})); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.v.Type(), got, tt.want)
		}
	}
	if !json.Valid(got) {
		t.Error("not valid JSON")
	}
}
