package command

import (
	"encoding/binary"
	"fmt"

	"github.com/kdive/kdive/identify"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/unwind"
)

// stackWord is one word of a stack (-f, -F, -r).
type stackWord struct {
	task   *task.Task
	addr   uint64
	value  uint64
	note   *annotation
	lead   string // in front of the first word of a row: format of the address
	first  bool
	last   bool // of a row
	inside bool // show how far into its object the word points
}

var stackWordRecord = &output.Record[stackWord]{
	Type: "stack_word",
	Help: "one word of a stack",
	Columns: append(taskColumns(func(r *stackWord) *task.Task { return r.task }), []output.Column[stackWord]{
		{Name: "address", Help: "where it is", Get: func(r *stackWord) output.Value { return output.Addr(r.addr) }},
		{Name: "word", Help: "its value", Get: func(r *stackWord) output.Value { return output.Hex(r.value) }},
		{Name: "points_to", Help: "what the word is the address of (-F, -r); null: nothing known", Get: func(r *stackWord) output.Value {
			if r.note == nil {
				return output.Null()
			}
			return r.note.value()
		}},
	}...),
	Text: func(b []byte, r *stackWord) []byte {
		if r.first {
			b = fmt.Appendf(b, r.lead, r.addr)
		}
		if r.note != nil {
			text := r.note.text()
			if r.inside {
				text = r.note.textInside()
			}
			b = fmt.Appendf(b, "%-16s ", text)
		} else {
			b = fmt.Appendf(b, "%016x ", r.value)
		}
		if r.last {
			b = append(b, '\n')
		}
		return b
	},
}

// textWord is a word on a stack that is an address in the kernel's code (-t, -T).
type textWord struct {
	task   *task.Task
	addr   uint64
	pc     uint64
	start  bool
	symbol string
	offset uint64
	module string
	show   bool
	radix  int
}

var textWordRecord = &output.Record[textWord]{
	Type: "text_word",
	Help: "a word on a stack that is an address in the kernel's code",
	Columns: append(taskColumns(func(r *textWord) *task.Task { return r.task }), []output.Column[textWord]{
		{Name: "start", Help: "it is where the task stands, and its address is where its back trace begins", Get: func(r *textWord) output.Value { return output.Bool(r.start) }},
		{Name: "address", Help: "where it is; null: in a register", Get: func(r *textWord) output.Value { return optionalAddr(r.addr) }},
		{Name: "pc", Help: "its value", Get: func(r *textWord) output.Value { return output.Addr(r.pc) }},
		{Name: "symbol", Help: "function", Get: func(r *textWord) output.Value { return optional(r.symbol) }},
		{Name: "offset", Help: "from the function's start, in bytes", Get: func(r *textWord) output.Value { return output.Uint(r.offset) }},
		{Name: "module", Help: "module of the function; null: the kernel image", Get: func(r *textWord) output.Value { return optional(r.module) }},
	}...),
	Text: func(b []byte, r *textWord) []byte {
		if r.start {
			b = fmt.Appendf(b, "%19s: ", "START")
		} else {
			b = fmt.Appendf(b, "  [%16x] ", r.addr)
		}
		b = fmt.Appendf(b, "%s at %x", symbolText(r.symbol, r.offset, r.show && !r.start, r.radix), r.pc)
		if r.module != "" {
			b = fmt.Appendf(b, " [%s]", r.module)
		}
		return append(b, '\n')
	},
}

// textInside is the text with how far into its object the word points.
func (a *annotation) textInside() string {
	text := a.text()
	if a.Kind != identify.Object || a.Offset() == 0 {
		return text
	}
	return fmt.Sprintf("%s+%#x]", text[:len(text)-1], a.Offset())
}

