package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"
)

// The flattened format (makedumpfile.h, struct makedumpfile_header and
// makedumpfile_data_header): a header block of 4096 bytes, then records of a
// big-endian offset and length followed by that many bytes, until a record
// whose offset and length are -1.
const (
	flatHeaderSize = 4096
	recordHeader   = 16
	flatType       = 1
	flatVersion    = 1
)

var flatSignature = []byte("makedumpfile\x00\x00\x00\x00")

// maxRuns bounds the index at 256 MiB. The writers put 4 KiB to 64 KiB in a
// record, so that a real stream of 1 TiB needs a tenth of it.
const maxRuns = 8 << 20

// maxOffset is the largest offset of a dump that makes sense, 1 EiB.
const maxOffset = 1 << 60

// run is count records that follow each other in the file, have the same
// length and carry consecutive parts of the dump: the shape in which writers
// flush a buffer again and again. Most dumps need few.
type run struct {
	out   int64 // offset in the dump
	file  int64 // offset in the stream of the first record's bytes
	size  int64 // bytes in each record
	count int64
}

func (r *run) end() int64 { return r.out + r.size*r.count }

// Flat is a flattened stream seen as the dump it carries.
type Flat struct {
	m        *Mapped
	runs     []run // sorted by out, disjoint
	size     int64
	complete bool
	warnings []string
}

// IsFlat tells whether the file starts as a flattened stream does.
func IsFlat(m *Mapped) bool {
	var sig [16]byte
	return ReadFull(m, sig[:], 0) == nil && bytes.Equal(sig[:], flatSignature)
}

// NewFlat indexes the stream. Where records overlap the later one counts, as
// if each had been written to its place in turn.
func NewFlat(m *Mapped) (*Flat, error) {
	var h [16]byte
	if err := ReadFull(m, h[:], 16); err != nil {
		return nil, errors.New("flattened stream ends in its header")
	}
	typ, version := binary.BigEndian.Uint64(h[:]), binary.BigEndian.Uint64(h[8:])
	if typ != flatType || version != flatVersion {
		return nil, fmt.Errorf("flattened stream of type %d version %d is not supported (only type 1 version 1)", typ, version)
	}
	f := &Flat{m: m}
	if err := f.scan(); err != nil {
		return nil, err
	}
	if err := f.arrange(); err != nil {
		return nil, err
	}
	if n := len(f.runs); n > 0 {
		f.size = f.runs[n-1].end()
	}
	return f, nil
}

// scan collects the records in stream order.
func (f *Flat) scan() error {
	r := headerReader{m: f.m}
	for pos := int64(flatHeaderSize); ; {
		off, size, ok := r.next(pos)
		if !ok {
			f.warn("flattened stream ends without an end mark: it is cut off at byte %d", f.m.Size())
			return nil
		}
		if off == -1 && size == -1 {
			f.complete = true
			return nil
		}
		if off < 0 || size < 0 || off > maxOffset || size > maxOffset {
			f.warn("flattened stream has an impossible record at byte %d (offset %#x, length %#x): what follows it is lost", pos, uint64(off), uint64(size))
			return nil
		}
		pos += recordHeader
		stored := min(size, f.m.Size()-pos)
		if stored > 0 && !f.add(off, pos, stored) {
			return fmt.Errorf("flattened stream has more than %d scattered records", maxRuns)
		}
		if stored < size {
			f.warn("flattened stream is cut off: its last record at byte %d lacks %d of %d bytes", pos-recordHeader, size-stored, size)
			return nil
		}
		pos += size
	}
}

// add appends a record, to the last run if it continues that.
func (f *Flat) add(off, file, size int64) bool {
	if n := len(f.runs); n > 0 {
		r := &f.runs[n-1]
		if r.size == size && r.end() == off && r.file+r.count*(r.size+recordHeader) == file {
			r.count++
			return true
		}
		if n >= maxRuns {
			return false
		}
	}
	f.runs = append(f.runs, run{off, file, size, 1})
	return true
}

// arrange sorts the runs and resolves overlaps.
func (f *Flat) arrange() error {
	sort.Slice(f.runs, func(i, j int) bool { return f.runs[i].out < f.runs[j].out })
	if !overlapping(f.runs) {
		return nil
	}
	var out []run
	for len(f.runs) > 0 {
		// A cluster is runs that reach into each other.
		n, end := 1, f.runs[0].end()
		for n < len(f.runs) && f.runs[n].out < end {
			end = max(end, f.runs[n].end())
			n++
		}
		if n == 1 {
			out = append(out, f.runs[0])
		} else {
			var err error
			if out, err = resolve(out, f.runs[:n]); err != nil {
				return err
			}
		}
		if len(out) > maxRuns {
			return fmt.Errorf("flattened stream has more than %d scattered records", maxRuns)
		}
		f.runs = f.runs[n:]
	}
	f.runs = out
	return nil
}

func overlapping(runs []run) bool {
	for i := 1; i < len(runs); i++ {
		if runs[i].out < runs[i-1].end() {
			return true
		}
	}
	return false
}

func (f *Flat) warn(format string, args ...any) {
	f.warnings = append(f.warnings, fmt.Sprintf(format, args...))
}

// Size is the end of the last byte that a record brought.
func (f *Flat) Size() int64 { return f.size }

// Stored is the length of the stream.
func (f *Flat) Stored() int64 { return f.m.Size() }

// Complete tells whether the stream has its end mark.
func (f *Flat) Complete() bool { return f.complete }

// Warnings says where the stream is cut off or damaged.
func (f *Flat) Warnings() []string { return f.warnings }

// Close closes the file.
func (f *Flat) Close() error { return f.m.Close() }

// ReadAt gathers the bytes from the records. What no record brought reads as
// zeros, as it would in the sparse file that makedumpfile -R makes of the
// stream; if the stream is cut off it is missing.
func (f *Flat) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= f.size {
		return 0, io.EOF
	}
	i := sort.Search(len(f.runs), func(i int) bool { return f.runs[i].end() > off })
	n := 0
	for n < len(p) && i < len(f.runs) {
		r := &f.runs[i]
		if off < r.out {
			if !f.complete {
				return n, ErrMissing
			}
			gap := int(min(r.out-off, int64(len(p)-n)))
			clear(p[n : n+gap])
			n, off = n+gap, off+int64(gap)
			continue
		}
		k, in := (off-r.out)/r.size, (off-r.out)%r.size
		want := int(min(r.size-in, int64(len(p)-n)))
		got, err := f.m.ReadAt(p[n:n+want], r.file+k*(r.size+recordHeader)+in)
		n, off = n+got, off+int64(got)
		if got < want {
			return n, err
		}
		if off == r.end() {
			i++
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// DataFrom looks for the next record. Gaps of a cut-off stream are no holes.
func (f *Flat) DataFrom(off int64) int64 {
	if !f.complete || off >= f.size {
		return off
	}
	i := sort.Search(len(f.runs), func(i int) bool { return f.runs[i].end() > off })
	return max(off, f.runs[i].out)
}

// headerReader reads record headers with one system call per few of them,
// without making the stream resident.
type headerReader struct {
	m     *Mapped
	buf   [4096]byte
	start int64
	n     int
}

func (h *headerReader) next(pos int64) (off, size int64, ok bool) {
	if pos < h.start || pos+recordHeader > h.start+int64(h.n) {
		h.start = pos
		h.n, _ = h.m.f.ReadAt(h.buf[:], pos)
		if h.n < recordHeader {
			return 0, 0, false
		}
	}
	b := h.buf[pos-h.start:]
	return int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:])), true
}
