package command

import (
	"strconv"
	"strings"

	"github.com/kdive/kdive/disasm"
	"github.com/kdive/kdive/kernel"
)

// codeMarks says what -a adds to instructions: the strings that they point to,
// and where the frames of the current task stand.
type codeMarks struct {
	k      *kernel.Kernel
	frames []uint64 // what the frames executed, the innermost first
	rodata rodataNeeds
}

type rodataNeeds struct {
	Low  kernel.Sym `need:"?__start_rodata"`
	High kernel.Sym `need:"?__end_rodata"`
}

func (t *Target) codeMarks() (*codeMarks, error) {
	k, err := t.kernel()
	if err != nil {
		return nil, err
	}
	m := &codeMarks{k: k}
	if err := k.Bind(&m.rodata); err != nil {
		return nil, err
	}
	x, err := t.currentTask()
	if err != nil {
		return nil, err
	}
	tr, err := t.unwinder()
	if err != nil {
		return nil, err
	}
	trace := tr.unwinder.Trace(thread(tr.table, x))
	for i := range trace.Frames {
		m.frames = append(m.frames, trace.Frames[i].CallSite())
	}
	return m, nil
}

// frame is which frame of the current task executes the instruction, -1 if none.
func (m *codeMarks) frame(in *disasm.Inst) int {
	for i, pc := range m.frames {
		if pc >= in.PC && pc < in.PC+uint64(in.Len) {
			return i
		}
	}
	return -1
}

// text is the string that an operand of the instruction is the address of.
func (m *codeMarks) text(in *disasm.Inst) string {
	if addr, ok := in.Ref(); ok {
		if s := m.stringAt(addr); s != "" {
			return s
		}
	}
	for _, o := range in.Operands() {
		if o.Kind == disasm.ImmOperand {
			if s := m.stringAt(uint64(o.Imm)); s != "" {
				return s
			}
		}
	}
	return ""
}

// maxString bounds a string that is shown.
const maxString = 80

// stringAt is the string at an address among the kernel's constants, with its
// control characters escaped; "" if there is none.
func (m *codeMarks) stringAt(addr uint64) string {
	if addr < uint64(m.rodata.Low) || addr >= uint64(m.rodata.High) {
		return ""
	}
	s, err := m.k.CString(addr, maxString)
	if err != nil || len(s) < 2 {
		return ""
	}
	if strings.ContainsFunc(s, func(r rune) bool { return (r < ' ' && r != '\n' && r != '\t' && r != 1) || r > '~' }) {
		return ""
	}
	return strconv.Quote(s)
}
