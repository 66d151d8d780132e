package value

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

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

// CString reads a string of at most limit bytes that ends at a NUL. With an error
// come the bytes in front of what cannot be read.
func CString(m Memory, addr uint64, limit int) (string, error) {
	s, _, err := readString(m, addr, limit)
	return string(s), err
}

// readString reads bytes up to a zero byte, at most limit. ended tells whether
// the zero byte (not part of the result) was found.
func readString(mem Memory, addr uint64, limit int) (s []byte, ended bool, err error) {
	if mem == nil {
		return nil, false, fmt.Errorf("no memory to read a string from")
	}
	for len(s) < limit {
		// Chunks never cross a page: the end of a string says nothing about the next page.
		n := min(limit-len(s), 64, int(pageSize-addr%pageSize))
		chunk := make([]byte, n)
		if err := mem.Read(chunk, addr); err != nil {
			if n == 1 {
				return s, false, err
			}
			n, chunk = 1, chunk[:1]
			if err := mem.Read(chunk, addr); err != nil {
				return s, false, err
			}
		}
		if i := bytes.IndexByte(chunk, 0); i >= 0 {
			return append(s, chunk[:i]...), true, nil
		}
		s = append(s, chunk...)
		addr += uint64(n)
	}
	return s, false, nil
}
