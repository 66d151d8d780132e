package vmcoretest

import "encoding/binary"

// CompressLZO encodes a page as LZO1X, with the instructions that the kernel's
// Documentation/staging/lzo.rst describes: literals, and matches within 2 KiB
// and 16 KiB.
func CompressLZO(src []byte) []byte {
	var e lzoEncoder
	var seen [1 << 12]int // position after the last place with this hash
	i, literal := 0, 0
	for i+4 <= len(src) {
		h := binary.LittleEndian.Uint32(src[i:]) * 2654435761 >> 20
		from := seen[h] - 1
		seen[h] = i + 1
		n := 0
		if from >= 0 {
			for i+n < len(src) && src[from+n] == src[i+n] {
				n++
			}
		}
		if n < 4 {
			i++
			continue
		}
		e.literals(src[literal:i])
		e.match(i-from, n)
		i += n
		literal = i
	}
	e.literals(src[literal:])
	return append(e.out, 17, 0, 0) // the end mark
}

type lzoEncoder struct {
	out   []byte
	state int // index in out of the byte with the two literal bits, 0 if none
}

// literals emits a string of bytes to be copied: up to three ride on the
// instruction before.
func (e *lzoEncoder) literals(b []byte) {
	switch {
	case len(b) == 0:
		return
	case len(e.out) == 0 && len(b) <= 238:
		e.out = append(e.out, byte(17+len(b)))
	case len(b) <= 3:
		e.out[e.state] |= byte(len(b))
	case len(b) <= 18:
		e.out = append(e.out, byte(len(b)-3))
	default:
		e.out = append(e.out, 0)
		e.length(len(b) - 18)
	}
	e.out = append(e.out, b...)
}

func (e *lzoEncoder) match(distance, n int) {
	if n <= 8 && distance <= 2048 {
		d := distance - 1
		e.state = len(e.out)
		op := byte(n-1) << 5
		e.out = append(e.out, op|byte(d&7)<<2, byte(d>>3))
		return
	}
	if n-2 <= 31 {
		e.out = append(e.out, 32|byte(n-2))
	} else {
		e.out = append(e.out, 32)
		e.length(n - 2 - 31)
	}
	e.state = len(e.out)
	e.out = binary.LittleEndian.AppendUint16(e.out, uint16((distance-1)<<2))
}

// length emits zero bytes of 255 each and the rest, which is not zero.
func (e *lzoEncoder) length(n int) {
	for n > 255 {
		e.out = append(e.out, 0)
		n -= 255
	}
	e.out = append(e.out, byte(n))
}
