package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// infoLine is one line of the VMCOREINFO note.
type infoLine struct{ key, value string }

var vmcoreinfoRecord = &output.Record[infoLine]{
	Type: "vmcoreinfo",
	Help: "one line of the VMCOREINFO note",
	Columns: []output.Column[infoLine]{
		{Name: "key", Verb: "%s=", Help: `key, such as "OSRELEASE" or "SYMBOL(init_uts_ns)"`, Get: func(l *infoLine) output.Value { return output.String(l.key) }},
		{Name: "value", Verb: "%s", Help: "value as text, SYMBOL hexadecimal without 0x", Get: func(l *infoLine) output.Value { return output.String(l.value) }},
	},
}

// vmcoreinfo prints what the kernel exported for the readers of its dumps.
func vmcoreinfo(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "vmcoreinfo",
		Synopsis: "[key ...]",
		Summary:  "show the VMCOREINFO note",
		Detail: `
VMCOREINFO is text that a kernel exports for the readers of its dumps: release, page
size, addresses of symbols, sizes and offsets of structures. The whole note is
printed, or the lines of the keys given. A key may be given without its kind: _stext
for SYMBOL(_stext).`,
		Examples: []repl.Example{
			{Line: "vmcoreinfo", Help: "The whole note."},
			{Line: "vmcoreinfo OSRELEASE phys_base", Help: "Two values of it."},
		},
		Records:  []output.Describer{vmcoreinfoRecord},
		Complete: t.completeInfoKeys,
		Run:      func(ctx context.Context, c *repl.Call) error { return runVMCoreInfo(ctx, t, c) },
	}
}

// infoKinds are the kinds of keys that carry a name in parentheses.
var infoKinds = [...]string{"SYMBOL", "SIZE", "OFFSET", "LENGTH", "NUMBER"}

func runVMCoreInfo(ctx context.Context, t *Target, c *repl.Call) error {
	d, err := t.dump()
	if err != nil {
		return err
	}
	v := d.VMCoreInfo()
	if v == nil {
		return errors.New("the dump has no VMCOREINFO")
	}
	if len(c.Args) == 0 {
		for _, key := range v.Keys() {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			value, _ := v.Get(key)
			vmcoreinfoRecord.Emit(c.Out, &infoLine{key, value})
		}
		return nil
	}
	for _, name := range c.Args {
		found := false
		keys := []string{name}
		for _, kind := range infoKinds {
			keys = append(keys, kind+"("+name+")")
		}
		for _, key := range keys {
			if value, ok := v.Get(key); ok {
				vmcoreinfoRecord.Emit(c.Out, &infoLine{key, value})
				found = true
			}
		}
		if !found {
			c.Error(fmt.Errorf("VMCOREINFO has no %s", name))
		}
	}
	return nil
}

func (t *Target) completeInfoKeys(_ *repl.Shell, _ []string, _ string) []string {
	d, err := t.dump()
	if err != nil || d.VMCoreInfo() == nil {
		return nil
	}
	return d.VMCoreInfo().Keys()
}
