package location

import (
	"debug/dwarf"
	"fmt"
	"strings"
	"testing"

	"github.com/kdive/kdive/debuginfo/die"
	. "github.com/kdive/kdive/debuginfo/dwarftest"
	"github.com/kdive/kdive/fault"
)

// fake is a machine with registers 0 to 7 (n*0x100 + 3), register 6 derived, the
// frame at 0x8000 and memory whose byte at address a is a+1.
type fake struct{}

func (fake) Register(n uint64) (uint64, Provenance) {
	switch {
	case n > 7:
		return 0, LostFor(NoRegister, fmt.Sprintf("r%d was not saved", n))
	case n == 6:
		return 6*0x100 + 3, Provenance{Class: Derived, How: "r6, saved"}
	}
	return n*0x100 + 3, Provenance{Class: Exact, How: fmt.Sprintf("r%d", n)}
}

func (fake) CFA() (uint64, Provenance)       { return 0x8000, Provenance{Class: Exact} }
func (fake) FrameBase() (uint64, Provenance) { return 0x8000, Provenance{Class: Exact} }

func (fake) Read(p []byte, addr uint64) error {
	if addr >= 0xf000 {
		return &fault.Error{Addr: addr, Space: fault.Virtual, Reason: fault.Excluded}
	}
	for i := range p {
		p[i] = byte(addr) + byte(i) + 1
	}
	return nil
}

func (fake) Runtime(link uint64) (uint64, bool) { return link + 0x10000, link < 0xffff }

func (fake) Entry(expr []byte) (uint64, Provenance) {
	if len(expr) == 1 && expr[0] == die.OpReg0+5 {
		return 0x77, Provenance{Class: Derived, How: "r5 at entry", Steps: []uint64{1}}
	}
	return 0, LostFor(NoEntry, "nobody tells")
}

func (fake) EntryParameter(off int) (uint64, Provenance) {
	return uint64(off), Provenance{Class: Derived, How: "passed"}
}

// show is a result in short.
func show(r Result) string {
	var parts []string
	for _, p := range r.Pieces {
		var s string
		switch p.Kind {
		case InMemory:
			s = fmt.Sprintf("mem %#x", p.Addr)
		case InRegister:
			s = fmt.Sprintf("reg%d %#x", p.Reg, number(p.Data))
		case Computed:
			s = fmt.Sprintf("value %#x", number(p.Data))
		case Implicit:
			s = fmt.Sprintf("-> %#x%+d", p.Target, p.Offset)
		default:
			s = p.Reason.String()
		}
		if p.Bits != 0 {
			s += fmt.Sprintf("/%d", p.Bits)
		}
		if p.Skip != 0 {
			s += fmt.Sprintf("@%d", p.Skip)
		}
		parts = append(parts, s+" "+p.Class.String()+" "+p.How)
	}
	return strings.Join(parts, "; ")
}

// typed is a unit with base types: int at offset a, unsigned char at b, a
// floating type at c.
func typed(t testing.TB) (u *die.Unit, a, b, c int) {
	t.Helper()
	num := func(name string, size, enc int) *Entry {
		return E(dwarf.TagBaseType, Name(name), Num(dwarf.AttrByteSize, size), Num(dwarf.AttrEncoding, enc))
	}
	s := Build(Unit{Root: E(dwarf.TagCompileUnit, num("int", 4, die.EncSigned), num("unsigned char", 1, die.EncUnsignedChar), num("double", 8, 4))})
	u, err := die.New(s).Unit(0)
	if err != nil {
		t.Fatal(err)
	}
	root := u.Root()
	var offs []int
	for e := range root.Kids() {
		offs = append(offs, e.Off-u.Off)
	}
	return u, offs[0], offs[1], offs[2]
}

