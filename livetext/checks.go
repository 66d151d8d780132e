package livetext

import (
	"bytes"
	"encoding/binary"
	"sort"
	"strings"

	"github.com/kdive/kdive/disasm"
	"github.com/kdive/kdive/kernel"
)

// ftrace: a call of __fentry__ becomes a NOP, or a call of a tracer.
func (m *Model) ftrace(s *site, dump []byte) (string, bool) {
	if m.nops(s.addr, dump) {
		return "off", true
	}
	to, ok := m.target(s.addr, dump)
	return "traced by " + m.name(to), ok && dump[0] == 0xe8
}

// jumpLabel: a NOP or a jump, as the static key says (struct jump_entry,
// include/linux/jump_label.h; struct static_key).
func (m *Model) jumpLabel(s *site, dump []byte) (string, bool) {
	entry, err := m.file(s.entry, 16)
	if err != nil {
		return "", false
	}
	to := kernel.Relative(s.entry+4, entry[4:])
	key := s.entry + 8 + binary.LittleEndian.Uint64(entry[8:])
	branch := key&1 == 1
	key &^= 3
	jumps := false
	if !m.nops(s.addr, dump) {
		at, ok := m.target(s.addr, dump)
		if !ok || at != to+m.slide {
			return "", false
		}
		jumps = true
	}
	what := "key " + m.name(key+m.slide)
	n, ok := m.word(key + uint64(m.needs.Enabled.Offset))
	if !ok || !m.needs.Enabled.Present() {
		return what + ", its state cannot be read", true
	}
	enabled := int32(n) > 0
	if enabled {
		what += " is on"
	} else {
		what += " is off"
	}
	return what, jumps == (enabled != branch)
}

// staticCall: a call or jump to the function that the key has; without one, a
// NOP, a return, or 0 in rax (struct static_call_key, kernel/static_call.c).
func (m *Model) staticCall(s *site, file, dump []byte) (string, bool) {
	key := s.entry // of a trampoline
	if m.isEntry(s) {
		entry, err := m.file(s.entry, 8)
		if err != nil {
			return "", false
		}
		key = kernel.Relative(s.entry+4, entry[4:])&^3 + m.slide
	}
	if !m.needs.Func.Present() {
		return "", false
	}
	f, err := m.needs.Func.Uint(m.k, key)
	if err != nil {
		return "", false
	}
	what := strings.TrimPrefix(m.name(key), "__SCK__")
	list := effective(decode(s.addr, dump), 0)
	switch {
	case len(list) == 0: // a NOP
		return what + " has no function", f == 0 || m.name(f) == "__static_call_nop"
	case list[0].Flow == disasm.Return:
		return what + " has no function", f == 0 || m.name(f) == "__static_call_nop"
	}
	if to, ok := list[0].Target(); ok {
		to += m.slide
		if f == 0 || to != f {
			return what + " returns", m.isReturnThunk(to) && f == 0
		}
		return what + " is " + m.name(f), true
	}
	if bytes.Equal(dump, warnTrap) {
		return what + " is " + m.name(f) + ", in place", m.name(f) == "__WARN_trap"
	}
	zero := strings.HasSuffix(text(&list[0]), "xor    %eax,%eax") || bytes.HasSuffix(list[0].Bytes(), []byte{0x31, 0xc0})
	return what + " is " + m.name(f), zero && f == uint64(m.needs.ReturnZero)
}

// warnTrap stands for a call of __WARN_trap (ud1 (%edx),%rdi).
var warnTrap = []byte{0x67, 0x48, 0x0f, 0xb9, 0x3a}

// isEntry reports whether the site is of the table, not a trampoline.
func (m *Model) isEntry(s *site) bool {
	at := s.entry + m.slide
	return at >= uint64(m.needs.Static) && at < uint64(m.needs.StaticEnd)
}

// returnThunk: a jump to the return thunk becomes a return, or goes to the thunk
// that the CPU needs.
func (m *Model) returnThunk(s *site, dump []byte) (string, bool) {
	if dump[0] == 0xc3 && onlyFill(decode(s.addr+1, dump[1:])) {
		return "returns itself", true
	}
	to, ok := m.target(s.addr, dump)
	return "returns through " + m.name(to), ok && m.isReturnThunk(to)
}

func (m *Model) isReturnThunk(to uint64) bool {
	if m.needs.RetThunk != 0 {
		if thunk, ok := m.word(uint64(m.needs.RetThunk) - m.slide); ok && thunk == to {
			return true
		}
	}
	return strings.HasSuffix(m.name(to), "_return_thunk")
}

// retpoline: a branch to the thunk of a register becomes a branch to the
// register, with or without a fence, or to another thunk of it.
func (m *Model) retpoline(s *site, file, dump []byte) (string, bool) {
	thunk, ok := m.target(s.addr, file)
	if !ok {
		return "", false
	}
	reg := m.name(thunk)
	reg = reg[strings.LastIndexByte(reg, '_')+1:]
	list := effective(decode(s.addr, dump), s.addr+s.size)
	what := "branches itself"
	if len(list) > 0 && strings.HasPrefix(text(&list[0]), "lfence") {
		list, what = list[1:], "branches itself behind a fence"
	}
	if len(list) > 0 && list[0].Flow == disasm.CondJump { // around the branch
		list = list[1:]
	}
	if len(list) != 1 {
		return "", false
	}
	if to, ok := list[0].Target(); ok {
		name := m.name(to + m.slide)
		return "through " + name, strings.Contains(name, "thunk") && strings.HasSuffix(name, reg) || m.outside(to)
	}
	return what, list[0].Flow != disasm.Next && strings.HasSuffix(text(&list[0]), "*%"+reg)
}

