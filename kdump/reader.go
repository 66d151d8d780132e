package kdump

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kdump/source"
)

// descriptorSize is the size of struct page_desc (diskdump_mod.h).
const descriptorSize = 24

// Reader reads pages past the shared cache, with buffers of its own. It
// belongs to one goroutine at a time; scans take one for each worker.
type Reader struct {
	im     *Image
	dumped window
	ram    window
	dec    decoder
	desc   [descriptorSize]byte
	ahead  ahead
	in     [PageSize]byte // compressed
	page   []byte         // decompressed, for reads of less than a page
}

// NewReader returns a Reader.
func (im *Image) NewReader() *Reader { return &Reader{im: im} }

// descriptor is struct page_desc.
type descriptor struct {
	offset      uint64
	size, flags uint32
}

// Page reads the whole page frame pfn into dst, which must have PageSize
// bytes. Errors are *fault.Error for the page's first physical address.
func (r *Reader) Page(dst []byte, pfn uint64) error {
	reason, detail := r.fetch(dst[:PageSize], pfn)
	if reason == 0 {
		return nil
	}
	return &fault.Error{Addr: pfn << pageShift, Space: fault.Physical, Reason: reason, Detail: detail}
}

// ReadPhys fills p from physical address paddr on. At the first page that
// cannot be read it stops with a *fault.Error; the bytes before are valid.
func (r *Reader) ReadPhys(p []byte, paddr uint64) error {
	return eachPage(p, paddr, func(chunk []byte, pfn, in uint64) error {
		if len(chunk) == PageSize {
			return r.Page(chunk, pfn)
		}
		if r.page == nil {
			r.page = make([]byte, PageSize)
		}
		if err := r.Page(r.page, pfn); err != nil {
			return err
		}
		copy(chunk, r.page[in:])
		return nil
	})
}

// eachPage cuts the read of p from paddr into pages. A fault of f is moved to
// the first byte that was asked for.
func eachPage(p []byte, paddr uint64, f func(chunk []byte, pfn, in uint64) error) error {
	for len(p) > 0 {
		in := paddr % PageSize
		n := min(uint64(len(p)), PageSize-in)
		if err := f(p[:n], paddr>>pageShift, in); err != nil {
			return fault.At(err, fault.Physical, paddr)
		}
		p = p[n:]
		if paddr += n; paddr == 0 && len(p) > 0 {
			return &fault.Error{Space: fault.Physical, Reason: fault.NotRAM, Detail: "address wraps"}
		}
	}
	return nil
}

// fetch reads a page into dst, or says why not.
func (r *Reader) fetch(dst []byte, pfn uint64) (fault.Reason, string) {
	if reason, detail := r.state(pfn); reason != 0 {
		return reason, detail
	}
	p := r.im.partOf(pfn)
	if p == nil {
		return fault.Truncated, "no file of the split dump has it"
	}
	index := r.dumped.before(&r.im.dumped, pfn) - p.pages
	d, err := p.descriptorInto(r.desc[:], index)
	if err != nil {
		return fault.Truncated, "page descriptor: " + tell(err)
	}
	if d == (descriptor{}) {
		return fault.Truncated, "its descriptor was never written"
	}
	if d.size == 0 || d.size > PageSize {
		return fault.Damaged, fmt.Sprintf("descriptor says %d bytes", d.size)
	}
	if d.offset > uint64(p.Src.Size()) || uint64(d.size) > uint64(p.Src.Size())-d.offset {
		return fault.Truncated, fmt.Sprintf("page data at %#x of %d bytes", d.offset, p.Src.Size())
	}
	in := r.in[:d.size]
	if err := r.ahead.read(in, p.Src, int64(d.offset)); err != nil {
		return fault.Truncated, "page data: " + tell(err)
	}
	if err := r.dec.decode(dst, in, d.flags); err != nil {
		return fault.Damaged, err.Error()
	}
	return 0, ""
}

// tell words a failed read of the file for a fault's detail.
func tell(err error) string {
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		return "the file ends before it"
	}
	return err.Error()
}

// state tells from the bitmaps whether a page is in the dump; if it is, the
// window holds its bit.
func (r *Reader) state(pfn uint64) (fault.Reason, string) {
	im := r.im
	if pfn >= im.dumped.bits {
		if pfn < im.maxPFN {
			return fault.Truncated, "the dump ends inside its bitmaps"
		}
		return fault.NotRAM, ""
	}
	if err := r.dumped.load(&im.dumped, pfn); err != nil {
		return fault.Truncated, "bitmap: " + tell(err)
	}
	if r.dumped.test(pfn) {
		return 0, ""
	}
	if err := r.ram.load(&im.ram, pfn); err != nil {
		return fault.Truncated, "bitmap: " + tell(err)
	}
	if r.ram.test(pfn) {
		return fault.Excluded, ""
	}
	return fault.NotRAM, ""
}

// descriptor reads entry i of the part's table.
func (p *part) descriptor(i uint64) (descriptor, error) {
	return p.descriptorInto(make([]byte, descriptorSize), i)
}

// descriptorInto is descriptor with the caller's buffer.
func (p *part) descriptorInto(b []byte, i uint64) (descriptor, error) {
	if i > uint64(p.Src.Size())/descriptorSize {
		return descriptor{}, io.ErrUnexpectedEOF
	}
	if err := source.ReadFull(p.Src, b, p.table+int64(i)*descriptorSize); err != nil {
		return descriptor{}, err
	}
	return parseDescriptor(b), nil
}

func parseDescriptor(b []byte) descriptor {
	le := binary.LittleEndian
	return descriptor{le.Uint64(b[0:]), le.Uint32(b[8:]), le.Uint32(b[12:])}
}
