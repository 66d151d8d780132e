package command

import (
	"fmt"

	"github.com/kdive/kdive/unwind"
)

// scannedTrace prints every word that points into code as a frame, from where
// the task stands to the end of each stack that its trace goes over (-o).
func (p *tracePrinter) scannedTrace(tr *unwind.Trace) {
	p.number = 0
	saved := map[uint64]int{} // where exceptions saved registers -> frame that they interrupted
	for i := range tr.Frames {
		if r := tr.Frames[i].Interrupted; r != nil {
			low, _ := r.Saved()
			saved[low] = i
		}
	}
	var before *unwind.Stack
	for i := range tr.Frames {
		f := &tr.Frames[i]
		if f.Stack == nil || before != nil && before.Low == f.Stack.Low {
			continue
		}
		low := f.Slot
		if low == 0 { // in registers
			if i == 0 && tr.Start != nil {
				p.registers(tr.Start, "cpu", f)
			} else {
				p.scanned(tr, f, before)
			}
			low = f.SP
		} else {
			p.scanned(tr, f, before)
			low += 8
		}
		p.scannedStack(tr, f.Stack, low, saved)
		before = f.Stack
	}
	p.traceEnd(tr)
}

// scannedStack prints the words of one stack from low on.
func (p *tracePrinter) scannedStack(tr *unwind.Trace, s *unwind.Stack, low uint64, saved map[uint64]int) {
	k := p.t.Opened.Kernel
	for at := low &^ 7; s.Has(at, 8); at += 8 {
		if tr.User != nil && tr.User.Addr != 0 {
			if low, _ := tr.User.Saved(); at == low {
				return
			}
		}
		if i, ok := saved[at]; ok {
			f := &tr.Frames[i]
			p.registers(f.Interrupted, "exception", f)
			_, high := f.Interrupted.Saved()
			at = high - 8
			continue
		}
		pc, err := k.U64(at)
		if err != nil {
			p.c.Out.Fault(fmt.Sprintf("  %x", at), err)
			at |= 4095 - 7
			continue
		}
		if sym, ok := k.FindSymbol(pc); !ok || sym.Addr == pc || !isText(k, pc) {
			continue
		}
		p.scanned(tr, &unwind.Frame{PC: pc, SP: at + 8, Slot: at, Stack: s, Source: unwind.FromScan}, nil)
	}
}

// scanned prints one word as a frame; before is the stack that was left.
func (p *tracePrinter) scanned(tr *unwind.Trace, f *unwind.Frame, before *unwind.Stack) {
	for i := range tr.Frames { // a frame that the trace knows, too
		if g := &tr.Frames[i]; f.Slot != 0 && g.Slot == f.Slot {
			f = g
		}
	}
	row := &frameRow{task: p.task, frame: f, number: p.number, site: p.site(f), scanned: true,
		showOffset: p.offsets, showLine: p.lines, radix: p.radix}
	if before != nil {
		row.left = before.Name
	}
	p.number++
	frameRecord.Emit(p.c.Out, row)
}

// registers prints a set of registers that f is of.
func (p *tracePrinter) registers(r *unwind.PtRegs, kind string, f *unwind.Frame) {
	s := p.site(f)
	registersRecord.Emit(p.c.Out, &registersRow{task: p.task, regs: r, kind: kind, symbol: s.symbol, offset: s.offset, radix: p.c.Shell.Settings.Radix})
}
