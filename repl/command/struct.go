package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/value"
)

// structure is the command struct, and under other names union and *.
func structure(t *Target, name string) *repl.Command {
	c := &repl.Command{
		Name:     name,
		Synopsis: "name[.member,...][@file] [-orvupxdA] [-l offset] [address|symbol[:cpus]] [count|-c count]",
		Summary:  "show a structure: its definition, or objects in memory",
		Detail: `
Without an address the definition and size of a structure or union are shown; with -o
and the offset of each member. With an address the object there is shown, or those
members of it that are named. A typedef or, if there is no such type, a variable may be
named, too.

The path of a member goes through embedded structures, arrays and pointers:
mm->pgd, se.load.weight, comm[0], fdt.fd[2].f_path.dentry; "." and "->" mean the same.

The address is hexadecimal, a symbol, either plus or minus a number, or a C expression in
parentheses. cpus behind a per-CPU symbol are numbers and ranges (0,2-3), or "a" for all,
or nothing for the CPU of the current task.

A count shows so many objects at consecutive addresses; a negative count shows those that
end with the one at the address.

If several source files define a structure differently, name@file chooses one.`,
		Options: []repl.Option{
			{Name: "o", Help: "show the offset of each member, or with an address the address"},
			{Name: "l", Arg: "offset", Help: "the address is that of a member: subtract its offset, a number or struct.member"},
			{Name: "r", Help: "show the bytes as rd does"},
			{Name: "v", Help: "with -r: no characters beside the words"},
			{Name: "u", Help: "the address is a user virtual address of the current task"},
			{Name: "p", Help: "show what pointers point to"},
			{Name: "A", Help: "say of pointers which object of a cache they point to, and its type if it is known"},
			{Name: "f", Help: "not possible: see the differences to crash"},
			{Name: "c", Arg: "count", Help: "show count objects"},
			{Name: "x", Help: "numbers in hexadecimal"},
			{Name: "d", Help: "numbers in decimal"},
		},
		Examples: []repl.Example{
			{Line: name + " list_head -o", Help: "Offsets and size."},
			{Line: name + " task_struct.pid,comm,mm->pgd init_task", Help: "Some members, one behind a pointer."},
			{Line: name + " rq.nr_running runqueues:a", Help: "Of every CPU."},
			{Line: name + " task_struct -l task_struct.tasks ffff9b6d001a62f0", Help: "The task that a list entry is in."},
		},
		Records: []output.Describer{definitionRecord, objectRecord, cpuObjectRecord, rdRecord, rdGapRecord},
		Run:     func(ctx context.Context, c *repl.Call) error { return runStruct(ctx, t, c, name) },
		Complete: func(_ *repl.Shell, args []string, prefix string) []string {
			if len(args) > 0 {
				return t.completeWord(args, prefix)
			}
			return t.completeStruct(prefix)
		},
	}
	switch name {
	case "union":
		c.Summary = "show a union: its definition, or objects in memory"
	case "*":
		c.Summary = "short for struct and union"
	}
	return c
}

// structPlan is what one call of struct asks for.
type structPlan struct {
	name    string
	typ     *ctype.Type
	members []member
	mem     value.Memory
	places  []cpuPlace
	count   int64
	style   value.Style
}

// cpuPlace is an address to show an object at, of a per-CPU variable that of
// one CPU.
type cpuPlace struct {
	cpu  int // -1 for no CPU
	addr uint64
}

func runStruct(ctx context.Context, t *Target, c *repl.Call, keyword string) error {
	if keyword == "*" {
		keyword = "struct"
	}
	if len(c.Args) == 0 {
		return c.Usage("the name of a structure is missing")
	}
	p, err := t.planStruct(c, keyword)
	if err != nil {
		return err
	}
	if p.places == nil {
		return p.define(t, c)
	}
	for i, at := range p.places {
		if at.cpu >= 0 && t.hidden(c, at.cpu) {
			c.Out.Printf("[%d]: [OFFLINE]\n", at.cpu)
			continue
		}
		if at.cpu >= 0 {
			cpuObjectRecord.Emit(c.Out, &p.places[i])
		}
		if err := p.show(ctx, c, at.addr); err != nil {
			return err
		}
	}
	return nil
}

// planStruct reads the operands.
func (t *Target) planStruct(c *repl.Call, keyword string) (*structPlan, error) {
	spec, err := parseTypeSpec(c.Args[0])
	if err != nil {
		return nil, err
	}
	p := &structPlan{style: t.style(c)}
	operands := c.Args[1:]
	if p.typ, err = t.aggregate(keyword, spec); err != nil {
		typ, ok := t.variableStruct(spec)
		if !ok {
			return nil, err
		}
		// "struct init_task" is the variable of that name.
		p.typ = typ
		if len(operands) == 0 {
			operands = []string{spec.name}
		}
	}
	p.name = structName(p.typ, keyword, spec)
	if p.members, err = memberPaths(p.typ, spec); err != nil {
		return nil, err
	}
	if len(operands) == 0 {
		return p, nil
	}
	if len(operands) > 2 {
		return nil, c.Usage("too many operands: %s", strings.Join(operands[2:], " "))
	}
	if p.count, err = countOf(c, operands[1:]); err != nil {
		return nil, err
	}
	if p.mem, err = t.structMemory(c); err != nil {
		return nil, err
	}
	t.warnAmbiguous(c, p.typ, spec)
	return p, p.locate(t, c, operands[0])
}

