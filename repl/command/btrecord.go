package command

import (
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/unwind"
)

// frameRow is one frame of a back trace.
type frameRow struct {
	task   *task.Task
	frame  *unwind.Frame
	number int // -1: interrupted, its registers are shown instead
	site

	left string // name of the stack that the frame before is on, if it is another

	showOffset, showLine, showCalls bool
	scanned                         bool // a word that points into code (-o)
	radix                           int
}

// inlinedCall is a call inside a frame that the compiler put in place.
type inlinedCall struct {
	name string
	file string
	line int // that it executes
}

var frameRecord = &output.Record[frameRow]{
	Type: "frame",
	Help: "one frame of a back trace, the innermost first",
	Columns: append(taskColumns(func(r *frameRow) *task.Task { return r.task }), []output.Column[frameRow]{
		{Name: "frame", Help: "number; null: the frame was interrupted by an exception, is that of the CPU's registers or left by a tail call", Get: func(r *frameRow) output.Value { return atLeastZero(r.number) }},
		{Name: "slot", Help: "where on the stack the pc was found; null: in a register", Get: func(r *frameRow) output.Value { return optionalAddr(r.frame.Slot) }},
		{Name: "pc", Help: "return address, or the next instruction if exact", Get: func(r *frameRow) output.Value { return output.Addr(r.frame.PC) }},
		{Name: "exact", Help: "pc is the next instruction, not a return address", Get: func(r *frameRow) output.Value { return output.Bool(r.frame.Exact) }},
		{Name: "noreturn", Help: "the call is the last instruction of its function: pc is behind the function, which the call never comes back to", Get: func(r *frameRow) output.Value { return output.Bool(r.noreturn) }},
		{Name: "sp", Help: "stack pointer of the frame", Get: func(r *frameRow) output.Value { return output.Addr(r.frame.SP) }},
		{Name: "cfa", Help: "stack pointer of the caller; null: not known", Get: func(r *frameRow) output.Value { return optionalAddr(r.frame.CFA) }},
		{Name: "stack", Help: "stack that the frame is on", Get: func(r *frameRow) output.Value {
			if r.frame.Stack == nil {
				return output.Null()
			}
			return output.String(r.frame.Stack.Name)
		}},
		{Name: "symbol", Help: "function", Get: func(r *frameRow) output.Value { return optional(r.symbol) }},
		{Name: "offset", Help: "of pc from the function's start, in bytes", Get: func(r *frameRow) output.Value { return output.Uint(r.offset) }},
		{Name: "module", Help: "module that the function is in; null: the kernel image", Get: func(r *frameRow) output.Value { return optional(r.module) }},
		{Name: "file", Help: "source file of the call (-l, or with inlined calls)", Get: func(r *frameRow) output.Value { return optional(r.file) }},
		{Name: "line", Help: "line in it", Get: func(r *frameRow) output.Value { return positive(r.line) }},
		{Name: "inlined", Help: "calls that the compiler put in place, the innermost first: name, file, line", Get: func(r *frameRow) output.Value { return inlinedValue(r.calls) }},
		{Name: "source", Help: "how the frame was found: start, ORC, CFI, tail call, or what was guessed", Get: func(r *frameRow) output.Value { return output.String(r.frame.Source.String()) }},
		{Name: "guess", Help: "nothing proves the frame", Get: func(r *frameRow) output.Value { return output.Bool(r.frame.Source.Guess()) }},
		{Name: "registers", Help: "registers that are known in the frame", Get: func(r *frameRow) output.Value { return knownRegisters(&r.frame.Regs) }},
	}...),
	Text: appendFrame,
}

func inlinedValue(calls []inlinedCall) output.Value {
	list := make([]output.Value, len(calls))
	for i, c := range calls {
		list[i] = output.Object(output.Field{Name: "symbol", Value: output.String(c.name)},
			output.Field{Name: "file", Value: optional(c.file)}, output.Field{Name: "line", Value: positive(c.line)})
	}
	return output.List(list...)
}

