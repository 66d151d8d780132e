package unwind

import "encoding/binary"

// Flags that RFLAGS has always, and those that it never has (Intel SDM volume 1,
// section 3.4.3).
const (
	flagsAlways = 0x2
	flagsKnown  = 0x3f7fd7
)

// Segments of 64-bit kernels (arch/x86/include/asm/segment.h).
const (
	kernelCS = 0x10
	userCS   = 0x33
	userCS32 = 0x23
	kernelSS = 0x18
	userSS   = 0x2b
)

// SavedRegisters are all places on a stack, from its low end on, that look like
// what an exception saved (struct pt_regs). Old ones, from before the stack was
// used again, are among them.
func (u *Unwinder) SavedRegisters(s Stack) ([]*PtRegs, error) {
	if s.High <= s.Low || s.High-s.Low > 1<<20 {
		return nil, nil
	}
	b := make([]byte, s.High-s.Low)
	// The lower pages of an exception stack may be missing; what can be read is
	// looked at.
	var failed error
	var have [1 << 8]bool
	for at := 0; at < len(b); at += 4096 {
		end := min(at+4096, len(b))
		err := u.v.Read(b[at:end], s.Low+uint64(at))
		have[at>>12&0xff] = err == nil
		if err != nil {
			failed = err
		}
	}
	var list []*PtRegs
	for at := 0; at+ptRegsSize <= len(b); at += 8 {
		if !have[at>>12] || !have[(at+ptRegsSize-1)>>12] || !likelySegments(b[at:]) {
			continue
		}
		p := decodeRegs(b[at:])
		p.Addr = s.Low + uint64(at)
		if u.likely(p) {
			list = append(list, p)
		}
	}
	return list, failed
}

// likelySegments is the first and cheapest of the checks.
func likelySegments(b []byte) bool {
	cs := binary.LittleEndian.Uint64(b[17*8:])
	flags := binary.LittleEndian.Uint64(b[18*8:])
	ss := binary.LittleEndian.Uint64(b[20*8:])
	if flags&flagsAlways == 0 || flags&^uint64(flagsKnown) != 0 {
		return false
	}
	switch cs {
	case kernelCS:
		return ss == kernelSS || ss == 0
	case userCS, userCS32:
		return ss == userSS
	}
	return false
}

func (u *Unwinder) likely(p *PtRegs) bool {
	const userEnd = 1 << 56 // with five levels of page tables
	ip, _ := p.Get(RIP)
	sp, _ := p.Get(RSP)
	if p.User() {
		return ip < userEnd && sp < userEnd
	}
	if sp&7 != 0 || int64(sp) >= 0 {
		return false
	}
	// A null pointer was called: the stack goes on right above the registers,
	// which the CPU aligns to 16 bytes.
	called := ip == 0 && sp-(p.Addr+ptRegsSize) <= 8
	return called || u.text.has(u.v, ip)
}

// TaskStack is the stack of a thread; false once it is freed.
func (u *Unwinder) TaskStack(t Thread) (Stack, bool) {
	s := u.taskStack(&t)
	if s == nil {
		return Stack{}, false
	}
	return *s, true
}

// Resume is where to follow a stack from: the first return address at or above
// sp.
func (u *Unwinder) Resume(t Thread, sp uint64) *Trace {
	f := Frame{SP: sp, Stack: u.stackAt(&t, sp, 8)}
	m := &pageCache{v: u.v}
	tr := &Trace{Thread: t}
	if f.Stack == nil {
		tr.Err = advance(&f, &f, nil)
		return tr
	}
	if next := u.scan(&f, m); next != nil {
		u.walk(tr, &t, *next, m)
		return tr
	}
	tr.Err = errNoReturn
	return tr
}
