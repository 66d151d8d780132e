package vmcore

// Trace has f told of every read of memory that follows, with its physical
// address and its length in bytes, before it is made. It tells a test which
// pages an answer depends on. Call it before the dump is shared: it is not for
// many goroutines, but f must be. A dump that is not traced pays nothing.
func (d *Dump) Trace(f func(paddr uint64, length int)) { d.mem = traced{d.mem, f} }

// traced is memory whose reads are told of.
type traced struct {
	memory
	f func(paddr uint64, length int)
}

// ReadPhys implements memory.
func (t traced) ReadPhys(p []byte, paddr uint64) error {
	t.f(paddr, len(p))
	return t.memory.ReadPhys(p, paddr)
}

// Reader implements memory.
func (t traced) Reader() physReader { return tracedReader{t.memory.Reader(), t.f} }

type tracedReader struct {
	physReader
	f func(paddr uint64, length int)
}

// ReadPhys implements physReader.
func (t tracedReader) ReadPhys(p []byte, paddr uint64) error {
	t.f(paddr, len(p))
	return t.physReader.ReadPhys(p, paddr)
}