func knownRegisters(r *unwind.Registers) output.Value {
	var fields []output.Field
	for n := unwind.RAX; n <= unwind.R15; n++ {
		if v, ok := r.Get(n); ok {
			fields = append(fields, output.Field{Name: n.String(), Value: output.Hex(v)})
		}
	}
	return output.Object(fields...)
}

// symbolText is a function with an offset, if that is wanted and is not zero.
func symbolText(name string, offset uint64, show bool, radix int) string {
	switch {
	case !show || offset == 0:
		return name
	case radix == 16:
		return fmt.Sprintf("%s+%#x", name, offset)
	}
	return fmt.Sprintf("%s+%d", name, offset)
}

func appendFrame(b []byte, r *frameRow) []byte {
	if r.left != "" {
		b = fmt.Appendf(b, "--- <%s> ---\n", r.left)
	}
	if r.number >= 0 {
		at := r.frame.Slot
		if at == 0 {
			at = r.frame.SP
		}
		name := r.symbol
		if name == "" {
			name = "(unknown)"
		}
		b = fmt.Appendf(b, "%*s%d [%8x] %s at %x", 2-min(1, r.number/10), "#", r.number, at, symbolText(name, r.offset, r.showOffset, r.radix), r.frame.PC)
		if r.module != "" {
			b = fmt.Appendf(b, " [%s]", r.module)
		}
		if r.frame.Source.Guess() && !r.scanned {
			b = fmt.Appendf(b, " (guess: %s)", r.frame.Source)
		}
		b = append(b, '\n')
		if r.showLine && r.file != "" {
			b = fmt.Appendf(b, "    %s: %d\n", r.file, r.line)
		}
	}
	if r.frame.Source == unwind.FromTailCall {
		b = appendCall(b, "tail call", symbolText(r.symbol, r.offset, r.showOffset, r.radix), r.file, r.line)
	}
	if r.showCalls {
		for _, c := range r.calls {
			b = appendCall(b, "inlined", c.name, c.file, c.line)
		}
	}
	return b
}

// appendCall prints a call that has no place on the stack.
func appendCall(b []byte, how, name, file string, line int) []byte {
	b = fmt.Appendf(b, "        (%s) %s", how, name)
	if file != "" {
		b = fmt.Appendf(b, " at %s: %d", file, line)
	}
	return append(b, '\n')
}

// registersRow is a full register set.
type registersRow struct {
	task *task.Task
	regs *unwind.PtRegs
	kind string // "user", "exception" or "cpu"
	// of a kernel's RIP
	symbol string
	offset uint64
	radix  int
}

var registersRecord = &output.Record[registersRow]{
	Type: "registers",
	Help: "registers that an exception or system call saved on the stack, or those of a CPU",
	Columns: append(append(taskColumns(func(r *registersRow) *task.Task { return r.task }), []output.Column[registersRow]{
		{Name: "kind", Help: "user: of user space; exception: of the kernel, interrupted; cpu: of the CPU, from a note", Get: func(r *registersRow) output.Value { return output.String(r.kind) }},
		{Name: "address", Help: "where they are on the stack; null: in a note", Get: func(r *registersRow) output.Value { return optionalAddr(r.regs.Addr) }},
		{Name: "symbol", Help: "function of rip, in the kernel", Get: func(r *registersRow) output.Value { return optional(r.symbol) }},
		{Name: "offset", Help: "of rip from its start, in bytes", Get: func(r *registersRow) output.Value { return output.Uint(r.offset) }},
		{Name: "partial", Help: "only rip, rsp, rflags, cs and ss were saved; others are missing where not known", Get: func(r *registersRow) output.Value { return output.Bool(r.regs.Partial) }},
		{Name: "rflags", Help: "flags", Get: func(r *registersRow) output.Value { return output.Hex(r.regs.Flags) }},
		{Name: "orig_rax", Help: "number of the system call, or error code", Get: func(r *registersRow) output.Value { return output.Hex(r.regs.OrigRAX) }},
		{Name: "cs", Help: "code segment", Get: func(r *registersRow) output.Value { return output.Hex(r.regs.CS) }},
		{Name: "ss", Help: "stack segment", Get: func(r *registersRow) output.Value { return output.Hex(r.regs.SS) }},
	}...), registerColumns()...),
	Text: appendRegisters,
}

