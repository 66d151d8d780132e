// Package index keeps what a scan of debug info and symbol table found, in a
// form that is the same in memory and on disk: name -> entries, address ->
// unit, address -> symbol.
//
// It knows tables and files, and of DWARF only that names and entries have
// offsets. Everything in it is an offset into sections of the object it was
// made from, never a copy. An index from disk is not trusted: each access is
// bounds-checked, and check sums tell of accidents before the tables are used.
// Start from Build and Index; see store.go for the files.
package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"

	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/scan"
)

// Version of the file format, of die.Hash and of scan.Key.
const Version = 3

// Identity is the object that an index belongs to.
type Identity struct {
	Fingerprint [16]byte // elffile.File.Fingerprint, mixed with that of a separate debug file
	BuildID     []byte
}

// The tables of an index.
const (
	tUnits      = iota // unitSize bytes each, by offset
	tRanges            // rangeSize bytes each, by low address
	tBuckets           // u32: first name of each bucket of hashes, and the end
	tNames             // nameSize bytes each, by hash
	tRecords           // recordSize bytes each, by name
	tSymAddrs          // u64 address, sorted
	tSymIndex          // u32 index in the symbol table, in the same order
	tSymBuckets        // u32
	tSymNames          // u32 low half of the hash, u32 index in the symbol table; by hash
	numTables
)

const (
	unitSize   = 24
	rangeSize  = 24
	nameSize   = 16
	recordSize = 16
)

var (
	magic      = [8]byte{'k', 'd', 'i', 'v', 'e', 'i', 'd', 'x'}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	le         = binary.LittleEndian
)

const (
	maxBuildID = 64
	// magic, version, number of tables, fingerprint, build ID length and bytes, file size
	fixedSize  = 8 + 4 + 4 + 16 + 4 + maxBuildID + 8
	tableSize  = 8 + 8 + 4 + 4 // offset, size, check sum, unused
	headerSize = fixedSize + numTables*tableSize + 8
)

// Index is an index, built or parsed.
type Index struct {
	tables [numTables]table
	close  func() error
}

type table struct {
	data []byte
	sum  uint32
}

// errFormat is in the chain of errors that mean: build the index again.
var errFormat = errors.New("index ill-formed or of another object")

// Parse checks the header of an index. The tables are checked by Check and
// CheckSymbols.
func Parse(data []byte, id Identity) (*Index, error) {
	if len(data) < headerSize || [8]byte(data[:8]) != magic {
		return nil, fmt.Errorf("%w: no header", errFormat)
	}
	if sum := le.Uint64(data[headerSize-8:]); sum != uint64(crc32.Checksum(data[:headerSize-8], castagnoli)) {
		return nil, fmt.Errorf("%w: header check sum", errFormat)
	}
	if v := le.Uint32(data[8:]); v != Version || le.Uint32(data[12:]) != numTables {
		return nil, fmt.Errorf("%w: version %d, expected %d", errFormat, v, Version)
	}
	if le.Uint64(data[fixedSize-8:]) != uint64(len(data)) {
		return nil, fmt.Errorf("%w: cut off", errFormat)
	}
	want := appendIdentity(nil, id)
	if string(data[16:16+len(want)]) != string(want) {
		return nil, fmt.Errorf("%w: identity", errFormat)
	}
	x := &Index{}
	for i := range x.tables {
		h := data[fixedSize+i*tableSize:]
		off, size := le.Uint64(h), le.Uint64(h[8:])
		if off > uint64(len(data)) || size > uint64(len(data))-off {
			return nil, fmt.Errorf("%w: table %d outside the file", errFormat, i)
		}
		x.tables[i].data, x.tables[i].sum = data[off:off+size], le.Uint32(h[16:])
	}
	return x, nil
}

func appendIdentity(b []byte, id Identity) []byte {
	b = append(b, id.Fingerprint[:]...)
	n := min(len(id.BuildID), maxBuildID)
	b = le.AppendUint32(b, uint32(n))
	b = append(b, id.BuildID[:n]...)
	return append(b, make([]byte, maxBuildID-n)...)
}

