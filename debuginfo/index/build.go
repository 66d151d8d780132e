package index

import (
	"cmp"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/kdive/kdive/debuginfo/scan"
)

// Build makes an index of the results of a scan and of a symbol table, either
// of which may be nil. The same input gives the same index, however the scan
// was spread over goroutines.
func Build(res *scan.Result, syms *Symbols) *Index {
	x := &Index{}
	if res != nil {
		var wg sync.WaitGroup
		wg.Go(func() { x.tables[tUnits].data, x.tables[tRanges].data = buildUnits(res.Units) })
		x.tables[tBuckets].data, x.tables[tNames].data, x.tables[tRecords].data = buildNames(res)
		wg.Wait()
	}
	if syms != nil {
		x.tables[tSymAddrs].data, x.tables[tSymIndex].data = syms.addrs, syms.index
		x.tables[tSymBuckets].data, x.tables[tSymNames].data = syms.buckets, syms.names
	}
	return x
}

func buildUnits(list []scan.Unit) (units, ranges []byte) {
	type span struct {
		low, high uint64
		unit      uint32
	}
	n := 0
	for i := range list {
		n += len(list[i].Ranges)
	}
	spans := make([]span, 0, n)
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
		if a.low != b.low {
			return cmp.Compare(a.low, b.low)
		}
		return cmp.Or(cmp.Compare(b.high, a.high), cmp.Compare(a.unit, b.unit))
	})
	ranges = make([]byte, 0, len(spans)*rangeSize)
	for _, s := range spans {
		ranges = le.AppendUint64(ranges, s.low)
		ranges = le.AppendUint64(ranges, s.high)
		ranges = le.AppendUint64(ranges, uint64(s.unit))
	}
	return units, ranges
}

// bucketCount is a power of two for n items.
func bucketCount(n int) int { return 1 << bits.Len(uint(max(n, 1))) }

// distribute sorts n items by the bucket of their hash: it returns the order
// and the first item of each bucket in it.
func distribute(n int, hash func(int) uint64) (order, starts []uint32) {
	count := bucketCount(n)
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

// part is the records of a part of a scan, sorted and each once.
type part struct {
	items               []item
	names               int // different ones
	firstName, firstRec int // in the tables
}

type item struct {
	hash uint64 // that of the record, which comparing seldom has to look at
	*scan.Record
}

// buildNames makes the tables of names. The parts do not depend on each other, but for
// where in the tables they start.
func buildNames(res *scan.Result) (buckets, names, records []byte) {
	var parts [scan.Parts]part
	each(func(i int) { parts[i].sort(res.Parts[i]) })
	var nNames, nRecords int
	for i := range parts {
		p := &parts[i]
		p.firstName, p.firstRec = nNames, nRecords
		nNames, nRecords = nNames+p.names, nRecords+len(p.items)
	}
	count := max(bucketCount(nNames), scan.Parts)
	buckets = make([]byte, (count+1)*4)
	le.PutUint32(buckets[count*4:], uint32(nNames))
	names, records = make([]byte, nNames*nameSize), make([]byte, nRecords*recordSize)
	each(func(i int) { parts[i].write(buckets, i*count/scan.Parts, (i+1)*count/scan.Parts, names, records) })
	return buckets, names, records
}

// each calls do for all parts, on all processors.
func each(do func(i int)) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < scan.Parts; i = next.Add(1) - 1 {
				do(int(i))
			}
		})
	}
	wg.Wait()
}

func (p *part) sort(pieces [][]scan.Record) {
	n := 0
	for _, list := range pieces {
		n += len(list)
	}
	items := make([]item, 0, n)
	for _, list := range pieces {
		for i := range list {
			items = append(items, item{list[i].Hash, &list[i]})
		}
	}
	slices.SortFunc(items, compare)
	p.items = slices.CompactFunc(items, func(a, b item) bool { // several goroutines met it
		return a.hash == b.hash && a.Kind == b.Kind && a.Key == b.Key
	})
	for i := range p.items {
		if p.begins(i) {
			p.names++
		}
	}
}

// begins reports whether a name begins at item i.
func (p *part) begins(i int) bool { return i == 0 || p.items[i].hash != p.items[i-1].hash }

// compare orders records by name, kind, definition before declaration, and
// place; repetitions come one behind the other. Different names with the same
// 64-bit digest would lose one of them.
func compare(a, b item) int {
	if a.hash != b.hash {
		return cmp.Compare(a.hash, b.hash)
	}
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Flags&scan.Declared, b.Flags&scan.Declared),
		cmp.Compare(a.Key, b.Key), cmp.Compare(a.Off, b.Off))
}

// write fills the buckets from first to end, which are the part's, and its stretch of the
// other tables.
func (p *part) write(buckets []byte, first, end int, names, records []byte) {
	shift := bucketShift(len(buckets)/4 - 1)
	name, rec := p.firstName, p.firstRec
	for i := range p.items {
		it := &p.items[i]
		if p.begins(i) {
			for ; first <= int(it.hash>>shift); first++ {
				le.PutUint32(buckets[first*4:], uint32(name))
			}
			b := names[name*nameSize:][:nameSize]
			le.PutUint64(b, uint64(it.Name))
			le.PutUint32(b[8:], uint32(rec))
			le.PutUint32(b[12:], uint32(it.hash))
			name++
		}
		b := records[rec*recordSize:][:recordSize]
		le.PutUint64(b, it.Key)
		le.PutUint32(b[8:], it.Off)
		b[12], b[13] = byte(it.Kind), it.Flags
		rec++
	}
	for ; first < end; first++ {
		le.PutUint32(buckets[first*4:], uint32(name))
	}
}
