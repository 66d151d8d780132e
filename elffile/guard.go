package elffile

import (
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A MappingError says that bytes of a mapped file could not be had any more:
// the file was cut off while it was mapped, or its storage failed.
type MappingError struct {
	Path   string // the file, as it was opened
	Offset int64  // offset in the file of the byte that could not be read
}

func (e *MappingError) Error() string {
	return fmt.Sprintf("%s: no bytes at offset %#x: the file was cut off while in use, or its storage failed", e.Path, e.Offset)
}

// Guard runs fn and turns a memory fault inside a file that this package has
// mapped into a *MappingError. Without it such a fault ends the process. It
// covers the calling goroutine only: every goroutine that reads slices of a
// File needs its own. Other panics, and faults elsewhere, pass through.
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
			if e := mappings.lookup(fault.Addr()); e != nil {
				err = e
				return
			}
		}
		panic(r)
	}()
	return fn()
}

// mappings lists the live file mappings, for Guard to tell a fault in a file
// from a bug.
var mappings registry

type registry struct {
	mu   sync.Mutex
	list []mapping
}

type mapping struct {
	start, size uintptr
	path        string
}

func (r *registry) add(data []byte, path string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, mapping{uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)), path})
}

func (r *registry) remove(data []byte) {
	start := uintptr(unsafe.Pointer(&data[0]))
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, m := range r.list {
		if m.start == start {
			r.list = append(r.list[:i], r.list[i+1:]...)
			return
		}
	}
}

func (r *registry) lookup(addr uintptr) *MappingError {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.list {
		// The last page of the mapping reaches past the file's last byte.
		if addr >= m.start && addr-m.start < (m.size+uintptr(os.Getpagesize())-1)&^uintptr(os.Getpagesize()-1) {
			return &MappingError{Path: m.path, Offset: int64(addr - m.start)}
		}
	}
	return nil
}

// mapFile maps a regular file read-only. A FIFO or device must not block or
// act, so the type is checked before anything is read.
func mapFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", path)
	case st.Size() == 0:
		return nil, fmt.Errorf("%s: empty file", path)
	case st.Size() > 1<<46:
		return nil, fmt.Errorf("%s: %d bytes are too many to map", path, st.Size())
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("%s: mapping the file: %w", path, err)
	}
	mappings.add(data, path)
	return data, nil
}

// anonymous is memory outside the Go heap, so that hundreds of megabytes of
// inflated sections do not double the collector's goal.
func anonymous(size int) ([]byte, error) {
	if size == 0 {
		return []byte{}, nil
	}
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
}

func release(data []byte) {
	if len(data) > 0 {
		_ = unix.Munmap(data) // fails only for memory that is not a mapping
	}
}
