package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/sysinfo"
)

var taintRecord = &output.Record[sysinfo.Taint]{
	Type: "taint",
	Help: "what makes the kernel tainted",
	Columns: []output.Column[sysinfo.Taint]{
		{Name: "mask", Verb: "TAINTED_MASK: %x  ", Help: "tainted_mask", Get: func(t *sysinfo.Taint) output.Value { return output.Hex(t.Mask) }},
		{Name: "flags", Verb: "%s", Help: "letters of the bits that are set", Get: func(t *sysinfo.Taint) output.Value { return output.String(t.Flags) }},
	},
}

func sysTaint(t *Target, c *repl.Call) error {
	k, err := t.kernel()
	if err != nil {
		return err
	}
	taint, err := sysinfo.ReadTaint(k)
	if err != nil {
		return err
	}
	taintRecord.Emit(c.Out, &taint)
	return nil
}

var dmiRecord = &output.Record[sysinfo.DMI]{
	Type: "dmi",
	Help: "one identification string of the firmware",
	Columns: []output.Column[sysinfo.DMI]{
		{Name: "name", Verb: "%25s: ", Help: "which string", Get: func(d *sysinfo.DMI) output.Value { return output.String(d.Name) }},
		{Name: "value", Verb: "%s", Help: "the string", Get: func(d *sysinfo.DMI) output.Value { return output.String(d.Value) }},
	},
}

func sysDMI(t *Target, c *repl.Call) error {
	k, err := t.kernel()
	if err != nil {
		return err
	}
	list, err := sysinfo.ReadDMI(k)
	for i := range list {
		dmiRecord.Emit(c.Out, &list[i])
	}
	return err
}

// configRow is one option of the kernel's configuration.
type configRow struct {
	name  string
	value string // "n" if it is not set
}

var configRecord = &output.Record[configRow]{
	Type: "config",
	Help: "one option of the kernel's configuration",
	Columns: []output.Column[configRow]{
		{Name: "name", Help: "the option", Get: func(r *configRow) output.Value { return output.String(r.name) }},
		{Name: "value", Help: "its value; n if it is not set", Get: func(r *configRow) output.Value { return output.String(r.value) }},
	},
}

// sysConfig shows the configuration: the file itself, its options in JSON.
func sysConfig(t *Target, c *repl.Call) error {
	k, err := t.kernel()
	if err != nil {
		return err
	}
	text, err := sysinfo.ReadConfig(k)
	if !c.Out.JSON() {
		c.Out.Print(string(text))
		return err
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		var r configRow
		if unset, ok := strings.CutSuffix(line, " is not set"); ok {
			r = configRow{strings.TrimPrefix(unset, "# "), "n"}
		} else if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			r = configRow{name, value}
		} else {
			continue
		}
		configRecord.Emit(c.Out, &r)
	}
	return err
}

// syscallRow is one entry of the system call table.
type syscallRow struct {
	number int
	addr   uint64
	name   string
	file   string
	line   int
}

var syscallRecord = &output.Record[syscallRow]{
	Type: "syscall",
	Help: "one system call",
	Columns: []output.Column[syscallRow]{
		{Name: "number", Head: "NUM", Verb: "%3d  ", Help: "number of the system call", Get: func(r *syscallRow) output.Value { return output.Int(r.number) }},
		{Name: "name", Head: "  SYSTEM CALL              ", Verb: "%-26s ", Help: "symbol of its entry", Get: func(r *syscallRow) output.Value { return optional(r.name) }},
		{Name: "address", Help: "address of its entry", Get: func(r *syscallRow) output.Value { return output.Addr(r.addr) }},
		{Name: "file", Head: "  FILE AND LINE NUMBER", Verb: "%s", Help: "source file", Get: func(r *syscallRow) output.Value { return optional(r.file) },
			Text: func(r *syscallRow) string {
				if r.file == "" {
					return ""
				}
				return fmt.Sprintf("%s: %d", r.file, r.line)
			}},
		{Name: "line", Help: "line in the file", Get: func(r *syscallRow) output.Value { return output.Int(r.line) }},
	},
}

// maxSyscalls bounds the table where the debug info gives it no size.
const maxSyscalls = 1024

func sysCalls(ctx context.Context, t *Target, c *repl.Call) error {
	k, err := t.kernel()
	if err != nil {
		return err
	}
	table, count, err := syscallTable(k)
	if err != nil {
		return err
	}
	syscallRecord.Head(c.Out)
	shown := 0
	for i := range count {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		addr, err := k.U64(table + uint64(i)*8)
		if err != nil {
			return err
		}
		r := syscallRow{number: i, addr: addr}
		r.name, _, _ = k.SymbolAt(addr)
		if !r.wanted(c.Args) {
			continue
		}
		r.file, r.line, _ = k.Line(addr)
		syscallRecord.Emit(c.Out, &r)
		shown++
	}
	if shown == 0 {
		return fmt.Errorf("no system call is called %s", strings.Join(c.Args, " or "))
	}
	return nil
}

// wanted reports whether the operands name the call: by number or by a part of
// its name. No operands name all.
func (r *syscallRow) wanted(args []string) bool {
	for _, a := range args {
		if n, err := repl.ParseNumber(a); err == nil && n == uint64(r.number) || strings.Contains(r.name, a) {
			return true
		}
	}
	return len(args) == 0
}

// syscallTable is where the table is and how many entries it has.
func syscallTable(k *kernel.Kernel) (addr uint64, count int, err error) {
	if k.Info == nil {
		return 0, 0, kernel.ErrNoDebugInfo
	}
	addr, ok := k.Symbol("sys_call_table")
	if !ok {
		return 0, 0, errors.New("this kernel has no sys_call_table")
	}
	if typ, err := k.VariableType("sys_call_table"); err == nil {
		if n := typ.Underlying().Count(); n > 0 && n <= maxSyscalls {
			return addr, int(n), nil
		}
	}
	for _, s := range k.Symbols("sys_call_table") {
		if n := s.Size / 8; n > 0 && n <= maxSyscalls {
			return addr, int(n), nil
		}
	}
	return 0, 0, errors.New("the size of sys_call_table is not known")
}
