package source

import (
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/kdive/kdive/mapped"
)

// largeRead is the length from which a read goes through the file instead of
// the mapping: one pass over a large region would otherwise make all of it
// resident in this process, and a system call costs nothing beside it.
const largeRead = 64 << 10

// Mapped is a plain file mapped into memory, read-only.
type Mapped struct {
	f *os.File
	m *mapped.Mapping
}

// Map opens and maps a regular file.
func Map(path string) (*Mapped, error) {
	// Without O_NONBLOCK a FIFO would block here, before it is refused.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	m, err := mapped.File(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Mapped{f, m}, nil
}

// Size is the length of the file when it was opened.
func (m *Mapped) Size() int64 { return int64(len(m.m.Data)) }

// Stored equals Size.
func (m *Mapped) Stored() int64 { return m.Size() }

// Warnings is empty: a plain file has no structure of its own.
func (m *Mapped) Warnings() []string { return nil }

// ReadAt copies bytes out of the mapping. If the file was cut off since it was
// mapped, the file itself then tells how much is left.
func (m *Mapped) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 || off >= m.Size() {
		return 0, io.EOF
	}
	if len(p) >= largeRead || off+int64(len(p)) > m.lastPage() {
		return m.f.ReadAt(p, off)
	}
	var last byte
	if err := mapped.Guard(func() error {
		n = copy(p, m.m.Data[off:])
		// Where a file ends within a page, the rest of that page maps as
		// zeros, without a fault. But its last page then faults.
		last = m.m.Data[len(m.m.Data)-1]
		return nil
	}); err != nil {
		return m.f.ReadAt(p, off)
	}
	_ = last
	return n, nil
}

// DataFrom asks the file system for the end of a hole.
func (m *Mapped) DataFrom(off int64) int64 {
	next, err := unix.Seek(int(m.f.Fd()), off, unix.SEEK_DATA)
	switch {
	case err == unix.ENXIO:
		return m.Size()
	case err != nil || next < off:
		return off
	}
	return next
}

// lastPage is the offset of the file's last page.
func (m *Mapped) lastPage() int64 { return (m.Size() - 1) &^ 4095 }

// Close unmaps and closes the file. No read may be under way.
func (m *Mapped) Close() error {
	if err := m.m.Close(); err != nil {
		m.f.Close()
		return err
	}
	return m.f.Close()
}
