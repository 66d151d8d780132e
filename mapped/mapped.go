// Package mapped maps files read-only and survives their being cut off.
//
// It knows mmap and what a fault in a mapped file looks like to a Go program;
// it knows nothing of what the files hold. Slices of a mapping are ordinary
// memory until somebody truncates the file or its storage fails: then reading
// them faults, which ends the process unless the reading goroutine runs under
// Guard. Start from Open.
package mapped

import (
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxSize keeps sizes within an int and the address space; no file of the
// project comes near it.
const maxSize = 1 << 46

// Mapping is a file's bytes, as long as it was when it was mapped.
type Mapping struct {
	Path string
	Data []byte // valid until Close; writing to it faults
}

// Open maps a regular, non-empty file. It does not block on a FIFO and touches
// no device.
func Open(path string) (*Mapping, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return File(f)
}

// File maps an open regular, non-empty file, which may be closed afterwards.
func File(f *os.File) (*Mapping, error) {
	path := f.Name()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", path)
	case st.Size() == 0:
		return nil, fmt.Errorf("%s: empty file", path)
	case st.Size() > maxSize:
		return nil, fmt.Errorf("%s: %d bytes are too many to map", path, st.Size())
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("%s: mapping the file: %w", path, err)
	}
	m := &Mapping{Path: path, Data: data}
	live.add(m)
	return m, nil
}

// Close gives the memory back. No slice of Data may be used afterwards.
func (m *Mapping) Close() error {
	if m.Data == nil {
		return nil
	}
	live.remove(m)
	err := unix.Munmap(m.Data)
	m.Data = nil
	return err
}

// An Error says that bytes of a mapped file could not be had any more: the
// file was cut off while it was mapped, or its storage failed.
type Error struct {
	Path   string // the file, as it was opened
	Offset int64  // offset in the file of the byte that could not be read
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: no bytes at offset %#x: the file was cut off while in use, or its storage failed", e.Path, e.Offset)
}

// Guard runs fn and turns a memory fault inside a mapped file into an *Error.
// Without it such a fault ends the process. It covers the calling goroutine
// only: every goroutine that reads a mapping needs its own. Other panics, and
// faults elsewhere, pass through.
func Guard(fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		// Only a runtime error raised by a fault has an address.
		if fault, ok := r.(interface{ Addr() uintptr }); ok {
			if e := live.lookup(fault.Addr()); e != nil {
				err = e
				return
			}
		}
		panic(r)
	}()
	return fn()
}

// live lists the mappings there are, for Guard to tell a fault in a file from
// a bug.
var live registry

type registry struct {
	mu   sync.Mutex
	list []*Mapping
}

func (r *registry) add(m *Mapping) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, m)
}

func (r *registry) remove(m *Mapping) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, l := range r.list {
		if l == m {
			r.list = append(r.list[:i], r.list[i+1:]...)
			return
		}
	}
}

func (r *registry) lookup(addr uintptr) *Error {
	page := uintptr(os.Getpagesize())
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.list {
		start := uintptr(unsafe.Pointer(unsafe.SliceData(m.Data)))
		// The kernel may name any address of the page that it could not load.
		if end := start + (uintptr(len(m.Data))+page-1)&^(page-1); addr >= start && addr < end {
			return &Error{Path: m.Path, Offset: int64(addr - start)}
		}
	}
	return nil
}
