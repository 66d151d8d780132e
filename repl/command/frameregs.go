package command

import (
	"github.com/kdive/kdive/debuginfo/location"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/unwind"
)

// frameRegister is a general register of a frame.
type frameRegister struct {
	reg  unwind.Reg
	bits uint64
	from location.Provenance
	name string // of the symbol that the value points to
}

var frameRegisterRecord = &output.Record[frameRegister]{
	Type: "register",
	Help: "a register of a frame, and where its value comes from",
	Columns: []output.Column[frameRegister]{
		{Name: "name", Verb: "%5s: ", Help: "name", Get: func(r *frameRegister) output.Value { return output.String(r.reg.String()) }},
		{Name: "value", Verb: "%016x", Help: "value; null: lost", None: "<lost>          ", Get: func(r *frameRegister) output.Value { return onlyIf(r.from.Class != location.Lost, output.Hex(r.bits)) }},
		{Name: "class", Verb: "  [%s", Help: "how sure the value is: exact, derived or lost", Get: func(r *frameRegister) output.Value { return output.String(r.from.Class.String()) }},
		{Name: "how", Verb: ": %s]", Help: "where it was found, what it follows from, or why it is lost", Get: func(r *frameRegister) output.Value { return output.String(r.from.How) }},
		{Name: "symbol", Verb: "%s", Help: "the symbol that the value points to, with the offset; null: none", Get: func(r *frameRegister) output.Value { return optional(r.name) },
			Text: func(r *frameRegister) string {
				if r.name == "" {
					return ""
				}
				return " <" + r.name + ">"
			}},
	},
}

// frameRegisters prints the registers of the selected frame.
func (t *Target) frameRegisters(c *repl.Call) error {
	s, err := t.selected()
	if err != nil {
		return err
	}
	tr, err := t.unwinder()
	if err != nil {
		return err
	}
	names := t.style(c).Names
	for r := unwind.RAX; r <= unwind.RIP; r++ {
		row := frameRegister{reg: r}
		if row.bits, row.from = tr.frames.Register(s.trace, s.index, r); row.from.Class != location.Lost && names != nil {
			if name, off, ok := names.SymbolAt(row.bits); ok {
				row.name = symbolText(name, off, true, c.Radix())
			}
		}
		frameRegisterRecord.Emit(c.Out, &row)
	}
	return nil
}
