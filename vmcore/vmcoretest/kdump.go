package vmcoretest

import (
	"bytes"
	"encoding/binary"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// Codec is how the pages of a compressed dump are stored; its value is the
// flag in header and descriptors.
type Codec uint32

// The codecs.
const (
	Raw    Codec = 0
	Zlib   Codec = 0x1
	LZO    Codec = 0x2
	Snappy Codec = 0x4
	Zstd   Codec = 0x20
)

// Codecs lists them with their names.
var Codecs = map[string]Codec{"raw": Raw, "zlib": Zlib, "lzo": LZO, "snappy": Snappy, "zstd": Zstd}

// Kdump says how a compressed dump is to be written. The zero value is a
// version 6 dump of raw pages.
type Kdump struct {
	Codec     Codec
	Version   int  // 0 stands for 6; negative for what a header of version 0 says
	Diskdump  bool // the older signature
	OneBitmap bool // as diskdump of a whole memory
	ZeroPage  bool // dump level 1: zero pages share one page of data
	Status    uint32
	EraseInfo string

	// The part of a split dump with these page frames, if End is not 0.
	Split      bool
	Start, End uint64
}

const (
	kdumpHeader = 464
	kdumpSub    = 104
)

// Kdump returns the memory as a compressed dump.
func (m *Memory) Kdump(o Kdump) []byte {
	notes, infoAt := m.notes()
	version := o.Version
	if version == 0 {
		version = 6
	}
	version = max(version, 0)
	bitmap := pad(m.bitmap(m.ram()), PageSize)
	dumped := pad(m.bitmap(m.held()), PageSize)
	if o.OneBitmap {
		bitmap = nil
	}
	subBlocks := (kdumpSub + len(notes) + PageSize - 1) / PageSize

	b := o.header(version, m.maxPFN(), subBlocks, (len(bitmap)+len(dumped))/PageSize)
	b = pad(b, PageSize)
	sub := o.subHeader(m, version, len(notes), infoAt)
	b = pad(append(append(b, sub...), notes...), PageSize)
	b = append(append(b, bitmap...), dumped...)

	table, data := o.pages(m, uint64(len(b)))
	eraseAt := len(b) + len(table) + len(data)
	if o.EraseInfo != "" && version >= 5 {
		copy(b[PageSize+64:], put64(nil, uint64(eraseAt), uint64(len(o.EraseInfo))))
	}
	b = append(append(b, table...), data...)
	if o.EraseInfo != "" {
		b = append(b, o.EraseInfo...)
	}
	return b
}

func (m *Memory) bitmap(pfns []uint64) []byte {
	b := make([]byte, (m.maxPFN()+7)/8)
	for _, pfn := range pfns {
		b[pfn/8] |= 1 << (pfn % 8)
	}
	return b
}

func (o Kdump) header(version int, maxPFN uint64, subBlocks, bitmapBlocks int) []byte {
	signature := "KDUMP   "
	if o.Diskdump {
		signature = "DISKDUMP"
	}
	b := put32([]byte(signature), uint32(version))
	for _, s := range []string{"Linux", "testhost", "6.1.0-test", "#1 SMP test", "x86_64", "(none)"} {
		b = append(b, append([]byte(s), make([]byte, 65-len(s))...)...)
	}
	b = pad(b, 8)
	b = put64(b, 1700000000, 0)
	status := o.Status | uint32(o.Codec)
	return put32(b, status, PageSize, uint32(subBlocks), uint32(bitmapBlocks), uint32(min(maxPFN, 1<<32-1)), 0, 0, 0, 0, 2)
}

func (o Kdump) subHeader(m *Memory, version, notesSize, infoAt int) []byte {
	level, split := uint32(0), uint32(0)
	if o.ZeroPage {
		level = 1
	}
	if o.Split {
		split = 1
	}
	const notesAt = PageSize + kdumpSub
	b := put64(nil, 0x1000000)
	b = put32(b, level, split)
	b = put64(b, o.Start, o.End)
	if m.VMCoreInfo != "" {
		b = put64(b, uint64(notesAt+infoAt), uint64(len(m.VMCoreInfo)))
	} else {
		b = put64(b, 0, 0)
	}
	b = put64(b, notesAt, uint64(notesSize), 0, 0, o.Start, o.End, m.maxPFN())
	// Older versions have fewer fields; what stands there is not theirs.
	size := map[int]int{0: 8, 1: 12, 2: 32, 3: 48, 4: 64, 5: 80, 6: kdumpSub}[version]
	for i := size; i < kdumpSub; i++ {
		b[i] = 0xa5
	}
	return b
}

// pages returns the descriptor table, which starts at offset at, and the data.
func (o Kdump) pages(m *Memory, at uint64) (table, data []byte) {
	var mine []uint64
	for _, pfn := range m.held() {
		if !o.Split || pfn >= o.Start && pfn < o.End {
			mine = append(mine, pfn)
		}
	}
	// Every part of a split dump leaves room for all descriptors.
	at += 24 * uint64(len(m.Pages))
	zeroAt := at
	if o.ZeroPage {
		data = make([]byte, PageSize)
	}
	for _, pfn := range mine {
		page := m.Pages[pfn]
		if o.ZeroPage && len(bytes.Trim(page, "\x00")) == 0 {
			table = descriptor(table, zeroAt, PageSize, 0)
			continue
		}
		stored, flags := compress(page, o.Codec), o.Codec
		if len(stored) >= PageSize {
			stored, flags = page, Raw
		}
		table = descriptor(table, at+uint64(len(data)), uint32(len(stored)), uint32(flags))
		data = append(data, stored...)
	}
	for len(table) < 24*len(m.Pages) {
		table = descriptor(table, 0, 0, 0)
	}
	return table, data
}

func descriptor(b []byte, off uint64, size, flags uint32) []byte {
	b = put64(b, off)
	b = put32(b, size, flags)
	return put64(b, 0)
}

var zstdEncoder, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))

func compress(page []byte, c Codec) []byte {
	switch c {
	case Zlib:
		var out bytes.Buffer
		w, _ := zlib.NewWriterLevel(&out, zlib.BestSpeed)
		_, _ = w.Write(page)
		_ = w.Close()
		return out.Bytes()
	case LZO:
		return CompressLZO(page)
	case Snappy:
		return snappy.Encode(nil, page)
	case Zstd:
		return zstdEncoder.EncodeAll(page, nil)
	}
	return page
}

// Record is one record of a flattened stream.
type Record struct {
	Offset int64
	Data   []byte
}

// Flatten returns records as a flattened stream with an end mark.
func Flatten(records []Record) []byte {
	b := make([]byte, 4096)
	copy(b, "makedumpfile")
	binary.BigEndian.PutUint64(b[16:], 1)
	binary.BigEndian.PutUint64(b[24:], 1)
	for _, r := range records {
		b = binary.BigEndian.AppendUint64(b, uint64(r.Offset))
		b = binary.BigEndian.AppendUint64(b, uint64(len(r.Data)))
		b = append(b, r.Data...)
	}
	return append(b, bytes.Repeat([]byte{0xff}, 16)...)
}

// Records cuts a file into records of n bytes.
func Records(file []byte, n int) []Record {
	var out []Record
	for at := 0; at < len(file); at += n {
		out = append(out, Record{int64(at), file[at:min(at+n, len(file))]})
	}
	return out
}
