package die

import (
	"bytes"
	"encoding/binary"
)

// Buf reads a section from front to back. A read beyond the end sets Bad and
// yields zeros from then on, so that callers may check once per step.
type Buf struct {
	Data []byte
	Pos  int
	Bad  bool
}

// At starts reading data at off; an offset outside the data is Bad.
func At(data []byte, off int) Buf {
	if off < 0 || off > len(data) {
		return Buf{Data: data, Pos: len(data), Bad: true}
	}
	return Buf{Data: data, Pos: off}
}

// Len is the number of bytes left.
func (b *Buf) Len() int { return len(b.Data) - b.Pos }

func (b *Buf) fail() {
	b.Bad = true
	b.Pos = len(b.Data)
}

// Bytes is the next n bytes, nil if there are fewer.
func (b *Buf) Bytes(n int) []byte {
	if n < 0 || n > b.Len() {
		b.fail()
		return nil
	}
	p := b.Data[b.Pos : b.Pos+n : b.Pos+n]
	b.Pos += n
	return p
}

// Block is the next n bytes, nil if there are fewer; n may be anything.
func (b *Buf) Block(n uint64) []byte {
	if n > uint64(b.Len()) {
		b.fail()
		return nil
	}
	return b.Bytes(int(n))
}

// Skip passes over n bytes.
func (b *Buf) Skip(n uint64) {
	if n > uint64(b.Len()) {
		b.fail()
		return
	}
	b.Pos += int(n)
}

// U8 reads one byte.
func (b *Buf) U8() uint8 {
	if b.Pos >= len(b.Data) {
		b.fail()
		return 0
	}
	v := b.Data[b.Pos]
	b.Pos++
	return v
}

// U16 reads two bytes, little-endian as all numbers here.
func (b *Buf) U16() uint16 {
	if p := b.Bytes(2); p != nil {
		return binary.LittleEndian.Uint16(p)
	}
	return 0
}

// U24 reads three bytes.
func (b *Buf) U24() uint32 {
	if p := b.Bytes(3); p != nil {
		return uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16
	}
	return 0
}

// U32 reads four bytes.
func (b *Buf) U32() uint32 {
	if p := b.Bytes(4); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

// U64 reads eight bytes.
func (b *Buf) U64() uint64 {
	if p := b.Bytes(8); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

// Uint reads an unsigned number of 1, 2, 4 or 8 bytes.
func (b *Buf) Uint(size int) uint64 {
	switch size {
	case 1:
		return uint64(b.U8())
	case 2:
		return uint64(b.U16())
	case 4:
		return uint64(b.U32())
	case 8:
		return b.U64()
	}
	b.fail()
	return 0
}

// Int reads a signed number of 1, 2, 4 or 8 bytes.
func (b *Buf) Int(size int) int64 {
	shift := 64 - 8*size
	return int64(b.Uint(size)) << shift >> shift
}

// Uleb reads an unsigned LEB128 number; bits beyond 64 are lost.
func (b *Buf) Uleb() uint64 {
	var v uint64
	for shift := uint(0); b.Pos < len(b.Data); shift += 7 {
		c := b.Data[b.Pos]
		b.Pos++
		if shift < 64 {
			v |= uint64(c&0x7f) << shift
		}
		if c < 0x80 {
			return v
		}
	}
	b.fail()
	return 0
}

// Sleb reads a signed LEB128 number; bits beyond 64 are lost.
func (b *Buf) Sleb() int64 {
	var v int64
	for shift := uint(0); b.Pos < len(b.Data); {
		c := b.Data[b.Pos]
		b.Pos++
		if shift < 64 {
			v |= int64(c&0x7f) << shift
		}
		shift += 7
		if c < 0x80 {
			if c&0x40 != 0 && shift < 64 {
				v |= -1 << shift
			}
			return v
		}
	}
	b.fail()
	return 0
}

// CString reads a string up to its NUL, which is passed over.
func (b *Buf) CString() []byte {
	n := bytes.IndexByte(b.Data[b.Pos:], 0)
	if n < 0 {
		b.fail()
		return nil
	}
	s := b.Data[b.Pos : b.Pos+n : b.Pos+n]
	b.Pos += n + 1
	return s
}
