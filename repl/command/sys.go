package command

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/sysinfo"
	"github.com/kdive/kdive/vmcore"
)

// sysRow is what sys tells. A field that could not be read is null, and a fault
// says why.
type sysRow struct {
	vmlinux  string
	files    []string
	dump     vmcore.Info
	cpus     int // 0 if not known
	offline  int
	clock    sysinfo.Clock
	load     *sysinfo.Load
	tasks    int // 0 if not known
	names    sysinfo.Names
	mhz      uint64
	memory   uint64
	panicked sysinfo.Panic
	taint    string
}

var sysRecord = &output.Record[sysRow]{
	Type: "system",
	Help: "the crashed system",
	Columns: []output.Column[sysRow]{
		{Name: "kernel", Help: "path of the vmlinux", Get: func(r *sysRow) output.Value { return optional(r.vmlinux) }},
		{Name: "dumpfiles", Help: "paths of the dump's files", Get: func(r *sysRow) output.Value { return output.Strings(r.files) }},
		{Name: "format", Help: "format of the dump", Get: func(r *sysRow) output.Value { return output.String(r.dump.Format) }},
		{Name: "partial", Help: "whether a filter left pages out", Get: func(r *sysRow) output.Value { return output.Bool(r.dump.DumpLevel > 0) }},
		{Name: "incomplete", Help: "whether the dump is cut off or lacks parts", Get: func(r *sysRow) output.Value { return output.Bool(r.dump.Incomplete) }},
		{Name: "cpus", Help: "number of CPUs", Get: func(r *sysRow) output.Value { return nonZero(uint64(r.cpus)) }},
		{Name: "offline", Help: "how many of them were off line when the dump was taken", Get: func(r *sysRow) output.Value { return output.Int(r.offline) }},
		{Name: "date", Help: "wall clock when the dump was taken", Get: func(r *sysRow) output.Value { return output.Time(r.clock.Date) }},
		{Name: "uptime", Help: "seconds since boot", Get: func(r *sysRow) output.Value {
			return onlyIf(r.clock.Uptime != 0, output.Float(r.clock.Uptime.Seconds()))
		}},
		{Name: "hz", Help: "frequency of the timer interrupt, deduced", Get: func(r *sysRow) output.Value { return nonZero(r.clock.HZ.Value) }},
		{Name: "load_average", Help: "load over 1, 5 and 15 minutes", Get: func(r *sysRow) output.Value { return loadValue(r.load) }},
		{Name: "tasks", Help: "number of tasks, idle tasks included", Get: func(r *sysRow) output.Value { return nonZero(uint64(r.tasks)) }},
		{Name: "nodename", Help: "host name", Get: func(r *sysRow) output.Value { return optional(r.names.Nodename) }},
		{Name: "release", Help: "kernel release", Get: func(r *sysRow) output.Value { return optional(r.names.Release) }},
		{Name: "version", Help: "kernel version", Get: func(r *sysRow) output.Value { return optional(r.names.Version) }},
		{Name: "machine", Help: "architecture", Get: func(r *sysRow) output.Value { return optional(r.names.Machine) }},
		{Name: "mhz", Help: "clock rate of the CPUs in MHz", Get: func(r *sysRow) output.Value { return nonZero(r.mhz) }},
		{Name: "memory", Help: "RAM in bytes", Get: func(r *sysRow) output.Value { return nonZero(r.memory) }},
		{Name: "panic", Help: "the kernel's last words", Get: func(r *sysRow) output.Value { return optional(r.panicked.Message) }},
		{Name: "cause", Help: "headline of the report that led to the panic, if it is another", Get: func(r *sysRow) output.Value { return optional(r.panicked.Cause) }},
		{Name: "survived", Help: "headline of the last oops of a system that did not crash", Get: func(r *sysRow) output.Value { return optional(r.panicked.Survived) }},
		{Name: "taint", Help: "letters of the taint flags that are set", Get: func(r *sysRow) output.Value { return optional(r.taint) }},
	},
	Text: func(b []byte, r *sysRow) []byte { return r.appendText(b) },
}

