package index

import (
	"cmp"
	"hash/crc32"
	"math/bits"
	"runtime"
	"slices"
	"sync"

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
	// Buckets do not depend on each other: each processor makes a run of them.
	count := len(starts) - 1
	runs := make([]nameRun, min(runtime.GOMAXPROCS(0), count))
	var wg sync.WaitGroup
	for k := range runs {
		wg.Go(func() {
			runs[k].build(all, order, starts[k*count/len(runs):(k+1)*count/len(runs)+1])
		})
	}
	wg.Wait()
	buckets = make([]byte, 0, len(starts)*4)
	names = make([]byte, 0, n*nameSize)
	records = make([]byte, 0, n*recordSize)
	for i := range runs {
		r := &runs[i]
		name, record := uint32(len(names)/nameSize), uint32(len(records)/recordSize)
		for _, first := range r.buckets {
			buckets = le.AppendUint32(buckets, name+first)
		}
		for b := r.names; len(b) > 0; b = b[nameSize:] {
			le.PutUint32(b[8:], record+le.Uint32(b[8:]))
		}
		names, records = append(names, r.names...), append(records, r.records...)
	}
	buckets = le.AppendUint32(buckets, uint32(len(names)/nameSize))
	return buckets, names, records
}

// nameRun is the tables of a run of buckets, counted from its start.
type nameRun struct {
	buckets        []uint32 // first name of each
	names, records []byte
}

// build makes the tables of the buckets whose items in order starts delimits.
func (r *nameRun) build(all []*scan.Record, order, starts []uint32) {
	n := int(starts[len(starts)-1] - starts[0])
	r.buckets = make([]uint32, 0, len(starts)-1)
	r.names, r.records = make([]byte, 0, n*nameSize), make([]byte, 0, n*recordSize)
	for b := range len(starts) - 1 {
		r.buckets = append(r.buckets, uint32(len(r.names)/nameSize))
		items := order[starts[b]:starts[b+1]]
		slices.SortFunc(items, func(i, j uint32) int { return compare(all[i], all[j]) })
		var last *scan.Record
		for _, i := range items {
			rec := all[i]
			if last == nil || last.Hash != rec.Hash {
				r.names = le.AppendUint64(r.names, uint64(rec.Name))
				r.names = le.AppendUint32(r.names, uint32(len(r.records)/recordSize))
				r.names = le.AppendUint32(r.names, uint32(rec.Hash))
			} else if last.Kind == rec.Kind && last.Key == rec.Key {
				continue // two goroutines met it
			}
			last = rec
			r.records = le.AppendUint64(r.records, rec.Key)
			r.records = le.AppendUint32(r.records, rec.Off)
			r.records = append(r.records, byte(rec.Kind), rec.Flags, 0, 0)
		}
	}
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
