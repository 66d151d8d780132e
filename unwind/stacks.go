package unwind

import (
	"encoding/binary"
	"fmt"
	"sort"
	"strings"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
)

// StackKind tells the kernel's stacks apart.
type StackKind uint8

// Kinds of stacks.
const (
	TaskStack       StackKind = iota
	IRQStack                  // hard and soft interrupts
	ExceptionStack            // of the interrupt stack table: NMI, #DF, #DB, #MC, #VC
	TrampolineStack           // on which entries from user space begin
)

// Stack is one of the kernel's stacks.
type Stack struct {
	Kind StackKind
	CPU  int    // -1 for a task's
	Name string // "NMI exception stack"
	Low  uint64
	High uint64 // first address behind it
}

// Has reports whether n bytes at addr are on the stack.
func (s *Stack) Has(addr, n uint64) bool {
	return addr >= s.Low && addr <= s.High && s.High-addr >= n
}

type stackNeeds struct {
	HardIRQ  kernel.Sym   `need:"?hardirq_stack_ptr"`
	Hot      kernel.Sym   `need:"?pcpu_hot"`
	HotIRQ   kernel.Field `need:"?pcpu_hot.hardirq_stack_ptr"`
	IRQSize  kernel.Size  `need:"?irq_stack"`
	IST      kernel.Sym   `need:"?cea_exception_stacks"`
	ISTField kernel.Field `need:"?cpu_entry_area.estacks"`
	Entry    kernel.Field `need:"?cpu_entry_area.entry_stack_page"`
}

// exceptionNames are crash's words for the stacks of struct
// cea_exception_stacks (arch/x86/include/asm/cpu_entry_area.h).
var exceptionNames = map[string]string{"DF": "DOUBLEFAULT", "DB": "DEBUG"}

// defaultIRQStack is IRQ_STACK_SIZE without KASAN.
const defaultIRQStack = 16 << 10

// loadStacks finds the stacks of all CPUs; errors are those of single CPUs.
func loadStacks(v View) (list []Stack, errs []error) {
	var n stackNeeds
	if err := v.Bind(&n); err != nil {
		return nil, []error{err}
	}
	cpus, err := v.PossibleCPUs()
	if err != nil {
		return nil, []error{err}
	}
	for _, cpu := range cpus {
		off, err := v.PerCPUOffset(cpu)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if s, err := n.irq(v, cpu, off); err != nil {
			errs = append(errs, fmt.Errorf("IRQ stack of CPU %d: %w", cpu, err))
		} else {
			list = append(list, s...)
		}
		if s, err := n.exceptions(v, cpu, off); err != nil {
			errs = append(errs, fmt.Errorf("exception stacks of CPU %d: %w", cpu, err))
		} else {
			list = append(list, s...)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Low < list[j].Low })
	return list, errs
}

func (n *stackNeeds) irq(v View, cpu int, off uint64) ([]Stack, error) {
	at := uint64(n.HardIRQ)
	if at == 0 {
		if n.Hot == 0 || !n.HotIRQ.Present() {
			return nil, nil
		}
		at = n.HotIRQ.At(uint64(n.Hot))
	}
	top, err := value.Word(v, at+off)
	if err != nil || top == 0 {
		return nil, err
	}
	size := uint64(defaultIRQStack)
	if n.IRQSize >= 4096 && n.IRQSize <= 1<<17 {
		size = uint64(n.IRQSize)
	}
	high := (top + 4095) &^ 4095 // the pointer is to the top or to the last word
	if high <= size {
		return nil, fmt.Errorf("at %#x", top)
	}
	return []Stack{{Kind: IRQStack, CPU: cpu, Name: "IRQ stack", Low: high - size, High: high}}, nil
}

// exceptions are the stacks in the CPU's entry area.
func (n *stackNeeds) exceptions(v View, cpu int, off uint64) ([]Stack, error) {
	if n.IST == 0 || !n.ISTField.Present() {
		return nil, nil
	}
	base, err := value.Word(v, uint64(n.IST)+off)
	if err != nil || base == 0 {
		return nil, err
	}
	var list []Stack
	for _, m := range n.ISTField.Type.Underlying().Members() {
		name, ok := strings.CutSuffix(m.Name, "_stack")
		if !ok || m.Type.Underlying().Kind() != ctype.Array || m.Type.Size() <= 0 || m.Type.Size() > 1<<17 {
			continue
		}
		if full, ok := exceptionNames[name]; ok {
			name = full
		}
		low := base + uint64(m.Offset)
		if _, err := value.Word(v, low+uint64(m.Type.Size())-8); fault.ReasonOf(err) == fault.Unmapped {
			continue // of the #VC stacks only guests with encrypted memory have any
		}
		list = append(list, Stack{Kind: ExceptionStack, CPU: cpu, Name: name + " exception stack", Low: low, High: low + uint64(m.Type.Size())})
	}
	if n.Entry.Present() {
		low := base - uint64(n.ISTField.Offset) + uint64(n.Entry.Offset)
		list = append(list, Stack{Kind: TrampolineStack, CPU: cpu, Name: "entry trampoline stack", Low: low, High: low + uint64(n.Entry.Size())})
	}
	return list, nil
}

// stackAt is the stack that n bytes at addr are on; nil if none.
func (u *Unwinder) stackAt(t *Thread, addr, n uint64) *Stack {
	if s := u.taskStack(t); s != nil && s.Has(addr, n) {
		return s
	}
	i := sort.Search(len(u.stacks), func(i int) bool { return u.stacks[i].High > addr })
	if i < len(u.stacks) && u.stacks[i].Has(addr, n) {
		return &u.stacks[i]
	}
	return nil
}

// taskStack is the stack of a thread, nil if it is freed.
func (u *Unwinder) taskStack(t *Thread) *Stack {
	if t.Stack == 0 || t.Stack+u.stackSize < t.Stack {
		return nil
	}
	return &Stack{Kind: TaskStack, CPU: -1, Name: "process stack", Low: t.Stack, High: t.Stack + u.stackSize}
}

// Stacks are the stacks of a CPU, other than those of tasks.
func (u *Unwinder) Stacks(cpu int) []Stack {
	var list []Stack
	for _, s := range u.stacks {
		if s.CPU == cpu {
			list = append(list, s)
		}
	}
	return list
}

// pageCache reads the words of stacks page by page.
type pageCache struct {
	v    View
	addr [4]uint64
	page [4][4096]byte
	used [4]bool
	next int
}

func (c *pageCache) word(addr uint64) (uint64, error) {
	at := addr &^ 4095
	if addr-at > 4096-8 {
		return value.Word(c.v, addr)
	}
	for i := range c.addr {
		if c.used[i] && c.addr[i] == at {
			return binary.LittleEndian.Uint64(c.page[i][addr-at:]), nil
		}
	}
	i := c.next
	c.used[i] = false
	if err := c.v.Read(c.page[i][:], at); err != nil {
		return value.Word(c.v, addr) // a part of the page may be there
	}
	c.addr[i], c.used[i], c.next = at, true, (i+1)%len(c.addr)
	return binary.LittleEndian.Uint64(c.page[i][addr-at:]), nil
}