func registerColumns() []output.Column[registersRow] {
	var cols []output.Column[registersRow]
	for n := unwind.RAX; n <= unwind.RIP; n++ {
		cols = append(cols, output.Column[registersRow]{Name: n.String(), Help: "register", Get: func(r *registersRow) output.Value {
			v, ok := r.regs.Get(n)
			return onlyIf(ok, output.Hex(v))
		}})
	}
	return cols
}

func appendRegisters(b []byte, r *registersRow) []byte {
	if r.kind != "user" {
		where := "unknown or invalid address"
		if r.symbol != "" {
			where = symbolText(r.symbol, r.offset, true, r.radix)
		}
		b = fmt.Appendf(b, "    [exception RIP: %s]\n", where)
	}
	reg := func(n unwind.Reg) string {
		if v, ok := r.regs.Get(n); ok {
			return fmt.Sprintf("%016x", v)
		}
		return "(not known)     "
	}
	b = fmt.Appendf(b, "    RIP: %s  RSP: %s  RFLAGS: %08x\n", reg(unwind.RIP), reg(unwind.RSP), r.regs.Flags)
	b = fmt.Appendf(b, "    RAX: %s  RBX: %s  RCX: %s\n", reg(unwind.RAX), reg(unwind.RBX), reg(unwind.RCX))
	b = fmt.Appendf(b, "    RDX: %s  RSI: %s  RDI: %s\n", reg(unwind.RDX), reg(unwind.RSI), reg(unwind.RDI))
	b = fmt.Appendf(b, "    RBP: %s   R8: %s   R9: %s\n", reg(unwind.RBP), reg(unwind.R8), reg(unwind.R9))
	b = fmt.Appendf(b, "    R10: %s  R11: %s  R12: %s\n", reg(unwind.R10), reg(unwind.R11), reg(unwind.R12))
	b = fmt.Appendf(b, "    R13: %s  R14: %s  R15: %s\n", reg(unwind.R13), reg(unwind.R14), reg(unwind.R15))
	if r.kind == "cpu" || r.regs.Note != "" {
		return fmt.Appendf(b, "    CS: %04x  SS: %04x\n", r.regs.CS, r.regs.SS)
	}
	return fmt.Appendf(b, "    ORIG_RAX: %016x  CS: %04x  SS: %04x\n", r.regs.OrigRAX, r.regs.CS, r.regs.SS)
}

// site is what is known of one place in the code; see siteAt.
type site struct {
	symbol string
	offset uint64
	module string
	file   string
	line   int
	calls  []inlinedCall

	noreturn bool // the call is the function's last instruction
}

// siteAt names the place that a frame executed.
func siteAt(k *kernel.Kernel, f *unwind.Frame) site {
	pc := f.CallSite()
	var s site
	if sym, ok := k.FindSymbol(pc); ok {
		s.symbol, s.offset = sym.Name, f.PC-sym.Addr
		if sym.Module != nil {
			s.module = sym.Module.Name
		}
	}
	if behind, ok := k.FindSymbol(f.PC); ok && !f.Exact {
		s.noreturn = behind.Addr == f.PC
	}
	info, link, err := k.InfoAt(pc)
	if err != nil {
		return s
	}
	s.file, s.line, _ = info.Line(link)
	scopes, err := info.Scopes(link)
	if err != nil {
		return s
	}
	file, line := s.file, s.line
	for i := len(scopes) - 1; i > 0; i-- {
		if c := &scopes[i]; c.Inlined() {
			s.calls = append(s.calls, inlinedCall{c.Name, file, line})
			file, line = c.CallFile, c.CallLine
		}
	}
	return s
}
