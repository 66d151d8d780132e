package vmcore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/kdive/kdive/kdump"
)

var flatSignature = []byte("makedumpfile\x00")

// magics are files that users name in place of a dump, to say so.
var magics = []struct{ prefix, name string }{
	{"\x28\xb5\x2f\xfd", "file compressed with zstd"},
	{"\x1f\x8b", "file compressed with gzip"},
	{"\xfd7zXZ\x00", "file compressed with xz"},
	{"BZh", "file compressed with bzip2"},
	{"\x04\x22\x4d\x18", "file compressed with lz4"},
	{"QFI\xfb", "QEMU disk image"},
	{"QEVM", "QEMU machine state (savevm)"},
	{"EMiL", "LiME memory image"},
}

// Sniff tells from its first bytes whether a file is a dump of a format that
// Open knows, and names the format or what else it seems to be. The error is
// that of opening or reading the file.
func Sniff(path string) (isDump bool, format string, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false, "", err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return false, "", err
	} else if !st.Mode().IsRegular() {
		return false, "", fmt.Errorf("%s: not a regular file", path)
	}
	var head [64]byte
	n, err := io.ReadFull(f, head[:])
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return false, "", err
	}
	isDump, format = sniff(head[:n])
	return isDump, format, nil
}

func sniff(head []byte) (isDump bool, format string) {
	switch {
	case len(head) == 0:
		return false, "empty file"
	case bytes.HasPrefix(head, flatSignature):
		return true, "flattened dump"
	case kdump.IsKdump(head):
		return true, "compressed kdump"
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return sniffELF(head)
	}
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.prefix)) {
			return false, m.name
		}
	}
	return false, "file of unknown format"
}

// ELF header facts (System V ABI, chapter 4).
const (
	elfClass64  = 2
	elfDataLSB  = 1
	elfTypeRel  = 1
	elfTypeExec = 2
	elfTypeDyn  = 3
	elfTypeCore = 4
)

func sniffELF(head []byte) (isDump bool, format string) {
	if len(head) < 18 {
		return false, "cut-off ELF file"
	}
	typ := binary.LittleEndian.Uint16(head[16:])
	if head[5] != elfDataLSB {
		typ = binary.BigEndian.Uint16(head[16:])
	}
	switch typ {
	case elfTypeCore:
		return true, "ELF core"
	case elfTypeExec:
		return false, "ELF executable"
	case elfTypeDyn:
		return false, "ELF shared object"
	case elfTypeRel:
		return false, "ELF relocatable object"
	}
	return false, fmt.Sprintf("ELF file of type %d", typ)
}
