package unwind

import "encoding/binary"

// reader reads call frame information; what lies behind the end is 0 and sets
// bad, which the caller looks at when it is done.
type reader struct {
	b   []byte
	pos int
	bad bool
}

func (r *reader) left() int { return len(r.b) - r.pos }

func (r *reader) take(n int) []byte {
	if n < 0 || n > r.left() {
		r.bad, r.pos = true, len(r.b)
		return nil
	}
	r.pos += n
	return r.b[r.pos-n : r.pos]
}

func (r *reader) u8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) uleb() uint64 {
	var v uint64
	for shift := uint(0); ; shift += 7 {
		c := r.u8()
		if shift < 64 {
			v |= uint64(c&0x7f) << shift
		}
		if c&0x80 == 0 || r.bad {
			return v
		}
	}
}

func (r *reader) sleb() int64 {
	var v int64
	for shift := uint(0); ; {
		c := r.u8()
		if shift < 64 {
			v |= int64(c&0x7f) << shift
		}
		shift += 7
		if c&0x80 == 0 || r.bad {
			if c&0x40 != 0 && shift < 64 {
				v |= -1 << shift
			}
			return v
		}
	}
}

func (r *reader) cstring() string {
	start := r.pos
	for !r.bad {
		if r.u8() == 0 && !r.bad {
			return string(r.b[start : r.pos-1])
		}
	}
	return ""
}

func (r *reader) block() []byte {
	n := r.uleb()
	if n > uint64(r.left()) {
		r.bad = true
		return nil
	}
	return r.take(int(n))
}

// Encodings of pointers in .eh_frame (LSB core specification, DWARF extensions).
const (
	peOmit   = 0xff
	peFormat = 0x0f
	peBase   = 0x70
	pePCRel  = 0x10
)

// pointer reads an encoded pointer; at is the address of the reader's first byte.
func (r *reader) pointer(enc uint8, at uint64) uint64 {
	here := at + uint64(r.pos)
	var v uint64
	switch enc & peFormat {
	case 0x00, 0x04, 0x0c:
		v = r.u64()
	case 0x01:
		v = r.uleb()
	case 0x02:
		v = uint64(r.u16())
	case 0x03:
		v = uint64(r.u32())
	case 0x09:
		v = uint64(r.sleb())
	case 0x0a:
		v = uint64(int64(int16(r.u16())))
	case 0x0b:
		v = uint64(int64(int32(r.u32())))
	default:
		r.bad = true
	}
	switch enc & peBase {
	case 0:
	case pePCRel:
		v += here
	default:
		r.bad = true // relative to what a kernel does not have
	}
	return v
}
