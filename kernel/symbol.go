package kernel

import (
	"iter"

	"github.com/kdive/kdive/debuginfo"
)

// Symbol is the run-time address of a symbol of the kernel image, or of a
// module if the image has none of that name. See ImageSymbol.
func (k *Kernel) Symbol(name string) (uint64, bool) {
	if addr, ok := k.ImageSymbol(name); ok || k.Info == nil {
		return addr, ok
	}
	if s := k.moduleSymbols(name); len(s) > 0 {
		return s[0].Addr, true
	}
	return 0, false
}

// ImageSymbol is the run-time address of a symbol of the kernel image. It costs
// no look at the modules' symbol tables, whose reading takes milliseconds. Of
// per-CPU symbols it is the offset that PerCPU takes. Without debug info it
// knows what VMCOREINFO lists.
func (k *Kernel) ImageSymbol(name string) (uint64, bool) {
	if k.Info != nil {
		if s := k.Info.Lookup(name); len(s) > 0 {
			return k.runtime(s[0].Addr), true
		}
		return 0, false
	}
	if v := k.Dump.VMCoreInfo(); v != nil {
		return v.Symbol(name)
	}
	return 0, false
}

// runtime is the run-time address of a link-time address in vmlinux. Absolute
// and zero-based per-CPU symbols lie below the image mapping and do not move.
func (k *Kernel) runtime(link uint64) uint64 {
	if link >= StartKernelMap {
		return link + k.place.kaslr
	}
	return link
}

// link is the address in vmlinux of a run-time address.
func (k *Kernel) link(addr uint64) uint64 {
	if addr >= StartKernelMap {
		return addr - k.place.kaslr
	}
	return addr
}

// Symbol of the kernel image or of a module.
type Symbol struct {
	debuginfo.Symbol         // Addr is the run-time address
	Module           *Module // nil for the kernel image
}

// Symbols returns all symbols of that name, those of the image first.
func (k *Kernel) Symbols(name string) []Symbol {
	var out []Symbol
	if k.Info != nil {
		for _, s := range k.Info.Lookup(name) {
			s.Addr = k.runtime(s.Addr)
			out = append(out, Symbol{Symbol: s})
		}
	}
	return append(out, k.moduleSymbols(name)...)
}

// FindSymbol is the symbol that contains addr: the last one at or below it in
// the kernel image or in the region of the module that addr lies in.
func (k *Kernel) FindSymbol(addr uint64) (Symbol, bool) {
	if k.image.has(addr) && k.Info != nil {
		s, ok := k.Info.SymbolAt(k.link(addr))
		s.Addr = k.runtime(s.Addr)
		return Symbol{Symbol: s}, ok && s.Addr <= addr && k.image.has(s.Addr)
	}
	return k.moduleSymbolAt(addr)
}

// SymbolAt implements value.Names.
func (k *Kernel) SymbolAt(addr uint64) (name string, off uint64, ok bool) {
	s, ok := k.FindSymbol(addr)
	if !ok {
		return "", 0, false
	}
	return s.Name, addr - s.Addr, true
}

// ImageSymbols are the symbols of the kernel image by link-time address, at
// their run-time addresses; per-CPU ones with zero-based offsets come first.
func (k *Kernel) ImageSymbols() iter.Seq[Symbol] {
	return func(yield func(Symbol) bool) {
		if k.Info == nil {
			return
		}
		for s := range k.Info.Symbols() {
			s.Addr = k.runtime(s.Addr)
			if !yield(Symbol{Symbol: s}) {
				return
			}
		}
	}
}

// Neighbour is the nearest symbol before (direction -1) or behind (1) s that
// has another address, in the kernel image or in the module of s.
func (k *Kernel) Neighbour(s Symbol, direction int) (Symbol, bool) {
	all := k.ImageSymbols()
	if s.Module != nil {
		syms, _ := s.Module.Symbols()
		all = func(yield func(Symbol) bool) {
			for _, m := range syms {
				if !yield(Symbol{Symbol: m, Module: s.Module}) {
					return
				}
			}
		}
	}
	var before Symbol
	found := false
	for n := range all {
		switch {
		case n.Addr < s.Addr:
			if !found || n.Addr != before.Addr {
				before, found = n, true
			}
		case direction < 0:
			return before, found
		case n.Addr > s.Addr:
			return n, true
		}
	}
	return before, found && direction < 0
}

// FindPerCPU is the per-CPU variable of the kernel image in whose copy addr
// lies, and the CPU that the copy belongs to.
func (k *Kernel) FindPerCPU(addr uint64) (s Symbol, cpu int, ok bool) {
	if k.Info == nil {
		return s, 0, false
	}
	for _, cpu := range k.percpu.possible {
		off, err := k.PerCPUOffset(cpu)
		v := addr - off
		if err != nil || !k.IsPerCPU(v) {
			continue
		}
		sym, ok := k.Info.SymbolAt(k.link(v))
		sym.Addr = k.runtime(sym.Addr)
		if ok && k.IsPerCPU(sym.Addr) {
			return Symbol{Symbol: sym}, cpu, true
		}
	}
	return s, 0, false
}
