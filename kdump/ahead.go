package kdump

import "github.com/kdive/kdive/kdump/source"

// ahead reads a file in large pieces where it is read in order, as scans do:
// pages are small and lie one behind the other, so that each large piece serves
// many of them, and none of the mapping becomes resident. Single reads are left
// alone.
type ahead struct {
	src  source.Source
	off  int64 // of buf in src
	buf  []byte
	next int64    // where the last large piece is behind, or a run of reads
	last [2]int64 // ends of the last single reads: a page that many share, such as that of zeros, interrupts no run
	room []byte
}

// aheadSize is how much is read at once: from there on a read goes past the
// mapping.
const aheadSize = 64 << 10

// read fills p from offset off of src.
func (a *ahead) read(p []byte, src source.Source, off int64) error {
	if a.src != src {
		*a = ahead{src: src, room: a.room, next: -1, last: [2]int64{-1, -1}}
	}
	if in := off - a.off; in >= 0 && in+int64(len(p)) <= int64(len(a.buf)) {
		a.next = max(a.next, off+int64(len(p)))
		copy(p, a.buf[in:])
		return nil
	}
	if off != a.next && off != a.last[0] && off != a.last[1] {
		a.last[0], a.last[1] = a.last[1], off+int64(len(p))
		return source.ReadFull(src, p, off)
	}
	if a.room == nil {
		a.room = make([]byte, aheadSize)
	}
	n, _ := src.ReadAt(a.room, off)
	if n < len(p) {
		a.buf = nil
		return source.ReadFull(src, p, off) // says why
	}
	a.off, a.buf = off, a.room[:n]
	a.next = off + int64(copy(p, a.buf))
	return nil
}
