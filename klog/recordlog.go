package klog

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kdive/kdive/value"
)

// The record log of kernels before 5.10 (kernel/printk/printk.c): headers of
// varying length with text and dictionary behind them, in a ring buffer; a
// header of length 0 says that the next one is at the buffer's start.
type recordLog struct {
	buf                        window
	header                     int
	length, textLen, dictLen   getter
	time, facility, flags, lvl getter
	caller                     getter
}

func readRecordLog(s *source, logBuf uint64, yield func(Record, error) bool) {
	l := &recordLog{}
	typ := "printk_log"
	if _, ok := s.offset("printk_log.ts_nsec"); !ok {
		typ = "log" // its name before 3.11
	}
	l.header = s.size(typ)
	l.length, l.textLen, l.dictLen = s.number(typ+".len", 2), s.number(typ+".text_len", 2), s.number(typ+".dict_len", 2)
	l.time = s.number(typ+".ts_nsec", 8)
	l.facility, l.flags = s.optional(typ+".facility", 1), s.optional(typ+".flags", 1)
	l.lvl, l.caller = s.optional(typ+".level", 1), s.optional(typ+".caller_id", 4)
	if dict, ok := s.offset(typ + ".dict_len"); ok && l.facility == nil {
		// As in the ring: one byte of facility, five bits of flags, three of level.
		both := at(int(dict)+3, 1)
		l.facility = at(int(dict)+2, 1)
		l.flags = func(obj []byte) uint64 { return both(obj) & 31 }
		l.lvl = func(obj []byte) uint64 { return both(obj) >> 5 }
	}
	first, next, seq, err := l.open(s, logBuf)
	if err == nil {
		err = s.err()
	}
	if err != nil {
		yield(Record{}, err)
		return
	}
	// Every record takes at least its header: that bounds the walk.
	for n := l.buf.size/uint64(l.header) + 1; first != next; n-- {
		if n == 0 {
			yield(Record{}, errors.New("kernel log: damaged: the records have no end"))
			return
		}
		h, err := l.buf.bytes(first, min(l.header, int(l.buf.size-min(first, l.buf.size))))
		if err == nil && len(h) < l.header {
			err = errors.New("beyond the buffer's end")
		}
		if err != nil {
			yield(Record{}, fmt.Errorf("kernel log: record %d: %w", seq, err))
			return
		}
		size := l.length(h)
		if size == 0 && first != 0 {
			first = 0
			continue
		}
		rec, err := l.record(seq, first, h)
		if !yield(rec, err) {
			return
		}
		if size < uint64(l.header) {
			yield(Record{}, fmt.Errorf("kernel log: damaged: record %d has length %d; the rest is lost", seq, size))
			return
		}
		first, seq = first+size, seq+1
	}
}

// open reads the variables that delimit the log.
func (l *recordLog) open(s *source, logBuf uint64) (first, next, seq uint64, err error) {
	read := func(name string, size int, required bool) uint64 {
		addr, ok := s.symbol(name)
		if !ok {
			if required {
				s.missing = append(s.missing, name)
			}
			return 0
		}
		b := make([]byte, size)
		if rerr := s.k.Read(b, addr); rerr != nil {
			err = fmt.Errorf("kernel log: %s: %w", name, rerr)
		}
		return at(0, size)(b)
	}
	size := read("log_buf_len", 4, true)
	first, next = read("log_first_idx", 4, true), read("log_next_idx", 4, true)
	seq = read("log_first_seq", 8, false)
	base, werr := value.Word(s.k, logBuf)
	if err == nil && werr != nil {
		err = fmt.Errorf("kernel log: log_buf: %w", werr)
	}
	if err == nil && (size > 1<<maxTextBits || first > size || next > size) {
		err = fmt.Errorf("kernel log: damaged: buffer of %d bytes, records from %d to %d", size, first, next)
	}
	l.buf = window{mem: s.k, base: base, size: size}
	return first, next, seq, err
}

// record reads the record at offset off, whose header is h.
func (l *recordLog) record(seq, off uint64, h []byte) (Record, error) {
	rec := Record{
		Seq: seq, Time: l.time(h), Facility: uint8(l.facility.in(h)), Flags: Flags(l.flags.in(h)), Level: uint8(l.lvl.in(h)),
		Caller: Caller(l.caller.in(h)),
	}
	size, text, dict := l.length(h), l.textLen(h), l.dictLen(h)
	if uint64(l.header)+text+dict > size {
		return rec, fmt.Errorf("log record %d: damaged: %d bytes of text and %d of dictionary in %d", seq, text, dict, size)
	}
	b, err := l.buf.bytes(off+uint64(l.header), int(text+dict))
	if err != nil {
		return rec, fmt.Errorf("log record %d: %w", seq, err)
	}
	rec.Text = string(b[:text])
	for pair := range strings.SplitSeq(string(b[text:]), "\x00") {
		switch key, v, _ := strings.Cut(pair, "="); key {
		case "SUBSYSTEM":
			rec.Subsystem = v
		case "DEVICE":
			rec.Device = v
		}
	}
	return rec, nil
}
