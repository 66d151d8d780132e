package slab

import (
	"fmt"
	"sync"

	"github.com/kdive/kdive/kernel"
)

// Slab is one slab: pages cut into objects.
type Slab struct {
	Cache   *Cache
	Addr    uint64 // of its struct slab or struct page
	Base    uint64 // of its memory, in the direct map
	Objects int    // how many it has
	Inuse   int    // how many its own counter says are not on its own free list
	Frozen  bool   // SLUB: it belongs to a CPU
	Node    int    // NUMA node of its memory

	first uint64 // of the first object
	list  uint64 // head of the free list: SLUB an object, SLAB an array of indexes

	once sync.Once
	free bitmap
	err  error
}

// decodeSlab makes a slab of the structure of its first page; nil if it belongs
// to no known cache.
func (m *Model) decodeSlab(pfn uint64, page []byte) *Slab {
	c := m.byAddr[m.n.SlabCache.In(page)]
	if c == nil {
		return nil
	}
	s := &Slab{
		Cache: c,
		Addr:  m.pages.address(pfn),
		Base:  m.direct.start + pfn<<kernel.PageShift,
		Node:  m.nodeOf(page),
		list:  m.n.Freelist.In(page),
	}
	if m.slub {
		s.Objects, s.Inuse = int(m.sub.Objects.In(page)), int(m.sub.Inuse.In(page))
		s.Frozen = m.sub.Frozen.In(page) != 0
		s.first = s.Base + uint64(c.lead)
	} else {
		s.Objects, s.Inuse = c.PerSlab, int(uint32(m.sal.Active.In(page)))
		s.first = m.sal.SMem.In(page) + uint64(c.lead)
	}
	return s
}

// slabOf reads the slab whose struct slab is at addr.
func (m *Model) slabOf(addr uint64) (*Slab, error) {
	pfn, ok := m.pages.frame(addr)
	if !ok || pfn >= (m.direct.end-m.direct.start)>>kernel.PageShift {
		return nil, fmt.Errorf("slab %#x: not a page structure", addr)
	}
	s, err := m.slabAt(pfn)
	switch {
	case err != nil:
		return nil, err
	case s == nil || s.Addr != addr:
		return nil, fmt.Errorf("slab %#x: its page is not the first one of a slab", addr)
	}
	return s, nil
}

// Object is the address of object i as the users of the cache know it.
func (s *Slab) Object(i int) uint64 { return s.first + uint64(i)*uint64(s.Cache.Size) }

// At is object i.
func (s *Slab) At(i int) Object { return Object{Slab: s, Addr: s.Object(i), Index: i} }

// Index is the number of the object that starts at addr.
func (s *Slab) Index(addr uint64) (int, bool) {
	d := addr - s.first
	size := uint64(s.Cache.Size)
	if s.Cache.Err != nil || addr < s.first || d%size != 0 || d/size >= uint64(s.Objects) {
		return 0, false
	}
	return int(d / size), true
}

// State of an object.
type State uint8

// The states.
const (
	Unknown   State = iota // a list could not be read
	Allocated              // on no free list
	Free                   // on a free list
	Pending                // freed, kept until readers under RCU are done
)

func (s State) String() string {
	return [...]string{"unknown", "allocated", "free", "pending"}[min(s, Pending)]
}

// Holder is the kind of list that a free object is on.
type Holder uint8

// The holders of free objects.
const (
	OwnSlab    Holder = iota // the free list of its slab
	CPUList                  // SLUB: the free list of a CPU
	CPUSheaf                 // SLUB: a sheaf of a CPU
	NodeSheaf                // SLUB: a full sheaf of a node's barn
	RCUSheaf                 // SLUB: what a CPU keeps until a grace period is over
	CPUArray                 // SLAB: the array cache of a CPU
	NodeArray                // SLAB: the shared array cache of a node
	AlienArray               // SLAB: what a node keeps for another one
	Guarded                  // KFENCE
)

// Place is where a free object waits. CPU and Node are -1 where they say nothing.
type Place struct {
	Holder Holder
	CPU    int
	Node   int
}

func (p Place) String() string {
	switch p.Holder {
	case CPUList:
		return fmt.Sprintf("CPU %d", p.CPU)
	case CPUSheaf:
		return fmt.Sprintf("sheaf of CPU %d", p.CPU)
	case NodeSheaf:
		return fmt.Sprintf("sheaf of node %d", p.Node)
	case RCUSheaf:
		return fmt.Sprintf("RCU sheaf of CPU %d", p.CPU)
	case CPUArray:
		return fmt.Sprintf("array of CPU %d", p.CPU)
	case NodeArray:
		return fmt.Sprintf("shared array of node %d", p.Node)
	case AlienArray:
		return fmt.Sprintf("alien array of node %d", p.Node)
	case Guarded:
		return "KFENCE"
	case OwnSlab:
		if p.CPU >= 0 {
			return fmt.Sprintf("slab of CPU %d", p.CPU)
		}
	}
	return "slab"
}

