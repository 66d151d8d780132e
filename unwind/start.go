package unwind

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
	"github.com/kdive/kdive/vmcore"
)

// startNeeds is what a task leaves on its stack when it gives up the CPU
// (struct inactive_task_frame, arch/x86/include/asm/switch_to.h), and where the
// kernel saves registers when it crashes.
type startNeeds struct {
	R15   kernel.Field `need:"inactive_task_frame.r15"`
	R14   kernel.Field `need:"inactive_task_frame.r14"`
	R13   kernel.Field `need:"inactive_task_frame.r13"`
	R12   kernel.Field `need:"inactive_task_frame.r12"`
	BX    kernel.Field `need:"inactive_task_frame.bx"`
	BP    kernel.Field `need:"inactive_task_frame.bp"`
	Ret   kernel.Field `need:"inactive_task_frame.ret_addr"`
	Notes kernel.Sym   `need:"?crash_notes"`
}

// inactive is the first frame of a task that did not run.
func (u *Unwinder) inactive(t *Thread, m memory) (Frame, error) {
	n := &u.start
	if !n.Ret.Present() {
		return Frame{}, errors.New("the layout of inactive_task_frame is not known")
	}
	size := uint64(n.Ret.Offset) + 8
	s := u.taskStack(t)
	if !s.Has(t.SP, size) {
		return Frame{}, fmt.Errorf("thread.sp %#x does not point into the stack [%#x-%#x]", t.SP, s.Low, s.High)
	}
	f := Frame{Slot: n.Ret.At(t.SP), Stack: s}
	var errs []error
	for _, r := range []struct {
		reg   Reg
		field *kernel.Field
	}{{R15, &n.R15}, {R14, &n.R14}, {R13, &n.R13}, {R12, &n.R12}, {RBX, &n.BX}, {RBP, &n.BP}, {RIP, &n.Ret}} {
		v, err := m.word(r.field.At(t.SP))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		f.Regs.setSaved(r.reg, v, r.field.At(t.SP))
	}
	pc, ok := f.Regs.Get(RIP)
	if !ok {
		return f, errors.Join(errs...)
	}
	f.PC, f.SP = pc, t.SP+size
	f.Regs.Set(RSP, f.SP)
	// A task that never ran returns to the first instruction of a function.
	if _, off, ok := u.v.SymbolAt(pc); ok && off == 0 {
		f.Exact = true
	}
	return f, nil
}

// cpuState is the registers of a CPU from the dump's notes.
type cpuState struct {
	regs *PtRegs
	why  string // why there are none
}

// matchStates finds out which CPU each set of registers is of: the kernel's own
// notes are per CPU; of those in the dump the base of the per-CPU area (GS), the
// stack pointer or the PID tells. Their order alone proves nothing: a CPU that
// could not be stopped has no note.
func (u *Unwinder) matchStates(running []Thread) []cpuState {
	cpus, _ := u.v.PossibleCPUs()
	if len(cpus) == 0 {
		return nil
	}
	states := make([]cpuState, cpus[len(cpus)-1]+1)
	dump := u.v.CPUStates()
	for i := range dump {
		u.outside = u.outside || dump[i].HasQEMU
	}
	taken := make([]bool, len(dump))
	for _, cpu := range cpus {
		s := &states[cpu]
		var t *Thread
		if cpu < len(running) {
			t = &running[cpu]
		}
		for i := range dump {
			if !taken[i] && u.belongs(&dump[i], cpu, t) {
				s.regs, taken[i] = fromState(&dump[i], i), true
				break
			}
		}
		if s.regs != nil {
			continue
		}
		if s.regs, s.why = u.crashNote(cpu); s.regs == nil && s.why == "" {
			s.why = fmt.Sprintf("the dump has no registers of CPU %d", cpu)
			if len(dump) > 0 {
				s.why = fmt.Sprintf("none of the dump's %d register notes can be told to be of CPU %d", len(dump), cpu)
			}
		}
	}
	return states
}

