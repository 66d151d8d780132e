package expr

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/value"
)

const base = 0xffff888000001000

// ram is one page at base; the rest is not mapped.
type ram struct{ page [4096]byte }

func (m *ram) Read(p []byte, addr uint64) error {
	if addr < base || addr-base >= 4096 || uint64(len(p)) > 4096-(addr-base) {
		return &fault.Error{Addr: addr, Space: fault.Virtual, Reason: fault.Unmapped}
	}
	copy(p, m.page[addr-base:])
	return nil
}

type world struct {
	ram     *ram
	vars    map[string]value.Value
	types   map[string]*ctype.Type
	history []value.Value
}

func (w *world) Memory() value.Memory { return w.ram }

func (w *world) Variable(name, file string) (value.Value, error) {
	if file != "" {
		name = file + "::" + name
	}
	if v, ok := w.vars[name]; ok {
		return v, nil
	}
	return value.Value{}, ErrUnknown
}

func (w *world) Type(spec string) (*ctype.Type, error) {
	if t, ok := w.types[spec]; ok {
		return t, nil
	}
	return nil, fmt.Errorf("no type %s: %w", spec, ErrUnknown)
}

func (w *world) Enumerator(name string) (int64, *ctype.Type, bool) {
	for _, e := range w.types["enum color"].Enumerators() {
		if e.Name == name {
			return e.Value, w.types["enum color"], true
		}
	}
	return 0, nil, false
}

func (w *world) PerCPU(name, _, cpus string) ([]PerCPU, error) {
	if name != "counter" {
		return nil, ErrUnknown
	}
	all := []PerCPU{{0, value.New(w.ram, typeInt, base+0x40)}, {1, value.New(w.ram, typeInt, base+0x44)}, {3, value.New(w.ram, typeInt, base+0x48)}}
	switch cpus {
	case "", "0":
		return all[:1], nil
	case "1":
		return all[1:2], nil
	case "0,1", "0-1":
		return all[:2], nil
	case "a", "all":
		return all, nil
	}
	return nil, fmt.Errorf("no CPU %s", cpus)
}

func (w *world) History(n int) (value.Value, bool) {
	if n <= 0 {
		n += len(w.history)
	}
	if n < 1 || n > len(w.history) {
		return value.Value{}, false
	}
	return w.history[n-1], true
}

func (w *world) Register(name string) (value.Value, bool) {
	return value.ConstIn(w.ram, typeUlong, base), name == "rbx"
}

func newWorld() *world {
	w := &world{ram: &ram{}}
	member := func(name string, t *ctype.Type, off int64) ctype.Member {
		return ctype.Member{Name: name, Type: t, Offset: off}
	}
	s := ctype.New(ctype.Struct, "node", ctype.Def{Size: 32, Members: []ctype.Member{
		member("next", nil, 0), member("val", typeInt, 8), member("a", ctype.ArrayOf(builtin["short"], 2), 12),
		{Name: "lo", Type: typeUint, Offset: 16, BitSize: 4}, {Name: "hi", Type: typeUint, Offset: 16, BitOffset: 4, BitSize: 28},
		member("name", ctype.ArrayOf(typeChar, 8), 24)}})
	s.Members()[0].Type = ctype.PointerTo(s)
	fn := ctype.New(ctype.Func, "", ctype.Def{Elem: typeInt, Params: []ctype.Param{{Type: typeInt}}})
	w.types = map[string]*ctype.Type{
		"struct node": s, "node_t": ctype.New(ctype.Typedef, "node_t", ctype.Def{Elem: s}),
		"u8":                 ctype.New(ctype.Typedef, "u8", ctype.Def{Elem: builtin["unsigned char"]}),
		"struct node@list.c": s, "n": typeChar,
		"struct opaque": ctype.New(ctype.Struct, "opaque", ctype.Def{Declaration: true}),
		"enum color":    ctype.New(ctype.Enum, "color", ctype.Def{Size: 4, Enumerators: []ctype.Enumerator{{Name: "RED"}, {Name: "BLUE", Value: 7}}}),
	}
	put := binary.LittleEndian.PutUint64
	put(w.ram.page[0:], base+32) // n.next
	put(w.ram.page[32:], base)   // n.next->next
	put(w.ram.page[8:], 42|3<<32|5<<48)
	put(w.ram.page[16:], 0x1239)
	copy(w.ram.page[24:], "first")
	put(w.ram.page[40:], 0xfffffff9)
	put(w.ram.page[0x40:], 1|2<<32)
	put(w.ram.page[0x48:], 3)
	put(w.ram.page[0x50:], 0x1ff)
	at := func(t *ctype.Type, off uint64) value.Value { return value.New(w.ram, t, base+off) }
	w.vars = map[string]value.Value{
		"n": at(s, 0), "p": at(ctype.PointerTo(s), 0), "f": at(fn, 0x800), "null": at(ctype.PointerTo(s), 0x100),
		"bad": at(ctype.PointerTo(s), 0x50), "i": at(typeInt, 40), "u": at(typeUint, 40), "far": value.New(w.ram, typeInt, 0x1000),
		"lib/list-sort.c::n": at(typeInt, 8), "list.c::n": at(typeInt, 8), "ops": at(ctype.ArrayOf(ctype.PointerTo(fn), 2), 0),
		"vp": at(ctype.PointerTo(nil), 0), "op": at(ctype.PointerTo(w.types["struct opaque"]), 0), "w": at(typeInt128, 0),
	}
	w.history = []value.Value{value.Const(typeInt, 10), at(s, 0), value.Const(typeInt, 30)}
	return w
}

