package kdump

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kdive/kdive/kdump/source"
)

// PageSize is the only block size that is supported; x86-64 has no other.
const PageSize = 4096

const pageShift = 12

// Sizes of struct disk_dump_header and struct kdump_sub_header on x86-64
// (makedumpfile's diskdump_mod.h).
const (
	headerSize    = 464
	subHeaderSize = 104
)

// Bits of Header.Status and of a page descriptor's flags (diskdump_mod.h).
const (
	flagZlib       = 0x1
	flagLZO        = 0x2
	flagSnappy     = 0x4
	flagIncomplete = 0x8
	flagNoVmemmap  = 0x10
	flagZstd       = 0x20
)

// Signatures of the two ages of the format.
const (
	signatureKdump    = "KDUMP   "
	signatureDiskdump = "DISKDUMP"
)

// Utsname is the kernel's name as the header carries it; fields may be empty.
type Utsname struct {
	Sysname, Nodename, Release, Version, Machine, Domainname string
}

// Header is the common header and the sub-header of a dump or part.
type Header struct {
	Signature    string // "KDUMP   " or "DISKDUMP"
	Version      int
	Utsname      Utsname
	Timestamp    time.Time // zero if the writer did not know it
	Status       uint32
	SubBlocks    uint32 // length of the sub-header, in pages
	BitmapBlocks uint32 // length of both bitmaps, in pages
	MaxMapnr     uint64 // first page frame number beyond the memory described
	mapnr32      uint32 // the older field of it, cut off at 32 bits
	CurrentCPU   uint32
	CPUs         uint32

	PhysBase  uint64
	DumpLevel int  // -1 if the header does not say
	Split     bool // this file is one of several
	StartPFN  uint64
	EndPFN    uint64

	VMCoreInfo, Notes, EraseInfo Extent
}

// Extent is a range of bytes of the dump file.
type Extent struct{ Offset, Size uint64 }

// Incomplete tells whether the writer ran out of space.
func (h *Header) Incomplete() bool { return h.Status&flagIncomplete != 0 }

// NoVmemmap tells whether unused parts of the vmemmap were left out.
func (h *Header) NoVmemmap() bool { return h.Status&flagNoVmemmap != 0 }

// Codec is the compression that the header announces. Single pages may still
// be stored raw.
func (h *Header) Codec() string {
	for _, c := range []struct {
		flag uint32
		name string
	}{{flagZlib, "zlib"}, {flagLZO, "lzo"}, {flagSnappy, "snappy"}, {flagZstd, "zstd"}} {
		if h.Status&c.flag != 0 {
			return c.name
		}
	}
	return "uncompressed"
}

// IsKdump tells from a file's first bytes whether it claims to be a compressed
// dump.
func IsKdump(head []byte) bool {
	return bytes.HasPrefix(head, []byte(signatureKdump)) || bytes.HasPrefix(head, []byte(signatureDiskdump))
}

// ReadHeader reads and checks a dump's headers.
func ReadHeader(src source.Source) (*Header, error) {
	var b [headerSize]byte
	if err := source.ReadFull(src, b[:], 0); err != nil {
		return nil, fmt.Errorf("compressed dump ends in its header: %w", err)
	}
	if !IsKdump(b[:]) {
		return nil, fmt.Errorf("not a compressed dump: signature %q", b[:8])
	}
	le := binary.LittleEndian
	h := &Header{
		Signature:    string(b[:8]),
		Version:      int(int32(le.Uint32(b[8:]))),
		Utsname:      parseUtsname(b[12:402]),
		Status:       le.Uint32(b[424:]),
		SubBlocks:    le.Uint32(b[432:]),
		BitmapBlocks: le.Uint32(b[436:]),
		MaxMapnr:     uint64(le.Uint32(b[440:])),
		mapnr32:      le.Uint32(b[440:]),
		CurrentCPU:   le.Uint32(b[456:]),
		CPUs:         le.Uint32(b[460:]),
		DumpLevel:    -1,
	}
	if sec := int64(le.Uint64(b[408:])); sec > 0 && sec < 1<<40 {
		h.Timestamp = time.Unix(sec, 0).UTC()
	}
	if size := int32(le.Uint32(b[428:])); size != PageSize {
		return nil, fmt.Errorf("compressed dump: block size %d is not supported (only %d)", size, PageSize)
	}
	if h.Version < 0 || h.Version > 6 {
		return nil, fmt.Errorf("compressed dump: header version %d is not supported (0 to 6)", h.Version)
	}
	// The original diskdump has another sub-header, which nothing here needs.
	if h.Signature == signatureDiskdump || h.SubBlocks == 0 {
		return h, nil
	}
	return h, h.readSub(src)
}

// readSub reads struct kdump_sub_header: every header version added fields.
func (h *Header) readSub(src source.Source) error {
	var b [subHeaderSize]byte
	if err := source.ReadFull(src, b[:], PageSize); err != nil {
		return fmt.Errorf("compressed dump ends in its sub-header: %w", err)
	}
	le := binary.LittleEndian
	u64 := func(at int) uint64 { return le.Uint64(b[at:]) }
	h.PhysBase = u64(0)
	if h.Version >= 1 {
		h.DumpLevel = int(int32(le.Uint32(b[8:])))
	}
	if h.Version >= 2 && le.Uint32(b[12:]) != 0 {
		h.Split, h.StartPFN, h.EndPFN = true, u64(16), u64(24)
	}
	if h.Version >= 3 {
		h.VMCoreInfo = Extent{u64(32), u64(40)}
	}
	if h.Version >= 4 {
		h.Notes = Extent{u64(48), u64(56)}
	}
	if h.Version >= 5 {
		h.EraseInfo = Extent{u64(64), u64(72)}
	}
	if h.Version >= 6 {
		if h.Split {
			h.StartPFN, h.EndPFN = u64(80), u64(88)
		}
		h.MaxMapnr = u64(96)
	}
	return nil
}

func parseUtsname(b []byte) Utsname {
	field := func(i int) string {
		s := b[i*65 : (i+1)*65]
		if n := bytes.IndexByte(s, 0); n >= 0 {
			s = s[:n]
		}
		return strings.ToValidUTF8(string(s), "?")
	}
	return Utsname{field(0), field(1), field(2), field(3), field(4), field(5)}
}

// maxExtent bounds what is read of notes, vmcoreinfo and eraseinfo.
const maxExtent = 64 << 20

// read returns the bytes of an extent; if the file has fewer it returns those
// and an error.
func (e Extent) read(src source.Source, what string) ([]byte, error) {
	if e.Size == 0 {
		return nil, nil
	}
	if e.Offset > uint64(src.Size()) || e.Size > uint64(src.Size())-e.Offset {
		return nil, fmt.Errorf("%s at %#x, %d bytes long, lies beyond the end of the dump (%d bytes)", what, e.Offset, e.Size, src.Size())
	}
	if e.Size > min(maxExtent, uint64(src.Stored())) {
		return nil, fmt.Errorf("%s of %d bytes is too large", what, e.Size)
	}
	b := make([]byte, e.Size)
	n, err := src.ReadAt(b, int64(e.Offset))
	if n == len(b) || errors.Is(err, io.EOF) && n == len(b) {
		return b, nil
	}
	return b[:n], fmt.Errorf("%s: only %d of %d bytes: %w", what, n, len(b), err)
}
