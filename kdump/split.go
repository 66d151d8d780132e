package kdump

import (
	"fmt"
	"sort"
)

// join puts the parts in order and checks that they belong together.
func (im *Image) join() error {
	if len(im.parts) == 0 {
		return fmt.Errorf("no dump file")
	}
	first := im.parts[0]
	for _, p := range im.parts {
		h := p.header
		if !h.Split {
			if len(im.parts) > 1 {
				return fmt.Errorf("%s: not part of a split dump", p.Name)
			}
			p.end = h.MaxMapnr
			return nil
		}
		diff, damaged := first.differs(p)
		switch {
		case diff != "" && damaged:
			im.warnPart(p, "taken for a part of the same dump as %s, though damaged: %s", first.Name, diff)
		case diff != "":
			return fmt.Errorf("%s and %s are parts of different dumps: %s", first.Name, p.Name, diff)
		}
		if h.StartPFN > h.EndPFN || h.EndPFN > h.MaxMapnr {
			return fmt.Errorf("%s: claims page frames %#x to %#x of %#x", p.Name, h.StartPFN, h.EndPFN, h.MaxMapnr)
		}
		p.start, p.end = h.StartPFN, h.EndPFN
	}
	sort.SliceStable(im.parts, func(i, j int) bool {
		a, b := im.parts[i], im.parts[j]
		return a.start < b.start || a.start == b.start && a.end < b.end
	})
	return im.checkCover()
}

// checkCover names parts that overlap, and collects the gaps they leave.
func (im *Image) checkCover() error {
	pos := uint64(0)
	gap := func(end uint64) {
		if pos < end {
			im.gaps = append(im.gaps, [2]uint64{pos, end})
			pos = end
		}
	}
	var last *part
	for _, p := range im.parts {
		if p.start < pos {
			return fmt.Errorf("%s and %s both hold page frames %#x to %#x", last.Name, p.Name, p.start, min(pos, p.end))
		}
		gap(p.start)
		if p.end > p.start {
			last, pos = p, p.end
		}
	}
	gap(im.parts[0].header.MaxMapnr)
	return nil
}

// differs names the first thing in which two parts of the same dump could not
// differ. The notes hold the registers at the crash, which no two crashes of
// the same kernel share. If only the names differ or only a few bytes of the
// notes, one of the parts is damaged, not foreign.
func (p *part) differs(q *part) (what string, damaged bool) {
	h, o := p.header, q.header
	notes, known := p.differingNotes(q)
	switch {
	case h.Signature != o.Signature || h.Version != o.Version:
		return fmt.Sprintf("format %q version %d, and %q version %d", h.Signature, h.Version, o.Signature, o.Version), false
	case !h.Timestamp.Equal(o.Timestamp):
		return fmt.Sprintf("written %v, and %v", h.Timestamp, o.Timestamp), false
	case h.MaxMapnr != o.MaxMapnr:
		return fmt.Sprintf("%#x page frames, and %#x", h.MaxMapnr, o.MaxMapnr), false
	case h.BitmapBlocks != o.BitmapBlocks:
		return fmt.Sprintf("bitmaps of %d pages, and %d", h.BitmapBlocks, o.BitmapBlocks), false
	case h.PhysBase != o.PhysBase:
		return fmt.Sprintf("kernel loaded at %#x, and %#x", h.PhysBase, o.PhysBase), false
	case h.DumpLevel != o.DumpLevel:
		return fmt.Sprintf("dump level %d, and %d", h.DumpLevel, o.DumpLevel), false
	case h.Utsname != o.Utsname:
		what = fmt.Sprintf("kernel %q on %q, and %q on %q", h.Utsname.Release, h.Utsname.Nodename, o.Utsname.Release, o.Utsname.Nodename)
		return what, known && notes == 0
	case notes > 0:
		return "their notes are not the same", notes <= damagedBytes
	}
	return "", false
}

// damagedBytes is how many bytes of notes may differ by damage. Those of two
// crashes differ in registers, process IDs and times: in hundreds.
const damagedBytes = 4

// differingNotes counts the bytes in which the notes of two parts differ, if
// both have notes that can be read.
func (p *part) differingNotes(q *part) (n int, known bool) {
	a, errA := p.header.Notes.read(p.Src, "notes")
	b, errB := q.header.Notes.read(q.Src, "notes")
	if errA != nil || errB != nil {
		return 0, false
	}
	if len(a) != len(b) {
		return max(len(a), len(b)), true
	}
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n, len(a) > 0
}

// locateParts finds each part's descriptor table and the rank of its first
// page.
func (im *Image) locateParts() error {
	w := new(window)
	for _, p := range im.parts {
		p.table = tableOffset(p.header.SubBlocks, p.header.BitmapBlocks)
		switch {
		case p.start >= im.dumped.bits:
			p.pages = im.dumped.set
		default:
			if err := w.load(&im.dumped, p.start); err != nil {
				return fmt.Errorf("%s: bitmap: %w", im.parts[0].Name, err)
			}
			p.pages = w.before(&im.dumped, p.start)
		}
	}
	return nil
}

// partOf returns the part that holds a page frame's descriptor, nil if it is
// not among the files named.
func (im *Image) partOf(pfn uint64) *part {
	i := sort.Search(len(im.parts), func(i int) bool { return im.parts[i].end > pfn })
	if i == len(im.parts) || im.parts[i].start > pfn {
		return nil
	}
	return im.parts[i]
}
