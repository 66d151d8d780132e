package kernel

import (
	"encoding/binary"
	"fmt"
)

// perCPU is what turns the address of a per-CPU symbol into that of a CPU's
// copy. Symbols are offsets from zero on kernels whose __per_cpu_start is 0, and
// ordinary image addresses on later ones (6.15 and on); __per_cpu_offset is
// made to fit either.
type perCPU struct {
	start, end uint64   // run-time values of __per_cpu_start and __per_cpu_end
	offsets    []uint64 // by CPU number, up to the highest possible CPU
	possible   []int
	online     []int
	present    []int
	err        error
}

// maxCPUs bounds what is read of CPU masks and offset tables (the largest
// CONFIG_NR_CPUS on x86-64 is 8192).
const maxCPUs = 8192

func (p *perCPU) init(k *Kernel) {
	p.start, _ = k.Symbol("__per_cpu_start")
	p.end, _ = k.Symbol("__per_cpu_end")
	p.possible, p.err = k.cpuMask("__cpu_possible_mask")
	if k.Info == nil {
		p.err = ErrNoDebugInfo
	}
	if p.err != nil {
		return
	}
	p.online, _ = k.cpuMask("__cpu_online_mask")
	p.present, _ = k.cpuMask("__cpu_present_mask")
	table, ok := k.Symbol("__per_cpu_offset")
	if !ok {
		// A uniprocessor kernel: one copy, at the symbol itself.
		p.offsets, p.possible, p.online = []uint64{0}, []int{0}, []int{0}
		return
	}
	if len(p.possible) == 0 {
		p.err = fmt.Errorf("__cpu_possible_mask at %#x is empty", table)
		return
	}
	n := p.possible[len(p.possible)-1] + 1
	var b []byte
	if b, p.err = k.Bytes(table, n*8); p.err != nil {
		return
	}
	p.offsets = make([]uint64, n)
	for i := range p.offsets {
		p.offsets[i] = binary.LittleEndian.Uint64(b[i*8:])
	}
}

// cpuMask reads a struct cpumask; its size is that of the symbol's type.
func (k *Kernel) cpuMask(symbol string) ([]int, error) {
	addr, ok := k.Symbol(symbol)
	if !ok {
		return nil, fmt.Errorf("no symbol %s", symbol)
	}
	size := 8
	if t, err := k.StructType("cpumask"); err == nil && t.Size() > 0 {
		size = int(min(t.Size(), maxCPUs/8))
	}
	b, err := k.Bytes(addr, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", symbol, err)
	}
	var cpus []int
	for i := range len(b) * 8 {
		if b[i/8]>>(i%8)&1 != 0 {
			cpus = append(cpus, i)
		}
	}
	return cpus, nil
}

// PossibleCPUs are the numbers of the CPUs that have per-CPU areas.
func (k *Kernel) PossibleCPUs() ([]int, error) { return k.percpu.possible, k.percpu.err }

// PresentCPUs are the CPUs that exist.
func (k *Kernel) PresentCPUs() ([]int, error) { return k.percpu.present, k.percpu.err }

// OnlineCPUs are the CPUs that were online when the dump was taken.
func (k *Kernel) OnlineCPUs() ([]int, error) { return k.percpu.online, k.percpu.err }

// PerCPUOffset is what CPU cpu adds to the address of a per-CPU symbol or to a
// __percpu pointer.
func (k *Kernel) PerCPUOffset(cpu int) (uint64, error) {
	if k.percpu.err != nil {
		return 0, fmt.Errorf("per-CPU areas: %w", k.percpu.err)
	}
	if cpu < 0 || cpu >= len(k.percpu.offsets) {
		return 0, fmt.Errorf("no CPU %d: the kernel has %d", cpu, len(k.percpu.offsets))
	}
	return k.percpu.offsets[cpu], nil
}

// PerCPU is the address of CPU cpu's copy of the per-CPU symbol name.
func (k *Kernel) PerCPU(name string, cpu int) (uint64, error) {
	sym, ok := k.Symbol(name)
	if !ok {
		return 0, fmt.Errorf("no per-CPU symbol %s", name)
	}
	off, err := k.PerCPUOffset(cpu)
	return sym + off, err
}

// IsPerCPU reports whether the address of a symbol lies in the per-CPU section
// of the kernel image.
func (k *Kernel) IsPerCPU(addr uint64) bool {
	return addr >= k.percpu.start && addr < k.percpu.end
}