func (r *sysRow) appendText(b []byte) []byte {
	line := func(label, text string) {
		if text != "" {
			b = fmt.Appendf(b, "%12s: %s\n", label, text)
		}
	}
	flags := ""
	if r.dump.DumpLevel > 0 {
		flags += "  [PARTIAL DUMP]"
	}
	if r.dump.Incomplete {
		flags += "  [INCOMPLETE]"
	}
	if r.vmlinux != "" && r.taint != "" {
		line("KERNEL", r.vmlinux+"  [TAINTED]")
	} else {
		line("KERNEL", r.vmlinux)
	}
	if len(r.files) == 1 {
		line("DUMPFILE", r.files[0]+flags)
	} else {
		line("DUMPFILES", strings.Join(r.files, "\n              ")+flags)
	}
	switch {
	case r.offline > 0:
		line("CPUS", fmt.Sprintf("%d [OFFLINE: %d]", r.cpus, r.offline))
	case r.cpus > 0:
		line("CPUS", fmt.Sprint(r.cpus))
	}
	if !r.clock.Date.IsZero() {
		line("DATE", r.clock.Date.Format("Mon Jan _2 15:04:05 MST 2006"))
	}
	if r.clock.Uptime > 0 {
		line("UPTIME", formatUptime(r.clock.Uptime))
	}
	if r.load != nil {
		line("LOAD AVERAGE", r.load.String())
	}
	if r.tasks > 0 {
		line("TASKS", fmt.Sprint(r.tasks))
	}
	line("NODENAME", r.names.Nodename)
	line("RELEASE", r.names.Release)
	line("VERSION", r.names.Version)
	if r.mhz > 0 {
		line("MACHINE", fmt.Sprintf("%s  (%d Mhz)", r.names.Machine, r.mhz))
	} else {
		line("MACHINE", r.names.Machine)
	}
	if r.memory > 0 {
		line("MEMORY", formatBytes(r.memory))
	}
	switch {
	case r.panicked.Message != "":
		line("PANIC", fmt.Sprintf("%q", r.panicked.Message))
	case r.panicked.Survived != "":
		line("PANIC", fmt.Sprintf("none; the system survived %q", r.panicked.Survived))
	default:
		line("PANIC", `""`)
	}
	if r.panicked.Cause != "" {
		line("CAUSE", fmt.Sprintf("%q", r.panicked.Cause))
	}
	return b
}

// formatUptime is hours, minutes and seconds, days in front where there are.
func formatUptime(d time.Duration) string {
	s := int64(d / time.Second)
	clock := fmt.Sprintf("%02d:%02d:%02d", s/3600%24, s/60%60, s%60)
	if days := s / 86400; days > 0 {
		return fmt.Sprintf("%d days, %s", days, clock)
	}
	return clock
}

// formatBytes is an amount of memory in the largest unit that it fills, with
// one decimal unless that is 0.
func formatBytes(n uint64) string {
	units := [...]string{"KB", "MB", "GB"}
	v, unit := float64(n)/1024, 0
	for v >= 1024 && unit < len(units)-1 {
		v /= 1024
		unit++
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") + " " + units[unit]
}

// sys shows what describes the whole system.
func sys(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "sys",
		Synopsis: "[-t | -i | config]\n-c [name | number] ...",
		Summary:  "show what describes the whole system",
		Detail: `
Name, clock, load, memory and processors of the system, and why it went down.
PANIC is what the kernel said last; CAUSE, where there is one, the headline of the
report that led to it: the warning behind panic_on_warn, the oops behind "Fatal
exception". Without debug info it shows what the dump itself says.

"sys config" shows how the kernel was configured, if it was built with IKCONFIG.`,
		Options: []repl.Option{
			{Name: "t", Help: "show the taint mask"},
			{Name: "i", Help: "show the strings that the firmware gave (DMI)"},
			{Name: "c", Help: "show the system calls, all or those named, with where they are defined"},
		},
		Examples: []repl.Example{{Line: "sys -c mmap", Help: "System calls whose name contains mmap."}},
		Records:  []output.Describer{sysRecord, taintRecord, dmiRecord, syscallRecord, configRecord},
		Run: func(ctx context.Context, c *repl.Call) error {
			switch {
			case c.Has("t"):
				return sysTaint(t, c)
			case c.Has("i"):
				return sysDMI(t, c)
			case c.Has("c"):
				return sysCalls(ctx, t, c)
			case len(c.Args) == 1 && c.Args[0] == "config":
				return sysConfig(t, c)
			case len(c.Args) > 0:
				return c.Usage("what is %s?", strings.Join(c.Args, " "))
			}
			return runSys(ctx, t, c)
		},
	}
}

