package unwind

import (
	"sort"

	"github.com/kdive/kdive/debuginfo/die"
)

// cfiTable is one section of call frame information: .debug_frame (DWARF 5
// section 6.4) or .eh_frame. Addresses are those of the file.
type cfiTable struct {
	data []byte
	eh   bool
	addr uint64 // of the section, for .eh_frame
	fdes []fde  // by address
	cies map[int]*cie
}

// fde is where the description of one function is.
type fde struct {
	low, high uint64
	cie       int // offset
	pos, end  int // of its instructions
}

// cie is what many functions have in common.
type cie struct {
	codeAlign uint64
	dataAlign int64
	ra        uint64
	pointers  uint8 // encoding, in .eh_frame
	augmented bool
	signal    bool
	code      []byte
	start     int // of code, in the section
}

// maxFDEs bounds a table: distribution kernels have 100,000.
const maxFDEs = 1 << 22

// readCFI indexes a section. What is damaged is left out.
func readCFI(data []byte, eh bool, addr uint64) *cfiTable {
	t := &cfiTable{data: data, eh: eh, addr: addr, cies: map[int]*cie{}}
	for pos := 0; pos < len(data) && len(t.fdes) < maxFDEs; {
		next := t.entry(pos)
		if next <= pos {
			break
		}
		pos = next
	}
	sort.Slice(t.fdes, func(i, j int) bool { return t.fdes[i].low < t.fdes[j].low })
	return t
}

// header reads the length and the identity of the entry at pos: end is where it
// ends (0: nothing follows), body where its contents begin.
func (t *cfiTable) header(pos int) (body, end, ciePos int, isCIE bool) {
	r := die.At(t.data, pos)
	length, wide := uint64(r.U32()), false
	if length == 0xffffffff {
		length, wide = r.U64(), true
	}
	if r.Bad || length == 0 || length > uint64(r.Len()) {
		return 0, 0, 0, false
	}
	end = r.Pos + int(length)
	at := r.Pos
	var id uint64
	none := uint64(0xffffffff)
	if wide {
		id, none = r.U64(), ^uint64(0)
	} else {
		id = uint64(r.U32())
	}
	switch {
	case r.Bad || r.Pos > end:
		return 0, end, -1, false
	case t.eh:
		isCIE, ciePos = id == 0, at-int(id&(1<<40-1))
	default:
		isCIE, ciePos = id == none, int(id&(1<<40-1))
	}
	return r.Pos, end, ciePos, isCIE
}

// entry notes the function of the entry at pos and returns where the next is.
func (t *cfiTable) entry(pos int) int {
	body, end, ciePos, isCIE := t.header(pos)
	if isCIE || body == 0 {
		return end
	}
	c := t.cieAt(ciePos)
	if c == nil {
		return end
	}
	r := die.At(t.data[:end], body)
	f := fde{cie: ciePos, end: end}
	if t.eh {
		f.low = pointer(&r, c.pointers, t.addr)
		f.high = f.low + pointer(&r, c.pointers&peFormat, 0)
		if c.augmented {
			r.Block(r.Uleb())
		}
	} else {
		f.low = r.U64()
		f.high = f.low + r.U64()
	}
	if f.pos = r.Pos; !r.Bad && f.low < f.high {
		t.fdes = append(t.fdes, f)
	}
	return end
}

// maxCIEs bounds the CIEs that are kept.
const maxCIEs = 1 << 16

func (t *cfiTable) cieAt(pos int) *cie {
	if c, ok := t.cies[pos]; ok {
		return c
	}
	c := t.readCIE(pos)
	if len(t.cies) < maxCIEs {
		t.cies[pos] = c
	}
	return c
}

// readCIE is nil for an entry that it cannot make sense of.
func (t *cfiTable) readCIE(pos int) *cie {
	if pos < 0 || pos >= len(t.data) {
		return nil
	}
	body, end, _, isCIE := t.header(pos)
	if !isCIE || body == 0 {
		return nil
	}
	r := die.At(t.data[:end], body)
	c := &cie{}
	version := r.U8()
	augmentation := string(r.CString())
	if version != 1 && version != 3 && version != 4 {
		return nil
	}
	if version == 4 && (r.U8() != 8 || r.U8() != 0) { // sizes of addresses and of segments
		return nil
	}
	c.codeAlign, c.dataAlign = r.Uleb(), r.Sleb()
	if version == 1 {
		c.ra = uint64(r.U8())
	} else {
		c.ra = r.Uleb()
	}
	if !t.augmentation(c, &r, augmentation) {
		return nil
	}
	c.code, c.start = r.Data[r.Pos:], r.Pos
	if r.Bad || c.ra != uint64(RIP) {
		return nil
	}
	return c
}

// augmentation reads what the letters announce.
func (t *cfiTable) augmentation(c *cie, r *die.Buf, letters string) bool {
	if letters == "" {
		return true
	}
	if letters[0] != 'z' {
		return false
	}
	c.augmented = true
	data := r.Block(r.Uleb())
	a := die.At(data, 0)
	for _, l := range letters[1:] {
		switch l {
		case 'R':
			c.pointers = a.U8()
		case 'P':
			pointer(&a, a.U8()&peFormat, 0)
		case 'L':
			a.U8()
		case 'S':
			c.signal = true
		}
	}
	return !a.Bad && !r.Bad && c.pointers != peOmit
}

// find is the function that covers pc.
func (t *cfiTable) find(pc uint64) (fde, bool) {
	i := sort.Search(len(t.fdes), func(i int) bool { return t.fdes[i].low > pc })
	// A few steps back: an empty function may share the address of the next.
	for k := i - 1; k >= 0 && k >= i-4; k-- {
		if pc < t.fdes[k].high {
			return t.fdes[k], true
		}
	}
	return fde{}, false
}
