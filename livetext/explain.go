package livetext

import (
	"encoding/binary"
	"fmt"
	"sort"
)

// explain explains the difference at a link-time address.
func (m *Model) explain(pos uint64) Place {
	var claimed *site
	first := sort.Search(len(m.sites), func(i int) bool { return m.sites[i].addr+m.long > pos })
	for i := first; i < len(m.sites) && m.sites[i].addr <= pos; i++ {
		s := &m.sites[i]
		if s.addr+s.size <= pos {
			continue
		}
		if p, ok := m.check(s); ok {
			return p
		}
		if claimed == nil || s.size > claimed.size {
			claimed = s
		}
	}
	if p, ok := m.relocated(pos); ok {
		return p
	}
	if claimed == nil {
		return m.place(pos, m.run(pos), Unexplained, "no table names the place")
	}
	return m.place(claimed.addr, claimed.size, Unexplained, fmt.Sprintf("a site of %s, but the code is not what that makes", claimed.kind))
}

// run is how many bytes differ from pos on, with gaps of up to three between.
func (m *Model) run(pos uint64) uint64 {
	n := min(64, m.high-pos)
	file, dump, ok := m.both(pos, n)
	if !ok {
		return 1
	}
	last := 0
	for i := range file {
		if file[i] != dump[i] {
			last = i
		} else if i-last > 3 {
			break
		}
	}
	return uint64(last) + 1
}

func (m *Model) place(addr, size uint64, kind Kind, detail string) Place {
	file, dump, _ := m.both(addr, size)
	return Place{Addr: addr + m.slide, Link: addr, Kind: kind, Detail: detail, File: file, Dump: dump}
}

// check reports whether the code at a site is what the site's kind of patching
// makes of it.
func (m *Model) check(s *site) (Place, bool) {
	file, dump, ok := m.both(s.addr, s.size)
	if !ok {
		return Place{}, false
	}
	var detail string
	switch s.kind {
	case Ftrace:
		detail, ok = m.ftrace(s, dump)
	case JumpLabel:
		detail, ok = m.jumpLabel(s, dump)
	case StaticCall:
		detail, ok = m.staticCall(s, file, dump)
	case Return:
		detail, ok = m.returnThunk(s, dump)
	case Retpoline:
		detail, ok = m.retpoline(s, file, dump)
	case LockPrefix:
		detail, ok = "one CPU only: no lock", file[0] == 0xf0 && dump[0] == 0x3e
	case Endbr:
		detail, ok = "no indirect branch leads here", m.nops(s.addr, dump)
	case Constant:
		detail, ok = m.constant(s, dump)
	case Paravirt:
		detail, ok = m.paravirt(s, file, dump)
	case Alternative:
		detail, ok = m.alternative(s, file, dump)
	}
	return Place{Addr: s.addr + m.slide, Link: s.addr, Kind: s.kind, Detail: detail, File: file, Dump: dump}, ok
}

// relocated is an absolute address, or the distance to something that does not
// move, that differs by exactly what KASLR moved the kernel.
func (m *Model) relocated(pos uint64) (Place, bool) {
	if m.slide == 0 {
		return Place{}, false
	}
	for back := uint64(0); back < 4 && pos-back >= m.low; back++ {
		at := pos - back
		file, dump, ok := m.both(at, 4)
		if !ok {
			continue
		}
		delta := binary.LittleEndian.Uint32(dump) - binary.LittleEndian.Uint32(file)
		if delta == uint32(m.slide) || delta == -uint32(m.slide) {
			return Place{Addr: at + m.slide, Link: at, Kind: Relocation, Detail: "moved with the kernel", File: file, Dump: dump}, true
		}
	}
	return Place{}, false
}
