package livetext

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/kdive/kdive/disasm"
	"github.com/kdive/kdive/value"
)

// decode decodes code as if it stood at a link-time address.
func decode(at uint64, code []byte) []disasm.Inst {
	var list []disasm.Inst
	for len(code) > 0 {
		in, _ := disasm.AMD64.Decode(code, at)
		if in.Len <= 0 {
			break
		}
		list = append(list, in)
		code = code[in.Len:]
		at += uint64(in.Len)
	}
	return list
}

func text(in *disasm.Inst) string { return string(disasm.AMD64.AppendText(nil, in, disasm.Style{})) }

// isNop reports whether an instruction does nothing.
func isNop(in *disasm.Inst) bool {
	t := strings.Join(strings.Fields(text(in)), " ")
	for p, ok := "", true; ok; t = p {
		p, ok = strings.CutPrefix(t, "data16 ")
	}
	return !in.Bad && (strings.HasPrefix(t, "nop") || strings.HasPrefix(t, "cs nop") || t == "xchg %ax,%ax")
}

// effective are the instructions that do something. A jump to the end of the
// place, which has the effect of NOPs, ends them, and so do traps behind them.
func effective(list []disasm.Inst, end uint64) []disasm.Inst {
	var out []disasm.Inst
	for i := range list {
		in := &list[i]
		to, ok := in.Target()
		switch {
		case isNop(in):
			continue
		case in.Flow == disasm.Jump && ok && to == end:
			return out
		case in.Bytes()[0] == 0xcc && len(out) > 0 && onlyFill(list[i:]):
			return out
		}
		out = append(out, *in)
	}
	return out
}

func onlyFill(list []disasm.Inst) bool {
	for i := range list {
		if !isNop(&list[i]) && list[i].Bytes()[0] != 0xcc {
			return false
		}
	}
	return true
}

func (m *Model) nops(at uint64, code []byte) bool {
	return len(effective(decode(at, code), 0)) == 0
}

// same reports whether two instruction lists do the same: the same text, where
// numbers may differ by what KASLR moved the kernel, and operands relative to
// the instruction pointer mean the same address.
func (m *Model) same(file, dump []disasm.Inst) bool {
	if len(file) != len(dump) {
		return false
	}
	for i := range file {
		if !m.sameInst(&file[i], &dump[i]) {
			return false
		}
	}
	return true
}

var (
	numbers = regexp.MustCompile(`-?0x[0-9a-f]+`)
	ripDisp = regexp.MustCompile(`-?0x[0-9a-f]+\(%rip\)`)
)

func (m *Model) sameInst(a, b *disasm.Inst) bool {
	s, t := ripDisp.ReplaceAllString(text(a), "(%rip)"), ripDisp.ReplaceAllString(text(b), "(%rip)")
	if s == t {
		return true
	}
	if numbers.ReplaceAllString(s, "#") != numbers.ReplaceAllString(t, "#") {
		return false
	}
	x, y := numbers.FindAllString(s, -1), numbers.FindAllString(t, -1)
	for i := range x {
		delta := uint32(number(y[i]) - number(x[i]))
		if delta != 0 && delta != uint32(m.slide) && delta != -uint32(m.slide) {
			return false
		}
	}
	return true
}

func number(s string) uint64 {
	digits, minus := strings.CutPrefix(s, "-")
	n, _ := strconv.ParseUint(strings.TrimPrefix(digits, "0x"), 16, 64)
	if minus {
		return -n
	}
	return n
}

// target is where the only effective instruction of code branches to, as a
// run-time address.
func (m *Model) target(at uint64, code []byte) (uint64, bool) {
	list := effective(decode(at, code), 0)
	if len(list) == 0 {
		return 0, false
	}
	to, ok := list[0].Target()
	return to + m.slide, ok
}

// word reads a word of the dump at a link-time address.
func (m *Model) word(link uint64) (uint64, bool) {
	v, err := value.Word(m.k, link+m.slide)
	return v, err == nil
}

func (m *Model) name(addr uint64) string {
	if name, off, ok := m.k.SymbolAt(addr); ok {
		if off == 0 {
			return name
		}
		return name + "+0x" + strconv.FormatUint(off, 16)
	}
	return "0x" + strconv.FormatUint(addr, 16)
}