// words prints the words from low up to high, which is not printed, two to a
// row. Each page that cannot be read is one line.
func (p *tracePrinter) words(low, high uint64, lead string) {
	const limit = 1 << 17
	if high <= low || high-low > limit {
		return
	}
	var buf [8]byte
	for at, col := low, 0; at < high; at += 8 {
		if err := p.t.Opened.Kernel.Read(buf[:], at); err != nil {
			if col > 0 {
				p.c.Out.Print("\n")
			}
			p.c.Out.Fault(fmt.Sprintf("    %x", at), err)
			at, col = at|4095-7, 0
			continue
		}
		w := &stackWord{task: p.task, addr: at, value: binary.LittleEndian.Uint64(buf[:]), lead: lead, first: col == 0, last: col == 1 || at+8 >= high, inside: p.inside}
		w.note = p.note(w.value)
		stackWordRecord.Emit(p.c.Out, w)
		col = (col + 1) % 2
	}
}

// annotateWords chooses what is said of words: with -r, which symbol they point
// to; with -F, also which cache, with the address if full.
func (p *tracePrinter) annotateWords(full bool) (err error) {
	switch p.form {
	case "F":
		if p.notes, err = p.t.objectAnnotator(full); err == nil {
			return nil
		}
		fallthrough
	case "r":
		var symbols error
		if p.notes, symbols = p.t.annotator(); symbols != nil {
			p.notes = nil
		}
	}
	return err
}

// note is what a word points to, nil if that is not known. As in crash, -F
// wants the word to be the address of something that can be read.
func (p *tracePrinter) note(word uint64) *annotation {
	if p.notes == nil || int64(word) >= 0 {
		return nil
	}
	var b [1]byte
	if p.form == "F" && p.t.Opened.Kernel.Read(b[:], word) != nil {
		return nil
	}
	if n, ok := p.notes.annotate(word); ok {
		return &n
	}
	return nil
}

// textWords prints the words of a stack that are addresses in code.
func (p *tracePrinter) textWords(x *task.Task, all bool) {
	h := thread(p.table, x)
	stack, ok := p.unwinder.TaskStack(h)
	if !ok {
		p.c.Out.Note("(no stack)")
		return
	}
	tr := p.unwinder.Trace(h)
	low := stack.Low
	if !all && len(tr.Frames) == 0 && tr.User != nil {
		low = stack.High // it ran in user space: nothing of the stack is in use
	}
	if !all && len(tr.Frames) > 0 {
		f := &tr.Frames[0]
		if s := f.Stack; s != nil {
			stack = *s
		}
		low = f.SP
		if f.Slot != 0 {
			low = f.Slot
		}
		if !h.Running && stack.Has(h.SP, 8) {
			low = h.SP // the registers that it saved come first
		}
		w := p.textWord(f.Slot, f.PC)
		w.start = true
		textWordRecord.Emit(p.c.Out, w)
	}
	b := make([]byte, 8)
	for at := low &^ 7; at < stack.High; at += 8 {
		if err := p.t.Opened.Kernel.Read(b, at); err != nil {
			p.c.Out.Fault(fmt.Sprintf("  %x", at), err)
			at |= 4095 - 7
			continue
		}
		if pc := binary.LittleEndian.Uint64(b); isText(p.t.Opened.Kernel, pc) {
			textWordRecord.Emit(p.c.Out, p.textWord(at, pc))
		}
	}
	p.userRegisters(tr)
}

func (p *tracePrinter) textWord(at, pc uint64) *textWord {
	w := &textWord{task: p.task, addr: at, pc: pc, show: p.offsets, radix: p.radix}
	if s, ok := p.t.Opened.Kernel.FindSymbol(pc); ok {
		w.symbol, w.offset = s.Name, pc-s.Addr
		if s.Module != nil {
			w.module = s.Module.Name
		}
	}
	return w
}

func isText(k *kernel.Kernel, addr uint64) bool {
	if addr < kernel.StartKernelMap {
		return false
	}
	s, ok := k.FindSymbol(addr)
	return ok && (s.Type|0x20 == 't' || s.Type|0x20 == 'w')
}

func (p *tracePrinter) userRegisters(tr *unwind.Trace) {
	if tr.User != nil {
		registersRecord.Emit(p.c.Out, &registersRow{task: p.task, regs: tr.User, kind: "user"})
	}
}
