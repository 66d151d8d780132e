// Package source presents the bytes of one dump file as its writer meant them.
//
// It knows two shapes: a plain file, mapped into memory and read in place, and
// the flattened stream of makedumpfile, which carries (offset, bytes) records
// and is read in place through an index. It knows nothing of what the bytes
// are: ELF cores and compressed dumps are read through the same interface.
// Start from Open.
package source

import (
	"errors"
	"fmt"
	"io"
)

// ErrMissing marks bytes that belong to a flattened dump and that no record of
// its cut-off stream brought.
var ErrMissing = errors.New("not in the cut-off flattened stream")

// Source is a dump file's bytes.
//
// ReadAt follows io.ReaderAt: a short read gives io.EOF, or ErrMissing where
// the stream has a gap. It never faults: a file that shrinks while it is mapped
// reads as a short one. All methods may be called by many goroutines at once.
type Source interface {
	io.ReaderAt

	// Size is the length of the dump. A hostile flattened stream can claim any.
	Size() int64

	// DataFrom returns the first offset from off on that need not be zero:
	// what is before it is a hole. At the end it returns Size.
	DataFrom(off int64) int64

	// Stored is the length of the file that holds the dump.
	Stored() int64

	// Warnings are sentences about damage found while opening.
	Warnings() []string

	io.Closer
}

// Open maps the file and, if it is a flattened stream, indexes it.
func Open(path string) (src Source, flattened bool, err error) {
	m, err := Map(path)
	if err != nil {
		return nil, false, err
	}
	if !IsFlat(m) {
		return m, false, nil
	}
	f, err := NewFlat(m)
	if err != nil {
		m.Close()
		return nil, true, fmt.Errorf("%s: %w", path, err)
	}
	return f, true, nil
}

// ReadFull reads len(p) bytes at off, or says why there are fewer.
func ReadFull(s Source, p []byte, off int64) error {
	n, err := s.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
