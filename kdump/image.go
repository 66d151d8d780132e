// Package kdump reads compressed kernel dumps: the format that makedumpfile
// and QEMU write, from a single file or a set of split ones.
//
// A dump is a header, two bitmaps over the page frames (which are RAM, which
// are in the dump), a table with a descriptor for each page in the dump, and
// the pages, each compressed by itself. A page is found in constant time: its
// bit's rank in the second bitmap is its place in the table. Page frames are
// 4096 bytes; addresses are physical. The package knows nothing of ELF cores,
// notes or kernels. Start from Open, which gives an Image; take a Reader from
// it for every goroutine that scans.
//
// Format facts are from makedumpfile's diskdump_mod.h, IMPLEMENTATION and
// makedumpfile.c, and QEMU's dump/dump.c.
package kdump

import (
	"fmt"
	"iter"
	"sync"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kdump/source"
)

// Part is one file of a dump, with the name to use for it in messages.
type Part struct {
	Name string
	Src  source.Source
}

// part is a Part with its headers.
type part struct {
	Part
	header *Header
	pages  uint64 // rank of the first page whose descriptor is in this part
	table  int64  // offset of the descriptor table

	start, end uint64 // page frames whose descriptors are in this part
}

// Image is an open compressed dump. All methods may be called by many
// goroutines at once.
type Image struct {
	header   *Header
	parts    []*part     // sorted by start
	gaps     [][2]uint64 // page frames of parts that were not named
	ram      bitmap      // first bitmap; not indexed
	dumped   bitmap      // second bitmap
	maxPFN   uint64
	missing  Missing
	warnings []string

	readers sync.Pool // *Reader
	cache   cache
}

// Missing says how much of what the bitmap promises the files do not hold.
type Missing struct {
	Pages   uint64 // pages whose bytes are not there
	Bitmap  bool   // the files end inside the bitmaps
	Unnamed bool   // parts of a split dump were not named
}

// Any tells whether anything is missing.
func (m Missing) Any() bool { return m.Pages > 0 || m.Bitmap || m.Unnamed }

// Open opens a dump: one part, or all parts of a split dump in any order.
// The sources stay the caller's to close.
func Open(parts []Part) (*Image, error) {
	im := &Image{}
	for _, p := range parts {
		h, err := ReadHeader(p.Src)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		q := &part{Part: p, header: h}
		im.parts = append(im.parts, q)
		for _, w := range q.reconcile() {
			im.warnPart(q, "%s", w)
		}
	}
	if err := im.join(); err != nil {
		return nil, err
	}
	if err := im.openBitmaps(); err != nil {
		return nil, err
	}
	if err := im.locateParts(); err != nil {
		return nil, err
	}
	im.cache.init(DefaultCachePages)
	im.readers.New = func() any { return im.NewReader() }
	im.checkTable()
	im.measure()
	return im, nil
}

// openBitmaps finds the bitmaps of the first part; all parts have the same.
func (im *Image) openBitmaps() error {
	p := im.parts[0]
	im.header = p.header
	h := p.header
	start := (1 + int64(h.SubBlocks)) * PageSize
	half := int64(h.BitmapBlocks/2) * PageSize
	size := half
	if one := pagesFor(h.MaxMapnr); uint64(h.BitmapBlocks) >= one && uint64(h.BitmapBlocks) < 2*one {
		// The original diskdump of a whole memory has one bitmap for both.
		half, size = 0, int64(h.BitmapBlocks)*PageSize
	}
	im.maxPFN = h.MaxMapnr
	if capacity := uint64(size) * 8; im.maxPFN > capacity {
		im.warnPart(p, "header claims %#x page frames, its bitmap has room for %#x", h.MaxMapnr, capacity)
		im.maxPFN = capacity
	}
	if im.maxPFN > MaxPFN {
		return fmt.Errorf("%s: header claims %#x page frames, more than the %#x that are supported", p.Name, h.MaxMapnr, uint64(MaxPFN))
	}
	im.ram = bitmap{src: p.Src, off: start, bits: im.maxPFN}
	im.dumped = bitmap{src: p.Src, off: start + half, bits: im.maxPFN}
	if im.ram.off >= p.Src.Size() && im.maxPFN > 0 {
		im.warnPart(p, "bitmaps at %#x lie beyond the end of the dump (%d bytes): no page can be read", start, p.Src.Size())
		im.ram.bits, im.dumped.bits, im.missing.Bitmap = 0, 0, true
		return nil
	}
	if room := uint64(p.Src.Stored()) * 8; im.dumped.bits > room {
		im.warnPart(p, "bitmaps of %d page frames are larger than the file", im.dumped.bits)
		im.ram.bits, im.dumped.bits, im.missing.Bitmap = room, room, true
	}
	if err := im.dumped.index(); err != nil {
		im.missing.Bitmap = true
		im.warnPart(p, "%v", err)
	}
	return nil
}

// warnPart is warn about one part, which it names if there are several.
func (im *Image) warnPart(p *part, format string, args ...any) {
	if len(im.parts) > 1 {
		format = p.Name + ": " + format
	}
	im.warn(format, args...)
}

func (im *Image) warn(format string, args ...any) {
	im.warnings = append(im.warnings, fmt.Sprintf(format, args...))
}

// Header returns the headers of the first part.
func (im *Image) Header() *Header { return im.header }

// MaxPFN is the first page frame number beyond the memory that the dump
// describes.
func (im *Image) MaxPFN() uint64 { return im.maxPFN }

// Pages counts the pages that the bitmap says are in the dump.
func (im *Image) Pages() uint64 { return im.dumped.set }

// Missing says how much of the dump is not there.
func (im *Image) Missing() Missing { return im.missing }

// Warnings are sentences about damage found while opening.
func (im *Image) Warnings() []string { return im.warnings }

// VMCoreInfo returns the bytes of the vmcoreinfo that the sub-header points
// to, nil if there is none. Damage gives what there is, and an error.
func (im *Image) VMCoreInfo() ([]byte, error) {
	return im.header.VMCoreInfo.read(im.parts[0].Src, "vmcoreinfo")
}

// Notes returns the bytes of the ELF notes kept in the sub-header.
func (im *Image) Notes() ([]byte, error) {
	return im.header.Notes.read(im.parts[0].Src, "notes")
}

// EraseInfo returns the text that says what the dump filter erased.
func (im *Image) EraseInfo() ([]byte, error) {
	return im.header.EraseInfo.read(im.parts[0].Src, "eraseinfo")
}

// State tells without reading the page whether it is in the dump: 0 if it is,
// else fault.Excluded, fault.NotRAM or fault.Truncated.
func (im *Image) State(pfn uint64) fault.Reason {
	r := im.readers.Get().(*Reader)
	defer im.readers.Put(r)
	reason, _ := r.state(pfn)
	return reason
}

// Runs yields the runs of page frames, first and one beyond last, that the
// bitmap says are in the dump. Reading them can still find them cut off.
func (im *Image) Runs() iter.Seq2[uint64, uint64] {
	return func(yield func(start, end uint64) bool) {
		w := new(window)
		for pfn := uint64(0); ; {
			start, err := w.next(&im.dumped, pfn, true)
			if err != nil || start >= im.dumped.bits {
				return
			}
			end, err := w.next(&im.dumped, start, false)
			if !yield(start, end) || err != nil {
				return
			}
			pfn = end
		}
	}
}
