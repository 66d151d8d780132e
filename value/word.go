package value

import "encoding/binary"

// Word reads the 8 bytes at an address as a number: a pointer, an unsigned long.
func Word(m Memory, addr uint64) (uint64, error) {
	var b [8]byte
	if err := m.Read(b[:], addr); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

// Number is the number that up to 8 bytes are, least significant first; of more
// bytes, the first 8.
func Number(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(b))
	case 4:
		return uint64(binary.LittleEndian.Uint32(b))
	}
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	var u uint64
	for i, c := range b {
		u |= uint64(c) << (8 * i)
	}
	return u
}
