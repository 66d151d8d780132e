package unwind

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/kdive/kdive/vmcore"
)

func TestRegistersBelongToCPUs(t *testing.T) {
	k := newFake(t, orcLayouts[2])
	k.Possible, k.PerCPU = []int{0, 1, 2, 3}, []uint64{percpu, percpu + 0x10000, percpu + 0x20000, percpu + 0x30000}
	k.Words(percpu+0x20100, 0, 0)
	k.Words(percpu+0x30100, 0, 0)
	running := []Thread{{Addr: 1, Stack: 0xffffc90000200000}, {Addr: 2, Stack: 0xffffc90000300000}, {Addr: 3, Stack: 0xffffc90000400000, PID: 77}, {Addr: 4, Stack: 0xffffc90000500000}}
	// In another order than the CPUs, and one is missing.
	k.CPUs = []vmcore.CPUState{
		{HasPRStatus: true, PID: 77, Regs: vmcore.Regs{Rax: 2, Rsp: 0x7fff0000, Cs: userCS}},
		{HasPRStatus: true, Regs: vmcore.Regs{Rax: 1, Rsp: irqAt + 0x10000 + 0x100}},
		{HasPRStatus: true, Regs: vmcore.Regs{Rax: 0, Rsp: 0xffffc90000200100}},
		{HasPRStatus: true, Regs: vmcore.Regs{Rax: 9, Rsp: 0x1234}},
	}
	u := k.unwinder(running...)
	for cpu := range 3 {
		if r, why := u.Registers(cpu); r == nil {
			t.Errorf("CPU %d: %s", cpu, why)
		} else if v, _ := r.Get(RAX); v != uint64(cpu) {
			t.Errorf("CPU %d has the registers of %d", cpu, v)
		}
	}
	if r, why := u.Registers(3); r != nil || why != "none of the dump's 4 register notes can be told to be of CPU 3" {
		t.Error(r, why)
	}
	if _, why := u.Registers(9); why != "there is no CPU 9" {
		t.Error(why)
	}
	// The base of the per-CPU area tells in user mode, too.
	k.CPUs = []vmcore.CPUState{{HasPRStatus: true, HasQEMU: true, HasKernelGS: true, KernelGSBase: percpu + 0x30000, Regs: vmcore.Regs{Rax: 3, Cs: userCS}}}
	u = k.unwinder(running...)
	if r, _ := u.Registers(3); r == nil {
		t.Error("not matched by the base of the per-CPU area")
	} else if tr := u.Trace(Thread{Addr: 4, Running: true, CPU: 3}); !tr.Complete || tr.User != r || tr.Frames != nil {
		t.Errorf("%+v", tr)
	}
	if tr := u.Trace(Thread{Addr: 1, CPU: 0, Running: true}); tr.Err == nil || !strings.Contains(tr.Err.Error(), "CPU 0") {
		t.Error(tr.Err)
	}
}

// note stores what crash_save_cpu does.
func (k *fakeKernel) note(at uint64, ip, cs, sp uint64) {
	b := binary.LittleEndian.AppendUint32(nil, 5)
	b = binary.LittleEndian.AppendUint32(b, prstatusSize)
	b = binary.LittleEndian.AppendUint32(b, vmcore.NTPRStatus)
	k.Bytes(at, append(b, "CORE\x00\x00\x00\x00"...))
	k.Map(at, noteHeader+prstatusSize)
	k.regs(at+noteHeader+prstatusRegs, ip, cs, sp)
}

func TestAfterTheCrash(t *testing.T) {
	k := newFake(t, orcLayouts[2])
	kexec := k.function(1, "machine_kexec", 0x20)
	crash := k.function(2, "__crash_kexec", 0x30)
	end := k.function(3, "panic_entry", 0)
	k.last(func(r *fakeRow) { r.kind, r.spReg = KindEnd, 0 })
	callback := k.function(4, "crash_nmi_callback", 0x10)
	nmi := k.function(5, "asm_exc_nmi", 0)
	k.last(func(r *fakeRow) { r.kind, r.sp = KindRegs, 0 })
	k.DefineSymbol("crash_notes", 0x5000)
	k.Words(0x5000, 0x200)

	// CPU 0 saved its registers in __crash_kexec and called machine_kexec.
	sp := uint64(stackAt + 0x2000)
	k.note(0x200+percpu, crash-0x40, kernelCS, sp)
	k.Words(sp-8-0x20-8, kexec)
	k.Words(sp-8, crash)
	k.Words(sp+0x30, end)
	k.Words(sp-0x200, kexec) // stale: it leads nowhere
	// CPU 1 was in user space and waits in the NMI handler.
	const other = 0xffffc90000300000
	k.Map(other, stackSz)
	regs := uint64(other + stackSz - ptRegsSize)
	k.note(0x200+percpu+0x10000, 0x401000, userCS, 0x7fff0000)
	k.regs(regs, 0x401000, userCS, 0x7fff0000)
	k.Words(regs-8, nmi)
	k.Words(regs-8-0x18, callback)

	a, b := Thread{Addr: 1, Stack: stackAt, Running: true}, Thread{Addr: 2, Stack: other, CPU: 1, Running: true}
	u := k.unwinder(a, b)
	if got := show(u, u.Trace(a)); got != "machine_kexec@11fd0 __crash_kexec@11ff8 panic_entry@12030 end" {
		t.Error(got)
	}
	if got := show(u, u.Trace(b)); got != "crash_nmi_callback@3f38 asm_exc_nmi@3f50 user 401000" && got != "crash_nmi_callback@303f38 asm_exc_nmi@303f50 user 401000" {
		t.Error(got)
	}
	// Without the frames below, the registers alone.
	k.Words(sp-8-0x20-8, 0)
	k.Words(regs-8, 0)
	if got := show(u, u.Trace(a)); got != "__crash_kexec@registers panic_entry@12030 end" {
		t.Error(got)
	}
	if got := show(u, u.Trace(b)); got != "user 401000" {
		t.Error(got)
	}
}

func TestSavedRegisters(t *testing.T) {
	k := newFake(t, orcLayouts[2])
	k.function(1, "f", 0)
	k.regs(stackAt+0x100, textAt+0x1010, kernelCS, stackAt+0x200)
	k.regs(stackAt+0x400, 0x401000, userCS, 0x7fff0000)
	k.regs(stackAt+0x800, 0x401000, kernelCS, stackAt+0x900) // no kernel code
	k.regs(stackAt+0xc00, textAt+0x1010, 0x18, stackAt+0xd00)
	k.regs(stackAt+0xe00, 0, kernelCS, stackAt+0xe00+ptRegsSize)      // a null pointer was called
	k.regs(stackAt+0x1000, 0, kernelCS, stackAt+0x1000+ptRegsSize+16) // not there
	u := k.unwinder()
	s, ok := u.TaskStack(Thread{Stack: stackAt})
	list, err := u.SavedRegisters(s)
	if !ok || err != nil || len(list) != 3 || list[2].Addr != stackAt+0xe00 || list[0].Addr != stackAt+0x100 || list[1].Addr != stackAt+0x400 || !list[1].User() {
		t.Error(list, err)
	}
	if _, ok := u.TaskStack(Thread{}); ok {
		t.Error("a freed stack")
	}
}
