package kdump

import (
	"fmt"
	"math"
)

// reconcile repairs headers that contradict themselves. The fields that say
// where the bitmaps and descriptors stand are redundant: writers give the page
// frames twice, and lay out sub-header and bitmaps without a gap. Where a field
// disagrees with the others, the layout whose first descriptor makes sense
// counts. It returns sentences about what was found.
func (p *part) reconcile() []string {
	var said []string
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	h := p.header
	if h.Version >= 6 && h.Signature == signatureKdump && uint64(h.mapnr32) != min(h.MaxMapnr, math.MaxUint32) {
		n := h.MaxMapnr
		if h.fits(uint64(h.mapnr32)) && !h.fits(n) {
			n = uint64(h.mapnr32)
		}
		say("header says %#x page frames in one place and %#x in another; taking %#x", h.MaxMapnr, h.mapnr32, n)
		h.MaxMapnr = n
	}
	if p.plausible(h.SubBlocks, h.BitmapBlocks) {
		if h.Split && h.StartPFN == h.EndPFN {
			say("header says that this is a part without pages of a split dump, and has page descriptors; taking it for a whole dump")
			h.Split = false
		}
		return said
	}
	subs, bitmaps := []uint32{h.SubBlocks}, []uint32{h.BitmapBlocks}
	if n := h.Notes; n.Offset == PageSize+subHeaderSize && n.Size < maxExtent {
		subs = append(subs, uint32((subHeaderSize+n.Size+PageSize-1)/PageSize))
	}
	if n := 2 * pagesFor(h.MaxMapnr); n <= math.MaxUint32 {
		bitmaps = append(bitmaps, uint32(n))
	}
	for _, s := range subs {
		for _, b := range bitmaps {
			if (s != h.SubBlocks || b != h.BitmapBlocks) && p.plausible(s, b) {
				say("header says %d pages of sub-header and %d of bitmaps, where no descriptors follow; taking %d and %d", h.SubBlocks, h.BitmapBlocks, s, b)
				h.SubBlocks, h.BitmapBlocks = s, b
				return said
			}
		}
	}
	return said
}

// fits tells whether bitmaps of the header's length are made for n page frames.
func (h *Header) fits(n uint64) bool { return uint64(h.BitmapBlocks) == 2*pagesFor(n) }

// plausible tells whether a page descriptor stands where these lengths put the
// first one.
func (p *part) plausible(subBlocks, bitmapBlocks uint32) bool {
	q := part{Part: p.Part, table: tableOffset(subBlocks, bitmapBlocks)}
	d, err := q.descriptor(0)
	if err != nil {
		return false
	}
	const known = flagZlib | flagLZO | flagSnappy | flagZstd
	return d.flags&^known == 0 && d.size > 0 && d.size <= PageSize && d.offset > uint64(q.table) && q.holds(d)
}

// tableOffset is where the descriptors stand in a file.
func tableOffset(subBlocks, bitmapBlocks uint32) int64 {
	return (1 + int64(subBlocks) + int64(bitmapBlocks)) * PageSize
}

// checkTable compares the length of the descriptor table, as the place of the
// first page shows it, with the number of bits in the bitmap. If they differ a
// bit has flipped, and every page after it would be taken for its neighbour.
func (im *Image) checkTable() {
	for _, p := range im.parts {
		count := im.rankOf(p.end) - p.pages
		d, err := p.descriptor(0)
		if err != nil || count == 0 || im.missing.Bitmap || p.header.Signature != signatureKdump {
			continue
		}
		length := d.offset - uint64(p.table)
		if !tableLength(length, count) && !tableLength(length, im.dumped.set) {
			im.warnPart(p, "bitmap has %d pages and the page descriptors take %d bytes: one of them is damaged, and pages may be taken for others", count, length)
		}
	}
}

// tableLength tells whether a table of count descriptors ends so far behind
// its start. makedumpfile leaves room for all pages in every part of a split
// dump; the zero page, if there is one, stands before the first other page.
func tableLength(length, count uint64) bool {
	return length == count*descriptorSize || length == count*descriptorSize+PageSize
}
