package kernel

import (
	"encoding/binary"

	"github.com/kdive/kdive/value"
)

// U64 reads 8 bytes of kernel virtual memory, little endian.
func (k *Kernel) U64(vaddr uint64) (uint64, error) { return value.Word(k, vaddr) }

// U32 reads 4 bytes.
func (k *Kernel) U32(vaddr uint64) (uint32, error) {
	var b [4]byte
	err := k.Read(b[:], vaddr)
	return binary.LittleEndian.Uint32(b[:]), err
}

// Bytes reads n bytes.
func (k *Kernel) Bytes(vaddr uint64, n int) ([]byte, error) {
	b := make([]byte, n)
	if err := k.Read(b, vaddr); err != nil {
		return nil, err
	}
	return b, nil
}

// CString is value.CString of kernel virtual memory.
func (k *Kernel) CString(vaddr uint64, limit int) (string, error) {
	return value.CString(k, vaddr, limit)
}

// Relative is the address that a 32-bit offset from its own place at gives, as the
// kernel's tables about its code have them (jump_entry_code, include/linux/jump_label.h).
func Relative(at uint64, b []byte) uint64 {
	return at + uint64(int64(int32(binary.LittleEndian.Uint32(b))))
}