// The values and types are those of C (checked with gcc) and, where C has none,
// of gdb 16.
func TestEval(t *testing.T) {
	tests := []struct{ text, typ, want string }{
		{"1", "int", "1"}, {"0x10", "int", "16"}, {"010", "int", "8"}, {"0b101", "int", "5"}, {"0", "int", "0"},
		{"4294967295", "long", "4294967295"}, {"0xffffffff", "unsigned int", "4294967295"},
		{"0xffffffffffffffff", "unsigned long", "18446744073709551615"}, {"9223372036854775808", "unsigned long", "9223372036854775808"},
		{"1u", "unsigned int", "1"}, {"1UL", "unsigned long", "1"}, {"1ll", "long", "1"},
		{"1.5", "double", "1.5"}, {".5f", "float", "0.5"}, {"1e3", "double", "1000"}, {"10/4.0", "double", "2.5"}, {"-1.5", "double", "-1.5"},
		{"'a'", "char", "97 'a'"}, {`'\n'`, "char", `10 '\n'`}, {`'\101'`, "char", "65 'A'"}, {`'\xff'`, "char", `-1 '\377'`}, {`'\''`, "char", `39 '\''`},
		{`"ab" "c"`, "char [4]", `"abc"`}, {`sizeof("abc")`, "unsigned long", "4"}, {`"abc"[1]`, "char", "98 'b'"}, {`*"abc"`, "char", "97 'a'"},
		{"1 + 2 * 3", "int", "7"}, {"(1 + 2) * 3", "int", "9"}, {"7 / -2", "int", "-3"}, {"-5 % 3", "int", "-2"},
		{"2147483647 + 1", "int", "-2147483648"}, {"0xffffffff + 1", "unsigned int", "0"}, {"4294967295 + 1", "long", "4294967296"},
		{"-1 > 0u", "int", "1"}, {"-1 > 0", "int", "0"}, {"(short)-1 + 0u", "unsigned int", "4294967295"},
		{"~5", "int", "-6"}, {"~5u", "unsigned int", "4294967290"}, {"!5", "int", "0"}, {"!0", "int", "1"}, {"+'a'", "int", "97"},
		{"1 << 31", "int", "-2147483648"}, {"1L << 40", "long", "1099511627776"}, {"-8 >> 1", "int", "-4"}, {"0x80000000 >> 31", "unsigned int", "1"},
		{"6 & 3 | 8 ^ 1", "int", "11"}, {"1 < 2 == 1", "int", "1"}, {"3 - 2 - 1", "int", "0"}, {"5 > 3 && 2", "int", "1"}, {"0 || 0", "int", "0"},
		{"1 ? 2 : 3", "int", "2"}, {"0 ? 2 : 3u", "unsigned int", "3"}, {"1 ? 0 ? 1 : 2 : 3", "int", "2"}, {"1, 2", "int", "2"}, {"1 ? p : 0", "struct node *", "(struct node *) 0xffff888000001020"}, {"0 ? p : 0", "struct node *", "(struct node *) 0x0"}, {"1 ? p : vp", "void *", "(void *) 0xffff888000001020"}, {`1 ? "a" : "b"`, "char [2]", `"a"`}, {`0 ? "a" : "b"`, "char [2]", `"b"`}, {"1 ? n.a : 0", "short *", "(short *) 0xffff88800000100c"}, {"(1 ? n : *p).val", "int", "42"}, {"1 ? (void)0 : 5", "void", "void"},
		{"0 && null->next->val", "int", "0"}, {"1 || far", "int", "1"}, {"0 ? far : 1", "int", "1"}, {"0 && 1/0", "int", "0"},
		{"(char)300", "char", "44 ','"}, {"(_Bool)5", "_Bool", "true"}, {"(unsigned char)-1", "unsigned char", `255 '\377'`}, {"(u8)257", "u8", `1 '\001'`},
		{"(long)(int)0xffffffff", "long", "-1"}, {"(unsigned long)-1", "unsigned long", "18446744073709551615"}, {"(long unsigned int)3", "unsigned long", "3"},
		{"(int)2.9", "int", "2"}, {"(int)-2.9", "int", "-2"}, {"(double)1 / 3", "double", "0.33333333333333331"}, {"(void)0", "void", "void"},
		{"(enum color)7", "enum color", "BLUE"}, {"BLUE", "enum color", "BLUE"}, {"BLUE + 1", "unsigned int", "8"}, {"-5 + RED", "unsigned int", "4294967291"},
		{"(__int128)1 << 100", "__int128", "1267650600228229401496703205376"}, {"((__int128)1 << 64) - 1 > 0", "int", "1"}, {"(unsigned __int128)-1 >> 120", "unsigned __int128", "255"},
		{"n.val", "int", "42"}, {"p->val", "int", "42"[:0] + "-7"}, {"p->next->val", "int", "42"}, {"n.next->next->val", "int", "42"}, {"(*p).val", "int", "-7"}, {"n->val", "int", "42"}, {"p.val", "int", "-7"},
		{"n.a[1]", "short", "5"}, {"*n.a", "short", "3"}, {"1[n.a]", "short", "5"}, {"*(n.a + 1)", "short", "5"}, {"n.lo", "unsigned int", "9"}, {"n.hi", "unsigned int", "291"},
		{"-n.lo < 0", "int", "1"}, {"sizeof(n.lo + 1)", "unsigned long", "4"},
		{"n.name", "char [8]", `"first\000\000"`}, {"n.name[0]@3", "char [3]", `"fir"`}, {"*n.name@2+1", "char [3]", `"fir"`},
		{"&n", "struct node *", "(struct node *) 0xffff888000001000"}, {"&n.val", "int *", "(int *) 0xffff888000001008"}, {"*&n.val", "int", "42"},
		{"&n + 1", "struct node *", "(struct node *) 0xffff888000001020"}, {"1 + &n", "struct node *", "(struct node *) 0xffff888000001020"}, {"(&n - 1)[1].val", "int", "42"},
		{"p - &n", "long", "1"}, {"&n == p->next", "int", "1"}, {"&n < p", "int", "1"}, {"p && 1", "int", "1"}, {"!null", "int", "1"}, {"null == 0", "int", "1"},
		{"&n & 0xfff", "unsigned long", "0"}, {"(unsigned long)p & ~31UL", "unsigned long", "18446612682070036512"}, {"vp + 1", "void *", "(void *) 0xffff888000001021"},
		{"&((struct node *)0)->name", "char (*)[8]", "(char (*)[8]) 0x18"}, {"(long)&((struct node *)0)->name", "long", "24"}, {"offsetof(struct node, a[1])", "unsigned long", "14"}, {"offsetof(node_t, hi)", "unsigned long", "16"},
		{"sizeof(struct node)", "unsigned long", "32"}, {"sizeof n", "unsigned long", "32"}, {"sizeof(n) + 1", "unsigned long", "33"}, {"sizeof n.name", "unsigned long", "8"}, {"sizeof(p->next->a[0])", "unsigned long", "2"}, {"sizeof *null->next", "unsigned long", "32"},
		{"sizeof(int *[4])", "unsigned long", "32"}, {"sizeof(int (*)[4])", "unsigned long", "8"}, {"sizeof(short [2][3])", "unsigned long", "12"}, {"sizeof(unsigned)", "unsigned long", "4"}, {"sizeof(long double)", "unsigned long", "16"}, {"sizeof(void (*)(int, char *))", "unsigned long", "8"}, {"sizeof(u8)", "unsigned long", "1"}, {"sizeof(1 ? 1 : 2L)", "unsigned long", "8"},
		{"((struct node *)0xffff888000001000)->val", "int", "42"}, {"(struct node@list.c *)0", "struct node *", "(struct node *) 0x0"}, {"((node_t *)p)->val", "int", "-7"}, {"(const struct node *const)p", "const struct node * const", "(const struct node * const) 0xffff888000001020"},
		{"(int (*)(void))0", "int (*)(void)", "(int (*)(void)) 0x0"}, {"(void *(*[2])(int, ...))0", "", "error"}, {"(n)", "struct node", "{\n  next = 0xffff888000001020,\n  val = 42,\n  a = {3, 5},\n  lo = 9,\n  hi = 291,\n  name = \"first\\000\\000\"\n}"},
		{"(n *)0", "char *", "0x0"}, {"(i)-1", "int", "-8"}, {"(i)*2", "int", "-14"}, {"i*u", "unsigned int", "49"}, {"{int}0xffff888000001008", "int", "42"}, {"{struct node}&n.next->next->val", "struct node", ""},
		{"f", "int (int)", "{int (int)} 0xffff888000001800"}, {"&f", "int (*)(int)", "(int (*)(int)) 0xffff888000001800"}, {"*f", "int (int)", "{int (int)} 0xffff888000001800"}, {"f + 1", "int (*)(int)", "(int (*)(int)) 0xffff888000001801"}, {"(long)f", "long", "-131391639513088"}, {"*ops", "int (*)(int)", "(int (*)(int)) 0xffff888000001020"}, {"*ops[0]", "int (int)", "{int (int)} 0xffff888000001020"},
		{"list.c::n", "int", "42"}, {"'list.c'::n", "int", "42"}, {"lib/list-sort.c::n + 1", "int", "43"}, {`"list.c"::n`, "int", "42"},
		{"counter:1", "int", "2"}, {"counter:1 + 1", "int", "3"}, {"counter:", "int", "1"}, {"1 ? (counter:1) : 0", "int", "2"}, {"0 ? 1 :n.val", "int", "42"},
		{"$", "int", "30"}, {"$$", "struct node", ""}, {"$$2", "int", "10"}, {"$1 + $3", "int", "40"}, {"$2.val", "int", "42"}, {"$rbx + 8", "unsigned long", "18446612682070036488"}, {"*(int *)($rbx + 8)", "int", "42"},
		{"typeof(n.val) *", "", "error"}, {"(typeof(n.a[0]))70000", "short", "4464"}, {"*0xffff888000001008", "int", "42"},
	}
	w := newWorld()
	for _, tt := range tests {
		v, err := Eval(w, tt.text)
		if err != nil {
			if tt.want != "error" {
				t.Errorf("%s: %v", tt.text, err)
			}
			continue
		}
		got := string(value.AppendTop(nil, v, value.Style{}))
		if tt.want != "" && got != tt.want || v.Type().String() != tt.typ {
			t.Errorf("%s = (%s) %s; want (%s) %s", tt.text, v.Type(), got, tt.typ, tt.want)
		}
		typ, err := Type(w, tt.text)
		if err != nil || typ.String() != tt.typ {
			t.Errorf("Type(%s) = %s, %v; want %s", tt.text, typ, err, tt.typ)
		}
	}
}