// structName is the word and name before the brace of an object.
func structName(typ *ctype.Type, keyword string, spec typeSpec) string {
	if typ.Kind() == ctype.Struct || typ.Kind() == ctype.Union {
		return typ.String()
	}
	if keyword != "union" {
		keyword = kindName(typ.Underlying())
	}
	return keyword + " " + spec.name
}

// variableStruct is the type of a variable that is a structure or points to
// one.
func (t *Target) variableStruct(spec typeSpec) (*ctype.Type, bool) {
	s, err := t.scope()
	if err != nil {
		return nil, false
	}
	v, err := s.Variable(spec.name, spec.file)
	if err != nil {
		return nil, false
	}
	typ := v.Type()
	for u := typ.Underlying(); u.Kind() == ctype.Array; u = typ.Underlying() {
		typ = u.Elem()
	}
	k := typ.Underlying().Kind()
	return typ, k == ctype.Struct || k == ctype.Union
}

// countOf is how many objects are asked for, 1 if nothing is said.
func countOf(c *repl.Call, operands []string) (int64, error) {
	text := "1"
	if s, ok := c.Value("c"); ok {
		text = s
		if len(operands) > 0 {
			return 0, c.Usage("the count is given twice")
		}
	} else if len(operands) > 0 {
		text = operands[0]
	}
	abs, negative := strings.CutPrefix(text, "-")
	n, err := repl.ParseNumber(abs)
	switch {
	case err != nil:
		return 0, err
	case n == 0 || n > maxObjects:
		return 0, fmt.Errorf("invalid count: %s", text)
	case negative:
		return -int64(n), nil
	}
	return int64(n), nil
}

// maxObjects bounds a count: an address in the place of the count is a mistake.
const maxObjects = 1 << 32

// structMemory is the address space that the options name.
func (t *Target) structMemory(c *repl.Call) (value.Memory, error) {
	k, err := t.kernel()
	switch {
	case err != nil:
		return nil, err
	case c.Has("f"):
		return nil, errors.New("-f: the offsets of a dump file mean nothing: pages are packed, and in any order")
	case c.Has("u"):
		return t.currentUserMemory()
	}
	return k, nil
}

// locate finds the addresses of the objects.
func (p *structPlan) locate(t *Target, c *repl.Call, operand string) error {
	back, err := t.offsetOption(c, "l")
	if err != nil {
		return err
	}
	k, err := t.kernel()
	if err != nil {
		return err
	}
	symbol, cpus, specified := operand, "a", false
	if !isExpression(operand) {
		if s, spec, ok := strings.Cut(operand, ":"); ok {
			symbol, cpus, specified = s, spec, true
		}
	}
	addr, perCPU, err := t.symbolAddress(k, symbol)
	if err != nil {
		return err
	}
	switch {
	case perCPU:
		return p.locatePerCPU(t, k, addr-back, cpus)
	case specified:
		return fmt.Errorf("%s is not a per-CPU symbol", symbol)
	}
	addr -= back
	if _, kernelSpace := p.mem.(*kernel.Kernel); kernelSpace && !k.IsKernelAddress(addr) {
		return fmt.Errorf("invalid kernel virtual address: %x", addr)
	}
	p.places = []cpuPlace{{-1, addr}}
	return nil
}

// symbolAddress reads an address operand, and tells whether it is the offset of
// a per-CPU symbol.
func (t *Target) symbolAddress(k *kernel.Kernel, operand string) (addr uint64, perCPU bool, err error) {
	if _, err := repl.ParseAddress(operand); err != nil {
		if a, ok := k.Symbol(operand); ok {
			return a, k.IsPerCPU(a), nil
		}
	}
	addr, err = t.address(operand)
	return addr, false, err
}

func (p *structPlan) locatePerCPU(t *Target, k *kernel.Kernel, addr uint64, spec string) error {
	possible, err := k.PossibleCPUs()
	if err != nil {
		return err
	}
	cpus := []int{t.currentCPU()}
	if spec != "" {
		if cpus, err = cpuList(spec, possible); err != nil {
			return err
		}
	}
	for _, cpu := range cpus {
		off, err := k.PerCPUOffset(cpu)
		if err != nil {
			return err
		}
		p.places = append(p.places, cpuPlace{cpu, addr + off})
	}
	return nil
}

// offsetOption is the argument of an option that takes an offset, in bytes or
// as struct.member; 0 if the option is not given.
func (t *Target) offsetOption(c *repl.Call, name string) (uint64, error) {
	text, ok := c.Value(name)
	if !ok {
		return 0, nil
	}
	return t.offset(text)
}

// offset reads an offset: a number of bytes or struct.member.
func (t *Target) offset(text string) (uint64, error) {
	if !strings.Contains(text, ".") {
		return repl.ParseNumber(text)
	}
	spec, err := parseTypeSpec(text)
	if err != nil {
		return 0, err
	}
	if len(spec.members) != 1 {
		return 0, fmt.Errorf("%s: one member is expected", text)
	}
	typ, err := t.aggregate("struct", spec)
	if err != nil {
		return 0, err
	}
	m, err := memberPaths(typ, spec)
	if err != nil {
		return 0, err
	}
	if m[0].place.owner != typ {
		return 0, fmt.Errorf("%s leads through a pointer and has no offset", text)
	}
	return uint64(m[0].place.offset), nil
}