// belongs reports whether registers are of a CPU.
func (u *Unwinder) belongs(s *vmcore.CPUState, cpu int, t *Thread) bool {
	if !s.HasPRStatus && !s.HasQEMU {
		return false
	}
	if s.HasQEMU {
		if off, err := u.v.PerCPUOffset(cpu); err == nil && off != 0 {
			if s.HasKernelGS && s.KernelGSBase == off || s.Regs.GsBase == off {
				return true
			}
		}
	}
	for i := range u.stacks {
		if st := &u.stacks[i]; st.CPU == cpu && st.Has(s.Regs.Rsp, 0) {
			return true
		}
	}
	if t == nil || t.Addr == 0 {
		return false
	}
	if st := u.taskStack(t); st != nil && st.Has(s.Regs.Rsp, 0) {
		return true
	}
	return !s.HasQEMU && s.PID != 0 && s.PID == t.PID
}

func fromState(s *vmcore.CPUState, i int) *PtRegs {
	r := &s.Regs
	p := &PtRegs{CS: r.Cs & segmentMask, SS: r.Ss & segmentMask, Flags: r.Eflags, OrigRAX: r.OrigRax, Note: fmt.Sprintf("register note %d", i)}
	for n, v := range [numRegs]uint64{RAX: r.Rax, RDX: r.Rdx, RCX: r.Rcx, RBX: r.Rbx, RSI: r.Rsi, RDI: r.Rdi, RBP: r.Rbp, RSP: r.Rsp,
		R8: r.R8, R9: r.R9, R10: r.R10, R11: r.R11, R12: r.R12, R13: r.R13, R14: r.R14, R15: r.R15, RIP: r.Rip} {
		p.Set(Reg(n), v)
	}
	return p
}

// Sizes in an ELF note and in struct elf_prstatus (include/linux/elfcore.h).
const (
	noteHeader   = 12 + 8 // with the name "CORE"
	prstatusRegs = 112
	prstatusSize = 336
)

// crashNote is what the kernel saved of a CPU when it crashed
// (crash_save_cpu, kernel/crash_core.c).
func (u *Unwinder) crashNote(cpu int) (*PtRegs, string) {
	if u.start.Notes == 0 {
		return nil, ""
	}
	p, err := value.Word(u.v, uint64(u.start.Notes))
	off, err2 := u.v.PerCPUOffset(cpu)
	if err != nil || err2 != nil || p == 0 {
		return nil, ""
	}
	var b [noteHeader + prstatusSize]byte
	if err := u.v.Read(b[:], p+off); err != nil {
		return nil, fmt.Sprintf("crash_notes of CPU %d: %v", cpu, err)
	}
	le := binary.LittleEndian
	if le.Uint32(b[:]) != 5 || le.Uint32(b[4:]) < prstatusSize || le.Uint32(b[8:]) != vmcore.NTPRStatus || string(b[12:17]) != "CORE\x00" {
		return nil, ""
	}
	r := decodeRegs(b[noteHeader+prstatusRegs:])
	r.Note = "crash_notes"
	return r, ""
}

// decodeRegs decodes a struct pt_regs, whose layout the registers in a note
// share.
func decodeRegs(b []byte) *PtRegs {
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(b[i*8:]) }
	p := &PtRegs{OrigRAX: word(15), CS: word(17) & segmentMask, Flags: word(18), SS: word(20) & segmentMask}
	for i, r := range ptRegsOrder {
		p.Set(r, word(i))
	}
	p.Set(RIP, word(16))
	p.Set(RSP, word(19))
	return p
}

// Registers of a CPU from the dump's notes; nil with the reason if there are
// none that are known to be of it.
func (u *Unwinder) Registers(cpu int) (*PtRegs, string) {
	if cpu < 0 || cpu >= len(u.states) {
		return nil, fmt.Sprintf("there is no CPU %d", cpu)
	}
	return u.states[cpu].regs, u.states[cpu].why
}