func TestErrors(t *testing.T) {
	w := newWorld()
	for _, tt := range []struct{ text, want string }{
		{"", "column 1: an operand was expected"},
		{"1 +", "column 4: an operand was expected"},
		{"1 2", `column 3: "2": an operator or the end was expected`},
		{"(1", `column 3: ")" was expected`},
		{"foo + 1", `column 1: "foo": no variable, function or enumerator of this name`},
		{"n.foo", `column 3: "foo": struct node has no member foo`},
		{"n.val.x", `column 7: "x": int is not a struct or union: wrong type`},
		{"n.", "column 3: the name of a member was expected"},
		{"5/0", `column 2: "/": division by zero`},
		{"5%0u", `column 2: "%": division by zero`},
		{"(__int128)5/0", `column 12: "/": division by zero`},
		{"1 << 32", `column 3: "<<": shift of int by 32 bits`},
		{"1 << -1", `column 3: "<<": shift of int by -1 bits`},
		{"n + 1", `column 3: "+": struct node is not a number or pointer`},
		{"n == n", `column 3: "==": struct node is not a number or pointer`},
		{"p + p", `column 3: "+": struct node * + struct node * has no meaning`},
		{"1.0 % 2", `column 5: "%": double % int has no meaning`},
		{"~1.0", `column 1: "~": ~double has no meaning`},
		{"&5", `column 1: "&": a computed value has no address`},
		{"&n.lo", `column 1: "&": a bit-field has no address`},
		{"*vp", `column 1: "*": void * points to no object: wrong type`},
		{"op + 1", `column 4: "+": the size of struct opaque is not known`},
		{"sizeof(struct opaque)", `column 1: "sizeof": the size of struct opaque is not known`},
		{"(struct nope *)0", `column 9: "nope": no type struct nope: unknown name`},
		{"(struct node)5", `column 1: "(": int cannot be cast to struct node`},
		{"n.val = 5", `column 7: "=": a dump cannot be written to`},
		{"n.val += 5", `column 7: "+=": a dump cannot be written to`},
		{"n.val++", `column 6: "++": a dump cannot be written to`},
		{"--n.val", `column 1: "--": a dump cannot be written to`},
		{"f(1)", `column 2: "(": functions of a dump cannot be called`},
		{"5 @ 2", `column 3: "@": only objects in memory can be repeated with @`},
		{"n @ 0", `column 3: "@": the count behind @ is 0`},
		{"99999999999999999999", `column 1: "99999999999999999999": does not fit into 64 bits`},
		{"08", `column 1: "08": not a number`}, {"1x", `column 1: "1x": not a number`}, {"0x", `column 1: "0x": not a number`}, {"1.2.3", `column 1: "1.2.3": not a number`},
		{"'ab'", `column 1: "'ab'": not one character`}, {"''", `column 1: "''": not one character`}, {`"abc`, `column 1: "\"abc": the closing " is missing`}, {`'\q'`, `column 2: "\\q": not an escape sequence`},
		{"1 # 2", `column 3: "#": not part of any expression`},
		{"counter:9", `column 1: "counter": no CPU 9`},
		{"nope.c::n", `column 9: "n": no variable, function or enumerator of this name`},
		{"$9", `column 1: "$9": not in the history`}, {"$nope", `column 1: "$nope": no register of this name is known`},
		{"far", ""},
		{"far + 1", `column 5: "+": kernel virtual address 0x1000: not mapped`},
		{"bad->val", ""},
		{"bad->next->val", `column 12: "val": kernel virtual address 0x1ff: not mapped`},
		{"offsetof(struct node, next->val)", `column 1: "offsetof": next.val: next is a pointer`},
		{"sizeof(struct node", `column 19: ")" was expected`},
		{"1 ? n : 2", `column 1: "1": the branches are of types struct node and int`},
		{"1 ? 2", `column 6: ":" was expected`},
		{"(int[99999999999999])0", `column 6: "99999999999999": not a number of elements`},
		{"(" + strings.Repeat("*", 5) + ")1", ""},
	} {
		v, err := Eval(w, tt.text)
		if tt.want == "" {
			continue
		}
		if err == nil {
			t.Errorf("%s = %s", tt.text, value.Format(v, value.Style{}))
		} else if err.Error() != tt.want {
			t.Errorf("%s: %v\nwant %s", tt.text, err, tt.want)
		}
	}
	_, err := Eval(w, "far + 1")
	if fault.ReasonOf(err) != fault.Unmapped {
		t.Errorf("the fault is not in the chain of %v", err)
	}
	_, err = Eval(w, "foo")
	var e *Error
	if !errors.As(err, &e) || e.Column != 1 || !errors.Is(err, ErrUnknown) {
		t.Errorf("%v is not an Error about an unknown name", err)
	}
}

