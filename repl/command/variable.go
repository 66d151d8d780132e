package command

import (
	"fmt"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/debuginfo/location"
	"github.com/kdive/kdive/frame"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/unwind"
	"github.com/kdive/kdive/value"
)

// variableRow is one variable of a frame.
type variableRow struct {
	task     *task.Task
	position int // in the trace
	frame    *unwind.Frame
	level    *frame.Level
	depth    int // of the level: 0 is the innermost call
	*frame.Variable

	style  value.Style
	short  bool // structs and arrays by their address only
	indent string
}

var variableRecord = &output.Record[variableRow]{
	Type: "variable",
	Help: "a parameter or local variable of a frame",
	Columns: append(taskColumns(func(r *variableRow) *task.Task { return r.task }), []output.Column[variableRow]{
		{Name: "position", Help: "of the frame in the trace, from 0", Get: func(r *variableRow) output.Value { return output.Int(r.position) }},
		{Name: "pc", Help: "of the frame", Get: func(r *variableRow) output.Value { return output.Addr(r.frame.PC) }},
		{Name: "function", Help: "whose variable it is", Get: func(r *variableRow) output.Value { return output.String(r.level.Function) }},
		{Name: "inlined", Help: "the function was inlined into the frame's", Get: func(r *variableRow) output.Value { return output.Bool(r.level.Inlined) }},
		{Name: "level", Help: "of the call in the frame: 0 is the innermost inlined one", Get: func(r *variableRow) output.Value { return output.Int(r.depth) }},
		{Name: "name", Help: "name of the variable", Get: func(r *variableRow) output.Value { return output.String(r.Name) }},
		{Name: "kind", Help: "parameter or local", Get: func(r *variableRow) output.Value { return output.String(r.kind()) }},
		{Name: "ctype", Help: "C type", Get: func(r *variableRow) output.Value { return output.String(r.Variable.Type.String()) }},
		{Name: "value", Help: "the value", Get: func(r *variableRow) output.Value { return output.Tree(value.JSON{Value: r.Value, Style: r.style}) }},
		{Name: "address", Help: "where it is in memory; null: it is not, or in pieces", Get: func(r *variableRow) output.Value {
			if a, ok := r.Value.Addr(); ok {
				return output.Addr(a)
			}
			return output.Null()
		}},
		{Name: "class", Help: "how sure the value is: exact (it stands where the debug info says), derived (it follows from something else), lost", Get: func(r *variableRow) output.Value {
			return output.String(r.Class.String())
		}},
		{Name: "how", Help: "where it is, what it follows from, or why it is lost", Get: func(r *variableRow) output.Value { return optional(r.How) }},
		{Name: "reason", Help: "of a lost value, one of a few; null: not lost", Get: func(r *variableRow) output.Value {
			if r.Class != location.Lost {
				return output.Null()
			}
			return output.String(r.Reason.String())
		}},
		{Name: "recovered", Help: "why the debug info alone would not tell the value, which following the code gave; null: it tells", Get: func(r *variableRow) output.Value {
			if r.Recovered == location.None {
				return output.Null()
			}
			return output.String(r.Recovered.String())
		}},
		{Name: "steps", Help: "addresses of the instructions that carry a derived value", Get: func(r *variableRow) output.Value {
			var list []output.Value
			for _, a := range r.Steps {
				list = append(list, output.Addr(a))
			}
			return output.List(list...)
		}},
		{Name: "pieces", Help: "of a value that is in several places: bits, class, how", Get: func(r *variableRow) output.Value { return pieces(r.Where) }},
	}...),
	Text: appendVariable,
}

func (r *variableRow) kind() string {
	if r.Parameter {
		return "parameter"
	}
	return "local"
}

func pieces(r location.Result) output.Value {
	var list []output.Value
	for i := range r.Pieces {
		p := &r.Pieces[i]
		if len(r.Pieces) > 1 {
			list = append(list, output.Object(output.Field{Name: "bits", Value: output.Uint(p.Bits)},
				output.Field{Name: "class", Value: output.String(p.Class.String())}, output.Field{Name: "how", Value: optional(p.How)}))
		}
	}
	return output.List(list...)
}

func appendVariable(b []byte, r *variableRow) []byte {
	b = fmt.Appendf(b, "%s%s = ", r.indent, r.Name)
	if r.Class == location.Lost {
		return fmt.Appendf(b, "<lost: %s>\n", r.How)
	}
	if r.short && aggregate(r.Variable.Type) {
		b = fmt.Appendf(b, "(%s) {...}", r.Variable.Type)
		if a, ok := r.Value.Addr(); ok {
			b = fmt.Appendf(b, " at %x", a)
		}
	} else {
		b = value.AppendTop(b, r.Value, r.style)
	}
	return fmt.Appendf(b, "  [%s]\n", provenance(&r.Provenance))
}

// provenance is where a value comes from, in words.
func provenance(p *location.Provenance) string {
	s := p.Class.String()
	if p.How != "" {
		s += ": " + p.How
	}
	return s
}

func aggregate(t *ctype.Type) bool {
	switch u := t.Underlying(); u.Kind() {
	case ctype.Struct, ctype.Union:
		return true
	case ctype.Array:
		return !u.Elem().Underlying().IsChar()
	}
	return false
}
