// Package scope gives the names in expressions their meaning in a kernel:
// variables, functions, types, enumerators, per-CPU copies, history, registers.
//
// It joins package kernel with the interfaces of expr and value and knows
// nothing of commands. Start from New.
package scope

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo"
	"github.com/kdive/kdive/expr"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// Scope is the names of one kernel and of one session on it.
type Scope struct {
	Kernel *kernel.Kernel
	Mem    value.Memory // what addresses point into; the kernel's memory unless set (p -u)
	CPU    int          // what an empty CPU specification stands for
	// Registers of the current context; nil for none.
	Registers func(name string) (uint64, bool)
	// Locals are the variables of the current frame, which hide those of the
	// kernel; nil for none.
	Locals func(name string) (value.Value, bool)

	results []value.Value
}

var _ expr.Scope = (*Scope)(nil)

// New is the scope of a kernel without history.
func New(k *kernel.Kernel) *Scope { return &Scope{Kernel: k} }

// Memory implements expr.Scope.
func (s *Scope) Memory() value.Memory {
	if s.Mem != nil {
		return s.Mem
	}
	return s.Kernel
}

// Type implements expr.Scope.
func (s *Scope) Type(spec string) (*ctype.Type, error) { return s.Kernel.Type(spec) }

// Enumerator implements expr.Scope.
func (s *Scope) Enumerator(name string) (int64, *ctype.Type, bool) {
	if s.Kernel.Info == nil {
		return 0, nil, false
	}
	return s.Kernel.Info.Enumerator(name)
}

// Register implements expr.Scope.
func (s *Scope) Register(name string) (value.Value, bool) {
	if s.Registers == nil {
		return value.Value{}, false
	}
	n, ok := s.Registers(name)
	return value.ConstIn(s.Memory(), longType, n), ok
}

var longType = ctype.New(ctype.Int, "unsigned long", ctype.Def{Size: 8})

// History implements expr.Scope.
func (s *Scope) History(n int) (value.Value, bool) {
	if n <= 0 {
		n += len(s.results)
	}
	if n < 1 || n > len(s.results) {
		return value.Value{}, false
	}
	return s.results[n-1], true
}

// Record appends a result to the history and returns its number.
func (s *Scope) Record(v value.Value) int {
	s.results = append(s.results, v)
	return len(s.results)
}

// Variable implements expr.Scope: a variable, a function, or a symbol of which
// only the address is known.
func (s *Scope) Variable(name, file string) (value.Value, error) {
	if s.Locals != nil && file == "" {
		if v, ok := s.Locals(name); ok {
			return v, nil
		}
	}
	v, err := s.variable(name, file)
	if err == nil {
		mem := s.Memory()
		if v.Module == nil && s.Kernel.IsPerCPU(v.Addr) {
			mem = template{mem, s.Kernel, name}
		}
		return value.New(mem, v.Type, v.Addr), nil
	}
	if !errors.Is(err, expr.ErrUnknown) {
		return value.Value{}, err
	}
	if f, ok := s.function(name, file); ok {
		return f, nil
	}
	if file == "" {
		if sym := s.Kernel.Symbols(name); len(sym) > 0 {
			return s.untyped(sym[0]), nil
		}
	}
	if s.Kernel.Info == nil {
		err = fmt.Errorf("%w: %w", err, kernel.ErrNoDebugInfo)
	}
	return value.Value{}, err
}

// variable is the first variable of that name with a type and an address, of
// the given file if one is given.
func (s *Scope) variable(name, file string) (kernel.Variable, error) {
	vars, err := s.Kernel.Variables(name)
	if err != nil && !errors.Is(err, kernel.ErrNoDebugInfo) {
		return kernel.Variable{}, err
	}
	lost := false
	for _, v := range vars {
		if v.Type == nil || file != "" && !inFile(v.File, file) && !inFile(v.Unit, file) {
			continue
		}
		if v.HasAddr {
			return v, nil
		}
		lost = true
	}
	if lost && len(s.Kernel.Symbols(name)) == 0 {
		return kernel.Variable{}, fmt.Errorf("the compiler left no variable of this name")
	}
	return kernel.Variable{}, expr.ErrUnknown
}

// Files are the source files with a variable of that name, one for each variable:
// what to write in front of :: where a name alone is ambiguous. A weak definition
// that gave way to another is the same variable.
func (s *Scope) Files(name string) []string {
	vars, err := s.Kernel.Variables(name)
	if err != nil {
		return nil
	}
	var files []string
	seen := map[uint64]bool{}
	for _, v := range vars {
		if v.HasAddr && v.Type != nil && !seen[v.Addr] && !slices.Contains(files, v.File) {
			files = append(files, v.File)
			seen[v.Addr] = true
		}
	}
	return files
}

// inFile reports whether path is file, or ends in it behind a slash.
func inFile(path, file string) bool {
	return path == file || strings.HasSuffix(path, "/"+file)
}

// function is a function of the kernel image or of a module in use.
func (s *Scope) function(name, file string) (value.Value, bool) {
	for _, sym := range s.Kernel.Symbols(name) {
		if !isText(sym.Type) {
			continue
		}
		info, link, err := s.Kernel.InfoAt(sym.Addr)
		if err != nil {
			continue
		}
		list, err := info.Functions(name)
		if err != nil {
			continue
		}
		for _, f := range list {
			// Declarations have no address and fit any symbol of the name.
			if (f.High == 0 || f.Low == link) && f.Type != nil && (file == "" || inFile(f.File, file) || inFile(f.Unit, file)) {
				return value.New(s.Memory(), f.Type, sym.Addr), true
			}
		}
	}
	return value.Value{}, false
}

func isText(nm byte) bool { return nm|0x20 == 't' || nm|0x20 == 'w' || nm|0x20 == 'i' }

// Types of symbols that no debug info describes, as gdb names them.
var (
	untypedData = ctype.New(ctype.Unknown, "<data variable, no debug info>", ctype.Def{})
	untypedText = ctype.New(ctype.Typedef, "<text variable, no debug info>", ctype.Def{Elem: ctype.New(ctype.Func, "", ctype.Def{Variadic: true})})
)

func (s *Scope) untyped(sym kernel.Symbol) value.Value {
	if isText(sym.Type) {
		return value.New(s.Memory(), untypedText, sym.Addr)
	}
	return value.New(s.Memory(), untypedData, sym.Addr)
}

// Names finds the symbols to print behind pointers. As in gdb, an address has
// the name of a symbol only within the symbol's size; labels in text have the
// addresses up to the next symbol.
type Names struct{ Kernel *kernel.Kernel }

// SymbolAt implements value.Names.
func (n Names) SymbolAt(addr uint64) (name string, off uint64, ok bool) {
	s, ok := n.Kernel.FindSymbol(addr)
	if ok && s.Module == nil && n.Kernel.Info != nil {
		return n.Kernel.Info.PointerSymbol(addr - n.Kernel.KASLROffset())
	}
	if !ok || !contains(&s.Symbol, addr) {
		return "", 0, false
	}
	return s.Name, addr - s.Addr, true
}

func contains(s *debuginfo.Symbol, addr uint64) bool {
	if s.Size == 0 {
		return isText(s.Type)
	}
	return addr-s.Addr < s.Size
}
