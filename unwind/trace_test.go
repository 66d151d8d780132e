package unwind

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/vmcore"
)

// show is a trace in short: name@slot for each frame, and how it ends.
func show(u *Unwinder, tr *Trace) string {
	var s []string
	for i := range tr.Frames {
		f := &tr.Frames[i]
		name, _, _ := u.v.SymbolAt(f.CallSite())
		where := fmt.Sprintf("%x", f.Slot&0xfffff)
		if f.Interrupted != nil {
			where = "interrupted"
		} else if f.Slot == 0 {
			where = "registers"
		}
		if f.Source.Guess() {
			where += "?"
		}
		s = append(s, name+"@"+where)
	}
	switch {
	case tr.User != nil:
		ip, _ := tr.User.Get(RIP)
		s = append(s, fmt.Sprintf("user %x", ip))
	case tr.Complete:
		s = append(s, "end")
	case tr.Err != nil:
		s = append(s, "! "+tr.Err.Error())
	}
	return strings.Join(s, " ")
}

func eachLayout(t *testing.T, f func(t *testing.T, k *fakeKernel)) {
	for _, l := range orcLayouts {
		t.Run(l.name, func(t *testing.T) { f(t, newFake(t, l)) })
	}
}

const top = stackAt + stackSz

// syscall builds schedule <- read <- entry, with user registers at the top.
func syscall(k *fakeKernel) Thread {
	schedule := k.function(1, "schedule", 0x28)
	read := k.function(2, "read", 0x10)
	entry := k.function(3, "entry", 0)
	k.last(func(r *fakeRow) { r.kind, r.sp = KindRegs, 0 })
	regs := uint64(top - ptRegsSize)
	k.Words(regs-8, entry)
	k.Words(regs-8-0x18, read)
	k.regs(regs, 0x401000, userCS, 0x7fff0000)
	sp := regs - 8 - 0x18 - 0x28 // of schedule, behind its frame
	return k.sleeping(sp-7*8, schedule)
}

func TestSleeping(t *testing.T) {
	eachLayout(t, func(t *testing.T, k *fakeKernel) {
		h := syscall(k)
		u := k.unwinder()
		if w := u.Warnings(); w != nil {
			t.Error(w)
		}
		tr := u.Trace(h)
		if got, want := show(u, tr), "schedule@13f08 read@13f38 entry@13f50 user 401000"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if bp, ok := tr.Frames[1].Regs.Get(RBP); !ok || bp != 6 {
			t.Error("rbp is lost on the way", bp, ok)
		}
		if tr.Frames[1].CFA != tr.Frames[2].SP || tr.Frames[2].Source != FromORC {
			t.Errorf("%+v", tr.Frames)
		}
		if r13, ok := tr.User.Get(R13); !ok || r13 != 0x100+uint64(R13) || !tr.User.User() || tr.User.CS != userCS {
			t.Errorf("%+v", tr.User)
		}
	})
}

func TestSavedFramePointer(t *testing.T) {
	eachLayout(t, func(t *testing.T, k *fakeKernel) {
		a := k.function(1, "a", 0x18)
		k.last(func(r *fakeRow) { r.bpReg, r.bp = k.l.prev, -16 })
		b := k.function(2, "b", 0)
		k.last(func(r *fakeRow) { r.spReg, r.sp, r.bpReg, r.bp = 4, 16, 4, 0 }) // rbp + 16, and rbp at rbp
		c := k.function(3, "c", 0)
		k.last(func(r *fakeRow) { r.kind, r.spReg = KindEnd, 0 })
		if k.l.name == "two bits" {
			k.last(func(r *fakeRow) { r.sp = 0 })
		}
		sp := uint64(stackAt + 0x3000)
		h := k.sleeping(sp-7*8, a)
		k.Words(sp, 0, 0, sp+0x100, b) // CFA sp+0x20: rbp at -16, return address at -8
		k.Words(sp+0x100, 0x1234, c)
		u := k.unwinder()
		tr := u.Trace(h)
		if got, want := show(u, tr), "a@12ff8 b@13018 c@13108 end"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if bp, _ := tr.Frames[2].Regs.Get(RBP); bp != 0x1234 {
			t.Errorf("rbp %#x", bp)
		}
	})
}

