package symbolic

import (
	"encoding/hex"
	"errors"
	"testing"
)

const (
	codeAt  = 0xffffffff81000000
	stackTo = 0xffffc90000003f00
)

// far is what a call or jump to elsewhere has as its distance.
func assemble(t testing.TB, code string) Code {
	t.Helper()
	b, err := hex.DecodeString(code)
	if err != nil {
		t.Fatal(err)
	}
	return Code{Entry: codeAt, Pieces: []Piece{{codeAt, b}}}
}

func analyze(t testing.TB, c Code) *Func {
	t.Helper()
	f, err := Analyze(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var regNumbers = map[string]int{"rax": rax, "rcx": rcx, "rdx": rdx, "rbx": rbx, "rsp": rsp, "rbp": rbp, "rsi": rsi, "rdi": rdi}

// known makes facts of what registers, entry registers and memory hold.
func known(s State, regs, entry map[string]uint64, mem map[uint64]uint64) *Facts {
	get := func(m map[string]uint64) func(int) (Value, bool) {
		return func(n int) (Value, bool) {
			for name, v := range m {
				if regNumbers[name] == n {
					return Value{Bits: v}, true
				}
			}
			return Value{}, false
		}
	}
	return &Facts{State: s, Reg: get(regs), Entry: get(entry), Stack: stackTo, StackKnown: true,
		Read: func(addr uint64, size uint8) (uint64, bool, error) {
			v, ok := mem[addr]
			if !ok {
				return 0, false, errors.New("not mapped")
			}
			return v & sizeMask(size), false, nil
		}}
}

func TestValues(t *testing.T) {
	type words = map[string]uint64
	for _, test := range []struct {
		name    string
		code    string
		call    uint64 // offset of the call that runs
		objects []Extent
		regs    words
		entry   words
		mem     map[uint64]uint64
		want    string // register in front of the call; with "entry " in front, at the function's start
		value   uint64
		changed bool
		err     error
	}{
		// push %rbx; mov %rdi,%rbx; call; mov 8(%rbx),%rax; pop %rbx; ret
		{name: "an argument that a kept register holds", code: "534889fbe800100000488b43085bc3", call: 4, regs: words{"rbx": 0x1234}, want: "entry rdi", value: 0x1234},
		{name: "the argument of the call", code: "534889fbe800100000488b43085bc3", call: 4, regs: words{"rbx": 0x1234}, want: "rdi", value: 0x1234},
		{name: "a register that was pushed", code: "534889fbe800100000488b43085bc3", call: 4, mem: map[uint64]uint64{stackTo - 8: 77}, want: "entry rbx", value: 77},
		{name: "nothing holds it", code: "534889fbe800100000488b43085bc3", call: 4, regs: words{"rbx": 0x1234}, want: "entry rsi", err: ErrUnknown},

		// push %rbx; sub $16,%rsp; mov %rdi,8(%rsp); mov %rsi,%rbx; mov $7,%edi; call; mov 8(%rsp),%rax; add $16,%rsp; pop %rbx; ret
		{name: "spilled to the stack", code: "534883ec1048897c24084889f3bf07000000e800100000488b4424084883c4105bc3", call: 0x12,
			mem: map[uint64]uint64{stackTo - 16: 0xabc}, want: "entry rdi", value: 0xabc},
		{name: "a constant", code: "534883ec1048897c24084889f3bf07000000e800100000488b4424084883c4105bc3", call: 0x12, want: "rdi", value: 7},

		// push %rbx; sub $32,%rsp; mov %rdi,24(%rsp); lea 8(%rsp),%rdi; movq $1,8(%rsp); call; mov 24(%rsp),%rax; mov 8(%rsp),%rcx; call; ...
		{name: "the address of the slot's neighbour is given away", code: "534883ec2048897c2418488d7c240848c744240801000000e800100000488b442418488b4c2408e8001000004883c4205bc3",
			call: 0x27, objects: []Extent{{-32, -24}}, mem: map[uint64]uint64{stackTo - 16: 0xabc}, want: "rax", value: 0xabc},
		{name: "what was given away is only what it is now", code: "534883ec2048897c2418488d7c240848c744240801000000e800100000488b442418488b4c2408e8001000004883c4205bc3",
			call: 0x27, objects: []Extent{{-32, -24}}, mem: map[uint64]uint64{stackTo - 32: 2}, want: "rcx", err: ErrUnknown},
		{name: "nobody knows how much is given away", code: "534883ec2048897c2418488d7c240848c744240801000000e800100000488b442418488b4c2408e8001000004883c4205bc3",
			call: 0x27, mem: map[uint64]uint64{stackTo - 16: 0xabc}, want: "rax", err: ErrUnknown},

		// push %rbx; test %rdi,%rdi; je 1f; mov %rsi,%rbx; jmp 2f; 1: mov %rdx,%rbx; 2: call; pop %rbx; ret
		{name: "paths differ", code: "534885ff74054889f3eb034889d3e8001000005bc3", call: 0xe, regs: words{"rbx": 5}, want: "entry rsi", err: ErrUnknown},
		{name: "paths differ, but the register is known", code: "534885ff74054889f3eb034889d3e8001000005bc3", call: 0xe, regs: words{"rbx": 5}, want: "rbx", value: 5},

		{name: "one path contradicts the register", code: "534885ff74054889f3eb034889d3e8001000005bc3", call: 0xe, regs: words{"rbx": 5}, entry: words{"rdx": 7}, want: "entry rsi", value: 5},
		{name: "one path contradicts its branch", code: "534885ff74054889f3eb034889d3e8001000005bc3", call: 0xe, regs: words{"rbx": 5}, entry: words{"rdi": 0}, want: "entry rdx", value: 5},
		{name: "all paths contradict", code: "534885ff74054889f3eb034889d3e8001000005bc3", call: 0xe, regs: words{"rbx": 5}, entry: words{"rdx": 7, "rsi": 8}, want: "entry rdi", err: ErrContradiction},
		// push %rbx; mov %rdi,%rbx; cmp $-4096,%rdi; ja 1f; mov %rsi,%rbx; 1: call; pop %rbx; ret
		{name: "a comparison that is false", code: "534889fb4881ff00f0ffff77034889f3e8001000005bc3", call: 0x10, regs: words{"rbx": 5}, entry: words{"rdi": 5}, want: "entry rsi", value: 5},
		{name: "a comparison that is true", code: "534889fb4881ff00f0ffff77034889f3e8001000005bc3", call: 0x10, regs: words{"rbx": ^uint64(0)}, entry: words{"rdi": ^uint64(0)}, want: "entry rsi", err: ErrUnknown},
		{name: "a comparison and a register contradict both", code: "534889fb4881ff00f0ffff77034889f3e8001000005bc3", call: 0x10, regs: words{"rbx": 5}, entry: words{"rdi": ^uint64(0)}, want: "entry rsi", err: ErrContradiction},
		{name: "a comparison of what the register says", code: "534889fb4881ff00f0ffff77034889f3e8001000005bc3", call: 0x10, regs: words{"rbx": 5}, want: "entry rsi", value: 5},

		// push %rbx; mov %rsi,%rbx; test %rdi,%rdi; je 1f; call; 1: call; pop %rbx; ret
		{name: "paths agree", code: "534889f34885ff7405e800100000e8001000005bc3", call: 0xe, regs: words{"rbx": 5}, want: "entry rsi", value: 5},
		{name: "one path called something", code: "534889f34885ff7405e800100000e8001000005bc3", call: 0xe, regs: words{"rbx": 5}, entry: words{"rdi": 6}, want: "rdi", err: ErrUnknown},

		// push %rbx; push %rbp; mov %rdi,%rbp; mov (%rdi),%rbx; 1: mov %rbx,%rdi; call; mov (%rbx),%rbx; test %rbx,%rbx; jne 1b; pop %rbp; pop %rbx; ret
		{name: "unchanged in a loop", code: "53554889fd488b1f4889dfe800100000488b1b4885db75f05d5bc3", call: 0xb, regs: words{"rbp": 5, "rbx": 9}, want: "entry rdi", value: 5},
		{name: "changes in a loop", code: "53554889fd488b1f4889dfe800100000488b1b4885db75f05d5bc3", call: 0xb, regs: words{"rbp": 5}, mem: map[uint64]uint64{5: 0xbad}, want: "rdi", err: ErrUnknown},
		{name: "its copy of this round", code: "53554889fd488b1f4889dfe800100000488b1b4885db75f05d5bc3", call: 0xb, regs: words{"rbp": 5, "rbx": 9}, want: "rdi", value: 9},

		// push %rbx; push %rbp; xor %ebp,%ebp; 1: mov %rbp,%rbx; call; mov %rax,%rbp; call; test %eax,%eax; jne 1b; ...
		{name: "the old value is not the new", code: "535531ed4889ebe8001000004889c5e80010000085c075ec5d5bc3", call: 0xf, regs: words{"rbx": 3}, want: "rbp", err: ErrUnknown},
		{name: "nor the new the old", code: "535531ed4889ebe8001000004889c5e80010000085c075ec5d5bc3", call: 0xf, regs: words{"rbp": 3}, want: "rbx", err: ErrUnknown},

		// push %rbx; lea -0x18(%rdi),%rbx; mov %edi,%esi; shr $3,%esi; call; pop %rbx; ret
		{name: "back from an offset", code: "53488d5fe889fec1ee03e8001000005bc3", call: 0xa, regs: words{"rbx": 0x1000}, want: "entry rdi", value: 0x1018},
		{name: "computed again", code: "53488d5fe889fec1ee03e8001000005bc3", call: 0xa, regs: words{"rbx": 0x1_0000_1000}, want: "rsi", value: 0x1018 >> 3},

		// push %rbx; mov %rdi,%rbx; push %rsi; push %rdx; call; add $16,%rsp; pop %rbx; ret
		{name: "a callee owns its arguments", code: "534889fb5652e8001000004883c4105bc3", call: 6, mem: map[uint64]uint64{stackTo - 24: 5, stackTo - 16: 6}, want: "entry rsi", err: ErrUnknown},

		// push %rbx; mov 0x10(%rdi),%rbx; call; mov %rbx,%rdi; pop %rbx; jmp
		{name: "read again", code: "53488b5f10e8001000004889df5be900000000", call: 5, entry: words{"rdi": 0x100}, mem: map[uint64]uint64{0x110: 42}, want: "rbx", value: 42, changed: true},
		{name: "not read again if a register holds it", code: "53488b5f10e8001000004889df5be900000000", call: 5, regs: words{"rbx": 41}, entry: words{"rdi": 0x100}, mem: map[uint64]uint64{0x110: 42}, want: "rbx", value: 41},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := assemble(t, despace(test.code))
			c.Objects = test.objects
			f := analyze(t, c)
			s, ok := f.During(codeAt + test.call)
			if !ok {
				t.Fatal("no path leads there")
			}
			name, isEntry := cut(test.want)
			e := s.Regs[regNumbers[name]].Expr
			if isEntry {
				e = f.EntryOf(regNumbers[name])
			}
			facts := known(s, test.regs, test.entry, test.mem)
			facts.PC = codeAt + test.call
			v, err := f.Value(e, facts)
			if !errors.Is(err, test.err) || v.Bits != test.value || v.Changed != test.changed {
				t.Errorf("%s = %#x, changed %v, %v", test.want, v.Bits, v.Changed, err)
			}
		})
	}
}

