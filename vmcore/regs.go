package vmcore

import (
	"encoding/binary"
	"fmt"
)

// Regs is the register set of struct user_regs_struct
// (arch/x86/include/asm/user_64.h), in its order.
type Regs struct {
	R15, R14, R13, R12, Rbp, Rbx, R11, R10, R9, R8    uint64
	Rax, Rcx, Rdx, Rsi, Rdi, OrigRax, Rip, Cs, Eflags uint64
	Rsp, Ss, FsBase, GsBase, Ds, Es, Fs, Gs           uint64
}

func (r *Regs) fields() [27]*uint64 {
	return [27]*uint64{
		&r.R15, &r.R14, &r.R13, &r.R12, &r.Rbp, &r.Rbx, &r.R11, &r.R10, &r.R9, &r.R8,
		&r.Rax, &r.Rcx, &r.Rdx, &r.Rsi, &r.Rdi, &r.OrigRax, &r.Rip, &r.Cs, &r.Eflags,
		&r.Rsp, &r.Ss, &r.FsBase, &r.GsBase, &r.Ds, &r.Es, &r.Fs, &r.Gs,
	}
}

// CPUState is what the dump's notes say of one CPU. CPUs stand in the order of
// their notes, which is that of their numbers; a kernel that could not stop a
// CPU may have written no note for it.
type CPUState struct {
	HasPRStatus bool
	PID         int32 // of the thread that ran; QEMU writes the CPU's number plus one
	Regs        Regs

	// QEMU's own note, with the state that a debugger outside the machine sees.
	HasQEMU            bool
	CR0, CR2, CR3, CR4 uint64
	GDTBase, IDTBase   uint64
	TRBase             uint64
	KernelGSBase       uint64
	HasKernelGS        bool // QEMU before 3.0 did not write it
}

// Sizes and offsets in struct elf_prstatus (include/linux/elfcore.h) and in
// QEMU's QEMUCPUState version 1 (target/i386/arch_dump.c).
const (
	prstatusSize = 336
	prstatusPID  = 32
	prstatusRegs = 112

	qemuVersion  = 1
	qemuMinSize  = 432
	qemuRegs     = 8
	qemuSegments = 152
	qemuCRs      = 392
	qemuKernelGS = 432
)

// maxCPUs is the largest NR_CPUS that x86 kernels can be built for.
const maxCPUs = 8192

// parseCPUs reads the CPUs' states out of the notes: the n-th PRSTATUS and the
// n-th QEMU note belong to the n-th CPU.
func parseCPUs(notes []Note) (cpus []CPUState, damaged []error) {
	status, qemu := 0, 0
	at := func(i *int) *CPUState {
		if *i == len(cpus) {
			cpus = append(cpus, CPUState{})
		}
		*i++
		return &cpus[*i-1]
	}
	for _, n := range notes {
		switch {
		case max(status, qemu) >= maxCPUs:
			return cpus, append(damaged, fmt.Errorf("notes of more than %d CPUs", maxCPUs))
		case n.Name == "CORE" && n.Type == NTPRStatus:
			c := at(&status)
			if len(n.Desc) < prstatusSize {
				damaged = append(damaged, fmt.Errorf("PRSTATUS note of CPU %d has %d bytes, not %d", status-1, len(n.Desc), prstatusSize))
				continue
			}
			c.prstatus(n.Desc)
		case n.Name == "QEMU" && n.Type == 0:
			c := at(&qemu)
			if err := c.qemu(n.Desc); err != nil {
				damaged = append(damaged, fmt.Errorf("QEMU note of CPU %d: %w", qemu-1, err))
			}
		}
	}
	return cpus, damaged
}

func (c *CPUState) prstatus(b []byte) {
	c.HasPRStatus = true
	c.PID = int32(binary.LittleEndian.Uint32(b[prstatusPID:]))
	for i, f := range c.Regs.fields() {
		*f = binary.LittleEndian.Uint64(b[prstatusRegs+8*i:])
	}
}

func (c *CPUState) qemu(b []byte) error {
	if len(b) < qemuMinSize {
		return fmt.Errorf("%d bytes are too few", len(b))
	}
	le := binary.LittleEndian
	if v := le.Uint32(b); v != qemuVersion {
		return fmt.Errorf("version %d is unknown", v)
	}
	u64 := func(at int) uint64 { return le.Uint64(b[at:]) }
	// A segment is selector, limit, flags, padding (32 bits each) and base;
	// they are cs ds es fs gs ss ldt tr gdt idt.
	base := func(i int) uint64 { return u64(qemuSegments + 24*i + 16) }
	c.HasQEMU = true
	c.TRBase, c.GDTBase, c.IDTBase = base(7), base(8), base(9)
	c.CR0, c.CR2, c.CR3, c.CR4 = u64(qemuCRs), u64(qemuCRs+16), u64(qemuCRs+24), u64(qemuCRs+32)
	if len(b) >= qemuKernelGS+8 {
		c.KernelGSBase, c.HasKernelGS = u64(qemuKernelGS), true
	}
	if !c.HasPRStatus {
		c.qemuRegisters(b, base)
	}
	return nil
}

// qemuRegisters fills Regs from the QEMU note where there is no PRSTATUS.
func (c *CPUState) qemuRegisters(b []byte, base func(int) uint64) {
	r := &c.Regs
	for i, f := range [...]*uint64{
		&r.Rax, &r.Rbx, &r.Rcx, &r.Rdx, &r.Rsi, &r.Rdi, &r.Rsp, &r.Rbp,
		&r.R8, &r.R9, &r.R10, &r.R11, &r.R12, &r.R13, &r.R14, &r.R15, &r.Rip, &r.Eflags,
	} {
		*f = binary.LittleEndian.Uint64(b[qemuRegs+8*i:])
	}
	for i, f := range [...]*uint64{&r.Cs, &r.Ds, &r.Es, &r.Fs, &r.Gs, &r.Ss} {
		*f = uint64(binary.LittleEndian.Uint32(b[qemuSegments+24*i:]))
	}
	r.FsBase, r.GsBase = base(3), base(4)
	r.OrigRax = ^uint64(0)
}
