package chain

import (
	"math/bits"

	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/value"
)

// OtherRandom looks whether the free list of a slab that breaks would be whole
// with another number to mix free pointers with: one of its objects is the last,
// and what its free pointer is mixed with is that number. With two objects or
// more that is no accident.
func OtherRandom(mem value.Memory, s *slab.Slab) (random uint64, ok bool) {
	l := s.Cache.Layout()
	n := s.Objects - s.Inuse
	if !l.Mixed || n < 2 || n > s.Objects || s.Objects > 1<<12 {
		return 0, false
	}
	words := make([]uint64, s.Objects)
	for i := range words {
		at := s.Object(i) + uint64(l.Link)
		word, err := value.Word(mem, at)
		if err != nil {
			return 0, false
		}
		words[i] = word ^ bits.ReverseBytes64(at) // next ^ random
	}
	for _, random := range words {
		if random != l.Random && wholeWith(s, words, random, n) {
			return random, true
		}
	}
	return 0, false
}

// wholeWith reports whether n objects follow one another from the head to the end.
func wholeWith(s *slab.Slab, words []uint64, random uint64, n int) bool {
	at := s.FreeHead()
	for ; at != 0 && n > 0; n-- {
		i, ok := s.Index(at)
		if !ok {
			return false
		}
		at = words[i] ^ random
	}
	return at == 0 && n == 0
}
