// Package kerneltest declares fake kernels for tests: C declarations, symbols
// and a sparse memory image, in ten lines.
//
//	k := kerneltest.New(t, `struct node { struct list_head link; int n; };`)
//	k.DefineSymbol("head", 0x1000)
//	k.Link(0x1000, 0x2000) // a ring of list_heads
//	k.Put(0x2000, "node.n", 7)
//
// Memory that nothing was put into is not mapped. It knows C layout and nothing
// of what the kernel's structures mean. Start from New.
package kerneltest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
	"github.com/kdive/kdive/vmcore"
)

const pageSize = 4096

// Kernel is a fake kernel.View. The fields may be set by the test.
type Kernel struct {
	Possible, Present, Online []int
	PerCPU                    []uint64 // offsets by CPU
	Info                      *vmcore.VMCoreInfo
	CPUs                      []vmcore.CPUState
	User                      map[uint64]*Kernel // user address spaces by pgd
	NoDebugInfo               bool

	t         testing.TB
	pages     map[uint64]*[pageSize]byte
	bad       map[uint64]fault.Reason
	types     map[string]*ctype.Type
	variables map[string]*ctype.Type
	symbols   map[string]uint64
	enums     map[string]int64
}

var _ kernel.View = (*Kernel)(nil)

// New makes a fake kernel with the given C declarations and one CPU.
func New(t testing.TB, decls ...string) *Kernel {
	t.Helper()
	k := &Kernel{
		Possible: []int{0}, Present: []int{0}, Online: []int{0}, PerCPU: []uint64{0},
		t: t, pages: map[uint64]*[pageSize]byte{}, bad: map[uint64]fault.Reason{},
		types: baseTypes(), variables: map[string]*ctype.Type{}, symbols: map[string]uint64{}, enums: map[string]int64{},
	}
	for _, d := range decls {
		if err := k.declare(d); err != nil {
			t.Fatalf("kerneltest: %v", err)
		}
	}
	return k
}

// DefineSymbol defines a symbol.
func (k *Kernel) DefineSymbol(name string, addr uint64) { k.symbols[name] = addr }

// Bytes puts bytes into memory and maps the pages around them.
func (k *Kernel) Bytes(addr uint64, b []byte) {
	for i, c := range b {
		a := addr + uint64(i)
		p := k.pages[a/pageSize]
		if p == nil {
			p = new([pageSize]byte)
			k.pages[a/pageSize] = p
		}
		p[a%pageSize] = c
	}
}

// Words puts 64-bit words into memory.
func (k *Kernel) Words(addr uint64, words ...uint64) {
	for i, w := range words {
		k.Bytes(addr+uint64(i)*8, binary.LittleEndian.AppendUint64(nil, w))
	}
}

// Put stores v into the member that path names ("task_struct.pid", as in need
// tags) of the object at base, and maps all of the object.
func (k *Kernel) Put(base uint64, path string, v uint64) {
	k.t.Helper()
	f, err := kernel.FieldOf(k, path)
	if err != nil {
		k.t.Fatalf("kerneltest: %v", err)
	}
	k.Map(base, int(f.Offset+f.Size()))
	n := min(int(f.Size()), 8)
	k.Bytes(f.At(base), binary.LittleEndian.AppendUint64(nil, v)[:n])
}

// PutString stores a string, not NUL-terminated, at a member.
func (k *Kernel) PutString(base uint64, path, s string) {
	k.t.Helper()
	f, err := kernel.FieldOf(k, path)
	if err != nil {
		k.t.Fatalf("kerneltest: %v", err)
	}
	k.Bytes(f.At(base), []byte(s))
}

// Offset of a member.
func (k *Kernel) Offset(path string) uint64 {
	k.t.Helper()
	f, err := kernel.FieldOf(k, path)
	if err != nil {
		k.t.Fatalf("kerneltest: %v", err)
	}
	return uint64(f.Offset)
}

// Map maps size bytes, zeroed if they were not mapped.
func (k *Kernel) Map(addr uint64, size int) {
	for p := addr / pageSize; p <= (addr+uint64(size)-1)/pageSize; p++ {
		if k.pages[p] == nil {
			k.pages[p] = new([pageSize]byte)
		}
	}
}

