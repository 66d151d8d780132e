package debuginfo

import (
	"debug/elf"
	"iter"
	"slices"
	"strings"

	"github.com/kdive/kdive/debuginfo/index"
	"github.com/kdive/kdive/elffile"
)

// Symbol is one symbol of the object.
type Symbol struct {
	Name string
	Addr uint64 // link-time address
	Size uint64 // bytes; 0 if the symbol table gives none
	Type byte   // as nm prints it: T t text, D d data, R r read-only, B b bss, A a absolute, V v W w weak
}

// Lookup is the symbols of that name, global ones first.
func (in *Info) Lookup(name string) []Symbol {
	var list []Symbol
	in.withSymbols(func(x *index.Index, t *elffile.SymbolTable) {
		for _, i := range x.SymbolNames(name) {
			if i < t.Len() {
				if s := t.At(i); string(s.Name) == name {
					list = append(list, in.symbol(t, &s))
				}
			}
		}
	})
	slices.SortStableFunc(list, func(a, b Symbol) int { return int(a.Type&0x20) - int(b.Type&0x20) })
	return list
}

// SymbolAt is the symbol that an address belongs to, chosen as crash does: of
// several at just this address the first by name, but not the label of a text
// section's start; else the last one below, and of several there the last by
// name.
func (in *Info) SymbolAt(addr uint64) (Symbol, bool) {
	list := in.SymbolsAt(addr)
	if len(list) == 0 {
		return Symbol{}, false
	}
	if list[0].Addr != addr {
		return list[len(list)-1], true
	}
	for _, s := range list {
		if !strings.HasSuffix(s.Name, "_text_start") {
			return s, true
		}
	}
	return list[0], true
}

// maxAliases bounds the symbols of one address. Kernels give thousands of
// __kstrtabns_ symbols one empty string.
const maxAliases = 1 << 16

// SymbolsAt is all symbols with the highest address that is not above addr, by
// name.
func (in *Info) SymbolsAt(addr uint64) []Symbol {
	var list []Symbol
	in.withSymbols(func(x *index.Index, t *elffile.SymbolTable) {
		n := x.SymbolAfter(addr)
		at, _ := x.Symbol(n - 1)
		for i := n - 1; i >= 0 && len(list) < maxAliases; i-- {
			a, k := x.Symbol(i)
			if a != at {
				break
			}
			if k < t.Len() {
				s := t.At(k)
				list = append(list, in.symbol(t, &s))
			}
		}
	})
	slices.Reverse(list)
	return list
}

// Symbols runs over all symbols by address.
func (in *Info) Symbols() iter.Seq[Symbol] { return in.symbolRange(0) }

// SymbolsFrom runs over the symbols at or above an address, by address.
func (in *Info) SymbolsFrom(addr uint64) iter.Seq[Symbol] {
	n := 0
	if addr > 0 {
		in.withSymbols(func(x *index.Index, t *elffile.SymbolTable) { n = x.SymbolAfter(addr - 1) })
	}
	return in.symbolRange(n)
}

// symbolRange reads in batches, so that the caller's code does not run under
// the guard.
func (in *Info) symbolRange(first int) iter.Seq[Symbol] {
	return func(yield func(Symbol) bool) {
		var batch [256]Symbol
		for i := first; ; i += len(batch) {
			n := 0
			in.withSymbols(func(x *index.Index, t *elffile.SymbolTable) {
				for ; n < len(batch) && i+n < x.Symbols(); n++ {
					batch[n] = Symbol{}
					if _, k := x.Symbol(i + n); k < t.Len() {
						s := t.At(k)
						batch[n] = in.symbol(t, &s)
					}
				}
			})
			for _, s := range batch[:n] {
				if !yield(s) {
					return
				}
			}
			if n < len(batch) {
				return
			}
		}
	}
}

func (in *Info) withSymbols(fn func(*index.Index, *elffile.SymbolTable)) {
	x, err := in.symIndex()
	if err != nil {
		return
	}
	_ = guard(func() error { // a file cut off while in use has no symbols any more
		t, err := in.symtab()
		if err == nil {
			fn(x, t)
		}
		return err
	})
}

func (in *Info) symbol(t *elffile.SymbolTable, s *elffile.Symbol) Symbol {
	return Symbol{Name: string(s.Name), Addr: t.Addr(s), Size: s.Size, Type: in.letter(s)}
}

// letter is the symbol's class as nm(1) prints it.
func (in *Info) letter(s *elffile.Symbol) byte {
	bind := elf.ST_BIND(s.Info)
	object := elf.ST_TYPE(s.Info) == elf.STT_OBJECT
	switch {
	case bind == elf.STB_WEAK && object:
		return 'V'
	case bind == elf.STB_WEAK:
		return 'W'
	}
	c := byte('?')
	switch {
	case s.Special && s.Section == uint32(elf.SHN_ABS):
		c = 'a'
	case s.Special && s.Section == uint32(elf.SHN_COMMON):
		return 'C'
	case s.Special:
	default:
		if sec := in.dbg.SectionByIndex(s.Section); sec != nil {
			c = sectionLetter(sec)
		}
	}
	if c != '?' && bind != elf.STB_LOCAL {
		c -= 'a' - 'A'
	}
	return c
}

func sectionLetter(s *elffile.Section) byte {
	switch {
	case s.Flags&elf.SHF_EXECINSTR != 0:
		return 't'
	case s.Flags&elf.SHF_ALLOC == 0:
		return '?'
	case s.Flags&elf.SHF_WRITE == 0:
		return 'r'
	case s.Type == elf.SHT_NOBITS:
		return 'b'
	}
	return 'd'
}
