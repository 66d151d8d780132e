package command

import (
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/task"
	"github.com/kdive/kdive/value"
	"github.com/kdive/kdive/vmcore"
)

// physical is a dump's physical memory as value.Memory.
type physical struct{ dump *vmcore.Dump }

// Read implements value.Memory for physical addresses.
func (p physical) Read(b []byte, paddr uint64) error { return p.dump.ReadPhys(b, paddr) }

// memoryAt is the memory that a virtual address belongs to: the kernel's, or
// that of the task in context.
func (t *Target) memoryAt(addr uint64) (value.Memory, error) {
	k, err := t.kernel()
	if err != nil {
		return nil, err
	}
	if int64(addr) < 0 {
		return k, nil
	}
	return t.currentUserMemory()
}

// userTables are the page tables of a task's user address space.
func (t *Target) userTables(x *task.Task) (*kernel.PageTables, error) {
	table, err := t.tasks()
	if err != nil {
		return nil, err
	}
	memory, err := table.Memory(x)
	if err != nil {
		return nil, err
	}
	if memory == nil {
		return nil, fmt.Errorf("task %d (%s): %w", x.PID, x.Comm, task.ErrNoUserMemory)
	}
	return t.Opened.Kernel.UserTables(memory.PGD)
}
