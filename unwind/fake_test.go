package unwind

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/kdive/kdive/debuginfo"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/kernel/kerneltest"
)

const (
	textAt  = 0xffffffff81000000
	ipsAt   = 0xffffffff82000000
	rowsAt  = 0xffffffff82100000
	stackAt = 0xffffc90000010000
	stackSz = 0x4000
	irqAt   = 0xffffc90000100000
	ceaAt   = 0xfffffe0000001000
	percpu  = 0x8000
)

// The layouts of struct orc_entry and the numbers used with them.
type orcLayout struct {
	name  string
	decl  string
	sp    uint32 // number of RSP
	prev  uint32
	spInd uint32
	kinds map[Kind]uint32
	flag  uint32 // bit of end or signal
}

var orcLayouts = []orcLayout{
	{"two bits and end", `struct orc_entry { s16 sp_offset; s16 bp_offset; unsigned sp_reg : 4; unsigned bp_reg : 4; unsigned type : 2; unsigned end : 1; };`,
		5, 1, 9, map[Kind]uint32{KindCall: 0, KindRegs: 1, KindIret: 2}, 1 << 10},
	{"two bits", `struct orc_entry { s16 sp_offset; s16 bp_offset; unsigned sp_reg : 4; unsigned bp_reg : 4; unsigned type : 2; };`,
		5, 1, 9, map[Kind]uint32{KindCall: 0, KindRegs: 1, KindIret: 2}, 0},
	{"three bits", `struct orc_entry { s16 sp_offset; s16 bp_offset; unsigned sp_reg : 4; unsigned bp_reg : 4; unsigned type : 3; unsigned signal : 1; };`,
		5, 1, 9, map[Kind]uint32{KindEnd: 1, KindCall: 2, KindRegs: 3, KindIret: 4}, 1 << 11},
	{"renumbered", `struct orc_entry { s16 sp_offset; s16 bp_offset; unsigned sp_reg : 4; unsigned bp_reg : 4; unsigned type : 3; unsigned signal : 1; };`,
		3, 8, 9, map[Kind]uint32{KindEnd: 1, KindCall: 2, KindRegs: 3, KindIret: 4}, 1 << 11},
}

const commonDecls = `
	struct inactive_task_frame { unsigned long r15, r14, r13, r12, bx, bp, ret_addr; };
	struct module { int state; };
	struct cea_exception_stacks { char NMI_stack_guard[4096]; char NMI_stack[8192]; char DF_stack_guard[4096]; char DF_stack[8192]; };
	struct entry_stack_page { char stack[4096]; };
	struct cpu_entry_area { char gdt[4096]; struct entry_stack_page entry_stack_page; struct cea_exception_stacks estacks; };
	struct irq_stack { char stack[16384]; };`

// fakeKernel has text at textAt, ORC and stacks. Symbols are functions.
type fakeKernel struct {
	*kerneltest.Kernel
	l    orcLayout
	rows []fakeRow
}

type fakeRow struct {
	ip     uint64
	sp, bp int16
	spReg  uint32 // 0: nothing known
	bpReg  uint32
	kind   Kind
}

func newFake(t testing.TB, l orcLayout) *fakeKernel {
	k := &fakeKernel{Kernel: kerneltest.New(t, l.decl, commonDecls), l: l}
	k.Possible, k.PerCPU = []int{0, 1}, []uint64{percpu, percpu + 0x10000}
	k.DefineSymbol("_stext", textAt)
	k.DefineSymbol("_etext", textAt+0x100000)
	k.Map(textAt, 0x10000)
	k.DefineSymbol("hardirq_stack_ptr", 0x100)
	k.DefineSymbol("cea_exception_stacks", 0x108)
	for cpu, off := range k.PerCPU {
		k.Words(off+0x100, irqAt+uint64(cpu)*0x10000+0x4000-8, ceaAt+uint64(cpu)*0x100000+0x2000)
		k.Map(irqAt+uint64(cpu)*0x10000, 0x4000)
		k.Map(ceaAt+uint64(cpu)*0x100000, 0x8000)
	}
	k.Map(stackAt, stackSz)
	return k
}

