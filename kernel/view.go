package kernel

import (
	"fmt"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/value"
	"github.com/kdive/kdive/vmcore"
)

// View is what the models above this package ask of a kernel. *Kernel is the
// real one; package kerneltest declares fake ones for tests.
type View interface {
	value.Memory // kernel virtual addresses
	Layouts
	Bind(need any) error
	SymbolAt(addr uint64) (name string, off uint64, ok bool)

	PossibleCPUs() ([]int, error)
	PresentCPUs() ([]int, error)
	OnlineCPUs() ([]int, error)
	PerCPUOffset(cpu int) (uint64, error)

	// VMCoreInfo is nil if the dump has none.
	VMCoreInfo() *vmcore.VMCoreInfo
	// CPUStates are the registers that the dump saved, in the order of its notes.
	CPUStates() []vmcore.CPUState
	// UserMemory reads the user half of the address space whose top page table
	// is at the kernel virtual address pgd (mm_struct.pgd).
	UserMemory(pgd uint64) (value.Memory, error)
}

// Layouts answers what Bind asks.
type Layouts interface {
	StructType(name string) (*ctype.Type, error)
	VariableType(name string) (*ctype.Type, error)
	ImageSymbol(name string) (addr uint64, ok bool)
	Enumerator(name string) (value int64, ok bool)
}

var _ View = (*Kernel)(nil)

// VMCoreInfo is the dump's VMCOREINFO, nil if it has none.
func (k *Kernel) VMCoreInfo() *vmcore.VMCoreInfo { return k.Dump.VMCoreInfo() }

// CPUStates are the registers that the dump saved, in the order of its notes.
func (k *Kernel) CPUStates() []vmcore.CPUState { return k.Dump.CPUs() }

// UserMemory reads through the page tables of a user address space; see
// UserTables.
func (k *Kernel) UserMemory(pgd uint64) (value.Memory, error) {
	t, err := k.UserTables(pgd)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// VariableType is the type of a variable of the kernel image. Of several static
// variables of one name it is the first whose type is complete.
func (k *Kernel) VariableType(name string) (*ctype.Type, error) {
	if k.Info == nil {
		return nil, ErrNoDebugInfo
	}
	vars, err := k.Info.Variables(name)
	if err != nil {
		return nil, err
	}
	for _, v := range vars {
		if v.Type != nil && v.Type.Underlying().Size() > 0 {
			return v.Type, nil
		}
	}
	return nil, fmt.Errorf("%s: no such variable in the debug info", name)
}
