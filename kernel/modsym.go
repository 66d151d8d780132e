package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sort"

	"github.com/kdive/kdive/debuginfo"
)

// Symbols of modules come from the tables that the kernel keeps for kallsyms:
// they are there without any file of the module.

type kallsymsNeeds struct {
	Kallsyms Field `need:"module.kallsyms"`
	Symtab   Field `need:"mod_kallsyms.symtab"`
	Num      Field `need:"mod_kallsyms.num_symtab"`
	Strtab   Field `need:"mod_kallsyms.strtab"`
	Typetab  Field `need:"?mod_kallsyms.typetab"`
}

const (
	elfSymSize       = 24 // sizeof(Elf64_Sym)
	maxModuleSymbols = 1 << 20
	maxSymbolName    = 512 // KSYM_NAME_LEN
)

// Symbols are the module's symbols by address, at run-time addresses.
func (m *Module) Symbols() ([]debuginfo.Symbol, error) {
	m.symOnce.Do(func() {
		if m.syms, m.symErr = m.readSymbols(); m.symErr != nil {
			m.symErr = fmt.Errorf("symbols of module %s: %w", m.Name, m.symErr)
		}
	})
	return m.syms, m.symErr
}

func (m *Module) readSymbols() ([]debuginfo.Symbol, error) {
	k := m.k
	var n kallsymsNeeds
	if err := k.Bind(&n); err != nil {
		return nil, err
	}
	ks, err := n.Kallsyms.Uint(k, m.Addr)
	if err != nil || ks == 0 {
		return nil, err
	}
	symtab, e1 := n.Symtab.Uint(k, ks)
	num, e2 := n.Num.Uint(k, ks)
	strtab, e3 := n.Strtab.Uint(k, ks)
	if err := errors.Join(e1, e2, e3); err != nil {
		return nil, err
	}
	if num > maxModuleSymbols {
		return nil, fmt.Errorf("%d symbols are too many to be true", num)
	}
	raw, err := k.Bytes(symtab, int(num)*elfSymSize)
	if err != nil {
		return nil, err
	}
	types := make([]byte, num)
	if n.Typetab.Present() {
		at, err := n.Typetab.Uint(k, ks)
		if err != nil || k.Read(types, at) != nil {
			clear(types)
		}
	}
	var syms []debuginfo.Symbol
	var nameErr error
	for i := range int(num) {
		e := raw[i*elfSymSize:]
		s := debuginfo.Symbol{
			Addr: binary.LittleEndian.Uint64(e[8:]),
			Size: binary.LittleEndian.Uint64(e[16:]),
			Type: types[i],
		}
		if s.Addr == 0 || binary.LittleEndian.Uint16(e[6:]) == 0 || !m.Has(s.Addr) {
			continue // undefined, absolute or discarded
		}
		if s.Name, err = k.CString(strtab+uint64(binary.LittleEndian.Uint32(e)), maxSymbolName); err != nil {
			nameErr = err
			continue
		}
		if s.Type == 0 {
			s.Type = typeFromInfo(e[4])
		} else if e[4]>>4 != 0 && s.Type >= 'a' && s.Type <= 'z' { // not STB_LOCAL
			s.Type -= 'a' - 'A' // typetab has lower case only
		}
		if s.Name != "" {
			syms = append(syms, s)
		}
	}
	sort.SliceStable(syms, func(i, j int) bool { return syms[i].Addr < syms[j].Addr })
	return syms, nameErr
}

// typeFromInfo derives the nm letter from st_info when the kernel kept none:
// functions are text, all else is called data; lower case is local.
func typeFromInfo(info byte) byte {
	letter := byte('d')
	if info&15 == 2 { // STT_FUNC
		letter = 't'
	}
	if info>>4 != 0 { // not STB_LOCAL
		letter -= 'a' - 'A'
	}
	return letter
}

// moduleSymbols are the symbols of all modules with that name.
func (k *Kernel) moduleSymbols(name string) []Symbol {
	list, _ := k.Modules()
	var out []Symbol
	for _, m := range list {
		syms, _ := m.Symbols()
		for _, s := range syms {
			if s.Name == name {
				out = append(out, Symbol{Symbol: s, Module: m})
			}
		}
	}
	return out
}

func (k *Kernel) moduleSymbolAt(addr uint64) (Symbol, bool) {
	m := k.ModuleAt(addr)
	if m == nil {
		return Symbol{}, false
	}
	syms, _ := m.Symbols()
	i := sort.Search(len(syms), func(i int) bool { return syms[i].Addr > addr })
	if i == 0 {
		return Symbol{}, false
	}
	s := syms[i-1]
	for _, r := range m.Regions {
		if addr-r.Base < r.Size && s.Addr-r.Base >= r.Size {
			return Symbol{}, false // the symbol belongs to another region
		}
	}
	// The first of several names for one address, as in the table.
	for i--; i > 0 && syms[i-1].Addr == s.Addr; i-- {
		s = syms[i-1]
	}
	return Symbol{Symbol: s, Module: m}, true
}
