package disasm

import "testing"

// regs makes a set from register numbers.
func regs(numbers ...int) (set RegSet) {
	for _, n := range numbers {
		set |= 1 << n
	}
	return set
}

func TestEffects(t *testing.T) {
	const rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 = 0, 1, 2, 3, 4, 5, 6, 7, 8
	for _, test := range []struct {
		name          string
		code          []byte
		reads, writes RegSet
		mem           bool
	}{
		{"mov %rsi,%rdi", []byte{0x48, 0x89, 0xf7}, regs(rsi), regs(rdi), false},
		{"mov %sil,%dil", []byte{0x40, 0x88, 0xf7}, regs(rsi, rdi), regs(rdi), false},
		{"mov %ah,(%rbx,%rcx,8)", []byte{0x88, 0x24, 0xcb}, regs(rax, rbx, rcx), 0, true},
		{"mov 0x10(%rdi),%eax", []byte{0x8b, 0x47, 0x10}, regs(rdi), regs(rax), false},
		{"lea (%rdi,%rsi,1),%rax", []byte{0x48, 0x8d, 0x04, 0x37}, regs(rdi, rsi), regs(rax), false},
		{"add %rsi,(%rdi)", []byte{0x48, 0x01, 0x37}, regs(rsi, rdi), Flags, true},
		{"cmp %rsi,(%rdi)", []byte{0x48, 0x39, 0x37}, regs(rsi, rdi), Flags, false},
		{"xchg %rsi,(%rdi)", []byte{0x48, 0x87, 0x37}, regs(rsi, rdi), regs(rsi), true},
		{"push %rbp", []byte{0x55}, regs(rsp, rbp), regs(rsp), true},
		{"pop %rbp", []byte{0x5d}, regs(rsp), regs(rsp, rbp), false},
		{"leave", []byte{0xc9}, regs(rbp), regs(rsp, rbp), false},
		{"call *%rax", []byte{0xff, 0xd0}, regs(rax, rsp), regs(rsp), true},
		{"mul %rsi", []byte{0x48, 0xf7, 0xe6}, regs(rax, rsi), regs(rax, rdx) | Flags, false},
		{"imul %rsi", []byte{0x48, 0xf7, 0xee}, regs(rax, rsi), regs(rax, rdx) | Flags, false},
		{"imul $3,%rsi,%rdi", []byte{0x48, 0x6b, 0xfe, 0x03}, regs(rsi), regs(rdi) | Flags, false},
		{"div %r8", []byte{0x49, 0xf7, 0xf0}, regs(rax, rdx, r8), regs(rax, rdx) | Flags, false},
		{"rep movsq", []byte{0xf3, 0x48, 0xa5}, regs(rcx, rsi, rdi) | Flags, regs(rcx, rsi, rdi), true},
		{"rep stos %al", []byte{0xf3, 0xaa}, regs(rax, rcx, rdi) | Flags, regs(rcx, rdi), true},
		{"cmovne %rsi,%rdi", []byte{0x48, 0x0f, 0x45, 0xfe}, regs(rsi, rdi) | Flags, regs(rdi), false},
		{"lock cmpxchg %rsi,(%rdi)", []byte{0xf0, 0x48, 0x0f, 0xb1, 0x37}, regs(rax, rsi, rdi), regs(rax) | Flags, true},
		{"cpuid", []byte{0x0f, 0xa2}, regs(rax, rcx), regs(rax, rbx, rcx, rdx), false},
		{"rdpkru", []byte{0x0f, 0x01, 0xee}, regs(rcx), regs(rax, rdx), false},
		{"vmcall", []byte{0x0f, 0x01, 0xc1}, AllRegs, AllRegs, true},
		{"adox %rsi,%rdi", []byte{0xf3, 0x48, 0x0f, 0x38, 0xf6, 0xfe}, regs(rsi, rdi) | Flags, regs(rdi) | Flags, false},
		{"mulx %rsi,%rdi,%rax", []byte{0xc4, 0xe2, 0xc3, 0xf6, 0xc6}, regs(rdx, rsi), regs(rdi, rax), false},
		{"lar %esi,%edi", []byte{0x0f, 0x02, 0xfe}, regs(rsi, rdi), regs(rdi) | Flags, false}, // keeps %edi if it fails
		{"monitor", []byte{0x0f, 0x01, 0xc8}, regs(rax, rcx, rdx), 0, false},
		{"umonitor %rsi", []byte{0xf3, 0x0f, 0xae, 0xf6}, regs(rsi), 0, false},
		{"lods (%rsi),%al", []byte{0xac}, regs(rax, rsi) | Flags, regs(rax, rsi), false},
		{"scas (%rdi),%al", []byte{0xae}, regs(rax, rdi) | Flags, regs(rdi) | Flags, false},
		{"bts %rsi,(%rdi)", []byte{0x48, 0x0f, 0xab, 0x37}, regs(rsi, rdi), Flags, true},
		{"sete %al", []byte{0x0f, 0x94, 0xc0}, regs(rax) | Flags, regs(rax), false},
		{"movq %xmm0,%rax", []byte{0x66, 0x48, 0x0f, 0x7e, 0xc0}, 0, regs(rax), false},
		{"syscall", []byte{0x0f, 0x05}, AllRegs, regs(rcx, 11) | Flags, true},
		{"rdtscp", []byte{0x0f, 0x01, 0xf9}, 0, regs(rax, rcx, rdx), false},
		{"nopl (%rax)", []byte{0x0f, 0x1f, 0x00}, regs(rax), 0, false},
		{"endbr64", []byte{0xf3, 0x0f, 0x1e, 0xfa}, 0, 0, false},
		{"(bad)", []byte{0x06}, AllRegs, AllRegs, true},
	} {
		in := decode(t, 0, test.code...)
		if got := in.Reads(); got != test.reads {
			t.Errorf("%s reads %#x, want %#x", test.name, got, test.reads)
		}
		if got := in.Writes(); got != test.writes {
			t.Errorf("%s writes %#x, want %#x", test.name, got, test.writes)
		}
		if got := in.WritesMem(); got != test.mem {
			t.Errorf("%s writes memory: %v", test.name, got)
		}
	}
}

func TestGPR(t *testing.T) {
	for name, want := range map[string][3]int{
		"rax": {0, 8, 0}, "eax": {0, 4, 0}, "ax": {0, 2, 0}, "al": {0, 1, 0}, "ah": {0, 1, 8}, "bh": {3, 1, 8},
		"spl": {4, 1, 0}, "dil": {7, 1, 0}, "r15": {15, 8, 0}, "r15d": {15, 4, 0}, "r15w": {15, 2, 0}, "r15b": {15, 1, 0},
	} {
		n, size, shift, ok := namedReg(name).GPR()
		if got := [3]int{n, size, shift}; !ok || got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if _, _, _, ok := namedReg("xmm0").GPR(); ok {
		t.Error("xmm0 is no general register")
	}
}
