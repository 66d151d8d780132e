package ctype

import (
	"strings"
	"testing"
)

func text(lines []Line) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.Text + "\n")
	}
	return b.String()
}

func TestDeclareQualified(t *testing.T) {
	q := func(k Kind, e *Type) *Type { return New(k, "", Def{Elem: e}) }
	cp := q(Restrict, PointerTo(q(Const, PointerTo(q(Volatile, q(Const, charT))))))
	vf := q(Const, PointerTo(New(Func, "", Def{})))
	for _, tt := range []struct {
		typ  *Type
		want string
	}{
		{cp, "const volatile char * const * restrict x"},
		{vf, "void (* const x)(void)"},
		{q(Const, ArrayOf(intT, 2)), "const int x[2]"},
		{PointerTo(q(Const, ArrayOf(intT, 2))), "const int (*x)[2]"},
	} {
		if got := tt.typ.Declare("x"); got != tt.want {
			t.Errorf("Declare = %q, want %q", got, tt.want)
		}
	}
}

func TestDefinition(t *testing.T) {
	point := New(Struct, "", Def{Size: 8, Members: []Member{{Name: "x", Type: intT}, {Name: "y", Type: intT, Offset: 4}}})
	u := New(Union, "", Def{Size: 8, Members: []Member{{Name: "p", Type: point}, {Name: "c", Type: charT}}})
	e := New(Enum, "", Def{Size: 4, Enumerators: []Enumerator{{"A", 0}, {"B", 1}, {"C", 7}, {"D", 8}}})
	s := New(Struct, "s", Def{Size: 128, Members: []Member{
		{Name: "i", Type: intT},
		{Type: u, Offset: 8},
		{Name: "q", Type: PointerTo(point), Offset: 16},
		{Name: "e", Type: e, Offset: 24},
		{Name: "b", Type: intT, Offset: 28, BitOffset: 9, BitSize: 3},
		{Name: "none", Type: New(Struct, "", Def{}), Offset: 32},
		{Name: "flex", Type: ArrayOf(charT, Flexible), Offset: 128},
	}})
	const plain = `struct s {
    int i;
    union {
        struct {
            int x;
            int y;
        } p;
        char c;
    };
    struct {
        int x;
        int y;
    } *q;
    enum {A, B, C = 7, D} e;
    int b : 3;
    struct {
        <no data fields>
    } none;
    char flex[];
}
`
	if got := text(s.Definition()); got != plain {
		t.Errorf("Definition:\n%s\nwant\n%s", got, plain)
	}
	const offsets = `struct s {
    [0] int i;
        union {
            struct {
    [8]         int x;
   [12]         int y;
    [8]     } p;
    [8]     char c;
        };
        struct {
            int x;
            int y;
   [16] } *q;
   [24] enum {A, B, C = 7, D} e;
   [29] int b : 3;
        struct {
            <no data fields>
   [32] } none;
  [128] char flex[];
}`
	if got := strings.Join(Offsets(s.Definition(), s.Size(), 10, 0), "\n"); got != offsets {
		t.Errorf("Offsets:\n%s\nwant\n%s", got, offsets)
	}
	pair := New(Struct, "pair", Def{Size: 16, Members: []Member{{Name: "a", Type: intT}, {Name: "b", Type: intT, Offset: 8}}})
	const hex = "struct pair {\n   [0x0] int a;\n   [0x8] int b;\n}"
	if got := strings.Join(Offsets(pair.Definition(), 16, 16, 0), "\n"); got != hex {
		t.Errorf("Offsets hex:\n%s\nwant\n%s", got, hex)
	}
	const addr = "struct pair {\n  [ffff888000001000] int a;\n  [ffff888000001008] int b;\n}"
	if got := strings.Join(Offsets(pair.Definition(), 16, 10, 0xffff888000001000), "\n"); got != addr {
		t.Errorf("Offsets with address:\n%s\nwant\n%s", got, addr)
	}
}

func TestDefinitionTypedef(t *testing.T) {
	td := func(name string, e *Type) *Type { return New(Typedef, name, Def{Elem: e}) }
	pair := New(Struct, "pair", Def{Size: 4, Members: []Member{{Name: "a", Type: intT}}})
	anon := New(Union, "", Def{Size: 4, Members: []Member{{Name: "a", Type: intT}}})
	fn := New(Func, "", Def{Elem: intT, Params: []Param{{Type: intT}}})
	for _, tt := range []struct {
		typ  *Type
		want string
	}{
		{td("pid_t", td("__kernel_pid_t", intT)), "typedef int pid_t;\n"},
		{td("arr_t", ArrayOf(intT, 3)), "typedef int [3] arr_t;\n"},
		{td("fn_t", PointerTo(fn)), "typedef int (*)(int) fn_t;\n"},
		{td("p_t", td("p2_t", PointerTo(td("pair_t", pair)))), "typedef struct pair {\n    int a;\n} * p_t;\n"},
		{td("u_t", anon), "typedef union {\n    int a;\n} u_t;\n"},
		{New(Enum, "e", Def{Enumerators: []Enumerator{{"A", 1}, {"B", -2}}}), "enum e {\n  A = 1\n  B = -2\n};\n"},
		{td("e_t", New(Enum, "", Def{Enumerators: []Enumerator{{"A", 1}}})), "typedef enum {\n  A = 1\n} e_t;\n"},
		{file, "struct file {\n    <incomplete type>\n}\n"},
	} {
		if got := text(tt.typ.Definition()); got != tt.want {
			t.Errorf("Definition:\n%s\nwant\n%s", got, tt.want)
		}
	}
}

func TestDefinitionOfDamagedTypeEnds(t *testing.T) {
	var s *Type
	s = NewLazy(Struct, "", Origin{}, func(d *Def) error {
		d.Members = []Member{{Type: s}, {Type: s, Name: "x"}, {Type: PointerTo(s), Name: "y"}}
		return nil
	})
	if n := len(s.Definition()); n > maxLines {
		t.Errorf("%d lines", n)
	}
	if _, ok := s.Find("nope"); ok {
		t.Error("found a member that is not there")
	}
	var f *Type
	f = NewLazy(Func, "", Origin{}, func(d *Def) error {
		d.Params = []Param{{Type: f}, {Type: PointerTo(f)}}
		return nil
	})
	_ = f.String()
}