// write writes the index in the form that Parse reads.
func (x *Index) write(w io.Writer, id Identity) error {
	b := append(make([]byte, 0, headerSize), magic[:]...)
	b = le.AppendUint32(b, Version)
	b = le.AppendUint32(b, numTables)
	b = appendIdentity(b, id)
	size := headerSize
	for i := range x.tables {
		size += padded(len(x.tables[i].data))
	}
	b = le.AppendUint64(b, uint64(size))
	off := headerSize
	for i := range x.tables {
		t := x.tables[i].data
		b = le.AppendUint64(b, uint64(off))
		b = le.AppendUint64(b, uint64(len(t)))
		b = le.AppendUint64(b, uint64(crc32.Checksum(t, castagnoli)))
		off += padded(len(t))
	}
	b = le.AppendUint64(b, uint64(crc32.Checksum(b, castagnoli)))
	_, err := w.Write(b)
	for i := range x.tables {
		t := x.tables[i].data
		for _, b := range [][]byte{t, make([]byte, padded(len(t))-len(t))} {
			if err == nil && len(b) > 0 {
				_, err = w.Write(b)
			}
		}
	}
	return err
}

// padded is a table's size with what aligns the next one.
func padded(n int) int { return (n + 7) &^ 7 }

// Close gives back the file that the index was loaded from, if any.
func (x *Index) Close() error {
	if x.close == nil {
		return nil
	}
	return x.close()
}

// Check verifies the check sums of all tables of an index that was parsed, which
// costs about a millisecond for a kernel. One just built has none.
func (x *Index) Check() error { return x.check(0, numTables-1) }

// CheckSymbols is Check of the tables of symbols.
func (x *Index) CheckSymbols() error { return x.check(tSymAddrs, tSymNames) }

func (x *Index) check(first, last int) error {
	for i := first; i <= last; i++ {
		if t := &x.tables[i]; crc32.Checksum(t.data, castagnoli) != t.sum {
			return fmt.Errorf("%w: check sum of table %d", errFormat, i)
		}
	}
	return nil
}

func (x *Index) table(i int) []byte { return x.tables[i].data }

func u32(b []byte, i int) uint32 {
	if i < 0 || i > len(b)/4-1 {
		return 0
	}
	return le.Uint32(b[i*4:])
}

func u64(b []byte, i int) uint64 {
	if i < 0 || i > len(b)/8-1 {
		return 0
	}
	return le.Uint64(b[i*8:])
}

// bucketShift gives the number of hash bits above the bucket number for n
// buckets (a power of two).
func bucketShift(n int) int { return 64 - bits.Len(uint(n-1)) }

// bucket is the range of items in the bucket of a hash.
func bucket(buckets []byte, hash uint64) (first, end int) {
	n := len(buckets)/4 - 1
	if n <= 0 || n&(n-1) != 0 {
		return 0, 0
	}
	i := int(hash >> bucketShift(n))
	if n == 1 {
		i = 0
	}
	return int(u32(buckets, i)), int(u32(buckets, i+1))
}

// Record is one named entry.
type Record struct {
	Off   int // of the entry in .debug_info
	Key   uint64
	Kind  scan.Kind
	Flags uint8
}

// Lookup is the records of a name, by kind and offset. name must be what s has
// at the name's place; s are the sections that the index was made from.
func (x *Index) Lookup(s *die.Sections, name string) []Record {
	hash := die.Hash([]byte(name))
	first, end := bucket(x.table(tBuckets), hash)
	names := x.table(tNames)
	end = min(end, len(names)/nameSize)
	for i := first; i < end; i++ {
		n := names[i*nameSize:]
		if le.Uint32(n[12:]) == uint32(hash) && string(s.String(die.StrRef(le.Uint64(n)))) == name {
			return x.records(i)
		}
	}
	return nil
}

