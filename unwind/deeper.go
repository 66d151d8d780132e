package unwind

// When a kernel crashes, its CPUs save their registers and then go on: the one
// that crashed calls on into the crash kernel, the others were interrupted and
// now wait in the handler. What they did since is on the stacks below.

// lastFunctions are where CPUs come to rest after they saved their registers.
var lastFunctions = map[string]bool{"machine_kexec": true, "crash_nmi_callback": true}

// crashFunctions are where to begin on a stack if there are no registers at all.
var crashFunctions = map[string]bool{"machine_kexec": true, "crash_nmi_callback": true, "__crash_kexec": true, "crash_kexec": true,
	"panic": true, "vpanic": true, "die": true, "sysrq_handle_crash": true, "stop_this_cpu": true}

// deeper looks for a frame that was called after the registers were saved. It is
// believed if the tables lead from there to just these registers. Without
// registers it is a guess: it must lead to an end.
func (u *Unwinder) deeper(t *Thread, regs *PtRegs, m *pageCache) *Trace {
	if regs != nil && u.outside {
		return nil // a machine stopped from outside: nothing came after
	}
	names := lastFunctions
	if regs == nil {
		names = crashFunctions
	}
	var stacks []Stack
	if s := u.taskStack(t); s != nil {
		stacks = append(stacks, *s)
	}
	stacks = append(stacks, u.Stacks(t.CPU)...)
	for i := range stacks {
		s := &stacks[i]
		for at := s.Low; s.Has(at, 8); at += 8 {
			pc, err := m.word(at)
			if err != nil {
				at |= 4088 // the next page
				continue
			}
			if tr := u.candidate(t, s, at, pc, names, regs, m); tr != nil {
				return tr
			}
		}
	}
	return nil
}

func (u *Unwinder) candidate(t *Thread, s *Stack, at, pc uint64, names map[string]bool, regs *PtRegs, m memory) *Trace {
	if !u.plausible(pc) || !u.text.has(u.v, pc) || !u.returnAddress(pc) {
		return nil
	}
	if name, _, ok := u.v.SymbolAt(pc - 1); !ok || !names[name] {
		return nil
	}
	f := Frame{PC: pc, SP: at + 8, Slot: at, Stack: s}
	if regs == nil {
		f.Source = FromScan
	}
	f.Regs.Set(RIP, pc)
	f.Regs.Set(RSP, f.SP)
	tr := &Trace{Thread: *t}
	u.walk(tr, t, f, m)
	if regs == nil && tr.Complete || regs != nil && u.passes(tr, regs, m) {
		return tr
	}
	return nil
}

// passes reports whether a trace comes by a set of registers: in a frame, or in
// what an exception saved.
func (u *Unwinder) passes(tr *Trace, regs *PtRegs, m memory) bool {
	ip, _ := regs.Get(RIP)
	sp, _ := regs.Get(RSP)
	same := func(p *PtRegs) bool {
		pip, _ := p.Get(RIP)
		psp, _ := p.Get(RSP)
		return pip == ip && psp == sp
	}
	if tr.User != nil && same(tr.User) {
		return true
	}
	for i := range tr.Frames {
		f := &tr.Frames[i]
		if f.Interrupted != nil && same(f.Interrupted) {
			return true
		}
		if f.SP == sp && u.sameFunction(f.CallSite(), ip) {
			u.join(tr, i, regs, m)
			return true // the call came after, somewhere in the function
		}
	}
	return false
}

// join takes the frames above frame i as they follow from the registers of the
// note, which are of frame i: a trace that began on the stack knows few registers.
func (u *Unwinder) join(tr *Trace, i int, regs *PtRegs, m memory) {
	w := &Trace{}
	u.walk(w, &tr.Thread, u.fromRegs(&tr.Thread, regs), m)
	if len(w.Frames) < 2 || len(tr.Frames) < i+2 {
		return
	}
	if a, b := &w.Frames[1], &tr.Frames[i+1]; a.PC != b.PC || a.SP != b.SP || a.Exact != b.Exact {
		return
	}
	tr.Frames = append(tr.Frames[:i+1], w.Frames[1:]...)
	tr.User, tr.Complete, tr.Err = w.User, w.Complete, w.Err
}

func (u *Unwinder) sameFunction(a, b uint64) bool {
	s, ok := u.v.FindSymbol(a)
	t, ok2 := u.v.FindSymbol(b)
	return ok && ok2 && s.Addr == t.Addr
}
