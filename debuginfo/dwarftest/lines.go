package dwarftest

import "encoding/binary"

// Lines writes a line table of DWARF 4 whose files are all in the directory
// that the unit was compiled in. Programs are made of the functions below.
func Lines(files []string, program ...[]byte) []byte {
	le := binary.LittleEndian
	// Instructions of 1 byte, is_stmt, line base -5, line range 14, 13 opcodes.
	head := []byte{1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1}
	head = append(head, 0) // no directories
	for _, f := range files {
		head = append(append(head, f...), 0, 0, 0, 0)
	}
	head = append(head, 0)
	body := le.AppendUint16(nil, 4)
	body = le.AppendUint32(body, uint32(len(head)))
	body = append(body, head...)
	for _, p := range program {
		body = append(body, p...)
	}
	return append(le.AppendUint32(nil, uint32(len(body))), body...)
}

// At starts a sequence.
func At(addr uint64) []byte { return binary.LittleEndian.AppendUint64([]byte{0, 9, 2}, addr) }

// Row adds n to the address and m to the line and emits a row.
func Row(n uint64, m int64) []byte {
	b := binary.AppendUvarint([]byte{2}, n)
	b = sleb(append(b, 3), m)
	return append(b, 1)
}

// SetFile changes the file.
func SetFile(n uint64) []byte { return binary.AppendUvarint([]byte{4}, n) }

// End ends a sequence n bytes further.
func End(n uint64) []byte { return append(binary.AppendUvarint([]byte{2}, n), 0, 1, 1) }
