package task

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strconv"

	"github.com/kdive/kdive/klog"
)

// findPanic decides which task brought the kernel down. What the kernel itself
// wrote down comes first; words on stacks, which may be old, come last and only
// on kernels that write nothing down.
func (t *Table) findPanic() {
	t.PanicEvidence = "no CPU panicked"
	for _, v := range []struct {
		name string
		addr uint64
	}{
		// panic() and crash_kexec() let one CPU in and note which (kernel/panic.c).
		{"panic_cpu", uint64(t.n.PanicCPU)},
		// Which CPU prepared the jump into the capture kernel (arch/x86/kernel/reboot.c).
		{"crashing_cpu", uint64(t.n.CrashingCPU)},
	} {
		cpu, err := t.cpuVariable(v.addr)
		if err != nil {
			t.fault("%s: %w", v.name, err)
		}
		if cpu >= 0 && err == nil && t.blame(cpu, fmt.Sprintf("%s is %d", v.name, cpu)) {
			return
		}
	}
	if t.PanicCPU >= 0 || t.blameFromLog() || t.blameFromNotes() {
		return
	}
	if t.n.PanicCPU == 0 {
		t.blameFromStacks()
	}
}

// blameFromNotes takes the thread of the only register note, which a kernel
// writes that could not stop its other CPUs. QEMU's notes, one for each CPU,
// name no threads.
func (t *Table) blameFromNotes() bool {
	states := t.k.CPUStates()
	if len(states) != 1 || !states[0].HasPRStatus || states[0].HasQEMU || len(t.Current) < 2 {
		return false
	}
	for cpu, x := range t.Current {
		if x != nil && x.PID != 0 && x.PID == states[0].PID {
			return t.blame(cpu, fmt.Sprintf("the dump's only register note is that of PID %d", x.PID))
		}
	}
	return false
}

// cpuVariable reads a CPU number, -1 if there is none.
func (t *Table) cpuVariable(addr uint64) (int, error) {
	if addr == 0 {
		return -1, nil
	}
	var b [4]byte
	if err := t.k.Read(b[:], addr); err != nil {
		return -1, err
	}
	return int(int32(binary.LittleEndian.Uint32(b[:]))), nil
}

// blame names the task that ran on cpu, if that is known.
func (t *Table) blame(cpu int, evidence string) bool {
	if cpu < 0 || cpu >= len(t.Current) {
		return false
	}
	if t.Current[cpu] == nil {
		t.PanicCPU, t.PanicEvidence = cpu, evidence+", but the task that it ran cannot be read"
		return false
	}
	t.Panic, t.PanicCPU, t.PanicEvidence = t.Current[cpu], cpu, evidence
	return true
}

// reportLine is the second line of an oops report.
var reportLine = regexp.MustCompile(`^CPU: (\d+) (?:UID: \d+ )?PID: (\d+) `)

// dieLine begins the report of an exception that nobody handled.
var dieLine = regexp.MustCompile(`^(?:Oops|general protection fault|invalid opcode|divide error|stack segment|double fault|int3|bounds).*(?:\[#\d+\])|^Oops: `)

// blameFromLog takes the CPU and PID of the last oops, if that task is still on
// that CPU: a task that an oops killed, long ago, is not.
func (t *Table) blameFromLog() bool {
	cpu, pid, died := -1, 0, false
	for r, err := range klog.Records(t.k) {
		if err != nil {
			continue
		}
		if dieLine.MatchString(r.Text) {
			died = true
		}
		if m := reportLine.FindStringSubmatch(r.Text); m != nil && died {
			cpu, _ = strconv.Atoi(m[1])
			pid, _ = strconv.Atoi(m[2])
			died = false
		}
	}
	if cpu < 0 || cpu >= len(t.Current) || t.Current[cpu] == nil || int(t.Current[cpu].PID) != pid {
		return false
	}
	return t.blame(cpu, fmt.Sprintf("the log reports an oops of PID %d on CPU %d, which still runs it", pid, cpu))
}

// suspects are functions whose return addresses tell a panicking task, the most
// telling first.
var suspects = []string{"panic", "die", "crash_kexec"}

// blameFromStacks looks for return addresses into the functions of a panic on
// the stacks of the tasks that ran. Only a single task is believed.
func (t *Table) blameFromStacks() {
	found := make([][]int, len(suspects))
	for cpu, x := range t.Current {
		if x == nil || x.Stack == 0 {
			continue
		}
		stack := make([]byte, min(t.StackSize(), 1<<17))
		if t.k.Read(stack, x.Stack) != nil {
			continue
		}
		hit := make([]bool, len(suspects))
		for ; len(stack) >= 8; stack = stack[8:] {
			name, off, ok := t.k.SymbolAt(binary.LittleEndian.Uint64(stack))
			for i, s := range suspects {
				hit[i] = hit[i] || ok && off > 0 && name == s
			}
		}
		for i := range hit {
			if hit[i] {
				found[i] = append(found[i], cpu)
			}
		}
	}
	for i, cpus := range found {
		if len(cpus) == 1 && t.blame(cpus[0], fmt.Sprintf("its stack alone holds a return address in %s", suspects[i])) {
			return
		}
	}
}