func TestEvaluate(t *testing.T) {
	u, i32, u8, f64 := typed(t)
	tests := []struct {
		name string
		expr []byte
		want string
	}{
		{"register", Bytes(die.OpReg0 + 3), "reg3 0x303 exact r3"},
		{"register lost", Bytes(die.OpReg0 + 9), "register not recovered lost r9 was not saved"},
		{"regx", Bytes(die.OpRegx, 6), "reg6 0x603 derived r6, saved"},
		{"breg", Bytes(die.OpBreg0+1, 0x7c), "mem 0xff exact memory"},
		{"breg derived", Bytes(die.OpBreg0+6, 1), "mem 0x604 derived memory, address: r6, saved"},
		{"bregx", Bytes(die.OpBregx, 1, 1), "mem 0x104 exact memory"},
		{"fbreg", Bytes(die.OpFbreg, 0x78), "mem 0x7ff8 exact memory"},
		{"cfa", Bytes(die.OpCallFrameCFA, die.OpLit0+8, die.OpMinus), "mem 0x7ff8 exact memory"},
		{"addr", Bytes(die.OpAddr, uint64(0x50)), "mem 0x10050 exact memory"},
		{"addr not loaded", Bytes(die.OpAddr, uint64(0xfffff)), "optimized out lost address 0xfffff of the file was not loaded"},
		{"empty", nil, "optimized out lost optimized out"},
		{"constant", Bytes(die.OpConst1u+1, 0xff, die.OpStackValue), "value 0xffffffffffffffff derived constant"},
		{"const2u", Bytes(die.OpConst1u+2, 0xff, 0xff, die.OpStackValue), "value 0xffff derived constant"},
		{"constu", Bytes(die.OpConstu, 0x80, 1, die.OpStackValue), "value 0x80 derived constant"},
		{"breg value", Bytes(die.OpBreg0+3, 0, die.OpStackValue), "value 0x303 exact r3"},
		{"computed", Bytes(die.OpBreg0+3, 0, die.OpBreg0+6, 0, die.OpPlus, die.OpStackValue), "value 0x906 derived computed: r3 and r6, saved"},
		{"implicit value", Bytes(die.OpImplicitValue, 2, 0x34, 0x12), "value 0x1234 derived constant"},
		{"implicit pointer", Bytes(die.OpImplicitPointer, 0x10, 0, 0, 0, 0x7c), "-> 0x10-4 derived a pointer that the compiler optimized out; what it points to is known"},
		{"GNU implicit pointer", Bytes(die.OpGNUImplicitPointer, 0x10, 0, 0, 0, 4), "-> 0x10+4 derived a pointer that the compiler optimized out; what it points to is known"},
		{"entry value", Bytes(die.OpEntryValue, 1, die.OpReg0+5, die.OpStackValue), "value 0x77 derived r5 at entry"},
		{"GNU entry value computed", Bytes(die.OpGNUEntryValue, 1, die.OpReg0+5, die.OpPlusUconst, 1, die.OpStackValue), "value 0x78 derived computed: r5 at entry"},
		{"entry value lost", Bytes(die.OpEntryValue, 1, die.OpReg0+4, die.OpStackValue), "entry value lost nobody tells"},
		{"uninit", Bytes(die.OpReg0, die.OpGNUUninit), "reg0 0x3 exact r0 (not initialized)"},
		{"parameter ref", Bytes(die.OpGNUParameterRef, 0x20, 0, 0, 0, die.OpStackValue), fmt.Sprintf("value %#x derived passed", u.Off+0x20)},
		{"TLS", Bytes(die.OpLit0, die.OpFormTLSAddress), "operator lost operator form_tls_address: a kernel has no thread-local storage"},
		{"unknown operator", Bytes(0xee), "operator lost operator 0xee"},
		{"deref", Bytes(die.OpLit0+16, die.OpDeref, die.OpStackValue), "value 0x1817161514131211 exact computed: memory"},
		{"deref_size", Bytes(die.OpLit0+16, die.OpDerefSize, 2, die.OpStackValue), "value 0x1211 exact computed: memory"},
		{"deref fault", Bytes(die.OpConst1u+2, 0, 0xff, die.OpDeref, die.OpStackValue), "memory lost kernel virtual address 0xff00: page excluded by the dump filter"},
		{"pieces", Bytes(die.OpReg0, die.OpPiece, 4, die.OpPiece, 4, die.OpFbreg, 0, die.OpPiece, 8),
			"reg0 0x3/32 exact r0; optimized out/32 lost optimized out; mem 0x8000/64 exact memory"},
		{"piece lost, the next is not", Bytes(die.OpReg0+9, die.OpPiece, 8, die.OpLit0+1, die.OpStackValue, die.OpPiece, 1),
			"register not recovered/64 lost r9 was not saved; value 0x1/8 derived constant"},
		{"unknown operator in a piece", Bytes(die.OpPiece, 1, 0xee, die.OpPiece, 1), "optimized out/8 lost optimized out; operator lost operator 0xee"},
		{"bit piece", Bytes(die.OpReg0+1, die.OpBitPiece, 3, 2), "reg1 0x103/3@2 exact r1"},
		{"behind the end", Bytes(die.OpReg0, die.OpLit0), "damaged lost an expression that goes on behind its end"},
		{"cut off", Bytes(die.OpConst1u), "damaged lost expression ends within operator 0x8"},
		{"stack is empty", Bytes(die.OpPlus), "damaged lost an expression that takes from an empty stack"},
		{"pick from nothing", Bytes(die.OpLit0, die.OpPick, 255), "damaged lost an expression that takes from an empty stack"},
		{"endless", Bytes(die.OpSkip, 0xfd, 0xff), "damaged lost an expression that does not end"},
		{"jump out", Bytes(die.OpSkip, 0, 0x7f), "damaged lost an expression that jumps out of itself"},
		{"grows", Bytes(die.OpLit0, die.OpDup, die.OpSkip, 0xfc, 0xff), "damaged lost an expression that needs too much stack"},
		{"division by zero", Bytes(die.OpLit0, die.OpLit0, die.OpDiv), "damaged lost the expression divides by zero"},
		{"branch", Bytes(die.OpLit0+1, die.OpBra, 1, 0, die.OpLit0+5, die.OpLit0+7, die.OpStackValue), "value 0x7 derived constant"},
		{"convert", Bytes(die.OpConst1u+5, 0xff, 0xff, 0xff, 0xff, die.OpConvert, u8, die.OpConvert, 0, die.OpStackValue), "value 0xff derived constant"},
		{"convert sign", Bytes(die.OpConst1u+4, 0xfe, 0xff, 0xff, 0xff, die.OpGNUConvert, i32, die.OpConvert, 0, die.OpStackValue), "value 0xfffffffffffffffe derived constant"},
		{"const_type", Bytes(die.OpConstType, i32, 4, 0xff, 0xff, 0xff, 0xff, die.OpConstType, i32, 4, 2, 0, 0, 0, die.OpDiv, die.OpConvert, 0, die.OpStackValue), "value 0x0 derived constant"},
		{"regval_type", Bytes(die.OpRegvalType, 1, u8, die.OpStackValue), "value 0x3 exact computed: r1"},
		{"deref_type", Bytes(die.OpConst1u, 0xfe, die.OpDerefType, 1, u8, die.OpStackValue), "value 0xff exact computed: memory"},
		{"two types", Bytes(die.OpLit0, die.OpLit0, die.OpConvert, i32, die.OpPlus), "damaged lost an operator on two types"},
		{"floating", Bytes(die.OpLit0, die.OpConvert, f64), "operator lost operator on type double"},
		{"reinterpret of another size", Bytes(die.OpLit0, die.OpReinterpret, i32), "damaged lost a value reinterpreted as one of another size"},
		{"no base type", Bytes(die.OpLit0, die.OpConvert, 0x0c), "damaged lost type at 0xc: no base type"},
	}
	for _, tt := range tests {
		if got := show(Evaluate(tt.expr, u, fake{})); got != tt.want {
			t.Errorf("%s: got %q\nwant %q", tt.name, got, tt.want)
		}
	}
}

