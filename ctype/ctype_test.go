package ctype

import "testing"

var (
	charT = New(Int, "char", Def{Size: 1, Signed: true, Char: true})
	intT  = New(Int, "int", Def{Size: 4, Signed: true})
	file  = New(Struct, "file", Def{Declaration: true})
)

func TestDeclare(t *testing.T) {
	fn := New(Func, "", Def{Elem: intT, Params: []Param{{Type: PointerTo(file)}, {Type: intT}}})
	tests := []struct {
		typ        *Type
		bare, decl string
	}{
		{intT, "int", "int x"},
		{ArrayOf(charT, 16), "char [16]", "char x[16]"},
		{ArrayOf(ArrayOf(intT, 3), 2), "int [2][3]", "int x[2][3]"},
		{ArrayOf(intT, Flexible), "int []", "int x[]"},
		{PointerTo(nil), "void *", "void *x"},
		{PointerTo(PointerTo(file)), "struct file **", "struct file **x"},
		{PointerTo(fn), "int (*)(struct file *, int)", "int (*x)(struct file *, int)"},
		{PointerTo(ArrayOf(intT, 4)), "int (*)[4]", "int (*x)[4]"},
		{ArrayOf(PointerTo(fn), 2), "int (*[2])(struct file *, int)", "int (*x[2])(struct file *, int)"},
		{New(Func, "", Def{Variadic: true, Params: []Param{{Type: intT}}}), "void (int, ...)", "void x(int, ...)"},
		{New(Func, "", Def{}), "void (void)", "void x(void)"},
		{PointerTo(New(Const, "", Def{Elem: charT})), "const char *", "const char *x"},
		{New(Const, "", Def{Elem: PointerTo(charT)}), "char * const", "char * const x"},
		{New(Union, "", Def{}), "union {...}", "union {...} x"},
		{PointerTo(New(Int, "long unsigned int", Def{Size: 8})), "unsigned long *", "unsigned long *x"},
	}
	for _, tt := range tests {
		if got := tt.typ.String(); got != tt.bare {
			t.Errorf("String() = %q, want %q", got, tt.bare)
		}
		if got := tt.typ.Declare("x"); got != tt.decl {
			t.Errorf("Declare(x) = %q, want %q", got, tt.decl)
		}
	}
}

func TestFindAnonymous(t *testing.T) {
	inner := New(Union, "", Def{Size: 8, Members: []Member{{Name: "a", Type: intT}, {Name: "b", Type: intT, Offset: 4}}})
	s := New(Struct, "s", Def{Size: 16, Members: []Member{{Name: "x", Type: intT}, {Type: inner, Offset: 8}}})
	m, ok := New(Typedef, "s_t", Def{Elem: s}).Find("b")
	if !ok || m.Offset != 12 {
		t.Errorf("Find(b) = %+v, %v; want offset 12", m, ok)
	}
	if _, ok := s.Find("nope"); ok {
		t.Error("Find(nope) found something")
	}
}

func TestCyclesEnd(t *testing.T) {
	var td *Type
	td = NewLazy(Typedef, "loop", Origin{}, func(d *Def) error { d.Elem = td; return nil })
	if td.Size() != 0 || td.Underlying().Kind() != Unknown {
		t.Error("a typedef of itself must have no size and no kind")
	}
	var arr *Type
	arr = NewLazy(Array, "", Origin{}, func(d *Def) error { d.Elem = arr; d.Count = 2; return nil })
	if arr.Size() != 0 {
		t.Error("an array of itself must have no size")
	}
	_ = arr.String()
	var s *Type
	s = NewLazy(Struct, "", Origin{}, func(d *Def) error { d.Members = []Member{{Type: s}}; return nil })
	if _, ok := s.Find("x"); ok {
		t.Error("found a member in a struct of itself")
	}
}
