package command

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kdive/kdive/klog"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// logRow is one record of the log with how it is to be shown.
type logRow struct {
	klog.Record
	form *logForm
}

// logForm is what the options of log ask for.
type logForm struct {
	noTime, human, caller, level, dict bool
	boot                               time.Time // wall clock at the time stamp 0
}

var logRecord = &output.Record[logRow]{
	Type: "log",
	Help: "one record of the kernel's log",
	Columns: []output.Column[logRow]{
		{Name: "sequence", Help: "number of the record since boot", Get: func(r *logRow) output.Value { return output.Uint(r.Seq) }},
		{Name: "time", Help: "nanoseconds since boot", Get: func(r *logRow) output.Value { return output.Uint(r.Time) }},
		{Name: "date", Help: "wall clock time (-T)", Get: func(r *logRow) output.Value {
			if r.form == nil || !r.form.human {
				return output.Null()
			}
			return output.Time(r.date())
		}},
		{Name: "level", Help: "0 (emergency) to 7 (debug)", Get: func(r *logRow) output.Value { return output.Int(int(r.Level)) }},
		{Name: "facility", Help: "syslog facility, 0 is the kernel", Get: func(r *logRow) output.Value { return output.Int(int(r.Facility)) }},
		{Name: "caller", Help: "thread (T) or CPU (C) that logged it, T0 where the kernel does not record it",
			Get: func(r *logRow) output.Value { return output.String(r.Caller.String()) }},
		{Name: "text", Help: "the message; may hold newlines", Get: func(r *logRow) output.Value { return output.String(r.Text) }},
		{Name: "subsystem", Help: "subsystem of the device, of messages about a device", Get: func(r *logRow) output.Value { return optional(r.Subsystem) }},
		{Name: "device", Help: "the device, of messages about one", Get: func(r *logRow) output.Value { return optional(r.Device) }},
	},
	Text: func(b []byte, r *logRow) []byte { return r.appendText(b) },
}

func (r *logRow) date() time.Time { return r.form.boot.Add(time.Duration(r.Time)) }

func (r *logRow) appendText(b []byte) []byte {
	start := len(b)
	switch f := r.form; {
	case f.noTime:
	case f.human:
		b = fmt.Appendf(b, "[%s] ", r.date().Format("Mon Jan _2 15:04:05 MST 2006"))
	default:
		b = fmt.Appendf(b, "[%5d.%06d] ", r.Time/1e9, r.Time%1e9/1000)
	}
	if r.form.caller {
		b = fmt.Appendf(b, "[%6s] ", r.Caller)
	}
	if r.form.level {
		b = fmt.Appendf(b, "<%x>", r.Priority())
	}
	indent := len(b) - start // lines after the first stand below the text
	b = append(b, strings.ReplaceAll(r.Text, "\n", "\n"+strings.Repeat(" ", indent))...)
	b = append(b, '\n')
	if r.form.dict && r.Subsystem != "" {
		pad := bytes.Repeat([]byte{' '}, indent)
		b = fmt.Appendf(b, "%sSUBSYSTEM=%s\n%sDEVICE=%s\n", pad, r.Subsystem, pad, r.Device)
	}
	return b
}

// log prints the kernel's log.
func log(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "log",
		Synopsis: "[-Ttdmc]",
		Summary:  "print the kernel's log",
		Detail: `
The records of the log, oldest first, as printk stored them. Works without debug
info, too. A record that is damaged is reported in its place.

Dates (-T) are in UTC: the wall clock of the crashed machine at boot plus the time
stamp, which runs apart from the wall clock by a little.`,
		Options: []repl.Option{
			{Name: "T", Help: "print dates in place of seconds since boot"},
			{Name: "t", Help: "print no time stamps"},
			{Name: "m", Help: "print the priority of each message, <facility*8 + level> in hexadecimal"},
			{Name: "c", Help: "print which thread or CPU logged a message"},
			{Name: "d", Help: "print the device that a message is about"},
		},
		Examples: []repl.Example{
			{Line: "log | tail -50", Help: "The end of the log."},
			{Line: "log -T | grep -i oom", Help: "When memory ran out."},
		},
		Records: []output.Describer{logRecord},
		Run:     func(ctx context.Context, c *repl.Call) error { return runLog(ctx, t, c) },
	}
}

func runLog(ctx context.Context, t *Target, c *repl.Call) error {
	k, err := t.kernel()
	if err != nil {
		return err
	}
	form := &logForm{noTime: c.Has("t"), human: c.Has("T"), caller: c.Has("c"), level: c.Has("m"), dict: c.Has("d")}
	if form.human {
		if form.boot, err = t.bootTime(); err != nil {
			return fmt.Errorf("no dates: %w", err)
		}
	}
	records := 0
	var last error
	for r, err := range klog.Records(k) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			last = err
			c.Out.Fault("log record", err)
			continue
		}
		records++
		logRecord.Emit(c.Out, &logRow{Record: r, form: form})
	}
	if records == 0 {
		return last
	}
	return nil
}
