package klog

import (
	"fmt"
	"sort"

	"github.com/kdive/kdive/value"
)

// The lock-less ring (kernel/printk/printk_ringbuffer.h): an array of
// descriptors with a state and the place of the text, an array of printk_info
// beside it, and a ring of text blocks. Identifiers and text positions count on
// for ever; their low bits are the index.
type ring struct {
	s *source

	countBits, textBits uint64
	head, tail          uint64 // identifiers
	descs, infos, text  window

	descSize, infoSize int
	state, begin, next getter // of prb_desc

	seq, time, textLen, facility, flags, level, caller getter // of printk_info
	subsystem, device                                  span
}

// States of a descriptor (enum desc_state), in the top two bits of state_var.
const (
	stateReserved = iota // being written
	stateCommitted
	stateFinalized
	stateReusable

	stateShift = 62
	idMask     = 1<<stateShift - 1
)

// Limits of what a kernel can be configured to (CONFIG_LOG_BUF_SHIFT and the
// log_buf_len parameter, 2 GiB at most; a descriptor for every 32 bytes).
const (
	maxTextBits  = 31
	maxCountBits = 26
)

// Limits of the patience with damaged rings: faults in a row, and descriptors
// looked at where head and tail are no guide.
const (
	maxFaults  = 4096
	maxScanned = 1 << 22
)

func readRing(s *source, prb uint64, yield func(Record, error) bool) {
	r, err := openRing(s, prb)
	if err != nil {
		yield(Record{}, err)
		return
	}
	if n := (r.head - r.tail) & idMask; n >= 1<<r.countBits {
		err := fmt.Errorf("kernel log: damaged ring: head %#x and tail %#x are too far apart; records taken from all descriptors", r.head, r.tail)
		if yield(Record{}, err) {
			r.scan(yield)
		}
		return
	}
	faults := 0
	for id := r.tail; ; id = (id + 1) & idMask {
		rec, ok, err := r.record(id)
		if (ok || err != nil) && !yield(rec, err) {
			return
		}
		if faults++; err == nil {
			faults = 0
		}
		if faults == maxFaults {
			yield(Record{}, fmt.Errorf("kernel log: %d damaged records in a row; the rest is lost", faults))
			return
		}
		if id == r.head {
			return
		}
	}
}

// scan reads the records of all descriptors, in the order of their identifiers.
func (r *ring) scan(yield func(Record, error) bool) {
	var ids []uint64
	for i := range min(uint64(1)<<r.countBits, maxScanned) {
		d, err := r.descs.bytes(i*uint64(r.descSize), r.descSize)
		if err != nil {
			continue
		}
		sv := r.state.in(d)
		if st := sv >> stateShift; sv&(1<<r.countBits-1) == i && (st == stateCommitted || st == stateFinalized) {
			ids = append(ids, sv&idMask)
		}
	}
	if len(ids) == 0 {
		return
	}
	// Identifiers start shortly before they wrap, so order them by distance.
	base := ids[0]
	sort.Slice(ids, func(i, j int) bool {
		return int64((ids[i]-base)<<2) < int64((ids[j]-base)<<2)
	})
	for _, id := range ids {
		if rec, ok, err := r.record(id); (ok || err != nil) && !yield(rec, err) {
			return
		}
	}
}

func openRing(s *source, prb uint64) (*ring, error) {
	rb, err := value.Word(s.k, prb)
	if err != nil {
		return nil, fmt.Errorf("kernel log: prb: %w", err)
	}
	r := &ring{s: s, descSize: s.size("prb_desc"), infoSize: s.size("printk_info")}
	size := s.size("printk_ringbuffer")
	descRing := int(s.place("printk_ringbuffer.desc_ring"))
	textRing := int(s.place("printk_ringbuffer.text_data_ring"))
	countBits := s.number("prb_desc_ring.count_bits", 4)
	descs, infos := s.number("prb_desc_ring.descs", 8), s.number("prb_desc_ring.infos", 8)
	head, tail := s.number("prb_desc_ring.head_id", 8), s.number("prb_desc_ring.tail_id", 8)
	textBits, text := s.number("prb_data_ring.size_bits", 4), s.number("prb_data_ring.data", 8)
	r.state = s.number("prb_desc.state_var", 8)
	lpos := s.place("prb_desc.text_blk_lpos")
	r.begin = at(int(lpos+s.place("prb_data_blk_lpos.begin")), 8)
	r.next = at(int(lpos+s.place("prb_data_blk_lpos.next")), 8)
	r.bindInfo()
	if err := s.err(); err != nil {
		return nil, err
	}

	b := make([]byte, size)
	if err := s.k.Read(b, rb); err != nil {
		return nil, fmt.Errorf("kernel log: printk_ringbuffer: %w", err)
	}
	if descRing > size || textRing > size {
		return nil, fmt.Errorf("kernel log: printk_ringbuffer has parts beyond its size %d", size)
	}
	d, t := b[descRing:], b[textRing:]
	r.countBits, r.textBits = countBits(d), textBits(t)
	if r.countBits == 0 || r.countBits > maxCountBits || r.textBits == 0 || r.textBits > maxTextBits {
		return nil, fmt.Errorf("kernel log: damaged ring: %d bits of descriptors, %d bits of text", r.countBits, r.textBits)
	}
	r.head, r.tail = head(d)&idMask, tail(d)&idMask
	r.descs = window{mem: s.k, base: descs(d), size: uint64(r.descSize) << r.countBits}
	r.infos = window{mem: s.k, base: infos(d), size: uint64(r.infoSize) << r.countBits}
	r.text = window{mem: s.k, base: text(t), size: 1 << r.textBits}
	return r, nil
}