// records of name i.
func (x *Index) records(i int) []Record {
	names, recs := x.table(tNames), x.table(tRecords)
	first := int(le.Uint32(names[i*nameSize+8:]))
	end := len(recs) / recordSize
	if (i+2)*nameSize <= len(names) {
		end = min(end, int(le.Uint32(names[(i+1)*nameSize+8:])))
	}
	if first >= end {
		return nil
	}
	list := make([]Record, 0, end-first)
	for ; first < end; first++ {
		list = append(list, decodeRecord(recs[first*recordSize:]))
	}
	return list
}

func decodeRecord(b []byte) Record {
	return Record{Key: le.Uint64(b), Off: int(le.Uint32(b[8:])), Kind: scan.Kind(b[12]), Flags: b[13]}
}

// Names is the number of different names.
func (x *Index) Names() int { return len(x.table(tNames)) / nameSize }

// Name is where name i stands, and its records.
func (x *Index) Name(i int) (die.StrRef, []Record) {
	names := x.table(tNames)
	if i < 0 || i >= len(names)/nameSize {
		return 0, nil
	}
	return die.StrRef(le.Uint64(names[i*nameSize:])), x.records(i)
}

// Unit is one unit of .debug_info.
type Unit struct {
	Off, End      int
	Name, CompDir die.StrRef
}

// Units is the number of units.
func (x *Index) Units() int { return len(x.table(tUnits)) / unitSize }

// Unit is unit i, in the order of offsets.
func (x *Index) Unit(i int) (Unit, bool) {
	t := x.table(tUnits)
	if i < 0 || i >= len(t)/unitSize {
		return Unit{}, false
	}
	b := t[i*unitSize:]
	return Unit{int(le.Uint32(b)), int(le.Uint32(b[4:])), die.StrRef(le.Uint64(b[8:])), die.StrRef(le.Uint64(b[16:]))}, true
}

// UnitOf is the unit that holds the entry at off.
func (x *Index) UnitOf(off int) (Unit, bool) {
	lo, hi := 0, x.Units()
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if u, _ := x.Unit(mid); u.Off <= off {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	u, ok := x.Unit(lo - 1)
	return u, ok && off >= u.Off && off < u.End
}

// UnitAt is the unit whose code covers a link-time address, and the range of
// its that does.
func (x *Index) UnitAt(pc uint64) (Unit, die.Range, bool) {
	t := x.table(tRanges)
	n := x.rangesUpTo(pc)
	// Ranges hardly ever overlap; look a few back in case they do.
	for i := n - 1; i >= 0 && i >= n-4; i-- {
		b := t[i*rangeSize:]
		if r := (die.Range{Low: le.Uint64(b), High: le.Uint64(b[8:])}); r.Contains(pc) {
			u, ok := x.Unit(int(le.Uint32(b[16:])))
			return u, r, ok
		}
	}
	return Unit{}, die.Range{}, false
}

// NextRange is the lowest address above pc at which code of a unit starts.
func (x *Index) NextRange(pc uint64) (uint64, bool) {
	i := x.rangesUpTo(pc) * rangeSize
	if t := x.table(tRanges); i < len(t)/rangeSize*rangeSize {
		return le.Uint64(t[i:]), true
	}
	return 0, false
}

// UnitsNear is the units of the ranges next to an address that is in none: the
// one behind it first.
func (x *Index) UnitsNear(pc uint64) []Unit {
	t := x.table(tRanges)
	n := x.rangesUpTo(pc)
	var list []Unit
	for _, i := range [...]int{n, n - 1} {
		if i >= 0 && i < len(t)/rangeSize {
			if u, ok := x.Unit(int(le.Uint32(t[i*rangeSize+16:]))); ok {
				list = append(list, u)
			}
		}
	}
	return list
}

// rangesUpTo is the number of ranges that start at or below pc.
func (x *Index) rangesUpTo(pc uint64) int {
	t := x.table(tRanges)
	lo, hi := 0, len(t)/rangeSize
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if le.Uint64(t[mid*rangeSize:]) <= pc {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
