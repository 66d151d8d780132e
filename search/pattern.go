package search

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Pattern is what is looked for: words of one width, or strings. It is safe for
// concurrent use.
type Pattern struct {
	width int // bytes of a word; 1 for strings
	words []uint64
	care  uint64 // bits that must agree
	set   *wordSet
	texts [][]byte
	tail  int // bytes that a match may reach beyond its first
}

// maxText bounds a string; longer ones are no use and would make long tails.
const maxText = 1500

// Words matches any of the values, at addresses that are multiples of width,
// which is 2, 4 or 8. Bits that are set in ignore need not agree.
func Words(width int, values []uint64, ignore uint64) (*Pattern, error) {
	p := &Pattern{width: width, words: values}
	switch width {
	case 2, 4, 8:
		p.care = ^uint64(0) >> (64 - 8*width) &^ ignore
	default:
		return nil, fmt.Errorf("no words of %d bytes", width)
	}
	for _, v := range values {
		if width < 8 && v>>(8*width) != 0 {
			return nil, fmt.Errorf("value %x needs more than %d bytes", v, width)
		}
	}
	if len(values) == 0 {
		return nil, errors.New("no value")
	}
	return p, nil
}

// Strings matches any of the strings, at any address.
func Strings(texts []string) (*Pattern, error) {
	p := &Pattern{width: 1}
	for _, s := range texts {
		if s == "" || len(s) > maxText {
			return nil, fmt.Errorf("a string of %d bytes: 1 to %d can be searched for", len(s), maxText)
		}
		p.texts = append(p.texts, []byte(s))
		p.tail = max(p.tail, len(s)-1)
	}
	if len(p.texts) == 0 {
		return nil, errors.New("no string")
	}
	return p, nil
}

// Width is the number of bytes of a word, 1 for strings. Searches begin at
// multiples of it.
func (p *Pattern) Width() int { return p.width }

// Hit is one match.
type Hit struct {
	Addr  uint64 // in the address space that was searched
	Paddr uint64 // physical
	Word  uint64 // the word there; 0 for strings
	Which int    // index of the value or string that matched, the first one that did
}

// Find appends the matches that begin in data[:n] to hits. data begins at addr,
// which is a multiple of the pattern's width, and at physical address paddr; a
// string may reach into data[n:].
func (p *Pattern) Find(hits []Hit, data []byte, n int, addr, paddr uint64) []Hit {
	first := len(hits)
	if p.set != nil {
		hits = p.set.find(hits, data[:n])
	}
	for i, v := range p.words {
		before := len(hits)
		if p.width == 8 {
			hits = find64(hits, data[:n], v, p.care)
		} else {
			hits = findNarrow(hits, data[:n], p.width, v&p.care, p.care)
		}
		mark(hits[before:], i)
	}
	for i, text := range p.texts {
		before := len(hits)
		hits = findText(hits, data[:min(len(data), n+len(text)-1)], text)
		mark(hits[before:], i)
	}
	found := hits[first:]
	if len(p.words)+len(p.texts) > 1 {
		slices.SortStableFunc(found, func(a, b Hit) int { return int(a.Addr) - int(b.Addr) })
	}
	if p.words != nil {
		found = slices.CompactFunc(found, func(a, b Hit) bool { return a.Addr == b.Addr })
	}
	for i := range found {
		found[i].Addr, found[i].Paddr = addr+found[i].Addr, paddr+found[i].Addr
	}
	return hits[:first+len(found)]
}

func mark(hits []Hit, which int) {
	for i := range hits {
		hits[i].Which = which
	}
}

// The finders set Addr to the offset in b.

func find64(hits []Hit, b []byte, v, care uint64) []Hit {
	le := binary.LittleEndian
	i := 0
	for ; i+32 <= len(b); i += 32 {
		q := b[i : i+32 : i+32]
		w0, w1, w2, w3 := le.Uint64(q), le.Uint64(q[8:]), le.Uint64(q[16:]), le.Uint64(q[24:])
		if (w0^v)&care != 0 && (w1^v)&care != 0 && (w2^v)&care != 0 && (w3^v)&care != 0 {
			continue
		}
		for j := range uint64(4) {
			if w := le.Uint64(q[8*j:]); (w^v)&care == 0 {
				hits = append(hits, Hit{Addr: uint64(i) + 8*j, Word: w})
			}
		}
	}
	for ; i+8 <= len(b); i += 8 {
		if w := le.Uint64(b[i:]); (w^v)&care == 0 {
			hits = append(hits, Hit{Addr: uint64(i), Word: w})
		}
	}
	return hits
}

// findNarrow finds words of 2 or 4 bytes, eight bytes at a time: a lane of x that
// is zero sets its highest bit in the test (as may the lane above it, so each is
// looked at).
func findNarrow(hits []Hit, b []byte, width int, v, care uint64) []Hit {
	ones := ^uint64(0) / (1<<(8*width) - 1) // 1 in every lane
	high := ones << (8*width - 1)
	all, mask := v*ones, care*ones
	i := 0
	for ; i+8 <= len(b); i += 8 {
		x := (binary.LittleEndian.Uint64(b[i:]) ^ all) & mask
		if (x-ones)&^x&high != 0 {
			hits = findLanes(hits, b[:i+8], i, width, v, care)
		}
	}
	return findLanes(hits, b, i, width, v, care)
}

// findLanes looks at the words from offset i on one by one.
func findLanes(hits []Hit, b []byte, i, width int, v, care uint64) []Hit {
	for ; i+width <= len(b); i += width {
		var w uint64
		if width == 2 {
			w = uint64(binary.LittleEndian.Uint16(b[i:]))
		} else {
			w = uint64(binary.LittleEndian.Uint32(b[i:]))
		}
		if (w^v)&care == 0 {
			hits = append(hits, Hit{Addr: uint64(i), Word: w})
		}
	}
	return hits
}

func findText(hits []Hit, b, text []byte) []Hit {
	for from := 0; ; {
		i := bytes.Index(b[from:], text)
		if i < 0 {
			return hits
		}
		hits = append(hits, Hit{Addr: uint64(from + i)})
		from += i + 1
	}
}