// bindInfo finds the members of printk_info. VMCOREINFO does not list facility,
// flags and level; they fill the four bytes from text_len to caller_id.
func (r *ring) bindInfo() {
	s := r.s
	r.seq, r.time = s.number("printk_info.seq", 8), s.number("printk_info.ts_nsec", 8)
	r.textLen = s.number("printk_info.text_len", 2)
	r.caller = s.optional("printk_info.caller_id", 4)
	r.facility = s.optional("printk_info.facility", 1)
	r.flags, r.level = s.optional("printk_info.flags", 1), s.optional("printk_info.level", 1)
	if r.facility == nil {
		textLen, ok := s.offset("printk_info.text_len")
		if caller, ok2 := s.offset("printk_info.caller_id"); ok && ok2 && caller == textLen+4 {
			both := at(int(textLen)+3, 1)
			r.facility = at(int(textLen)+2, 1)
			r.flags = func(obj []byte) uint64 { return both(obj) & 31 }
			r.level = func(obj []byte) uint64 { return both(obj) >> 5 }
		}
	}
	r.subsystem = s.chars("printk_info.dev_info.subsystem", "printk_info_subsystem")
	r.device = s.chars("printk_info.dev_info.device", "printk_info_device")
}

// place is the offset of a member that has to exist.
func (s *source) place(path string) int64 {
	off, ok := s.offset(path)
	if !ok {
		s.missing = append(s.missing, path)
	}
	return off
}

// record reads the record with identifier id; ok is false if there is none (yet
// or any more).
func (r *ring) record(id uint64) (rec Record, ok bool, err error) {
	i := id & (1<<r.countBits - 1)
	d, err := r.descs.bytes(i*uint64(r.descSize), r.descSize)
	if err != nil {
		return rec, false, fmt.Errorf("log record %#x: descriptor: %w", id, err)
	}
	sv := r.state.in(d)
	switch state := sv >> stateShift; {
	case state == stateReusable, state == stateReserved:
		return rec, false, nil
	case sv&idMask != id:
		return rec, false, fmt.Errorf("log record %#x: damaged: its descriptor belongs to %#x", id, sv&idMask)
	}
	begin, next := r.begin.in(d), r.next.in(d)
	info, err := r.infos.bytes(i*uint64(r.infoSize), r.infoSize)
	if err != nil {
		return rec, false, fmt.Errorf("log record %#x: printk_info: %w", id, err)
	}
	rec = Record{
		Seq: r.seq.in(info), Time: r.time.in(info),
		Facility: uint8(r.facility.in(info)), Level: uint8(r.level.in(info)), Flags: Flags(r.flags.in(info)),
		Caller:    Caller(r.caller.in(info)),
		Subsystem: r.subsystem.text(info), Device: r.device.text(info),
	}
	textLen := r.textLen.in(info)
	if begin&1 != 0 && next&1 != 0 {
		// No block: an empty line (3), or no room for the text (1).
		rec.NoText = begin != 3 || next != 3
		return rec, true, nil
	}
	text, err := r.block(id, begin, next)
	if err != nil {
		return rec, false, fmt.Errorf("log record %#x (%d): text: %w", id, rec.Seq, err)
	}
	rec.Text = string(text[:min(textLen, uint64(len(text)))])
	return rec, true, nil
}

// block is the text block from position begin to next. It starts with the
// identifier of its record. One that would run over the end of the ring lies at
// the ring's start instead.
func (r *ring) block(id, begin, next uint64) ([]byte, error) {
	const idSize = 8
	size := uint64(1) << r.textBits
	from, to := begin&(size-1), next&(size-1)
	turns := next>>r.textBits - begin>>r.textBits
	switch {
	case turns == 0 && from < to:
	case turns == 1 && to == 0: // up to the very end
		to = size
	case turns == 1:
		from = 0
	default:
		return nil, fmt.Errorf("damaged: block from %#x to %#x", begin, next)
	}
	if to-from < idSize {
		return nil, fmt.Errorf("damaged: block from %#x to %#x", begin, next)
	}
	b, err := r.text.bytes(from, int(to-from))
	if err != nil {
		return nil, err
	}
	if have := at(0, idSize)(b); have != id {
		return nil, fmt.Errorf("damaged: the block belongs to record %#x", have)
	}
	return b[idSize:], nil
}
