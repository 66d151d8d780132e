package command

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/expr"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/kernel/scope"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/value"
)

// result is the value of an expression.
type result struct {
	text   string // the expression
	plain  bool   // it is the name of a variable or function
	cpu    int    // -1 for none
	number int    // in the history
	val    value.Value
	form   byte // as in p/x; 0 for the usual one
	style  value.Style
}

var resultRecord = &output.Record[result]{
	Type: "result",
	Help: "the value of an expression",
	Columns: []output.Column[result]{
		{Name: "expression", Help: "as it was typed", Get: func(r *result) output.Value { return output.String(r.text) }},
		{Name: "cpu", Help: "CPU whose copy of a per-CPU variable it is about", Get: func(r *result) output.Value { return atLeastZero(r.cpu) }},
		{Name: "number", Help: "its place in the history: 3 for $3", Get: func(r *result) output.Value { return output.Int(r.number) }},
		{Name: "ctype", Help: "C type of the value", Get: func(r *result) output.Value { return output.String(r.val.Type().String()) }},
		{Name: "value", Help: "the value", Get: func(r *result) output.Value { return output.Tree(value.JSON{Value: r.val, Style: r.style}) }},
	},
	Text: func(b []byte, r *result) []byte { return append(r.appendText(b), '\n') },
}

func (r *result) appendText(b []byte) []byte {
	switch {
	case r.cpu >= 0:
		name, _, _ := strings.Cut(r.text, ":")
		if r.plain {
			b = fmt.Appendf(b, "per_cpu(%s, %d) = ", name, r.cpu)
		} else {
			b = fmt.Appendf(b, "[%d]: ", r.cpu)
		}
	case r.plain:
		b = append(append(b, r.text...), " = "...)
	}
	b = fmt.Appendf(b, "$%d = ", r.number)
	if r.form != 0 {
		if s, ok := formatScalar(r.val, r.form); ok {
			return append(b, s...)
		}
	}
	at := len(b)
	b = value.AppendTop(b, r.val, r.style)
	if k := r.val.Type().Underlying().Kind(); r.plain && !r.style.Lines && b[at] == '{' && (k == ctype.Array || k == ctype.Func) {
		b = append(append(b[:at:at], "\n "...), b[at:]...)
	}
	return b
}

// perCPURow is what p shows of a per-CPU variable: where its copies are.
type perCPURow struct {
	name string
	typ  *ctype.Type
	cpus []cpuPlace

	hidden []int // CPUs that "set offline hide" leaves out
}

var perCPURecord = &output.Record[perCPURow]{
	Type: "percpu_variable",
	Help: "a per-CPU variable and its copies",
	Columns: []output.Column[perCPURow]{
		{Name: "name", Help: "name of the variable", Get: func(r *perCPURow) output.Value { return output.String(r.name) }},
		{Name: "ctype", Help: "its C type", Get: func(r *perCPURow) output.Value { return output.String(r.typ.String()) }},
		{Name: "copies", Help: "{cpu, address} of each copy", Get: func(r *perCPURow) output.Value {
			var v []output.Value
			for _, c := range r.cpus {
				v = append(v, output.Object(output.Field{Name: "cpu", Value: output.Int(c.cpu)}, output.Field{Name: "address", Value: output.Addr(c.addr)}))
			}
			return output.List(v...)
		}},
	},
	Text: func(b []byte, r *perCPURow) []byte {
		b = fmt.Appendf(b, "PER-CPU DATA TYPE:\n  %s;\nPER-CPU ADDRESSES:\n", r.typ.Declare(r.name))
		for _, c := range r.cpus {
			b = fmt.Appendf(b, "  [%d]: %x\n", c.cpu, c.addr)
		}
		for _, cpu := range r.hidden {
			b = fmt.Appendf(b, "cpu %d is OFFLINE\n", cpu)
		}
		return b
	},
}