// Hostile nesting and length end in an error, quickly.
func TestBounds(t *testing.T) {
	w := newWorld()
	for _, unit := range []string{"(", "-", "*", "&", "!", "1?", "(int)", "(int(*", "sizeof(", "{int}", "[", "n.a[", "((", "typeof(", "1?1:", "int(", "(int*", "1+", "f::", "a-", "n.next->", "(int(*)(", "(int["} {
		for _, prefix := range []string{"", "1+", "(int", "sizeof(int"} {
			text := prefix + strings.Repeat(unit, 60000/len(unit))
			if _, err := Eval(w, text); err == nil {
				t.Errorf("%.20s... has a value", text)
			}
		}
	}
	if v, err := Eval(w, "1"+strings.Repeat("+1", 30000)); err != nil {
		t.Error(err)
	} else if n, _ := v.Int(); n != 30001 {
		t.Errorf("sum = %d", n)
	}
	if _, err := Eval(w, strings.Repeat(" ", maxText+1)); err == nil {
		t.Error("a text that is too long was taken")
	}
}

func TestEvalAll(t *testing.T) {
	w := newWorld()
	for _, tt := range []struct{ text, want string }{
		{"counter:a", "0=1 1=2 3=3 "},
		{"counter:0-1 * 10", "0=10 1=20 "},
		{"counter:a + counter:a", "0=2 1=4 3=6 "},
		{"counter:a / (counter:a - 2)", "0=-1 1=error 3=3 "},
		{"n.val", "-1=42 "},
	} {
		results, err := EvalAll(w, tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
		}
		got := ""
		for _, r := range results {
			n, err := r.Value.Int()
			if r.Err != nil || err != nil {
				got += fmt.Sprintf("%d=error ", r.CPU)
				continue
			}
			got += fmt.Sprintf("%d=%d ", r.CPU, n)
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.text, got, tt.want)
		}
	}
}