// ModuleAt implements View.
func (k *fakeKernel) ModuleAt(uint64) *kernel.Module { return nil }

// InfoAt implements View.
func (k *fakeKernel) InfoAt(uint64) (*debuginfo.Info, uint64, error) {
	return nil, 0, errors.New("no debug info")
}

// FindSymbol implements View.
func (k *fakeKernel) FindSymbol(addr uint64) (kernel.Symbol, bool) {
	name, off, ok := k.SymbolAt(addr)
	return kernel.Symbol{Symbol: debuginfo.Symbol{Name: name, Addr: addr - off, Type: 't'}}, ok
}

// function defines a function n with a frame of size bytes after its first 16
// bytes of code, and returns a return address in it, behind a call.
func (k *fakeKernel) function(n int, name string, frame int16) uint64 {
	at := textAt + uint64(n)*0x1000
	k.DefineSymbol(name, at)
	k.rows = append(k.rows, fakeRow{ip: at, sp: 8, spReg: k.l.sp, kind: KindCall},
		fakeRow{ip: at + 0x10, sp: 8 + frame, spReg: k.l.sp, kind: KindCall})
	k.Bytes(at+0x100-5, []byte{0xe8, 0, 0, 0, 0})
	return at + 0x100
}

// last changes the row of a function's body.
func (k *fakeKernel) last(f func(*fakeRow)) { f(&k.rows[len(k.rows)-1]) }

// unwinder writes the ORC tables and makes an unwinder.
func (k *fakeKernel) unwinder(running ...Thread) *Unwinder {
	for i, r := range k.rows {
		k.Bytes(ipsAt+uint64(i)*4, binary.LittleEndian.AppendUint32(nil, uint32(r.ip-ipsAt-uint64(i)*4)))
		k.Bytes(rowsAt+uint64(i)*8, k.l.encode(r))
	}
	n := uint64(len(k.rows))
	k.DefineSymbol("__start_orc_unwind_ip", ipsAt)
	k.DefineSymbol("__stop_orc_unwind_ip", ipsAt+n*4)
	k.DefineSymbol("__start_orc_unwind", rowsAt)
	k.DefineSymbol("__stop_orc_unwind", rowsAt+n*8)
	return New(k, Config{StackSize: stackSz, Running: running})
}

func (l *orcLayout) encode(r fakeRow) []byte {
	b := binary.LittleEndian.AppendUint16(nil, uint16(r.sp))
	b = binary.LittleEndian.AppendUint16(b, uint16(r.bp))
	bits := r.spReg | r.bpReg<<4
	switch {
	case r.kind == KindEnd && l.kinds[KindEnd] == 0:
		bits = l.flag
	case r.kind == KindRegs || r.kind == KindIret:
		bits |= l.kinds[r.kind] << 8
		if l.kinds[KindEnd] != 0 {
			bits |= l.flag // signal
		}
	case r.spReg != 0 || r.kind == KindEnd:
		bits |= l.kinds[r.kind] << 8
	}
	return binary.LittleEndian.AppendUint32(b, bits)
}

// regs writes a struct pt_regs; each register but those given is 0x100 plus its
// number.
func (k *fakeKernel) regs(at, ip, cs, sp uint64) {
	for i, r := range ptRegsOrder {
		k.Words(at+uint64(i)*8, 0x100+uint64(r))
	}
	ss := uint64(kernelSS)
	if cs != kernelCS {
		ss = userSS
	}
	k.Words(at+15*8, ^uint64(0), ip, cs, 0x246, sp, ss)
}

// sleeping makes a thread that gave up the CPU in the function of pc.
func (k *fakeKernel) sleeping(sp, pc uint64) Thread {
	k.Words(sp, 15, 14, 13, 12, 3, 6, pc)
	return Thread{Addr: 1, Stack: stackAt, SP: sp}
}
