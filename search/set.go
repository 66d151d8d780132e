package search

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"slices"
)

// wordSet finds which of many values a word is, without looking at each of
// them: first whether it is between the lowest and the highest, then a bit by
// its hash, then the values themselves.
type wordSet struct {
	low, span uint64
	shift     int      // of the hash
	bits      []uint64 // by hash
	values    []uint64 // sorted
}

// Set matches any of the values as words of 8 bytes, however many there are;
// Which is the index of the value in sorted order. The order of values is
// changed.
func Set(values []uint64) (*Pattern, error) {
	if len(values) == 0 {
		return nil, errors.New("no value")
	}
	slices.Sort(values)
	values = slices.Compact(values)
	s := &wordSet{low: values[0], span: values[len(values)-1] - values[0], values: values}
	// Some 16 bits for a value, between 4 KiB and 2 MiB in all.
	size := min(max(bits.Len(uint(len(values)))+4, 15), 24)
	s.shift = 64 - size
	s.bits = make([]uint64, 1<<(size-6))
	for _, v := range values {
		h := s.hash(v)
		s.bits[h/64] |= 1 << (h % 64)
	}
	return &Pattern{width: 8, set: s}, nil
}

func (s *wordSet) hash(v uint64) uint64 { return v * 0x9e3779b97f4a7c15 >> s.shift }

// Values are the values in the order that Hit.Which counts in.
func (p *Pattern) Values() []uint64 {
	if p.set != nil {
		return p.set.values
	}
	return p.words
}

// find appends the words that are in the set; Addr is the offset in b.
func (s *wordSet) find(hits []Hit, b []byte) []Hit {
	le := binary.LittleEndian
	low, span := s.low, s.span
	i := 0
	for ; i+32 <= len(b); i += 32 {
		q := b[i : i+32 : i+32]
		w0, w1, w2, w3 := le.Uint64(q), le.Uint64(q[8:]), le.Uint64(q[16:]), le.Uint64(q[24:])
		if w0-low > span && w1-low > span && w2-low > span && w3-low > span {
			continue
		}
		for j := range 4 {
			hits = s.word(hits, le.Uint64(q[8*j:]), i+8*j)
		}
	}
	for ; i+8 <= len(b); i += 8 {
		hits = s.word(hits, le.Uint64(b[i:]), i)
	}
	return hits
}

func (s *wordSet) word(hits []Hit, w uint64, at int) []Hit {
	if w-s.low > s.span {
		return hits
	}
	if h := s.hash(w); s.bits[h/64]>>(h%64)&1 == 0 {
		return hits
	}
	if n, ok := slices.BinarySearch(s.values, w); ok {
		hits = append(hits, Hit{Addr: uint64(at), Word: w, Which: n})
	}
	return hits
}
