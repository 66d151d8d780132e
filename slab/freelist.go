package slab

import (
	"fmt"
	"math/bits"

	"github.com/kdive/kdive/value"
)

// FreeListError is a free list that leads out of its slab, or back.
type FreeListError struct {
	Slab  uint64 // struct slab
	From  uint64 // the object whose free pointer it is; 0: the head of the list
	Value uint64 // as decoded
	Index int    // or, of SLAB, the index
	Why   string
}

func (e *FreeListError) Error() string {
	at := "the head"
	if e.From != 0 {
		at = fmt.Sprintf("free object %#x", e.From)
	}
	return fmt.Sprintf("slab %#x: free list: %s leads to %#x: %s", e.Slab, at, e.Value, e.Why)
}

// walkFree follows SLUB's free pointers from object at on. visit gets the index
// of each object and says whether it is new.
func (s *Slab) walkFree(at uint64, visit func(i int) bool) error {
	from := uint64(0)
	for at != 0 {
		i, ok := s.Index(at)
		if !ok {
			return &FreeListError{Slab: s.Addr, From: from, Value: at, Why: "no object of the slab"}
		}
		if !visit(i) {
			return &FreeListError{Slab: s.Addr, From: from, Value: at, Why: "already on the list"}
		}
		next, err := s.nextFree(at)
		if err != nil {
			return fmt.Errorf("slab %#x: free pointer of object %#x: %w", s.Addr, at, err)
		}
		from, at = at, next
	}
	return nil
}

// nextFree decodes the free pointer of an object. Hardened kernels mix it with a
// random number and its own address, whose bytes are swapped since 5.7 and in
// backports (freelist_ptr_encode, mm/slub.c). Nothing says which: the form that
// gives an object of the same slab is right.
func (s *Slab) nextFree(object uint64) (uint64, error) {
	m, c := s.Cache.m, s.Cache
	at := object + uint64(c.link)
	word, err := value.Word(m.k, at)
	if err != nil {
		return 0, err
	}
	return s.decodeLink(at, word), nil
}

// decodeLink is what the free pointer v, which is at at, leads to.
func (s *Slab) decodeLink(at, v uint64) uint64 {
	m, c := s.Cache.m, s.Cache
	if !m.sub.Random.Present() {
		return v
	}
	swapped, plain := v^c.random^bits.ReverseBytes64(at), v^c.random^at
	if m.plainLinks.Load() {
		swapped, plain = plain, swapped
	}
	if s.mayFollow(swapped) || !s.mayFollow(plain) {
		return swapped
	}
	if plain != 0 { // the other form proved itself
		m.plainLinks.Store(!m.plainLinks.Load())
	}
	return plain
}

func (s *Slab) mayFollow(v uint64) bool {
	_, ok := s.Index(v)
	return ok || v == 0
}

// readIndexes reads SLAB's free objects: the indexes of its array from the
// number of active objects on (mm/slab.c).
func (s *Slab) readIndexes() error {
	m := s.Cache.m
	if s.Inuse > s.Objects {
		return fmt.Errorf("slab %#x: %d active objects of %d", s.Addr, s.Inuse, s.Objects)
	}
	if s.Inuse == s.Objects {
		return nil
	}
	width := int(m.sal.Index)
	if width != 1 && width != 2 {
		return fmt.Errorf("slab %#x: indexes of %d bytes", s.Addr, width)
	}
	buf := make([]byte, (s.Objects-s.Inuse)*width)
	at := s.list + uint64(s.Inuse*width)
	if err := m.k.Read(buf, at); err != nil {
		return fmt.Errorf("slab %#x: array of free objects: %w", s.Addr, err)
	}
	var first error
	for o := 0; o < len(buf); o += width {
		i := int(buf[o])
		if width == 2 {
			i |= int(buf[o+1]) << 8
		}
		why := ""
		switch {
		case i >= s.Objects:
			why = "no object of the slab"
		case !s.free.set(i):
			why = "already in the array"
		}
		if why != "" && first == nil {
			first = &FreeListError{Slab: s.Addr, From: at + uint64(o), Value: uint64(i), Index: i, Why: why}
		}
	}
	return first
}
