package command

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kdive/kdive"
	"github.com/kdive/kdive/debuginfo"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/kernel/scope"
	"github.com/kdive/kdive/livetext"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/value"
	"github.com/kdive/kdive/vmcore"
)

// Target is what the commands of one session work on.
type Target struct {
	Symbols Symbols
	Opened  *kdive.Target // nil in a session without a dump

	models  models
	current *task.Task // the task that commands mean when none is named; see currentTask
	frame   *selection

	text       *livetext.Model // see runDiff; nil until needed
	sources    []string        // where source files are (dis --source)
	afterUD2   int             // bytes behind ud2 that are no code (dis -b)
	scanStacks bool            // bt does what bt -o does (bt -O)

	expressions *scope.Scope // with the history of results; nil until needed
	modulesUsed bool         // the types of all modules are in use
}

// Symbols finds kernel symbols at their run-time addresses.
type Symbols interface {
	// Symbol returns the address of the named symbol.
	Symbol(name string) (addr uint64, ok bool)
}

// NewTarget makes the target of a session on an opened dump.
func NewTarget(o *kdive.Target) *Target {
	return &Target{Symbols: o.Kernel, Opened: o}
}

var errNoDump = errors.New("no dump is open")

// dump is the opened dump.
func (t *Target) dump() (*vmcore.Dump, error) {
	if t.Opened == nil {
		return nil, errNoDump
	}
	return t.Opened.Dump, nil
}

// kernel is the opened kernel; it may be without debug info.
func (t *Target) kernel() (*kernel.Kernel, error) {
	if t.Opened == nil {
		return nil, errNoDump
	}
	return t.Opened.Kernel, nil
}

// info is the debug info of the opened kernel.
func (t *Target) info() (*kernel.Kernel, *debuginfo.Info, error) {
	k, err := t.kernel()
	if err != nil {
		return nil, nil, err
	}
	if k.Info == nil {
		return nil, nil, kernel.ErrNoDebugInfo
	}
	return k, k.Info, nil
}

// style is how values print in this call.
func (t *Target) style(c *repl.Call) value.Style {
	set := c.Shell.Settings
	s := value.Style{Radix: c.Radix(), Max: set.PrintMax, Lines: set.PrintArray, Stop: set.NullStop}
	if k, err := t.kernel(); err == nil {
		s.Names = scope.Names{Kernel: k}
		if c.Has("A") {
			s.Names = t.objectNames(scope.Names{Kernel: k})
		}
	}
	return s
}

// address reads an operand that is an address: a hexadecimal number, a symbol or
// a member of one, either plus or minus a number, or a C expression in
// parentheses.
func (t *Target) address(text string) (uint64, error) {
	if isExpression(text) {
		return t.expressionAddress(text)
	}
	if a, err := repl.ParseAddress(text); err == nil {
		return a, nil
	}
	if _, ok := t.local(text); ok {
		return t.expressionAddress(text)
	}
	if i := strings.LastIndexAny(text, "+-"); i > 0 {
		base, err := t.address(strings.TrimSpace(text[:i]))
		if err != nil {
			return 0, err
		}
		off, err := repl.ParseNumber(strings.TrimSpace(text[i+1:]))
		if err != nil {
			return 0, err
		}
		if text[i] == '-' {
			off = -off
		}
		return base + off, nil
	}
	if t.Symbols != nil {
		if a, ok := t.Symbols.Symbol(text); ok {
			return a, nil
		}
		if variable, _, dotted := strings.Cut(text, "."); dotted {
			if _, ok := t.Symbols.Symbol(variable); ok {
				return t.expressionAddress(text)
			}
		}
	}
	return t.splitFunction(text)
}

// isLike reports whether somebody who typed name may have meant the symbol: it
// contains the name, is more than that, and not one of the records of exports.
func isLike(symbol, name string) bool {
	return len(name) > 2 && len(symbol) > len(name) && strings.Contains(symbol, name) &&
		!strings.HasPrefix(symbol, "__crc_") && !strings.HasPrefix(symbol, "__ksymtab_") && !strings.HasPrefix(symbol, "__kstrtab")
}

// maxAlternatives is how many names an error offers for one that does not exist.
const maxAlternatives = 5

// withAlternatives is err with the shortest of the names.
func withAlternatives(err error, names []string) error {
	if len(names) == 0 {
		return err
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	names = slices.Compact(names)
	more := ""
	if len(names) > maxAlternatives {
		names, more = names[:maxAlternatives], " ..."
	}
	return fmt.Errorf("%w; symbols like it: %s%s", err, strings.Join(names, " "), more)
}

// splitFunction is the address of a function that has the name in the source and
// another one in the symbol table, because the compiler took a part of it away or
// changed its arguments (finish_task_switch.isra.0).
func (t *Target) splitFunction(name string) (uint64, error) {
	err := fmt.Errorf("%s is neither an address nor a symbol", name)
	k, kerr := t.kernel()
	if kerr != nil {
		return 0, err
	}
	if k.Info == nil {
		return 0, fmt.Errorf("%w: %w", err, kernel.ErrNoDebugInfo)
	}
	var found []kernel.Symbol
	var like []string
	for s := range k.ImageSymbols() {
		if isLike(s.Name, name) {
			like = append(like, s.Name)
		}
		if len(s.Name) > len(name) && s.Name[:len(name)] == name && debuginfo.CrashName(s.Name) == name {
			found = append(found, s)
		}
	}
	switch len(found) {
	case 0:
		return 0, withAlternatives(err, like)
	case 1:
		return found[0].Addr, nil
	}
	names := make([]string, len(found))
	for i, s := range found {
		names[i] = s.Name
	}
	return 0, fmt.Errorf("%s is several functions: %s", name, strings.Join(names, ", "))
}
