package disasm

import (
	"errors"
	"testing"

	"golang.org/x/arch/x86/x86asm"
)

func decode(t *testing.T, pc uint64, code ...byte) Inst {
	t.Helper()
	in, err := AMD64.Decode(code, pc)
	if err != nil {
		t.Fatalf("% x: %v", code, err)
	}
	return in
}

func TestFlowAndTarget(t *testing.T) {
	const pc = 0xffffffff81000000
	for _, test := range []struct {
		code   []byte
		flow   Flow
		target uint64 // 0: none
	}{
		{[]byte{0xe8, 0xfb, 0xff, 0xff, 0xff}, Call, pc},
		{[]byte{0xff, 0xd0}, Call, 0},
		{[]byte{0xeb, 0x10}, Jump, pc + 0x12},
		{[]byte{0xff, 0x24, 0xc5, 0, 0, 0, 0x82}, Jump, 0},
		{[]byte{0x0f, 0x84, 0, 1, 0, 0}, CondJump, pc + 0x106},
		{[]byte{0xc3}, Return, 0},
		{[]byte{0x48, 0xcf}, Return, 0},
		{[]byte{0x48, 0x0f, 0x07}, Return, 0},
		{[]byte{0xf3, 0x0f, 0x01, 0xca}, Return, 0}, // eretu
		{[]byte{0x0f, 0x05}, Syscall, 0},
		{[]byte{0x0f, 0x01, 0xc1}, Syscall, 0}, // vmcall
		{[]byte{0xcc}, Trap, 0},
		{[]byte{0x0f, 0x0b}, Trap, 0},
		{[]byte{0x67, 0x48, 0x0f, 0xb9, 0x3a}, Trap, 0}, // ud1, as UBSAN and KCFI place it
		{[]byte{0xf3, 0x0f, 0x1e, 0xfa}, Next, 0},
		{[]byte{0x90}, Next, 0},
	} {
		in := decode(t, pc, test.code...)
		target, ok := in.Target()
		if in.Flow != test.flow || target != test.target || ok != (test.target != 0) {
			t.Errorf("% x: flow %d, target %#x; want %d, %#x", test.code, in.Flow, target, test.flow, test.target)
		}
	}
}

func TestMemoryOperand(t *testing.T) {
	in := decode(t, 0x1000, 0x65, 0x4a, 0x8b, 0x44, 0xe5, 0xf8) // mov %gs:-0x8(%rbp,%r12,8),%rax
	o := in.MemArg()
	want := Mem{Segment: Reg(x86asm.GS), Base: Reg(x86asm.RBP), Index: Reg(x86asm.R12), Scale: 8, Disp: -8}
	if o == nil || o.Mem != want || o.Size != 8 || o.Access != Read {
		t.Errorf("operand %+v, want memory %+v", o, want)
	}
	if _, ok := in.Ref(); ok {
		t.Error("an address without rip has a Ref")
	}
	in = decode(t, 0xffffffff81000000, 0x48, 0x8b, 0x05, 0x78, 0x56, 0x34, 0x12)
	if ref, ok := in.Ref(); !ok || ref != 0xffffffff9334567f {
		t.Errorf("ref %#x, %v", ref, ok)
	}
	in = decode(t, 0, 0x65, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0) // mov %gs:0x28,%rax
	if addr, ok := in.MemConst(&in.MemArg().Mem); !ok || addr != 0x28 {
		t.Errorf("constant address %#x, %v", addr, ok)
	}
}

func TestTruncated(t *testing.T) {
	for _, test := range []struct {
		code []byte
		text string
	}{
		{[]byte{0xf6}, ".byte 0xf6"},
		{[]byte{0x48, 0xb8}, "rex.W"},
		{[]byte{0x66, 0x48}, "data16"},
		{[]byte{0xe8, 0, 0}, ".byte 0xe8"},
	} {
		in, err := AMD64.Decode(test.code, 0)
		text := string(AMD64.AppendText(nil, &in, Style{}))
		if !errors.Is(err, ErrTruncated) || in.Len != 1 || !in.Bad || text != test.text {
			t.Errorf("% x: %v, length %d, %q", test.code, err, in.Len, text)
		}
	}
	if in, err := AMD64.Decode(nil, 0); !errors.Is(err, ErrTruncated) || in.Len != 0 {
		t.Errorf("no code: %v, %d", err, in.Len)
	}
}

func TestStyle(t *testing.T) {
	name := func(addr uint64) string {
		if addr == 0x1005 {
			return "do_exit+88"
		}
		return ""
	}
	for _, test := range []struct {
		code  []byte
		style Style
		text  string
	}{
		{[]byte{0xe8, 0, 0, 0, 0}, Style{Name: name}, "call   0x1005 <do_exit+88>"},
		{[]byte{0xe8, 0, 0, 0, 0}, Style{BareTargets: true}, "call   1005"},
		{[]byte{0x8b, 0x05, 0xff, 0xff, 0xff, 0xff}, Style{Name: name}, "mov    -0x1(%rip),%eax        # 0x1005 <do_exit+88>"},
		{[]byte{0x8b, 0x05, 0xff, 0xff, 0xff, 0xff}, Style{NoComment: true}, "mov    -0x1(%rip),%eax"},
		{[]byte{0x48, 0xd1, 0xe8}, Style{}, "shr    %rax"},
		{[]byte{0x48, 0xd1, 0xe8}, Style{ShiftByOne: true}, "shr    $1,%rax"},
		{[]byte{0x48, 0xd1, 0xe8}, Style{Intel: true}, "shr    rax,1"},
	} {
		in := decode(t, 0x1000, test.code...)
		if got := string(AMD64.AppendText(nil, &in, test.style)); got != test.text {
			t.Errorf("% x: %q, want %q", test.code, got, test.text)
		}
	}
}

// FuzzDecode checks what holds for all bytes: no panic, a length within the code, some text, a decoding that depends on
// nothing behind the instruction.
func FuzzDecode(f *testing.F) {
	for _, g := range readGolden(f, "insns.golden") {
		f.Add(g.code)
	}
	f.Fuzz(func(t *testing.T, code []byte) {
		in, err := AMD64.Decode(code, 0xffffffff81000000)
		if len(code) == 0 {
			return
		}
		if in.Len < 1 || in.Len > len(code) || in.Len > AMD64.MaxLen() {
			t.Fatalf("length %d of %d", in.Len, len(code))
		}
		if !in.Bad && in.Op == 0 && in.side == nil {
			t.Fatal("an instruction without a name")
		}
		for _, style := range []Style{{}, {Intel: true}, {ShiftByOne: true}} {
			if len(AMD64.AppendText(nil, &in, style)) == 0 {
				t.Fatal("no text")
			}
		}
		in.Reads()
		in.Writes()
		in.WritesMem()
		if err == nil && !in.Bad {
			alone, err := AMD64.Decode(code[:in.Len], in.PC)
			if err != nil || alone.Len != in.Len || alone.Op != in.Op || alone.Args != in.Args {
				t.Fatalf("without what follows: %v, %+v, with it: %+v", err, alone, in)
			}
		}
	})
}