func TestAddress(t *testing.T) {
	w := newWorld()
	for _, tt := range []struct {
		text string
		want uint64
	}{
		{"n", base}, {"p", base + 32}, {"&n", base}, {"n.name", base + 24}, {"f", base + 0x800}, {"n.val", 42}, {"*p", base + 32}, {"0x10 + 8", 24}, {"&n.val", base + 8},
	} {
		if got, err := Address(w, tt.text); got != tt.want || err != nil {
			t.Errorf("Address(%s) = %#x, %v; want %#x", tt.text, got, err, tt.want)
		}
	}
	for _, text := range []string{`"abc"`, "1.5", "far", "(void)0"} {
		if got, err := Address(w, text); err == nil {
			t.Errorf("Address(%s) = %#x", text, got)
		}
	}
}

func TestNumber(t *testing.T) {
	for _, tt := range []struct {
		word     string
		dec, hex uint64
	}{
		{"10", 10, 16}, {"0x10", 16, 16}, {"0X10", 16, 16}, {"1e5", 0x1e5, 0x1e5}, {"0b101", 0xb101, 0xb101}, {"010", 10, 16},
		{"deadbeef", 0xdeadbeef, 0xdeadbeef}, {"1k", 1024, 1024}, {"0x1k", 1024, 1024}, {"2M", 2 << 20, 2 << 20}, {"1g", 1 << 30, 1 << 30}, {"deadbeef k", 0xdeadbeef << 10, 0xdeadbeef << 10},
		{"ffffffffffffffff", ^uint64(0), ^uint64(0)}, {"18446744073709551615", ^uint64(0), 0},
	} {
		if got, err := Number(tt.word); got != tt.dec || err != nil {
			t.Errorf("Number(%s) = %#x, %v; want %#x", tt.word, got, err, tt.dec)
		}
		if got, err := Hex(tt.word); tt.hex != 0 && (got != tt.hex || err != nil) {
			t.Errorf("Hex(%s) = %#x, %v; want %#x", tt.word, got, err, tt.hex)
		}
	}
	for _, word := range []string{"", "k", "0x", "1.5g", "1kk", "xyz", "-1", "+1", "1_0", "0x-1", "ffffffffffffffffk", "18446744073709551616", "0x0x1", "g"} {
		if got, err := Number(word); err == nil {
			t.Errorf("Number(%q) = %#x", word, got)
		}
	}
}