// Object is what an address lies in.
type Object struct {
	Slab   *Slab
	Addr   uint64 // of the object
	Index  int    // in its slab; -1: the address is in the slab and in no object
	Offset int64  // of the address in the object; negative in what lies in front of it, such as a red zone
}

// Find is the object at a kernel virtual address; ok is false if the address is
// in no slab. Addresses outside the direct map are translated first, as their
// pages may be those of slabs.
func (m *Model) Find(addr uint64) (o Object, ok bool) {
	if int64(addr) >= 0 {
		return o, false
	}
	at := addr
	if addr-m.direct.start >= m.direct.end-m.direct.start {
		paddr, _, err := m.k.Translate(addr)
		if err != nil || paddr >= m.direct.end-m.direct.start {
			return o, false
		}
		at = m.direct.start + paddr
	}
	s, _ := m.slabAt((at - m.direct.start) >> kernel.PageShift)
	if s == nil {
		return o, false
	}
	return s.find(at), true
}

func (s *Slab) find(at uint64) Object {
	if s.Cache.Err != nil {
		return Object{Slab: s, Index: -1}
	}
	if f := s.Cache.m.fence; f != nil {
		if o, ok := f.find(s, at); ok {
			return o
		}
	}
	lead, size := uint64(s.Cache.lead), uint64(s.Cache.Size)
	start := s.first - lead
	if i := (at - start) / size; at >= start && i < uint64(s.Objects) {
		o := s.Object(int(i))
		return Object{Slab: s, Addr: o, Index: int(i), Offset: int64(at - o)}
	}
	return Object{Slab: s, Index: -1}
}

// State is whether the object is allocated, and where it is if it is free. The
// error says why that is not known, or not for certain.
func (o *Object) State() (State, Place, error) {
	s := o.Slab
	if s.Cache.Err != nil {
		return Unknown, Place{}, s.Cache.Err
	}
	if f := s.Cache.m.fence; f != nil {
		if state, ok := f.state(s); ok {
			return state, Place{Holder: Guarded, CPU: -1, Node: -1}, nil
		}
	}
	if o.Index < 0 {
		return Unknown, Place{}, fmt.Errorf("the address is in slab %#x and in no object", s.Addr)
	}
	h := s.Cache.holdings()
	if p, ok := h.at[o.Addr]; ok {
		if p.Holder == RCUSheaf {
			return Pending, p, nil
		}
		return Free, p, nil
	}
	free, err := s.freeObjects()
	switch {
	case free.has(o.Index):
		p := Place{OwnSlab, -1, s.Node}
		if cpu, owned := h.slabs[s.Addr]; owned {
			p.CPU = cpu
		}
		return Free, p, nil
	case err != nil:
		return Unknown, Place{}, err
	case h.err != nil:
		return Unknown, Place{}, h.err
	}
	return Allocated, Place{}, nil
}

// FreeCount is how many objects the slab's own free list holds, and why it may
// be more.
func (s *Slab) FreeCount() (int, error) {
	free, err := s.freeObjects()
	return free.count(), err
}

// freeObjects are the indexes on the slab's own free list; with an error, those
// up to the place where it breaks.
func (s *Slab) freeObjects() (bitmap, error) {
	s.once.Do(func() {
		if s.Cache.Err != nil {
			s.err = s.Cache.Err
			return
		}
		s.free = make(bitmap, (max(0, min(s.Objects, maxObjects))+63)/64)
		if s.Cache.m.slub {
			s.err = s.walkFree(s.list, func(i int) bool { return s.free.set(i) })
		} else {
			s.err = s.readIndexes()
		}
	})
	return s.free, s.err
}

// bitmap of the objects of a slab.
type bitmap []uint64

func (b bitmap) has(i int) bool { return i/64 < len(b) && b[i/64]>>(i%64)&1 != 0 }

// set reports whether i is new.
func (b bitmap) set(i int) bool {
	if i/64 >= len(b) || b.has(i) {
		return false
	}
	b[i/64] |= 1 << (i % 64)
	return true
}

func (b bitmap) count() (n int) {
	for i := range len(b) * 64 {
		if b.has(i) {
			n++
		}
	}
	return n
}
