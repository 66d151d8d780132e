package rules

import (
	"fmt"

	"github.com/kdive/kdive/slab"
)

// Sure is how certain a finding is.
type Sure uint8

// The degrees.
const (
	Certain  Sure = iota // nothing a sound kernel does explains it
	Likely               // a sound kernel hardly ever shows it
	InFlight             // a CPU was stopped in the middle of the update that explains it
)

func (s Sure) String() string {
	return [...]string{"certain", "likely", "in flight"}[min(s, InFlight)]
}

// Finding is one place where the allocator contradicts itself.
type Finding struct {
	Rule *Rule
	Sure Sure
	Text string // what is wrong, in words

	Cache *slab.Cache // nil: no cache that is known
	Slab  *slab.Slab  // nil: it is not about a slab
	Page  uint64      // struct slab or struct page, 0 if it is not about one
	Node  int         // NUMA node, -1 if it is not about one
	CPU   int         // whose list it is about, -1 if it is about none

	Object uint64 // 0 if it is not about an object
	Index  int    // of the object in its slab
	Offset int64  // of the place from the object's start, from the slab's memory, or from the structure; see At

	At       uint64 // address of the value, 0 if it is counted and nowhere in memory
	Member   string // the structure's member that is there, if it is one
	Found    []byte // the value, as in memory; nil if the finding is about no single value
	Expected []byte // what it should be, as long as Found; nil if that is not known
	Target   uint64 // where a free pointer leads to
	Want     uint64 // and where it should
	HasWant  bool

	Near []Neighbour

	// Of a finding in flight: the frame that proves it.
	Proof *Proof

	Window  bool       // an update that was interrupted shows this for a moment
	Touches []uint64   // if so: the CPU in the middle of it must hold one of these addresses
	Within  *slab.Slab // or any address of this slab's memory
}

// Neighbour is an object in front of or behind the place of a finding.
type Neighbour struct {
	Object uint64
	Index  int
	State  slab.State
	Place  slab.Place
}

// Proof is a frame of a CPU that was stopped in the allocator.
type Proof struct {
	CPU      int
	Function string
	PC       uint64
	Holds    uint64 // the address that the frame has in a register or on the stack
}

// New is a finding about nothing in particular yet.
func New(r *Rule, text string, args ...any) Finding {
	return Finding{Rule: r, Text: fmt.Sprintf(text, args...), Node: -1, CPU: -1, Index: -1}
}

// About says which object a finding is about.
func (f *Finding) About(o slab.Object) {
	f.Slab, f.Object, f.Index = o.Slab, o.Addr, o.Index
}

// Expect is the finding with what should be in the place of Found.
func (f Finding) Expect(v uint64) Finding {
	f.Expected = Word(v, len(f.Found))
	return f
}

// Word makes a finding's value of an integer of n bytes.
func Word(v uint64, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(v >> (8 * i))
	}
	return b
}
