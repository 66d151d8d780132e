package expr

import (
	"errors"
	"strings"
	"testing"

	"github.com/kdive/kdive/value"
)

func FuzzEval(f *testing.F) {
	for _, s := range []string{
		"n.next->val + 1", "((struct node *)0xffff888000001000)->name[2]", "1 ? 2 : 3 << 4", "sizeof(int (*)[4])", "counter:0-1, $2.a@2",
		"offsetof(struct node, a[1])", `"abc"[1] + '\x41' * 1.5e3f`, "(unsigned __int128)-1 >> 120 % 7", "'list.c'::n - lib/list-sort.c::n", "{int}&n.val", "typeof(n) *", "&*p - &n",
	} {
		f.Add(s)
	}
	w := newWorld()
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Eval(w, text)
		if e := (*Error)(nil); errors.As(err, &e) && (e.Column < 1 || e.Column > len(text)+1) {
			t.Errorf("%q: column %d", text, e.Column)
		}
		if err == nil {
			value.AppendTop(nil, v, value.Style{Max: 8, Deep: 3})
			// What has a value has the same type without evaluating it, unless
			// the bound of an array is a value.
			if typ, err := Type(w, text); !strings.ContainsAny(text, "@[") && (err != nil || typ.String() != v.Type().String()) {
				t.Errorf("%q has type %s, but %s, %v unevaluated", text, v.Type(), typ, err)
			}
		}
		Address(w, text)
		EvalAll(w, text)
		Number(text)
		Hex(text)
	})
}

func BenchmarkEval(b *testing.B) {
	w := newWorld()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Eval(w, "((struct node *)0xffff888000001000)->next->val + 1"); err != nil {
			b.Fatal(err)
		}
	}
}