func runSys(ctx context.Context, t *Target, c *repl.Call) error {
	k, err := t.kernel()
	if err != nil {
		return err
	}
	r := sysRow{vmlinux: t.Opened.Vmlinux.Source, files: t.Opened.Files, dump: k.Dump.Info()}
	var faults []error
	fail := func(what string, err error) {
		if err != nil {
			// Of several reasons the first is enough.
			first, _, _ := strings.Cut(err.Error(), "\n")
			faults = append(faults, fmt.Errorf("%s: %s", what, first))
		}
	}
	r.fromFile(k)
	if k.Info == nil {
		r.panicked = sysinfo.ReadPanic(k, false)
		sysRecord.Emit(c.Out, &r)
		return nil
	}
	crashed := false
	if table, err := t.tasks(); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil {
		fail("TASKS", err)
	} else {
		r.tasks = len(table.Tasks)
		crashed = table.PanicCPU >= 0
	}
	if present, offline, err := sysinfo.CPUs(k); err != nil {
		fail("CPUS", err)
	} else {
		r.cpus, r.offline = present, offline
	}
	if clock, err := sysinfo.ReadClock(k); err != nil && clock.Date.IsZero() {
		fail("DATE", err)
	} else {
		r.clock = clock
		fail("UPTIME", err)
	}
	if load, err := sysinfo.ReadLoad(k); err != nil {
		fail("LOAD AVERAGE", err)
	} else {
		r.load = &load
	}
	if _, err := sysinfo.ReadNames(k); err != nil {
		fail("NODENAME", err)
	}
	r.mhz, err = sysinfo.MHz(k)
	fail("MACHINE", err)
	memory, err := sysinfo.Memory(k)
	r.memory = memory.Present
	fail("MEMORY", err)
	r.panicked = sysinfo.ReadPanic(k, crashed)
	if taint, err := sysinfo.ReadTaint(k); err == nil {
		r.taint = taint.Flags
	}
	sysRecord.Emit(c.Out, &r)
	for _, err := range faults {
		c.Error(err)
	}
	return nil
}

// fromFile fills in what can be told without debug info.
func (r *sysRow) fromFile(k *kernel.Kernel) {
	u := r.dump.Utsname
	r.names = sysinfo.Names{Nodename: u.Nodename, Release: u.Release, Version: u.Version, Machine: u.Machine}
	if names, err := sysinfo.ReadNames(k); err == nil {
		r.names = names
	}
	if v := k.VMCoreInfo(); v != nil {
		if rel, ok := v.Get("OSRELEASE"); ok {
			r.names.Release = rel
		}
		var secs int64
		if text, ok := v.Get("CRASHTIME"); ok {
			if _, err := fmt.Sscan(text, &secs); err == nil {
				r.clock.Date = time.Unix(secs, 0).UTC()
			}
		}
	}
	r.cpus = len(k.CPUStates())
}

// loadValue is a load average as three numbers.
func loadValue(l *sysinfo.Load) output.Value {
	if l == nil {
		return output.Null()
	}
	v := make([]output.Value, len(l))
	for i, x := range l {
		v[i] = output.Float(math.Round(float64(x)/2048*100) / 100)
	}
	return output.List(v...)
}
