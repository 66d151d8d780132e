package index

import (
	"cmp"
	"hash/crc32"
	"math/bits"
	"slices"

	"github.com/kdive/kdive/debuginfo/scan"
)

// Build makes an index of the results of a scan and of a symbol table, either
// of which may be nil. The same input gives the same bytes, however the scan
// was spread over goroutines.
func Build(id Identity, res *scan.Result, syms *Symbols) []byte {
	var tables [numTables][]byte
	if res != nil {
		tables[tUnits], tables[tRanges] = buildUnits(res.Units)
		tables[tBuckets], tables[tNames], tables[tRecords] = buildNames(res.Parts)
	}
	if syms != nil {
		tables[tSymAddrs], tables[tSymIndex] = syms.addrs, syms.index
		tables[tSymBuckets], tables[tSymNames] = syms.buckets, syms.names
	}
	size := headerSize
	for _, t := range tables {
		size += (len(t) + 7) &^ 7
	}
	b := make([]byte, 0, size)
	b = append(b, magic[:]...)
	b = le.AppendUint32(b, Version)
	b = le.AppendUint32(b, numTables)
	b = appendIdentity(b, id)
	b = le.AppendUint64(b, uint64(size))
	off := headerSize
	for _, t := range tables {
		b = le.AppendUint64(b, uint64(off))
		b = le.AppendUint64(b, uint64(len(t)))
		b = le.AppendUint64(b, uint64(crc32.Checksum(t, castagnoli)))
		off += (len(t) + 7) &^ 7
	}
	b = le.AppendUint64(b, uint64(crc32.Checksum(b, castagnoli)))
	for _, t := range tables {
		b = append(b, t...)
		b = append(b, make([]byte, -len(t)&7)...)
	}
	return b
}

func buildUnits(list []scan.Unit) (units, ranges []byte) {
	type span struct {
		low, high uint64
		unit      uint32
	}
	var spans []span
	units = make([]byte, 0, len(list)*unitSize)
	for i := range list {
		u := &list[i]
		units = le.AppendUint32(units, u.Off)
		units = le.AppendUint32(units, u.End)
		units = le.AppendUint64(units, uint64(u.Name))
		units = le.AppendUint64(units, uint64(u.CompDir))
		for _, r := range u.Ranges {
			spans = append(spans, span{r.Low, r.High, uint32(i)})
		}
	}
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.low, b.low), cmp.Compare(b.high, a.high), cmp.Compare(a.unit, b.unit))
	})
	ranges = make([]byte, 0, len(spans)*rangeSize)
	for _, s := range spans {
		ranges = le.AppendUint64(ranges, s.low)
		ranges = le.AppendUint64(ranges, s.high)
		ranges = le.AppendUint64(ranges, uint64(s.unit))
	}
	return units, ranges
}

// distribute sorts n items by the bucket of their hash: it returns the order
// and the first item of each bucket in it.
func distribute(n int, hash func(int) uint64) (order, starts []uint32) {
	count := 1 << bits.Len(uint(max(n, 1)))
	shift := bucketShift(count)
	starts = make([]uint32, count+1)
	for i := range n {
		starts[hash(i)>>shift+1]++
	}
	for i := range count {
		starts[i+1] += starts[i]
	}
	order = make([]uint32, n)
	next := slices.Clone(starts)
	for i := range n {
		b := hash(i) >> shift
		order[next[b]] = uint32(i)
		next[b]++
	}
	return order, starts
}

func buildNames(parts [][]scan.Record) (buckets, names, records []byte) {
	var all []*scan.Record
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	all = make([]*scan.Record, 0, n)
	for _, p := range parts {
		for i := range p {
			all = append(all, &p[i])
		}
	}
	order, starts := distribute(n, func(i int) uint64 { return all[i].Hash })
	buckets = make([]byte, 0, len(starts)*4)
	names = make([]byte, 0, n*nameSize)
	records = make([]byte, 0, n*recordSize)
	for b := range len(starts) - 1 {
		buckets = le.AppendUint32(buckets, uint32(len(names)/nameSize))
		items := order[starts[b]:starts[b+1]]
		slices.SortFunc(items, func(i, j uint32) int { return compare(all[i], all[j]) })
		var last *scan.Record
		for _, i := range items {
			r := all[i]
			if last == nil || last.Hash != r.Hash {
				names = le.AppendUint64(names, uint64(r.Name))
				names = le.AppendUint32(names, uint32(len(records)/recordSize))
				names = le.AppendUint32(names, uint32(r.Hash))
			} else if last.Kind == r.Kind && last.Key == r.Key {
				continue // two goroutines met it
			}
			last = r
			records = le.AppendUint64(records, r.Key)
			records = le.AppendUint32(records, r.Off)
			records = append(records, byte(r.Kind), r.Flags, 0, 0)
		}
	}
	buckets = le.AppendUint32(buckets, uint32(len(names)/nameSize))
	return buckets, names, records
}

// compare orders records by name, kind, definition before declaration, and
// place; repetitions come one behind the other. Different names with the same
// 64-bit digest would lose one of them.
func compare(a, b *scan.Record) int {
	if a.Hash != b.Hash {
		return cmp.Compare(a.Hash, b.Hash)
	}
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Flags&scan.Declared, b.Flags&scan.Declared),
		cmp.Compare(a.Key, b.Key), cmp.Compare(a.Off, b.Off))
}