// Fail makes reads of the page of addr fail.
func (k *Kernel) Fail(addr uint64, why fault.Reason) { k.bad[addr/pageSize] = why }

// Link links list_heads at the given addresses into a ring, the first the head.
func (k *Kernel) Link(heads ...uint64) {
	for i, h := range heads {
		next, prev := heads[(i+1)%len(heads)], heads[(i+len(heads)-1)%len(heads)]
		k.Words(h, next, prev)
	}
}

// Read implements value.Memory.
func (k *Kernel) Read(p []byte, addr uint64) error {
	for len(p) > 0 {
		page := addr / pageSize
		if why := k.bad[page]; why != 0 {
			return &fault.Error{Addr: addr, Space: fault.Virtual, Reason: why}
		}
		src := k.pages[page]
		if src == nil {
			return &fault.Error{Addr: addr, Space: fault.Virtual, Reason: fault.Unmapped}
		}
		n := copy(p, src[addr%pageSize:])
		p, addr = p[n:], addr+uint64(n)
	}
	return nil
}

// Bind implements kernel.View.
func (k *Kernel) Bind(need any) error { return kernel.Bind(k, need) }

// StructType implements kernel.Layouts.
func (k *Kernel) StructType(name string) (*ctype.Type, error) {
	if k.NoDebugInfo {
		return nil, kernel.ErrNoDebugInfo
	}
	for _, spec := range [...]string{"struct " + name, "union " + name, "enum " + name, name} {
		if t := k.types[spec]; t != nil {
			return t, nil
		}
	}
	return nil, fmt.Errorf("no type %s", name)
}

// VariableType implements kernel.Layouts.
func (k *Kernel) VariableType(name string) (*ctype.Type, error) {
	if t := k.variables[name]; t != nil && !k.NoDebugInfo {
		return t, nil
	}
	return nil, fmt.Errorf("no variable %s", name)
}

// ImageSymbol implements kernel.Layouts.
func (k *Kernel) ImageSymbol(name string) (uint64, bool) {
	if k.NoDebugInfo {
		if k.Info == nil {
			return 0, false
		}
		return k.Info.Symbol(name)
	}
	a, ok := k.symbols[name]
	return a, ok
}

// Enumerator implements kernel.Layouts.
func (k *Kernel) Enumerator(name string) (int64, bool) {
	v, ok := k.enums[name]
	return v, ok && !k.NoDebugInfo
}

// SymbolAt implements value.Names: the nearest symbol within a page below.
func (k *Kernel) SymbolAt(addr uint64) (name string, off uint64, ok bool) {
	for n, a := range k.symbols {
		if d := addr - a; d < pageSize && (!ok || d < off) {
			name, off, ok = n, d, true
		}
	}
	return name, off, ok
}

// PossibleCPUs implements kernel.View.
func (k *Kernel) PossibleCPUs() ([]int, error) { return k.Possible, nil }

// PresentCPUs implements kernel.View.
func (k *Kernel) PresentCPUs() ([]int, error) { return k.Present, nil }

// OnlineCPUs implements kernel.View.
func (k *Kernel) OnlineCPUs() ([]int, error) { return k.Online, nil }

// PerCPUOffset implements kernel.View.
func (k *Kernel) PerCPUOffset(cpu int) (uint64, error) {
	if cpu < 0 || cpu >= len(k.PerCPU) {
		return 0, fmt.Errorf("no CPU %d", cpu)
	}
	return k.PerCPU[cpu], nil
}

// VMCoreInfo implements kernel.View.
func (k *Kernel) VMCoreInfo() *vmcore.VMCoreInfo { return k.Info }

// CPUStates implements kernel.View.
func (k *Kernel) CPUStates() []vmcore.CPUState { return k.CPUs }

// UserMemory implements kernel.View.
func (k *Kernel) UserMemory(pgd uint64) (value.Memory, error) {
	if u := k.User[pgd]; u != nil {
		return u, nil
	}
	return nil, errors.New("no such address space")
}
