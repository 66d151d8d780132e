// Package replay derives what the tables lost: registers, arguments and variables
// of frames, and frames that left by a tail call, from the code of the functions
// and what is known of the frames around.
//
// It joins unwind's traces with package symbolic, which follows code; where code
// ends, which calls lead where and what never changes it knows from the kernel.
// A value is told only if it follows; one that was read from memory which may have
// been written since says so. It prints nothing. Start from New; Model is the
// frame.Recoverer of its kernel, and Extend puts tail calls into a trace.
package replay

import (
	"encoding/binary"
	"sync"

	"github.com/kdive/kdive/frame"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/unwind"
)

// Model replays the functions of one kernel. It is safe for concurrent use.
type Model struct {
	v     frame.View
	freed func(addr uint64) bool // may be nil
	needs needs
	edges edges

	mu     sync.Mutex
	funcs  map[uint64]*function // by address of the call site
	starts map[uint64]*function // by entry
	stacks map[*unwind.Trace]*stack
	leaves map[uint64]*jumps // by start
	chains map[[2]uint64][]uint64

	entries map[uint64]*function // of system calls, by return address
}

type needs struct {
	RoData     kernel.Sym   `need:"?__start_rodata"`
	RoDataEnd  kernel.Sym   `need:"?__end_rodata"`
	Current    kernel.Sym   `need:"?current_task|const_current_task"`
	Hot        kernel.Sym   `need:"?pcpu_hot"`
	HotCurrent kernel.Field `need:"?pcpu_hot.current_task"`
}

// New makes the model of a kernel. freed reports whether the memory at an address is
// free now: what a function read there is lost. It may be nil.
func New(v frame.View, freed func(addr uint64) bool) *Model {
	m := &Model{v: v, freed: freed, funcs: map[uint64]*function{}, starts: map[uint64]*function{}, stacks: map[*unwind.Trace]*stack{}, leaves: map[uint64]*jumps{},
		chains: map[[2]uint64][]uint64{}, entries: map[uint64]*function{}}
	_ = v.Bind(&m.needs) // nothing is required
	m.edges.load(v)
	return m
}

// constant reports whether memory never changes once the kernel runs.
func (m *Model) constant(addr uint64, size uint8) bool {
	return addr >= uint64(m.needs.RoData) && addr+uint64(size) <= uint64(m.needs.RoDataEnd) && addr < addr+uint64(size)
}

// read reads a number of up to 8 bytes.
func (m *Model) read(addr uint64, size uint8) (uint64, bool, error) {
	var b [8]byte
	if err := m.v.Read(b[:size], addr); err != nil {
		return 0, false, err
	}
	return binary.LittleEndian.Uint64(b[:]), m.constant(addr, size), nil
}

// current is what code reads of a per-CPU area that cannot have changed: the task
// itself.
func (m *Model) current(t *unwind.Thread) func(off uint64, size uint8) (uint64, bool) {
	return func(off uint64, size uint8) (uint64, bool) {
		known := m.needs.Current != 0 && off == uint64(m.needs.Current) ||
			m.needs.Hot != 0 && m.needs.HotCurrent.Present() && off == m.needs.HotCurrent.At(uint64(m.needs.Hot))
		return t.Addr, known && size == 8 && t.Addr != 0
	}
}
