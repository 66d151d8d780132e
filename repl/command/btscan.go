package command

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/unwind"
)

// savedRegisters prints what on a stack looks like registers that an exception
// saved; it returns how many.
func (p *tracePrinter) savedRegisters(s unwind.Stack) int {
	list, err := p.unwinder.SavedRegisters(s)
	for _, r := range list {
		mode, kind := "KERNEL", "exception"
		if r.User() {
			mode, kind = "USER", "user"
		}
		row := &registersRow{task: p.task, regs: r, kind: kind, radix: p.c.Shell.Settings.Radix}
		ip, _ := r.Get(unwind.RIP)
		if sym, ok := p.t.Opened.Kernel.FindSymbol(ip); ok && kind != "user" {
			row.symbol, row.offset = sym.Name, ip-sym.Addr
		}
		p.c.Out.Printf("\n  %s-MODE EXCEPTION FRAME AT: %x\n", mode, r.Addr)
		registersRecord.Emit(p.c.Out, row)
	}
	if err != nil {
		p.c.Out.Fault(s.Name, err)
	}
	return len(list)
}

// cpuStacks prints the registers saved on the interrupt and exception stacks of
// all CPUs (-E).
func (p *tracePrinter) cpuStacks(ctx context.Context) error {
	cpus, err := p.t.Opened.Kernel.PossibleCPUs()
	if err != nil {
		return err
	}
	first := true
	for _, kind := range [...]unwind.StackKind{unwind.IRQStack, unwind.ExceptionStack} {
		for _, cpu := range cpus {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if cpu < len(p.table.Current) {
				p.task = p.table.Current[cpu]
			}
			if p.task == nil {
				p.task = &task.Task{CPU: cpu}
			}
			for _, s := range p.unwinder.Stacks(cpu) {
				if s.Kind != kind {
					continue
				}
				if !first {
					p.c.Out.Print("\n")
				}
				first = false
				p.c.Out.Printf("CPU %d %s:\n", cpu, strings.ToUpper(s.Name))
				if p.savedRegisters(s) == 0 {
					p.c.Out.Print("(none found)\n")
				}
			}
		}
	}
	return nil
}

// stackEndMagic is what the kernel writes at the low end of every task's stack
// (STACK_END_MAGIC, include/uapi/linux/magic.h).
const stackEndMagic = 0x57AC6E9D

// stackNeeds is where that word is: above the thread_info, where that is still
// on the stack.
type stackNeeds struct {
	InTask kernel.Field `need:"?task_struct.thread_info"`
	Info   kernel.Size  `need:"?thread_info"`
}

// checkStacks looks for stacks that grew beyond their end (-v).
func (t *Target) checkStacks(ctx context.Context, c *repl.Call) error {
	tr, err := t.unwinder()
	if err != nil {
		return err
	}
	k := t.Opened.Kernel
	var n stackNeeds
	if err := k.Bind(&n); err != nil {
		return err
	}
	skip := uint64(0)
	if !n.InTask.Present() {
		skip = uint64(n.Info)
	}
	found, unread := 0, 0
	for _, x := range tr.table.Tasks {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if x.Stack == 0 {
			continue
		}
		why, err := tr.overflow(x, skip)
		if err != nil {
			unread++
			c.Out.Fault(fmt.Sprintf("end of the stack of task %x, PID %d", x.Addr, x.PID), err)
		}
		if len(why) > 0 {
			found++
			c.Out.Print(taskHead(x) + "\n")
		}
		for _, w := range why {
			c.Out.Note("possible stack overflow of PID %d: %s", x.PID, w)
		}
	}
	if found == 0 {
		c.Out.Note("No stack overflows detected%s", unreadText(unread))
	}
	return nil
}

// overflow says what shows that a task's stack grew beyond its low end: the word
// there is lost, or the stack pointer is below it.
func (tr *tracer) overflow(x *task.Task, skip uint64) (why []string, err error) {
	k := tr.kernel
	var b [8]byte
	if err = k.Read(b[:], x.Stack+skip); err == nil {
		if word := binary.LittleEndian.Uint64(b[:]); word != stackEndMagic {
			why = append(why, fmt.Sprintf("the end of its stack at %#x holds %#x, not %#x", x.Stack+skip, word, uint64(stackEndMagic)))
		}
	}
	h := thread(tr.table, x)
	size := tr.table.StackSize()
	below := func(what string, sp uint64) {
		if sp < x.Stack && x.Stack-sp <= size {
			why = append(why, fmt.Sprintf("%s %#x, is below its stack, which begins at %#x", what, sp, x.Stack))
		}
	}
	if !h.Running {
		below("thread.sp,", h.SP)
		return why, err
	}
	trace := tr.unwinder.Trace(h)
	for i := range trace.Frames {
		f := &trace.Frames[i]
		if f.Interrupted != nil || i == 0 {
			below(fmt.Sprintf("the stack pointer of the frame at pc %#x,", f.PC), f.SP)
		}
	}
	return why, err
}

func unreadText(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", but %d stacks cannot be read", n)
}
