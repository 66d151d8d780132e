package slabcheck

import (
	"math/bits"

	"github.com/kdive/kdive/slabcheck/rules"
	"github.com/kdive/kdive/value"
)

// otherRandom looks whether the free list of a slab that breaks would be whole
// with another number to mix free pointers with: one of its objects is the last,
// and what its free pointer is mixed with is that number. With two objects or
// more that is no accident.
func (c *cacheCheck) otherRandom(s *slabRec) {
	l := c.Layout()
	n := s.Objects - s.Inuse
	if !l.Mixed || n < 2 || n > s.Objects || s.Objects > 1<<12 {
		return
	}
	words := make([]uint64, s.Objects)
	for i := range words {
		at := s.Object(i) + uint64(l.Link)
		word, err := value.Word(c.k, at)
		if err != nil {
			return
		}
		words[i] = word ^ bits.ReverseBytes64(at) // next ^ random
	}
	for _, random := range words {
		if random == l.Random || !wholeWith(s, words, random, n) {
			continue
		}
		c.mu.Lock()
		said := c.random == random
		c.random = random
		c.mu.Unlock()
		if !said {
			f := rules.New(rules.CacheRandom, "free lists are whole if their pointers are mixed with %#x", random)
			f.At, f.Member, f.Offset = c.sub.Random.At(c.Addr), c.sub.Random.Path, c.sub.Random.Offset
			f.Found, f.Expected = rules.Word(l.Random, 8), rules.Word(random, 8)
			c.add(f)
		}
		return
	}
}

// wholeWith reports whether n objects follow one another from the head to the end.
func wholeWith(s *slabRec, words []uint64, random uint64, n int) bool {
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