// TestArithmetic checks operators on two numbers.
func TestArithmetic(t *testing.T) {
	neg := func(n int64) uint64 { return uint64(n) }
	tests := []struct {
		op   int
		x, y uint64
		want uint64
	}{
		{die.OpAnd, 6, 3, 2}, {die.OpOr, 6, 3, 7}, {die.OpXor, 6, 3, 5}, {die.OpPlus, 6, 3, 9}, {die.OpMinus, 3, 6, neg(-3)}, {die.OpMul, 6, 3, 18},
		{die.OpDiv, neg(-6), 3, neg(-2)}, {die.OpDiv, 1 << 63, neg(-1), 1 << 63}, {die.OpMod, neg(-1), 10, 5},
		{die.OpShl, 1, 63, 1 << 63}, {die.OpShl, 1, 64, 0}, {die.OpShr, neg(-1), 60, 15}, {die.OpShra, neg(-16), 2, neg(-4)}, {die.OpShra, neg(-16), 200, neg(-1)},
		{die.OpEq, 3, 3, 1}, {die.OpNe, 3, 3, 0}, {die.OpLt, neg(-1), 0, 1}, {die.OpLe, 3, 3, 1}, {die.OpGt, neg(-1), 0, 0}, {die.OpGe, 0, neg(-1), 1},
	}
	for _, tt := range tests {
		e := Bytes(die.OpConst1u+6, tt.x, die.OpConst1u+6, tt.y, tt.op, die.OpStackValue)
		r := Evaluate(e, nil, fake{})
		if got := number(r.Pieces[0].Data); r.Pieces[0].Kind != Computed || got != tt.want {
			t.Errorf("operator %#x on %#x, %#x: %s, want %#x", tt.op, tt.x, tt.y, show(r), tt.want)
		}
	}
	for op, want := range map[int]uint64{die.OpAbs: 5, die.OpNeg: 5, die.OpNot: 4} {
		r := Evaluate(Bytes(die.OpConst1u+6, neg(-5), op, die.OpStackValue), nil, fake{})
		if got := number(r.Pieces[0].Data); got != want {
			t.Errorf("operator %#x on -5: %#x", op, got)
		}
	}
	// dup, over, swap, rot, pick, drop on 1 2 3.
	for op, want := range map[int]string{die.OpDup: "1 2 3 3", die.OpOver: "1 2 3 2", die.OpSwap: "1 3 2", die.OpRot: "3 1 2", die.OpDrop: "1 2"} {
		ev := evaluator{expr: Bytes(die.OpLit0+1, die.OpLit0+2, die.OpLit0+3, op), m: fake{}}
		ev.m = fake{}
		for ev.at < len(ev.expr) {
			in, err := decode(ev.expr, ev.at)
			if err != nil {
				t.Fatal(err)
			}
			ev.at = in.next
			if err := ev.step(&in); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		for _, x := range ev.stack {
			got = append(got, fmt.Sprint(x.v))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("operator %#x: %s, want %s", op, s, want)
		}
	}
}

func TestNumber(t *testing.T) {
	tests := []struct {
		expr []byte
		want string
	}{
		{Bytes(die.OpReg0 + 2), "0x203 exact r2"},
		{Bytes(die.OpBreg0+6, 1), "0x604 derived computed: r6, saved"},
		{Bytes(die.OpEntryValue, 1, die.OpReg0+5), "0x77 derived r5 at entry"},
		{Bytes(die.OpLit0 + 3), "0x3 derived constant"},
		{Bytes(die.OpReg0 + 9), "0x0 lost r9 was not saved"},
		{Bytes(die.OpReg0, die.OpPiece, 4), "0x0 lost a value in pieces"},
	}
	for _, tt := range tests {
		v, p := Number(tt.expr, nil, fake{})
		if got := fmt.Sprintf("%#x %s %s", v, p.Class, p.How); got != tt.want {
			t.Errorf("%x: %s, want %s", tt.expr, got, tt.want)
		}
	}
}

func TestSelect(t *testing.T) {
	list := []die.Location{{Always: true, Expr: []byte{1}}, {Range: die.Range{Low: 10, High: 20}, Expr: []byte{2}}, {Range: die.Range{Low: 15, High: 30}, Expr: []byte{3}}}
	for link, want := range map[uint64]byte{9: 1, 10: 2, 19: 2, 20: 3, 30: 1} {
		if e, ok := Select(list, link); !ok || e[0] != want {
			t.Errorf("%d: %v %v, want %d", link, e, ok, want)
		}
	}
	if _, ok := Select(list[1:], 30); ok {
		t.Error("an address behind all entries has one")
	}
}

func TestWeakestPiece(t *testing.T) {
	r := Evaluate(Bytes(die.OpReg0+9, die.OpPiece, 4, die.OpReg0+6, die.OpPiece, 4, die.OpReg0+1, die.OpPiece, 4), nil, fake{})
	if p := r.Provenance(); p.Class != Derived || p.How != "r6, saved" {
		t.Errorf("got %v", p)
	}
	if p := LostResult(NotHere, "gone").Provenance(); p.Class != Lost || p.Reason != NotHere {
		t.Errorf("got %v", p)
	}
}

// FuzzEvaluate: any bytes end, in pieces that are whole.
func FuzzEvaluate(f *testing.F) {
	u, i32, u8, _ := typed(f)
	for _, e := range [][]byte{
		Bytes(die.OpReg0, die.OpPiece, 4, die.OpFbreg, 0x78, die.OpPiece, 8), Bytes(die.OpEntryValue, 1, die.OpReg0+5, die.OpStackValue),
		Bytes(die.OpBreg0, 0, die.OpConvert, i32, die.OpConvert, u8, die.OpStackValue), Bytes(die.OpSkip, 0xfd, 0xff), Bytes(die.OpImplicitValue, 0xff, 0xff, 0xff, 0x7f),
		Bytes(die.OpLit0+1, die.OpBra, 1, 0, die.OpLit0+5, die.OpLit0+7, die.OpStackValue), Bytes(die.OpReg0+1, die.OpBitPiece, 3, 2),
	} {
		f.Add(e)
	}
	f.Fuzz(func(t *testing.T, e []byte) {
		r := Evaluate(e, u, fake{})
		if len(r.Pieces) == 0 || len(r.Pieces) > maxPieces {
			t.Fatalf("%d pieces", len(r.Pieces))
		}
		for _, p := range r.Pieces {
			if (p.Kind == Missing) != (p.Class == Lost) || p.Class == Lost && (p.Reason == None || p.How == "") {
				t.Fatalf("%x: %s", e, show(r))
			}
		}
		Number(e, u, fake{})
	})
}
