// Package klog reads the kernel's log, as printk left it in memory: the
// lock-less ring buffer (5.10 and later) and the log of variable-length records
// before it.
//
// It works from debug info and, without any, from what VMCOREINFO says for this
// purpose. It knows the two formats and nothing of how a log is shown. A damaged
// descriptor costs its record, not the log. Start from Records.
package klog

import (
	"errors"
	"fmt"
	"iter"

	"github.com/kdive/kdive/kernel"
)

// Record is one printk record.
type Record struct {
	Seq      uint64
	Time     uint64 // nanoseconds since boot, of the CPU that wrote it (local_clock)
	Facility uint8  // as in syslog; 0 is the kernel itself
	Level    uint8  // 0 (emergency) to 7 (debug)
	Flags    Flags
	Caller   Caller
	Text     string // without the final newline; may hold newlines and any bytes

	// What dev_printk adds, both empty for plain messages.
	Subsystem string // "pci"
	Device    string // "+pci:0000:00:01.0"

	// NoText says that the buffer had no room for the text.
	NoText bool
}

// Priority is the value in <> that syslog uses: facility and level in one.
func (r *Record) Priority() int { return int(r.Facility)<<3 | int(r.Level) }

// Flags of a record (enum log_flags, kernel/printk).
type Flags uint8

// The flags that mean something in a dump.
const (
	Newline      Flags = 2 // the text was complete
	Continuation Flags = 8 // the record goes on with the text of the one before
)

// Caller is the context that a message came from, on kernels that record it
// (CONFIG_PRINTK_CALLER).
type Caller uint32

// CPU returns the CPU number of a message from interrupt context.
func (c Caller) CPU() (int, bool) { return int(c &^ (1 << 31)), c>>31 != 0 }

// PID returns the thread that called printk.
func (c Caller) PID() (int, bool) { return int(c), c>>31 == 0 }

// String is the form of the kernel's console: T1234 or C0.
func (c Caller) String() string {
	if cpu, ok := c.CPU(); ok {
		return fmt.Sprintf("C%d", cpu)
	}
	return fmt.Sprintf("T%d", uint32(c))
}

// ErrNoLog says that neither debug info nor VMCOREINFO lead to a log.
var ErrNoLog = errors.New("no kernel log: neither prb nor log_buf is known")

// Records yields the records of the log, oldest first. An error stands for a
// record that could not be read, or for the whole log.
func Records(k kernel.View) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		s := &source{k: k, info: k.VMCoreInfo()}
		if prb, ok := s.symbol("prb"); ok {
			readRing(s, prb, yield)
			return
		}
		if buf, ok := s.symbol("log_buf"); ok {
			readRecordLog(s, buf, yield)
			return
		}
		yield(Record{}, ErrNoLog)
	}
}

// Last returns the newest n records, oldest first, without the faults.
func Last(k kernel.View, n int) []Record {
	var out []Record
	for r, err := range Records(k) {
		if err != nil {
			continue
		}
		if len(out) >= 2*n {
			out = append(out[:0], out[len(out)-n:]...)
		}
		out = append(out, r)
	}
	return out[max(0, len(out)-n):]
}