// p evaluates C expressions.
func p(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "p",
		Synopsis: "[-x|-d] [-uA] expression[:cpus]",
		Summary:  "print the value of a C expression",
		Detail: `
The expression is one of C over the variables of the kernel and its modules: members,
pointers, arrays, casts, arithmetic, comparison, logic, sizeof, enumerators, and
file.c::variable for one of several static variables of a name. object@count is an array
of objects. Results are kept: $3 is the third, $ the last, $$ the one before. Macros are
not known, and nothing can be written.

The name of a per-CPU variable alone shows where its copies are. cpus behind it choose
copies: numbers and ranges (0,2-3), "a" for all, nothing for the CPU of the current task.`,
		Options: []repl.Option{
			{Name: "x", Help: "numbers in hexadecimal"},
			{Name: "d", Help: "numbers in decimal"},
			{Name: "u", Help: "addresses below the kernel's are those of the current task"},
			{Name: "A", Help: "say of pointers which object of a cache they point to, and its type if it is known"},
		},
		Examples: []repl.Example{
			{Line: "p init_task.comm", Help: "A member."},
			{Line: "p ((struct task_struct *)0xffff9b6d00ac4380)->parent->comm", Help: "Along pointers."},
			{Line: "p runqueues:a", Help: "The copy of every CPU."},
			{Line: "p sizeof(struct page)", Help: "A size."},
		},
		Records: []output.Describer{resultRecord, perCPURecord},
		Expr:    true,
		Run:     func(_ context.Context, c *repl.Call) error { return runP(t, c) },
	}
}

func runP(t *Target, c *repl.Call) error {
	text, form, err := pFormat(c.Rest)
	if err != nil {
		return err
	}
	formatted := form != 0
	if text == "" {
		return c.Usage("an expression is missing")
	}
	s, err := t.scope()
	if err != nil {
		return err
	}
	if c.Has("u") {
		user, err := t.currentUserMemory()
		if err != nil {
			return err
		}
		s.Mem = splitMemory{s.Kernel, user}
		defer func() { s.Mem = nil }()
	}
	if done, err := t.showCopies(c, s, text); done || err != nil {
		return err
	}
	text = cpusInFront(s, text)
	results, err := t.evalAll(s, text)
	if err != nil {
		return err
	}
	if files := s.Files(text); len(files) > 1 && isPlain(text) {
		c.Warn("%s is defined in several files; this is %s::%s (others: %s)", text, files[0], text, strings.Join(files[1:], ", "))
	}
	style := t.style(c)
	if form == 'x' || form == 'd' {
		style.Radix = map[byte]int{'x': 16, 'd': 10}[form]
		form = 0
	}
	name := ""
	if plainResult.MatchString(text) && !formatted {
		name, _, _ = strings.Cut(text, ":")
	}
	for _, r := range results {
		if r.Err != nil {
			c.Error(r.Err)
			continue
		}
		if r.CPU >= 0 && t.hidden(c, r.CPU) {
			c.Out.Printf("cpu %d is OFFLINE\n", r.CPU)
			continue
		}
		if err := hasValue(r.Value, text); err != nil {
			c.Error(err)
			continue
		}
		resultRecord.Emit(c.Out, &result{text: text, plain: name != "" && isNamed(r.Value, s, name), cpu: r.CPU,
			number: s.Record(r.Value), val: r.Value, form: form, style: style})
		if v, ok := t.local(text); ok {
			c.Out.Note("%s is %s", text, provenance(&v.Provenance))
		}
	}
	return nil
}

