package klog

import (
	"fmt"

	"github.com/kdive/kdive/value"
)

// window reads an array in large pieces, of which it keeps one: records lie one
// behind the other, and a size that the dump invents costs no memory.
type window struct {
	mem  value.Memory
	base uint64 // kernel virtual address of the array
	size uint64 // bytes
	from uint64 // offset of buf
	buf  []byte
	own  []byte
}

const windowSize = 64 << 10

// bytes are the n bytes at offset off, valid until the next call. Where the
// piece around them cannot be read, they alone are tried.
func (w *window) bytes(off uint64, n int) ([]byte, error) {
	if n < 0 || off > w.size || uint64(n) > w.size-off {
		return nil, fmt.Errorf("offset %#x, %d bytes: beyond the buffer's end", off, n)
	}
	if off >= w.from && off+uint64(n) <= w.from+uint64(len(w.buf)) {
		return w.buf[off-w.from:][:n], nil
	}
	if n <= windowSize {
		if w.own == nil {
			w.own = make([]byte, windowSize)
		}
		piece := w.own[:min(windowSize, w.size-off)]
		if w.mem.Read(piece, w.base+off) == nil {
			w.from, w.buf = off, piece
			return piece[:n], nil
		}
		w.buf = nil
	}
	b := make([]byte, n)
	if err := w.mem.Read(b, w.base+off); err != nil {
		return nil, err
	}
	return b, nil
}