func despace(s string) string {
	var b []byte
	for i := range len(s) {
		if s[i] != ' ' {
			b = append(b, s[i])
		}
	}
	return string(b)
}

func cut(s string) (string, bool) {
	if len(s) > 6 && s[:6] == "entry " {
		return s[6:], true
	}
	return s, false
}

func TestRefused(t *testing.T) {
	for name, code := range map[string]string{
		"bytes that are no instruction":     "5306",
		"a breakpoint in the code":          "53cc5bc3",
		"a call into the function":          "e80100000090c3",
		"a jump with the frame in place":    "53e900100000",
		"a jump nobody knows the target of": "53ffe0",
		"overlapping instructions":          "eb01b8c3909090c3",
		"an instruction cut off":            "5348",
	} {
		if name == "overlapping instructions" {
			code = "7401b89090909090c3"
		}
		if f, err := Analyze(assemble(t, code)); err == nil {
			t.Errorf("%s: no error, exits %v", name, f.Exits())
		}
	}
	if _, err := Analyze(Code{Entry: 5}); err == nil {
		t.Error("no code: no error")
	}
}

func FuzzAnalyze(f *testing.F) {
	for _, s := range []string{"534889fbe800100000488b43085bc3", "53554889fd488b1f4889dfe800100000488b1b4885db75f05d5bc3", "ff24c5000000817590", "f348ab6690ebf0", "4881ec00100000ebf7"} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, code []byte) {
		c := Code{Entry: codeAt, Pieces: []Piece{{codeAt, code}}, Objects: []Extent{{-64, -32}}}
		c.Table = func(addr uint64) (uint64, bool) { return codeAt + addr%64, addr%5 != 0 }
		c.Edges = func(pc uint64) []Edge {
			if pc%7 == 0 {
				return []Edge{{To: codeAt + pc*13%64, Fault: true, Clobbers: 1 << rax}}
			}
			return nil
		}
		fn, err := Analyze(c)
		if err != nil {
			return
		}
		for pc := uint64(codeAt); pc < codeAt+uint64(len(code)); pc++ {
			s, ok := fn.During(pc)
			if !ok {
				continue
			}
			facts := known(s, map[string]uint64{"rbx": 1, "rbp": 2}, map[string]uint64{"rdi": 3}, map[uint64]uint64{1: 1, 3: 3, stackTo - 8: 5})
			for n := range s.Regs {
				_, _ = fn.Value(s.Regs[n].Expr, facts)
			}
		}
	})
}
