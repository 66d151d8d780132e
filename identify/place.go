package identify

import (
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/unwind"
)

// Kind is what an address is the address of.
type Kind uint8

// The kinds of places.
const (
	Nothing      Kind = iota // no memory, or why not known is in Err
	Symbol                   // a function or variable of the image or of a module
	PerCPU                   // a CPU's copy of a variable
	PerCPUMemory             // per-CPU memory that was allocated, or of a module
	Object                   // of a cache
	SlabRest                 // in a slab, in none of its objects
	TaskStack
	CPUStack     // for interrupts and exceptions
	PageStruct   // the structure that describes a page
	VirtualArea  // vmalloc, vmap, ioremap
	ModuleMemory // of a module, in front of its first symbol or in no symbol
	FreePage     // not allocated
	FilePage     // page cache
	AnonPage     // memory of processes without a file
	Reserved     // set aside at boot
	UsedPage     // allocated, by whom is not known
)

var kindNames = [...]string{"nothing", "symbol", "per-cpu", "per-cpu memory", "object", "slab", "task stack", "cpu stack", "page struct",
	"vmalloc", "module", "free page", "page cache", "anonymous", "reserved", "page"}

// String is the kind's name in one or two words.
func (k Kind) String() string { return kindNames[min(int(k), len(kindNames)-1)] }

// Place is what an address lies in. Which of the lower fields count depends on
// Kind.
type Place struct {
	Kind Kind
	Addr uint64 // that was asked for, kernel virtual
	At   uint64 // the same memory at the address that it is known by; mostly Addr
	Base uint64 // where the thing begins
	Size uint64 // its bytes, 0 if not known

	Symbol kernel.Symbol // Symbol, PerCPU
	Beyond bool          // Symbol: the address is behind the end of the symbol, and in no other
	CPU    int           // PerCPU, PerCPUMemory, CPUStack
	Object slab.Object   // Object, SlabRest
	Task   *task.Task    // TaskStack
	Stack  *unwind.Stack // CPUStack
	Module *kernel.Module
	Area   *mm.VMArea // VirtualArea
	Page   Page       // pages of all kinds, PageStruct
	Err    error      // Nothing: why
}

// Offset is where in the thing the address lies; negative in what lies in front
// of an object, such as a red zone.
func (p *Place) Offset() int64 { return int64(p.At - p.Base) }

// Alias reports whether the memory is known by another address than the one
// that was asked for.
func (p *Place) Alias() bool { return p.At != p.Addr }

// Evidence is how the kind of the place is known, in a few words.
func (p *Place) Evidence() string {
	switch p.Kind {
	case Symbol:
		if p.Symbol.Module != nil {
			return "the module's symbol table in memory"
		}
		return "symbol table"
	case PerCPU:
		return "symbol table and __per_cpu_offset"
	case PerCPUMemory:
		return "__per_cpu_offset and the size of a CPU's area"
	case Object, SlabRest:
		return "slab_cache of the page's structure"
	case TaskStack:
		return "task_struct.stack"
	case CPUStack:
		return "the CPU's stack pointers"
	case PageStruct:
		return "the array of page structures"
	case VirtualArea:
		return "the kernel's areas of virtual memory"
	case ModuleMemory:
		return "the list of modules"
	case FreePage:
		if p.Page.Free.List == 0 {
			return "the page type"
		}
		return "a list of free pages"
	case FilePage, AnonPage:
		return "mapping in the page's structure"
	case Reserved:
		return "PG_reserved in the page's structure"
	case UsedPage:
		if p.Page.Type != "" {
			return "the page type"
		}
		return "no list of free pages has it"
	}
	return ""
}
