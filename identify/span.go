package identify

import (
	"cmp"
	"slices"
	"sort"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/unwind"
	"github.com/kdive/kdive/value"
)

// span is a stack or a CPU's area.
type span struct {
	start, end uint64
	kind       Kind
	cpu        int
	task       *task.Task
	stack      *unwind.Stack
}

// perCPULayout says how long the area of a CPU is (mm/percpu.c).
type perCPULayout struct {
	UnitSize kernel.Sym `need:"?pcpu_unit_size"`
	Start    kernel.Sym `need:"?__per_cpu_start"`
	End      kernel.Sym `need:"?__per_cpu_end"`
}

const maxUnit = 1 << 26 // bytes of a CPU's area

// findSpan looks an address up in the stacks and in the areas of CPUs.
func (m *Model) findSpan(p *Place) bool {
	m.spanOnce.Do(m.loadSpans)
	s := spanAt(m.stacks, p.At)
	if s == nil {
		if s = spanAt(m.cpuAreas, p.At); s == nil {
			return false
		}
	}
	p.Kind, p.Base, p.Size, p.CPU, p.Task, p.Stack = s.kind, s.start, s.end-s.start, s.cpu, s.task, s.stack
	if s.kind == PerCPUMemory {
		m.perCPUVariable(p)
	}
	return true
}

func spanAt(list []span, addr uint64) *span {
	i := sort.Search(len(list), func(i int) bool { return list[i].end > addr })
	if i == len(list) || addr < list[i].start {
		return nil
	}
	return &list[i]
}

// perCPUVariable refines a place in a CPU's area to a variable of the image.
func (m *Model) perCPUVariable(p *Place) {
	off, err := m.k.PerCPUOffset(p.CPU)
	at := p.At - off
	if err != nil || !m.k.IsPerCPU(at) {
		return
	}
	i := sort.Search(len(m.cpuSymbols), func(i int) bool { return m.cpuSymbols[i].Addr > at })
	// Symbols may overlap; a few steps back are enough.
	for j := i - 1; j >= 0 && i-j <= 8; j-- {
		if s := &m.cpuSymbols[j]; at-s.Addr < s.Size {
			p.Kind, p.Symbol, p.Base, p.Size = PerCPU, *s, s.Addr+off, s.Size
			return
		}
	}
}

func (m *Model) loadSpans() {
	for s := range m.k.ImageSymbols() {
		if s.Size > 0 && m.k.IsPerCPU(s.Addr) {
			m.cpuSymbols = append(m.cpuSymbols, s)
		}
	}
	slices.SortStableFunc(m.cpuSymbols, func(a, b kernel.Symbol) int { return cmp.Compare(a.Addr, b.Addr) })
	cpus, _ := m.k.PossibleCPUs()
	_ = m.k.Bind(&m.perCPU) // nothing is required
	unit := uint64(m.perCPU.End - m.perCPU.Start)
	if n, err := value.Word(m.k, uint64(m.perCPU.UnitSize)); err == nil && m.perCPU.UnitSize != 0 {
		if n = uint64(uint32(n)); n > unit && n < maxUnit {
			unit = n
		}
	}
	for _, cpu := range cpus {
		if m.c.Stacks != nil {
			stacks := m.c.Stacks(cpu)
			for i := range stacks {
				s := &stacks[i]
				m.stacks = append(m.stacks, span{start: s.Low, end: s.High, kind: CPUStack, cpu: cpu, stack: s})
			}
		}
		if off, err := m.k.PerCPUOffset(cpu); err == nil && len(cpus) > 1 || err == nil && off != 0 {
			start := off + uint64(m.perCPU.Start)
			m.cpuAreas = append(m.cpuAreas, span{start: start, end: start + unit, kind: PerCPUMemory, cpu: cpu})
		}
	}
	if table := m.tasks(); table != nil {
		for _, x := range table.Tasks {
			if x.Stack != 0 {
				m.stacks = append(m.stacks, span{start: x.Stack, end: x.Stack + table.StackSize(), kind: TaskStack, cpu: -1, task: x})
			}
		}
	}
	m.stacks, m.cpuAreas = disjoint(m.stacks), disjoint(m.cpuAreas)
}

// disjoint sorts spans and cuts those that reach into the next one, as damaged
// ones may.
func disjoint(s []span) []span {
	slices.SortStableFunc(s, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	out := s[:0]
	for _, x := range s {
		if n := len(out); n > 0 && out[n-1].end > x.start {
			if out[n-1].start == x.start {
				continue
			}
			out[n-1].end = x.start
		}
		if x.start < x.end {
			out = append(out, x)
		}
	}
	return out
}
