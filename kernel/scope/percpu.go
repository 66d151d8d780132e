package scope

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kdive/kdive/expr"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// PerCPU implements expr.Scope.
func (s *Scope) PerCPU(name, file, cpus string) ([]expr.PerCPU, error) {
	v, err := s.variable(name, file)
	if err != nil {
		return nil, err
	}
	if v.Module != nil || !s.Kernel.IsPerCPU(v.Addr) {
		return nil, fmt.Errorf("%s is not a per-CPU variable: %w", name, expr.ErrUnknown)
	}
	list, err := CPUs(s.Kernel, cpus, s.CPU)
	if err != nil {
		return nil, err
	}
	var out []expr.PerCPU
	for _, cpu := range list {
		off, err := s.Kernel.PerCPUOffset(cpu)
		if err != nil {
			return nil, err
		}
		out = append(out, expr.PerCPU{CPU: cpu, Value: value.New(s.Memory(), v.Type, v.Addr+off)})
	}
	return out, nil
}

// CPUs are the CPUs that a specification names: numbers and ranges with commas,
// "a" or "all" for every possible CPU, nothing for the current one.
func CPUs(k *kernel.Kernel, spec string, current int) ([]int, error) {
	possible, err := k.PossibleCPUs()
	if err != nil {
		return nil, err
	}
	switch spec {
	case "":
		return []int{current}, nil
	case "a", "all":
		return possible, nil
	}
	var out []int
	for _, part := range strings.Split(spec, ",") {
		from, to, ranged := strings.Cut(part, "-")
		lo, err := strconv.Atoi(from)
		hi := lo
		if err == nil && ranged {
			hi, err = strconv.Atoi(to)
		}
		if err != nil || lo < 0 || hi < lo {
			return nil, fmt.Errorf("%q names no CPUs", spec)
		}
		n := len(out)
		for _, cpu := range possible {
			if cpu >= lo && cpu <= hi {
				out = append(out, cpu)
			}
		}
		if len(out) == n {
			return nil, fmt.Errorf("no CPU %s: the kernel has %d", part, len(possible))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// template is memory in which the place of a per-CPU variable that no CPU was
// chosen for cannot be read: what is there, if anything, is no CPU's value.
type template struct {
	value.Memory
	kernel *kernel.Kernel
	name   string
}

// Read implements value.Memory.
func (t template) Read(p []byte, addr uint64) error {
	if t.kernel.IsPerCPU(addr) {
		return fmt.Errorf("%s is a per-CPU variable: choose a CPU, as in %s:0, or %s:a for all", t.name, t.name, t.name)
	}
	return t.Memory.Read(p, addr)
}
