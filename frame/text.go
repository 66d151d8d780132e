package frame

import (
	"strings"

	"github.com/kdive/kdive/disasm"
)

// Bounds on the code that is read.
const (
	maxFunction = 1 << 16 // bytes from a function's start to a call in it
	maxHops     = 8       // jumps from one function's start to another's
	maxPrologue = 4       // instructions in front of such a jump
)

// callBefore is the call instruction that returns to ret, as the dump has it:
// found by decoding from the function's start on, since backwards machine code is
// ambiguous.
func (m *Model) callBefore(c *Code, ret uint64) (disasm.Inst, bool) {
	if in, ok := m.calls[ret]; ok {
		return in, in.Len > 0
	}
	in := m.decodeTo(c, ret)
	if len(m.calls) >= maxCode {
		clear(m.calls)
	}
	m.calls[ret] = in
	return in, in.Len > 0
}

func (m *Model) decodeTo(c *Code, ret uint64) disasm.Inst {
	link := c.Link + (ret - c.at)
	for _, r := range c.Scopes[0].Ranges {
		// A call that does not return may be the last instruction.
		if link <= r.Low || link > r.High || link-r.Low > maxFunction {
			continue
		}
		low, ok := c.Runtime(r.Low)
		if !ok || low >= ret {
			break
		}
		text := make([]byte, ret-low)
		if m.v.Read(text, low) != nil {
			break
		}
		for at := 0; at < len(text); {
			in, err := disasm.AMD64.Decode(text[at:], low+uint64(at))
			if err != nil || in.Len <= 0 {
				break
			}
			if at += in.Len; at == len(text) && !in.Bad && (in.Flow == disasm.Call || in.Flow == disasm.Jump) {
				return in
			}
		}
	}
	return disasm.Inst{}
}

// isThunk reports whether an address is a retpoline: a function that jumps to
// where a register points.
func (m *Model) isThunk(addr uint64) bool {
	name, off, ok := m.v.SymbolAt(addr)
	return ok && off == 0 && (strings.HasPrefix(name, "__x86_indirect_") || strings.HasPrefix(name, "__pi___x86_indirect_"))
}

// through follows jumps that are all of a function's start: they leave the
// registers as they are.
func (m *Model) through(addr uint64) uint64 {
	for range maxHops {
		next, ok := m.jumpAt(addr)
		if !ok {
			break
		}
		addr = next
	}
	return addr
}

func (m *Model) jumpAt(addr uint64) (uint64, bool) {
	var b [64]byte
	if m.v.Read(b[:], addr) != nil {
		return 0, false
	}
	code := b[:]
	pc := addr
	for range maxPrologue {
		in, err := disasm.AMD64.Decode(code, pc)
		if err != nil || in.Bad {
			return 0, false
		}
		switch to, direct := in.Target(); {
		case in.Flow == disasm.Jump && direct:
			return to, true
		case !isNop(&in):
			return 0, false
		}
		code, pc = code[in.Len:], pc+uint64(in.Len)
	}
	return 0, false
}

func isNop(in *disasm.Inst) bool {
	text := string(disasm.AMD64.AppendText(nil, in, disasm.Style{}))
	return strings.HasPrefix(text, "nop") || strings.HasPrefix(text, "endbr") || strings.HasPrefix(text, "xchg   %ax,%ax")
}
