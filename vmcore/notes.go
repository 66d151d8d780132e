package vmcore

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Note is an ELF note of the dump.
type Note struct {
	Name string // without the trailing NUL
	Type uint32
	Desc []byte
}

// Types of notes named "CORE" (include/uapi/linux/elf.h).
const NTPRStatus = 1

const noteHeader = 12

// parseNotes parses a note segment: for each note the lengths of name and
// description and the type, then both, each padded to four bytes. At damage it
// returns the notes before it and an error.
func parseNotes(b []byte) ([]Note, error) {
	var notes []Note
	for at := 0; at < len(b); {
		if len(b)-at < noteHeader {
			if allZero(b[at:]) {
				return notes, nil // the segment's padding
			}
			return notes, fmt.Errorf("note at offset %#x: %d bytes are too few", at, len(b)-at)
		}
		le := binary.LittleEndian
		nameSize, descSize, typ := uint64(le.Uint32(b[at:])), uint64(le.Uint32(b[at+4:])), le.Uint32(b[at+8:])
		if nameSize == 0 && descSize == 0 && typ == 0 {
			// The kernel ends each CPU's notes with an empty one, and its
			// /proc/vmcore has nothing behind the last.
			at += noteHeader
			continue
		}
		left := uint64(len(b) - at - noteHeader)
		descAt := pad4(nameSize)
		if descAt > left || descSize > left-descAt {
			return notes, fmt.Errorf("note at offset %#x: name of %d and description of %d bytes do not fit into %d", at, nameSize, descSize, left)
		}
		rest := b[at+noteHeader:]
		notes = append(notes, Note{
			Name: string(bytes.TrimRight(rest[:nameSize], "\x00")),
			Type: typ,
			Desc: rest[descAt : descAt+descSize : descAt+descSize],
		})
		at += noteHeader + int(min(descAt+pad4(descSize), left))
	}
	return notes, nil
}

func pad4(n uint64) uint64 { return (n + 3) &^ 3 }

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
