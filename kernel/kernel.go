// Package kernel joins a dump with the debug info of the kernel that wrote it:
// run-time addresses, virtual memory, typed reads, per-CPU areas, modules.
//
// It knows where x86-64 Linux puts things and how to find that out from a dump
// that says little about itself. It knows nothing of tasks, slabs or the log
// (packages above it), and nothing of text or commands. Start from Open. A
// Kernel is safe for concurrent use.
package kernel

import (
	"errors"
	"fmt"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo"
	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/value"
	"github.com/kdive/kdive/vmcore"
)

// StartKernelMap is the virtual address of the kernel image mapping, less the
// physical base (__START_KERNEL_map, arch/x86/include/asm/page_64_types.h).
const StartKernelMap = 0xffffffff80000000

// ErrNoDebugInfo is the cause of everything that needs a vmlinux when the dump
// was opened without one.
var ErrNoDebugInfo = errors.New("no debug info: the dump was opened without a vmlinux")

// Kernel is a dump with its debug info.
type Kernel struct {
	Dump *vmcore.Dump
	Info *debuginfo.Info // nil without debug info

	place   placement
	image   span // run-time virtual addresses of the kernel image
	direct  span // run-time virtual addresses of the direct map
	percpu  perCPU
	modules moduleTable
	notes   []string
}

// span is a range of virtual addresses that maps to physical ones by
// subtraction.
type span struct {
	start, end uint64
	phys       uint64 // physical address of start
}

func (s span) has(vaddr uint64) bool { return vaddr-s.start < s.end-s.start }

// Options of Open.
type Options struct {
	Force bool // accept a vmlinux that does not belong to the dump
	// Module returns the debug info of a module, or why there is none. It is
	// called when something of the module is first needed.
	Module func(m *Module) (*debuginfo.Info, error)
}

// Open joins dump and info. info may be nil: then only what VMCOREINFO and the
// page tables tell is available. Deduced facts and doubts are in Notes.
func Open(dump *vmcore.Dump, info *debuginfo.Info, opt Options) (*Kernel, error) {
	k := &Kernel{Dump: dump, Info: info}
	k.modules.open = opt.Module
	if dump.VMCoreInfo() == nil {
		k.findVMCoreInfo()
	}
	if err := k.checkBuildID(opt.Force); err != nil {
		return nil, err
	}
	if err := k.locate(opt.Force); err != nil {
		if info != nil {
			return nil, err
		}
		if k.place.tables = k.anyTables(); k.place.tables != nil {
			k.note("%v; virtual addresses are read through the page tables of a CPU", err)
		} else {
			k.note("%v; only physical memory can be read", err)
		}
		return k, nil
	}
	k.locateDirectMap()
	k.percpu.init(k)
	return k, nil
}

// Notes are sentences about what Open deduced or doubts, for the user.
func (k *Kernel) Notes() []string { return k.notes }

func (k *Kernel) note(format string, args ...any) {
	k.notes = append(k.notes, fmt.Sprintf(format, args...))
}

// KASLROffset is the run-time address of kernel image symbols minus their
// address in vmlinux.
func (k *Kernel) KASLROffset() uint64 { return k.place.kaslr }

// PhysBase is the physical address minus the offset in the kernel image
// mapping: paddr = vaddr - StartKernelMap + PhysBase.
func (k *Kernel) PhysBase() uint64 { return k.place.physBase }

// DirectMap is the range of virtual addresses that map all of physical memory
// one to one, and whether it is known.
func (k *Kernel) DirectMap() (start, end uint64, ok bool) {
	return k.direct.start, k.direct.end, k.direct.end != 0
}

// Tables are the kernel's own page tables, nil if they are not known.
func (k *Kernel) Tables() *PageTables { return k.place.tables }

// ReadPhys reads physical memory; see vmcore.Dump.ReadPhys.
func (k *Kernel) ReadPhys(p []byte, paddr uint64) error { return k.Dump.ReadPhys(p, paddr) }

// Read fills p from the kernel virtual address vaddr. A failed read is a
// *fault.Error in the error's chain; bytes before its Addr are valid.
func (k *Kernel) Read(p []byte, vaddr uint64) error {
	for len(p) > 0 {
		paddr, n, err := k.Translate(vaddr)
		if err != nil {
			return err
		}
		n = min(n, uint64(len(p)))
		if err := k.Dump.ReadPhys(p[:n], paddr); err != nil {
			return virtualFault(err, paddr, vaddr)
		}
		p, vaddr = p[n:], vaddr+n
	}
	return nil
}

// Translate maps a kernel virtual address to a physical one; n is how many
// bytes from there on are contiguous in physical memory, at least.
func (k *Kernel) Translate(vaddr uint64) (paddr, n uint64, err error) {
	for _, s := range [...]span{k.direct, k.image} {
		if s.has(vaddr) {
			return vaddr - s.start + s.phys, s.end - vaddr, nil
		}
	}
	if k.place.tables == nil {
		return 0, 0, &fault.Error{Addr: vaddr, Space: space(vaddr), Reason: fault.Unmapped, Detail: "the kernel's page tables are not known"}
	}
	return k.place.tables.Translate(vaddr)
}

// IsKernelAddress reports whether vaddr is in the kernel's half of the address
// space.
func (k *Kernel) IsKernelAddress(vaddr uint64) bool {
	return int64(vaddr) < 0 && (k.place.tables == nil || k.place.tables.Canonical(vaddr))
}

// PhysToVirt is the direct-map address of a physical one.
func (k *Kernel) PhysToVirt(paddr uint64) (uint64, bool) {
	v := k.direct.start + paddr
	return v, k.direct.has(v)
}

// Type is a type by its C spelling; see debuginfo.Info.Type.
func (k *Kernel) Type(spec string) (*ctype.Type, error) {
	if k.Info == nil {
		return nil, ErrNoDebugInfo
	}
	t, err := k.Info.Type(spec)
	if err == nil {
		return t, nil
	}
	if mt, ok := k.moduleType(spec); ok {
		return mt, nil
	}
	return nil, err
}

// StructType is a struct, union, enum or typedef by its bare name, in this order.
func (k *Kernel) StructType(name string) (*ctype.Type, error) {
	var first error
	for _, spec := range [...]string{"struct " + name, "union " + name, "enum " + name, name} {
		t, err := k.Type(spec)
		if err == nil && !t.Underlying().Incomplete() {
			return t, nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = fmt.Errorf("%s: only declared, never defined, in the debug info", name)
	}
	return nil, first
}

// Enumerator is the value of an enumeration constant.
func (k *Kernel) Enumerator(name string) (int64, bool) {
	if k.Info == nil {
		return 0, false
	}
	v, _, ok := k.Info.Enumerator(name)
	return v, ok
}

// Object is the object of type spec at a kernel virtual address.
func (k *Kernel) Object(spec string, addr uint64) (value.Value, error) {
	t, err := k.Type(spec)
	if err != nil {
		return value.Value{}, err
	}
	return value.New(k, t, addr), nil
}
