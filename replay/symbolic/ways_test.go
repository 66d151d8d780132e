package symbolic

import (
	"errors"
	"testing"

	"golang.org/x/arch/x86/x86asm"
)

// TestStored asks for the argument at a point that is reached with it in a register,
// or with another one, through which something was stored.
func TestStored(t *testing.T) {
	// push %rbx; mov %rdi,%rbx; test %rsi,%rsi; je 1f; mov %rdx,%rbx; movb $0,(%rbx); 1: ud2; pop %rbx; ret
	f := analyze(t, assemble(t, "534889fb4885f674064889d3c603000f0b5bc3"))
	const pc = codeAt + 0xf
	for _, test := range []struct {
		name  string
		mem   map[uint64]uint64
		value uint64
		err   error
	}{
		{"memory has another value", map[uint64]uint64{0x1000: 0x5c}, 0x1000, nil},
		{"memory has the value", map[uint64]uint64{0x1000: 0x5c00}, 0, ErrUnknown},
		{"memory cannot be read", nil, 0, ErrUnknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, ok := f.Interrupted(pc)
			if !ok {
				t.Fatal("no path leads there")
			}
			facts := known(s, map[string]uint64{"rbx": 0x1000}, nil, test.mem)
			facts.PC = pc
			v, err := f.Value(f.EntryOf(rdi), facts)
			if !errors.Is(err, test.err) || v.Bits != test.value || err == nil && (!v.Changed || !v.ByMemory || len(v.Against) != 1 || v.Against[0] != codeAt+0xc) {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
}

func TestFreed(t *testing.T) {
	// push %rbx; mov 0x10(%rdi),%rbx; call; ...
	f := analyze(t, assemble(t, "53488b5f10e8001000004889df5be900000000"))
	s, _ := f.During(codeAt + 5)
	for _, freed := range []bool{false, true} {
		facts := known(s, nil, map[string]uint64{"rdi": 0x100}, map[uint64]uint64{0x110: 42})
		facts.PC, facts.Freed = codeAt+5, func(addr uint64) bool { return freed && addr == 0x110 }
		if v, err := f.Value(s.Regs[rbx].Expr, facts); errors.Is(err, ErrFreed) != freed || !freed && v.Bits != 42 {
			t.Errorf("freed %v: %+v, %v", freed, v, err)
		}
	}
}

func TestBranches(t *testing.T) {
	const minus = ^uint64(0)
	for _, test := range []struct {
		op        x86asm.Op
		a, b      uint64
		size      uint8
		test, yes bool
	}{
		{x86asm.JE, 5, 5, 8, false, true}, {x86asm.JNE, 5, 5, 8, false, false}, {x86asm.JE, 0x105, 5, 1, false, true},
		{x86asm.JA, minus, 1, 8, false, true}, {x86asm.JG, minus, 1, 8, false, false}, {x86asm.JL, 0xffffffff, 1, 4, false, true},
		{x86asm.JAE, 5, 5, 8, false, true}, {x86asm.JB, 4, 5, 8, false, true}, {x86asm.JBE, 6, 5, 8, false, false},
		{x86asm.JGE, 5, 5, 4, false, true}, {x86asm.JLE, 0x80, 0, 1, false, true},
		{x86asm.JE, 4, 3, 8, true, true}, {x86asm.JNE, 4, 4, 8, true, true}, {x86asm.JS, 0x80, 0x80, 1, true, true},
		{x86asm.JNS, 0x80, 0x80, 2, true, true}, {x86asm.JBE, 4, 4, 8, true, false}, {x86asm.JA, 4, 4, 8, true, true},
	} {
		c := condition{flags: flags{size: test.size, test: test.test}, op: test.op}
		if yes, ok := c.goes(test.a, test.b); !ok || yes != test.yes {
			t.Errorf("%v of %#x, %#x: %v, %v", test.op, test.a, test.b, yes, ok)
		}
	}
	c := condition{flags: flags{size: 8, zeroOnly: true}, op: x86asm.JA}
	if _, ok := c.goes(1, 0); ok {
		t.Error("arithmetic tells what it does not")
	}
}
