package hostile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
)

const pageSize = 4096

// Classes of the bytes of a dump.
const (
	classHeader      = "header"
	classNotes       = "notes"
	classBitmap      = "bitmap"
	classDescriptors = "descriptors"
	classData        = "page data"
	classRecords     = "record headers" // of a flattened stream
)

// layout says what the bytes of a dump file are for. It is read from the
// undamaged file, by no code of the program's.
type layout struct {
	regions []region
	extents []extent
}

// extent is bytes that belong to one page frame alone.
type extent struct {
	class      string
	start, end int64
	pfn        uint64
}

// layoutOf reads the layout of one of several files.
func layoutOf(b []byte, file int) (*layout, error) {
	switch {
	case bytes.HasPrefix(b, []byte("KDUMP   ")):
		return kdumpLayout(b, file), nil
	case bytes.HasPrefix(b, []byte("\x7fELF")):
		return elfLayout(b, file), nil
	case bytes.HasPrefix(b, []byte("makedumpfile\x00")):
		return flatLayout(b, file)
	}
	return nil, fmt.Errorf("not a dump")
}

// kdumpLayout is for version 6 (makedumpfile's diskdump_mod.h).
func kdumpLayout(b []byte, file int) *layout {
	le := binary.LittleEndian
	bitmap := (1 + int64(le.Uint32(b[432:]))) * pageSize
	table := bitmap + int64(le.Uint32(b[436:]))*pageSize
	l := &layout{}
	add := func(class string, start, end int64) { l.regions = append(l.regions, region{class, file, start, end}) }
	add(classHeader, 0, 464)
	add(classHeader, pageSize, pageSize+104)
	notes := int64(le.Uint64(b[pageSize+48:]))
	add(classNotes, notes, notes+int64(le.Uint64(b[pageSize+56:])))
	add(classBitmap, bitmap, table)
	dumped := b[(bitmap+table)/2 : table]
	first, last := uint64(0), uint64(len(dumped))*8
	if le.Uint32(b[pageSize+12:]) != 0 {
		first, last = le.Uint64(b[pageSize+80:]), le.Uint64(b[pageSize+88:])
	}
	at, data := table, int64(len(b))
	for pfn := first; pfn < last; pfn++ {
		if dumped[pfn/8]>>(pfn%8)&1 == 0 {
			continue
		}
		start := int64(le.Uint64(b[at:]))
		l.extents = append(l.extents, extent{classDescriptors, at, at + 24, pfn},
			extent{classData, start, start + int64(le.Uint32(b[at+8:])), pfn})
		data = min(data, start)
		at += 24
	}
	if at > table {
		add(classDescriptors, table, at)
		add(classData, data, int64(len(b)))
	}
	return l
}

func elfLayout(b []byte, file int) *layout {
	le := binary.LittleEndian
	l := &layout{}
	phoff, phnum := int64(le.Uint64(b[32:])), int64(le.Uint16(b[56:]))
	l.regions = append(l.regions, region{classHeader, file, 0, 64}, region{classHeader, file, phoff, phoff + phnum*56})
	for p := phoff; p < phoff+phnum*56; p += 56 {
		off, paddr, size := int64(le.Uint64(b[p+8:])), le.Uint64(b[p+24:]), int64(le.Uint64(b[p+32:]))
		switch {
		case size == 0:
		case le.Uint32(b[p:]) == 4:
			l.regions = append(l.regions, region{classNotes, file, off, off + size})
		case le.Uint32(b[p:]) == 1:
			l.regions = append(l.regions, region{classData, file, off, off + size})
			for at := int64(0); at < size; {
				n := min(size-at, pageSize-int64(paddr%pageSize))
				l.extents = append(l.extents, extent{classData, off + at, off + at + n, paddr / pageSize})
				at, paddr = at+n, paddr+uint64(n)
			}
		}
	}
	return l
}

// flatLayout is that of the file inside, moved to where its bytes stand in the
// stream.
func flatLayout(b []byte, file int) (*layout, error) {
	type record struct{ inner, at, n int64 }
	var records []record
	l := &layout{regions: []region{{classRecords, file, 0, 32}}}
	var inner []byte
	for at := int64(pageSize); ; {
		off, n := int64(binary.BigEndian.Uint64(b[at:])), int64(binary.BigEndian.Uint64(b[at+8:]))
		l.regions = append(l.regions, region{classRecords, file, at, at + 16})
		if off < 0 {
			break
		}
		at += 16
		records = append(records, record{off, at, n})
		if grow := off + n - int64(len(inner)); grow > 0 {
			inner = append(inner, make([]byte, grow)...)
		}
		copy(inner[off:], b[at:at+n])
		at += n
	}
	in, err := layoutOf(inner, file)
	if err != nil {
		return nil, err
	}
	// The records of real streams do not overlap.
	each := func(start, end int64, f func(start, end int64)) {
		for _, r := range records {
			if s, e := max(start, r.inner), min(end, r.inner+r.n); s < e {
				f(s-r.inner+r.at, e-r.inner+r.at)
			}
		}
	}
	for _, g := range in.regions {
		each(g.start, g.end, func(s, e int64) { l.regions = append(l.regions, region{g.class, file, s, e}) })
	}
	for _, x := range in.extents {
		each(x.start, x.end, func(s, e int64) { l.extents = append(l.extents, extent{x.class, s, e, x.pfn}) })
	}
	return l, nil
}

// touched is the page frames whose descriptor or bytes a mutation damages; ok
// is false if it damages what concerns all: headers, notes, bitmaps.
func (l *layout) touched(m mutation) (pfns map[uint64]bool, ok bool) {
	hit := func(start, end int64) bool {
		if m.xor == 0 {
			return end > m.off
		}
		i, found := slices.BinarySearch(m.more, start)
		return m.off >= start && m.off < end || found || i < len(m.more) && m.more[i] < end
	}
	for _, g := range l.regions {
		if g.class != classDescriptors && g.class != classData && hit(g.start, g.end) {
			// The end mark of a stream concerns nobody.
			if !(m.xor == 0 && g.class == classRecords) {
				return nil, false
			}
		}
	}
	pfns = map[uint64]bool{}
	for _, x := range l.extents {
		if hit(x.start, x.end) {
			pfns[x.pfn] = true
		}
	}
	return pfns, true
}

// preferred chooses bytes of a page that is read by some command.
func preferred(layouts []*layout, read map[uint64]bool) func(r *rand.Rand, class string) (int, int64, bool) {
	type place struct {
		file int
		extent
	}
	by := map[string][]place{}
	for i, l := range layouts {
		for _, x := range l.extents {
			if read[x.pfn] {
				by[x.class] = append(by[x.class], place{i, x})
			}
		}
	}
	return func(r *rand.Rand, class string) (int, int64, bool) {
		all := by[class]
		if len(all) == 0 {
			return 0, 0, false
		}
		p := all[r.IntN(len(all))]
		return p.file, p.start + r.Int64N(p.end-p.start), true
	}
}
