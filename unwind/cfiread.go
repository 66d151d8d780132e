package unwind

import "github.com/kdive/kdive/debuginfo/die"

// Encodings of pointers in .eh_frame (LSB core specification, DWARF extensions).
const (
	peOmit   = 0xff
	peFormat = 0x0f
	peBase   = 0x70
	pePCRel  = 0x10
)

// pointer reads an encoded pointer; at is the address of the reader's first byte.
func pointer(r *die.Buf, enc uint8, at uint64) uint64 {
	here := at + uint64(r.Pos)
	var v uint64
	switch enc & peFormat {
	case 0x00, 0x04, 0x0c:
		v = r.U64()
	case 0x01:
		v = r.Uleb()
	case 0x02:
		v = uint64(r.U16())
	case 0x03:
		v = uint64(r.U32())
	case 0x09:
		v = uint64(r.Sleb())
	case 0x0a:
		v = uint64(int64(int16(r.U16())))
	case 0x0b:
		v = uint64(int64(int32(r.U32())))
	default:
		r.Bad = true
	}
	switch enc & peBase {
	case 0:
	case pePCRel:
		v += here
	default:
		r.Bad = true // relative to what a kernel does not have
	}
	return v
}
