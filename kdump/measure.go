package kdump

import (
	"sort"

	"github.com/kdive/kdive/kdump/source"
)

const (
	// probeLimit bounds how far one probe looks for a page that is not one
	// of the zero pages, whose descriptors all share one early page.
	probeLimit = 4096

	// countLimit bounds how many descriptors are read to count exactly.
	countLimit = 4 << 20
)

// measure finds out how many pages the bitmap promises and the files do not
// hold. Writers append pages in the order of their numbers, so that the first
// missing one of a part can be searched for, without reading the table.
func (im *Image) measure() {
	for _, g := range im.gaps {
		pages := im.rankOf(g[1]) - im.rankOf(g[0])
		im.missing.Pages += pages
		im.missing.Unnamed = true
		im.warn("split dump: the part with page frames %#x to %#x is missing: %d pages (%d MiB of memory)", g[0], g[1], pages, pages*PageSize>>20)
	}
	for _, p := range im.parts {
		count := im.rankOf(p.end) - p.pages
		if count == 0 || p.endIsThere(count) {
			continue
		}
		first := uint64(sort.Search(int(count), func(i int) bool { return p.lostFrom(uint64(i), count) }))
		lost, about := p.countLost(first, count), ""
		if count-first > countLimit {
			about = "up to "
		}
		im.missing.Pages += lost
		im.warnPart(p, "the dump is cut off: %s%d of its %d pages (%d MiB of memory) are missing", about, lost, count, lost*PageSize>>20)
	}
	if im.header.Incomplete() && im.missing.Pages == 0 {
		im.warn("the dump is marked incomplete by its writer")
	}
}

// rankOf counts the dumped pages before pfn.
func (im *Image) rankOf(pfn uint64) uint64 {
	if pfn >= im.dumped.bits {
		return im.dumped.set
	}
	w := new(window)
	if w.load(&im.dumped, pfn) != nil {
		return im.dumped.set
	}
	return w.before(&im.dumped, pfn)
}

// holds tells whether a descriptor's page lies within the file.
func (p *part) holds(d descriptor) bool {
	size := uint64(p.Src.Size())
	return d.size != 0 && d.offset <= size && uint64(d.size) <= size-d.offset
}

// firstOffset is the offset of the first page's bytes; the shared zero page,
// if the dump has one, is not after it.
func (p *part) firstOffset() uint64 {
	d, err := p.descriptor(0)
	if err != nil {
		return 0
	}
	return d.offset
}

// endIsThere tells whether the last page that is not a zero page is held.
func (p *part) endIsThere(count uint64) bool {
	zero := p.firstOffset()
	for n := uint64(0); n < probeLimit && n < count; n++ {
		d, err := p.descriptor(count - 1 - n)
		if err != nil || !p.holds(d) {
			return false
		}
		if d.offset > zero {
			break
		}
	}
	return true
}

// lostFrom tells whether the first page from entry i on that is not a zero
// page is lost.
func (p *part) lostFrom(i, count uint64) bool {
	zero := p.firstOffset()
	for n := uint64(0); n < probeLimit && i+n < count; n++ {
		d, err := p.descriptor(i + n)
		if err != nil || !p.holds(d) {
			return true
		}
		if d.offset > zero {
			return false
		}
	}
	return false
}

// countLost counts the entries from first on that are not held; past
// countLimit it takes them all for lost.
func (p *part) countLost(first, count uint64) uint64 {
	lost := uint64(0)
	if count-first > countLimit {
		return count - first
	}
	buf := make([]byte, 4096*descriptorSize)
	for first < count {
		n := min(4096, count-first)
		b := buf[:n*descriptorSize]
		if err := source.ReadFull(p.Src, b, p.table+int64(first)*descriptorSize); err != nil {
			return lost + p.countSingly(first, count)
		}
		for ; len(b) > 0; b = b[descriptorSize:] {
			if !p.holds(parseDescriptor(b)) {
				lost++
			}
		}
		first += n
	}
	return lost
}

// countSingly is countLost where the table itself is cut off.
func (p *part) countSingly(first, count uint64) uint64 {
	lost := uint64(0)
	for ; first < count; first++ {
		d, err := p.descriptor(first)
		if err != nil {
			return lost + count - first
		}
		if !p.holds(d) {
			lost++
		}
	}
	return lost
}
