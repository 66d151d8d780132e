package die

import (
	"encoding/binary"
	"math/bits"
)

// Hash is a 64-bit digest of a name. It is part of the stored index: a change
// needs a new index version.
func Hash(p []byte) uint64 {
	h := uint64(len(p)) * 0x9e3779b97f4a7c15
	for len(p) >= 8 {
		h = Mix(h, binary.LittleEndian.Uint64(p))
		p = p[8:]
	}
	if len(p) > 0 {
		var t uint64
		for i, c := range p {
			t |= uint64(c) << (8 * i)
		}
		h = Mix(h, t)
	}
	return h
}

// Mix folds v into the digest h.
func Mix(h, v uint64) uint64 {
	hi, lo := bits.Mul64(h^0xa0761d6478bd642f, v^0xe7037ed1a0b428db)
	return hi ^ lo
}
