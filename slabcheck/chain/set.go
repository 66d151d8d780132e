package chain

import "math/bits"

// Set is a set of objects of a slab by their indexes.
type Set []uint64

// NewSet has room for n objects, and none of them.
func NewSet(n int) Set { return make(Set, (n+63)/64) }

// Has reports whether object i is in the set.
func (b Set) Has(i int) bool { return i/64 < len(b) && b[i/64]>>(i%64)&1 != 0 }

// Set puts object i into the set, which must have room for it.
func (b Set) Set(i int) { b[i/64] |= 1 << (i % 64) }

// Count is how many objects there are.
func (b Set) Count() (n int) {
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}