// hasValue is why nothing of a value can be printed.
func hasValue(v value.Value, text string) error {
	addr, inMemory := v.Addr()
	switch k := v.Type().Underlying().Kind(); {
	case k == ctype.Unknown:
		return fmt.Errorf("%s has no type in the debug info; a cast gives it one: *(long *)&%s", text, text)
	case inMemory && k != ctype.Func && v.Type().Size() > 0:
		if err := readable(v.Memory(), addr, v.Type().Size()); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}

// plainResult is a name, with a choice of CPUs or not.
var plainResult = regexp.MustCompile(`^[A-Za-z_]\w*(:([-,0-9]*|a|all))?$`)

var cpusBehind = regexp.MustCompile(`^([A-Za-z_]\w*)([.\[].*):([-,0-9]*|a|all)$`)

// cpusInFront moves a choice of CPUs behind a member to the variable:
// runqueues.nr_running:a is runqueues:a.nr_running.
func cpusInFront(s *scope.Scope, text string) string {
	m := cpusBehind.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	if _, err := s.PerCPU(m[1], "", "a"); err != nil {
		return text
	}
	return m[1] + ":" + m[3] + m[2]
}

// evalAll evaluates an expression; if a name is not known, once more with the
// debug info of the modules.
func (t *Target) evalAll(s *scope.Scope, text string) ([]expr.Result, error) {
	results, err := expr.EvalAll(s, text)
	if errors.Is(err, expr.ErrUnknown) && t.useModules() || err == nil && untyped(results) && t.useModules() {
		return expr.EvalAll(s, text)
	}
	return results, err
}

// untyped reports whether a result is a symbol without debug info.
func untyped(results []expr.Result) bool {
	return len(results) == 1 && results[0].Err == nil && results[0].Value.Type().Underlying().Kind() == ctype.Unknown
}

// splitMemory is a user address space below and kernel memory above.
type splitMemory struct {
	kernel *kernel.Kernel
	user   value.Memory
}

// Read implements value.Memory.
func (m splitMemory) Read(p []byte, addr uint64) error {
	if int64(addr) < 0 {
		return m.kernel.Read(p, addr)
	}
	return m.user.Read(p, addr)
}

// isPlain reports whether text is one C identifier.
func isPlain(text string) bool {
	for i := range len(text) {
		c := text[i]
		if c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return text != ""
}

// isNamed reports whether v is named by name: enumerators are not.
func isNamed(v value.Value, s *scope.Scope, name string) bool {
	_, inMemory := v.Addr()
	_, _, enumerator := s.Enumerator(name)
	return inMemory || !enumerator && v.Type().Underlying().Kind() == ctype.Func
}

// showCopies answers the bare name of a per-CPU variable.
func (t *Target) showCopies(c *repl.Call, s *scope.Scope, text string) (done bool, err error) {
	if !isPlain(text) {
		return false, nil
	}
	copies, err := s.PerCPU(text, "", "a")
	if err != nil || len(copies) == 0 {
		return false, nil // an ordinary name, or the expression says what is wrong
	}
	row := &perCPURow{name: text, typ: copies[0].Value.Type()}
	for _, x := range copies {
		if t.hidden(c, x.CPU) {
			row.hidden = append(row.hidden, x.CPU)
			continue
		}
		addr, _ := x.Value.Addr()
		row.cpus = append(row.cpus, cpuPlace{x.CPU, addr})
	}
	perCPURecord.Emit(c.Out, row)
	return true, nil
}

// pFormat splits a format as in p/x from the expression.
func pFormat(text string) (rest string, form byte, err error) {
	if !strings.HasPrefix(text, "/") {
		return text, 0, nil
	}
	word, rest, _ := strings.Cut(text[1:], " ")
	if word == "s" { // strings print as such anyway
		return strings.TrimSpace(rest), 0, nil
	}
	if len(word) != 1 || !strings.Contains("xduotacz", word) {
		return "", 0, fmt.Errorf("/%s is no format: x, d, u, o, t, a, c, s and z are", word)
	}
	return strings.TrimSpace(rest), word[0], nil
}

// formatScalar prints an integer or pointer in a format of gdb: u unsigned,
// o octal, t binary, a address, c character, z zero-filled hexadecimal.
func formatScalar(v value.Value, form byte) (string, bool) {
	switch v.Type().Underlying().Kind() {
	case ctype.Int, ctype.Bool, ctype.Enum, ctype.Pointer:
	default:
		return "", false
	}
	n, err := v.Uint()
	if err != nil {
		return output.FaultText(err), true
	}
	size := min(max(v.Type().Size(), 1), 8)
	n &= ^uint64(0) >> (64 - 8*size)
	switch form {
	case 'u':
		return fmt.Sprintf("%d", n), true
	case 'o':
		return fmt.Sprintf("%#o", n), true
	case 't':
		return fmt.Sprintf("%b", n), true
	case 'a':
		return fmt.Sprintf("%#x", n), true
	case 'z':
		return fmt.Sprintf("0x%0*x", 2*size, n), true
	case 'c':
		char := ctype.New(ctype.Int, "char", ctype.Def{Size: 1, Signed: true, Char: true})
		return value.Format(value.Const(char, n), value.Style{}), true
	}
	return "", false
}
