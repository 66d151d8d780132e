package debuginfo

import (
	"debug/elf"
	"slices"
	"strings"

	"github.com/kdive/kdive/debuginfo/index"
	"github.com/kdive/kdive/elffile"
)

// PointerSymbol is what gdb, and so crash, writes behind a pointer: the
// function or object that an address is in and how far. It differs from
// SymbolAt: the function is the one that DWARF describes, even where several
// symbols share its address or a part of it lies elsewhere (.cold); objects
// have a size and hold the address; labels count in code only.
func (in *Info) PointerSymbol(addr uint64) (name string, off uint64, ok bool) {
	sec := in.sectionAt(addr)
	if sec == nil {
		return "", 0, false
	}
	text := sec.Flags&elf.SHF_EXECINSTR != 0
	m, found := in.minimal(addr, uint32(sec.Index))
	if found && m.Size == 0 && !text {
		found = false
	}
	if scopes, err := in.Scopes(addr); text && err == nil && len(scopes) > 0 && len(scopes[0].Ranges) > 0 {
		f := &scopes[0]
		entry := f.Ranges[0]
		// A symbol inside the function is nearer. If the function is in parts, that
		// holds for the start of another part only.
		if !found || m.Addr <= entry.Low || !entry.Contains(addr) && m.Addr != addr {
			return f.Name, addr - entry.Low, f.Name != ""
		}
	}
	return m.Name, addr - m.Addr, found
}

// GDBName is how gdb 16, and so crash 9, spells the symbol of an object or of a
// part of a function behind a pointer: names that could be Ada's are taken for
// Ada's ("printed.6" for a homonym of "printed", "event__id" for event.id). It
// serves comparisons; kdive prints the symbol's own name.
func GDBName(name string) string {
	if name == "" || name[0] == '_' || name[0] == '<' || strings.ToLower(name) != name {
		return name
	}
	name, cold := strings.CutSuffix(name, ".cold")
	if i := strings.LastIndexByte(name, '.'); i > 0 && strings.Trim(name[i+1:], "0123456789") == "" {
		name = name[:i]
	}
	name = strings.ReplaceAll(name, "__", ".")
	if cold {
		name += "[cold]"
	}
	return name
}

// CrashName is how crash spells a symbol: without what gcc adds to the names of
// functions that it split or whose arguments it changed.
func CrashName(name string) string {
	end := len(name)
	for _, mark := range []string{".isra.", ".part.", ".llvm."} {
		if i := strings.Index(name, mark); i > 0 {
			end = min(end, i)
		}
	}
	return name[:end]
}

// sectionAt is the section whose memory holds an address.
func (in *Info) sectionAt(addr uint64) *elffile.Section {
	for i := range in.dbg.Sections {
		s := &in.dbg.Sections[i]
		if s.Flags&elf.SHF_ALLOC != 0 && addr >= s.Addr && addr-s.Addr < s.Size {
			return s
		}
	}
	return nil
}

// maxBack bounds the symbols without a size that are passed over.
const maxBack = 1 << 16

// minimal is the symbol of a section that an address is in: the last one below
// it that has a size, if it reaches so far, else the last one that has none. Of
// several at one address the last in the string table counts.
func (in *Info) minimal(addr uint64, section uint32) (best Symbol, ok bool) {
	in.withSymbols(func(x *index.Index, t *elffile.SymbolTable) {
		var label Symbol
		for i := x.SymbolAfter(addr) - 1; i >= 0 && i > x.SymbolAfter(addr)-maxBack; {
			var group []elffile.Symbol
			at, _ := x.Symbol(i)
			for ; i >= 0; i-- {
				a, k := x.Symbol(i)
				if a != at {
					break
				}
				if k < t.Len() {
					if s := t.At(k); s.Section == section && !s.Special {
						group = append(group, s)
					}
				}
			}
			slices.SortFunc(group, func(a, b elffile.Symbol) int { return int(b.NameOff) - int(a.NameOff) })
			for _, s := range group {
				if s.Size > 0 {
					best, ok = in.symbol(t, &s), true
					if addr-at >= s.Size {
						best, ok = label, label.Name != ""
					}
					return
				}
				if label.Name == "" {
					label = in.symbol(t, &s)
				}
			}
		}
		best, ok = label, label.Name != ""
	})
	return best, ok
}