// TestNewborn is a task, or a kernel thread, that was made and never ran.
func TestNewborn(t *testing.T) {
	eachLayout(t, func(t *testing.T, k *fakeKernel) {
		fork := k.function(1, "ret_from_fork", 0)
		k.last(func(r *fakeRow) { r.kind, r.spReg, r.sp = KindEnd, 0, 0 })
		regs := uint64(top - ptRegsSize)
		h := k.sleeping(regs-7*8, fork)
		u := k.unwinder()
		for cs, want := range map[uint64]string{0: "end", userCS: "user 401000"} {
			k.regs(regs, 0x401000, cs, 0x7fff0000)
			if got, want := show(u, u.Trace(h)), "ret_from_fork@13f50 "+want; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		k.regs(regs, textAt, userCS, 0x7fff0000)
		if got, want := show(u, u.Trace(h)), "ret_from_fork@13f50 end"; got != want {
			t.Errorf("no user address: %s, want %s", got, want)
		}
	})
}

// interrupt adds an interrupt's frames on another stack.
func TestStackSwitches(t *testing.T) {
	eachLayout(t, func(t *testing.T, k *fakeKernel) {
		handler := k.function(5, "handler", 0x10)
		onIRQ := k.function(6, "on_irq_stack", 0)
		k.last(func(r *fakeRow) { r.spReg, r.sp = k.l.spInd, 8+0x20 }) // the old stack pointer is on top
		nmi := k.function(7, "nmi", 0)
		k.last(func(r *fakeRow) { r.kind, r.sp = KindRegs, 0 })
		work := k.function(8, "work", 0x8)
		worker := k.function(9, "worker", 0)
		k.last(func(r *fakeRow) { r.kind, r.spReg = KindEnd, 0 })

		// NMI stack: regs of the handler; IRQ stack: handler, on_irq_stack; task stack: work.
		task := uint64(stackAt + 0x2000)
		irq := uint64(irqAt + 0x3000)
		nmiRegs := uint64(ceaAt + 0x2000 + 0x1000 + 0x1000)
		k.regs(nmiRegs, handler-0x20, kernelCS, irq)
		k.Words(irq+0x10, onIRQ)
		k.Words(irq+0x18, task) // on_irq_stack returns to task + 0x28
		k.Words(task+0x20, work)
		k.Words(task+0x30, worker)
		h := Thread{Addr: 1, Stack: stackAt, CPU: 0, Running: true}
		k.CPUs = []vmcore.CPUState{{HasQEMU: true, Regs: vmcore.Regs{Rip: nmi, Rsp: nmiRegs, Cs: kernelCS}}}
		u := k.unwinder(h)
		tr := u.Trace(h)
		want := "nmi@registers handler@interrupted on_irq_stack@3010? work@12020? worker@12030? end"
		if got := strings.ReplaceAll(show(u, tr), "103010", "3010"); got != strings.ReplaceAll(want, "?", "") {
			t.Errorf("%s, want %s", got, want)
		}
		var names []string
		for _, f := range tr.Frames {
			names = append(names, f.Stack.Name)
		}
		if got := strings.Join(names, ", "); got != "NMI exception stack, IRQ stack, IRQ stack, process stack, process stack" {
			t.Error(got)
		}
		// Back to a stack that was left: never.
		k.Words(irq+0x18, nmiRegs+0x200)
		k.Words(nmiRegs+0x220, work)
		if got := show(u, u.Trace(h)); !strings.HasSuffix(got, "goes back to the NMI exception stack") {
			t.Error(got)
		}
	})
}

// A stack that grew into the page below it: the fault is on a stack of its own,
// and the frames go on with the first one that is still on the stack.
func TestOverflow(t *testing.T) {
	eachLayout(t, func(t *testing.T, k *fakeKernel) {
		deep := k.function(1, "deep", 0x100)
		worker := k.function(2, "worker", 0)
		k.last(func(r *fakeRow) { r.kind, r.spReg = KindEnd, 0 })
		fault := k.function(3, "fault", 0)
		k.last(func(r *fakeRow) { r.kind, r.sp = KindRegs, 0 })
		sp := uint64(stackAt - 0x40)
		regs := uint64(ceaAt + 0x2000 + 0x2000)
		k.regs(regs, deep, kernelCS, sp)
		k.Words(sp+0x100, worker)
		u := k.unwinder()
		h := Thread{Addr: 1, Stack: stackAt, Running: true}
		tr := u.From(h, fault, regs)
		if got, want := show(u, tr), "fault@registers deep@interrupted worker@100c0 end"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		k.regs(regs, deep, kernelCS, stackAt-guardSize-8)
		if tr := u.From(h, fault, regs); tr.Err == nil {
			t.Error("a stack pointer below the guard page is taken for the stack's")
		}
	})
}

func TestDamage(t *testing.T) {
	tests := []struct {
		name   string
		damage func(k *fakeKernel, h *Thread)
		want   string
	}{
		{"thread.sp outside", func(_ *fakeKernel, h *Thread) { h.SP = 0x1000 }, "! thread.sp 0x1000 does not point into the stack [0xffffc90000010000-0xffffc90000014000]"},
		{"thread.sp at the top", func(_ *fakeKernel, h *Thread) { h.SP = top - 8 }, "! thread.sp 0xffffc90000013ff8 does not point into the stack [0xffffc90000010000-0xffffc90000014000]"},
		{"no stack", func(_ *fakeKernel, h *Thread) { h.Stack = 0 }, "! no stack"},
		{"return address of nothing", func(k *fakeKernel, _ *Thread) { k.Words(top-ptRegsSize-8-0x18, 0x1234) },
			"schedule@13f08 ! return address of schedule+256: 0x1234 at 0xffffc90000013f38 is no kernel code"},
		{"unreadable", func(k *fakeKernel, _ *Thread) { k.Fail(stackAt+0x3000, fault.Excluded) }, "! "},
		{"registers below", func(k *fakeKernel, _ *Thread) { k.regs(top-ptRegsSize, textAt+0x1100, kernelCS, stackAt+8) },
			"schedule@13f08 read@13f38 entry@13f50 ! registers saved at 0xffffc90000013f58: their stack pointer 0xffffc90000010008 is below"},
		{"registers elsewhere", func(k *fakeKernel, _ *Thread) { k.regs(top-ptRegsSize, textAt+0x1100, kernelCS, 0x5000) },
			"schedule@13f08 read@13f38 entry@13f50 ! stack pointer 0x5000 is on no stack of the task or a CPU"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := newFake(t, orcLayouts[2])
			h := syscall(k)
			u := k.unwinder()
			tt.damage(k, &h)
			got := show(u, u.Trace(h))
			if got != tt.want && (tt.name != "unreadable" || !strings.HasPrefix(got, tt.want)) {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestGuesses(t *testing.T) {
	k := newFake(t, orcLayouts[2])
	caller := k.function(1, "caller", 0x18)
	k.function(2, "end", 0)
	k.last(func(r *fakeRow) { r.kind, r.spReg = KindEnd, 0 })
	unknown := k.function(3, "unknown", 0)
	k.last(func(r *fakeRow) { r.spReg = 0 })
	end := uint64(textAt + 0x2100)
	sp := uint64(stackAt + 0x1000)
	k.Words(sp, caller, 0, 0, 0, end)
	u := k.unwinder()
	h := Thread{Addr: 1, Stack: stackAt}
	if got := show(u, u.From(h, 0, sp)); got != "@registers caller@11000? end@11020 end" {
		t.Error(got) // a call through a null pointer
	}
	if got := show(u, u.From(h, unknown, sp)); got != "unknown@registers caller@11000? end@11020 end" {
		t.Error(got) // code without a row: the next return address
	}
	if got := show(u, u.Resume(h, sp-0x20)); got != "caller@11000? end@11020 end" {
		t.Error(got)
	}
	// A frame pointer leads past words that only look like return addresses.
	regs := &PtRegs{}
	regs.Set(RIP, unknown)
	regs.Set(RSP, sp)
	regs.Set(RBP, sp+0x18)
	k.Words(sp+0x18, 0, end)
	tr := &Trace{}
	u.walk(tr, &h, u.fromRegs(&h, regs), &pageCache{v: k})
	if got := show(u, tr); got != "unknown@registers end@11020? end" || tr.Frames[1].Source != FromFramePointer {
		t.Error(got)
	}
	if got := show(u, u.Resume(h, top-8)); got != "! no return address follows on the stack" {
		t.Error(got)
	}
}

func TestMissingTables(t *testing.T) {
	k := newFake(t, orcLayouts[2])
	h := syscall(k)
	u := New(k, Config{StackSize: stackSz})
	if len(u.Warnings()) == 0 {
		t.Error("no warning")
	}
	// Return addresses are still found, as guesses.
	if got := show(u, u.Trace(h)); !strings.HasPrefix(got, "schedule@13f08 read@13f38? entry@13f50? !") {
		t.Error(got)
	}
	k.rows[0].spReg = 12 // numbers that nobody knows
	for i := range k.rows {
		k.rows[i].spReg = 12
	}
	if w := k.unwinder().Warnings(); len(w) != 1 || !strings.Contains(w[0].Error(), "most function entries have 12") {
		t.Error(w)
	}
}