// outside reports whether a link-time address is not of the image: thunks that
// are made at run time.
func (m *Model) outside(link uint64) bool { return link < m.low || link >= m.high }

// paravirt: the call through a table of functions becomes a call of the
// function, or its code (arch/x86/kernel/paravirt.c).
func (m *Model) paravirt(s *site, file, dump []byte) (string, bool) {
	list := effective(decode(s.addr, dump), s.addr+s.size)
	if len(list) == 0 {
		return "nothing to do", true
	}
	if ok, what := m.direct(s, file, list); ok {
		return what, true
	}
	if t := text(&list[0]); len(list) == 1 && t == "mov    %rdi,%rax" {
		return "the value itself", true
	}
	var code []byte
	for i := range list {
		code = append(code, list[i].Bytes()...)
	}
	for _, t := range []struct {
		at   kernel.Sym
		size kernel.Size
	}{{m.needs.PvPatches, m.needs.PvSize}, {m.needs.PvLocks, m.needs.LockSize}} {
		if t.at == 0 || t.size <= 0 || t.size > 4096 {
			continue
		}
		table, err := m.file(uint64(t.at)-m.slide, uint64(t.size))
		if err == nil && bytes.Contains(table, code) {
			return "native code", true
		}
	}
	return "", false
}

// direct reports whether the code is a direct call of the function that the
// indirect call in the file finds in memory.
func (m *Model) direct(s *site, file []byte, dump []disasm.Inst) (bool, string) {
	list := decode(s.addr, file)
	if len(list) == 0 || len(dump) > 1 {
		return false, ""
	}
	slot, ok := list[0].Ref()
	if !ok {
		mem := list[0].MemArg()
		if mem == nil || list[0].Flow != disasm.Call && list[0].Flow != disasm.Jump {
			return false, ""
		}
		if slot, ok = list[0].MemConst(&mem.Mem); !ok {
			return false, ""
		}
	}
	f, ok := m.word(slot)
	switch {
	case !ok || f == 0:
		return false, ""
	case len(dump) == 0:
		name := m.name(f)
		return emptyFunctions[name], "would call " + name + ", which does nothing"
	}
	to, direct := dump[0].Target()
	return direct && to+m.slide == f, "calls " + m.name(f)
}

// emptyFunctions do nothing; a call of one is made a NOP.
var emptyFunctions = map[string]bool{"x86_nop": true, "_paravirt_nop": true, "nop_func": true}

// alternative: the code of one of the replacements for the place, or the
// original with other NOPs (arch/x86/kernel/alternative.c).
func (m *Model) alternative(s *site, file, dump []byte) (string, bool) {
	end := s.addr + s.size
	have := effective(decode(s.addr, dump), end)
	if m.same(effective(decode(s.addr, file), end), have) {
		return "the original, NOPs made better", true
	}
	if ok, what := m.direct(s, file, have); ok {
		return what, true
	}
	for _, alt := range m.alternativesAt(s.addr) {
		entry, err := m.file(alt.entry, uint64(m.needs.AltSize))
		if err != nil {
			continue
		}
		with, n := fieldRelative(&m.needs.AltWith, alt.entry, entry), m.needs.AltNewLen.In(entry)
		if n == 0 {
			if len(have) == 0 {
				return "nothing to do", true
			}
			continue
		}
		code, err := m.file(with, n)
		if err != nil {
			continue
		}
		want := effective(decode(with, code), with+n)
		if m.same(want, have) || m.sameBytes(want, have) {
			return "the replacement for this CPU", true
		}
		if m.through(want, have) {
			return "the replacement for this CPU, itself patched", true
		}
	}
	return "", false
}

// sameBytes compares code that was copied without a fix-up.
func (m *Model) sameBytes(a, b []disasm.Inst) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i].Bytes(), b[i].Bytes()) {
			return false
		}
	}
	return true
}

// through compares code in which returns and thunks may have been patched in
// turn.
func (m *Model) through(want, have []disasm.Inst) bool {
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if m.sameInst(&want[i], &have[i]) || bytes.Equal(want[i].Bytes(), have[i].Bytes()) {
			continue
		}
		to, ok := want[i].Target()
		if !ok || have[i].Flow == disasm.Next || !strings.Contains(m.name(to+m.slide), "thunk") {
			return false
		}
	}
	return true
}

// maxAlternatives bounds the entries for one place.
const maxAlternatives = 64

// alternativesAt are the entries for one place.
func (m *Model) alternativesAt(addr uint64) []site {
	var list []site
	i := sort.Search(len(m.sites), func(i int) bool { return m.sites[i].addr >= addr })
	for ; i < len(m.sites) && m.sites[i].addr == addr && len(list) < maxAlternatives; i++ {
		if m.sites[i].kind == Alternative {
			list = append(list, m.sites[i])
		}
	}
	return list
}

// constant: the value of a variable.
func (m *Model) constant(s *site, dump []byte) (string, bool) {
	var have, want [8]byte
	copy(have[:], dump)
	if m.k.Read(want[:len(dump)], s.entry) != nil {
		return "", false
	}
	return "the value of " + m.name(s.entry), have == want
}
