package index

import (
	"bytes"
	"hash/crc32"
	"strconv"
	"testing"

	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/scan"
)

var testID = Identity{Fingerprint: [16]byte{1, 2, 3}, BuildID: []byte{0xab, 0xcd}}

// file is an index as it is stored.
func file(tb testing.TB, x *Index) []byte {
	var b bytes.Buffer
	if err := x.write(&b, testID); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// result has n names with up to three records each, found by several goroutines.
func result(n int) (*scan.Result, *die.Sections) {
	s := &die.Sections{Str: []byte{0}}
	res := &scan.Result{
		Units: []scan.Unit{{Off: 0, End: 500, Ranges: []die.Range{{Low: 0x100, High: 0x200}, {Low: 0x300, High: 0x310}}}, {Off: 500, End: 1 << 30, Ranges: []die.Range{{Low: 0x200, High: 0x280}}}},
	}
	add := func(goroutine int, r scan.Record) {
		p := &res.Parts[scan.PartOf(r.Hash)]
		if *p == nil {
			*p = make([][]scan.Record, 3)
		}
		(*p)[goroutine] = append((*p)[goroutine], r)
	}
	for i := range n {
		ref := die.StrpRef(uint32(len(s.Str)))
		name := "name" + strconv.Itoa(i)
		s.Str = append(append(s.Str, name...), 0)
		for k := range i%3 + 1 {
			r := scan.Record{Hash: die.Hash([]byte(name)), Key: uint64(k + 1), Name: ref, Off: uint32(i*10 + k), Kind: scan.Struct}
			add((i*7+k)%3, r)
			r.Off += 5 // another goroutine met the same definition
			add(2, r)
		}
	}
	return res, s
}

func TestLookup(t *testing.T) {
	for _, n := range []int{0, 1, 2, 1000} {
		res, s := result(n)
		x, err := Parse(file(t, Build(res, nil)), testID)
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Check(); err != nil {
			t.Fatal(err)
		}
		if x.Names() != n {
			t.Errorf("%d names, want %d", x.Names(), n)
		}
		for i := range n {
			recs := x.Lookup(s, "name"+strconv.Itoa(i))
			if len(recs) != i%3+1 {
				t.Errorf("name%d: %+v", i, recs)
			}
			for k, r := range recs {
				if k > 0 && recs[k-1].Key >= r.Key {
					t.Errorf("name%d: %+v", i, recs)
				}
			}
		}
		if recs := x.Lookup(s, "nope"); recs != nil {
			t.Errorf("nope: %+v", recs)
		}
	}
}

func TestUnits(t *testing.T) {
	res, _ := result(3)
	x, err := Parse(file(t, Build(res, nil)), testID)
	if err != nil {
		t.Fatal(err)
	}
	for pc, want := range map[uint64]int{0xff: -1, 0x100: 0, 0x1ff: 0, 0x200: 500, 0x280: -1, 0x30f: 0, 0x310: -1} {
		u, _, ok := x.UnitAt(pc)
		if ok != (want >= 0) || ok && u.Off != want {
			t.Errorf("%#x: %+v, %v", pc, u, ok)
		}
	}
	if next, ok := x.NextRange(0x280); !ok || next != 0x300 {
		t.Errorf("after 0x280: %#x, %v", next, ok)
	}
	for off, want := range map[int]int{0: 0, 499: 0, 500: 500, 1 << 30: -1, -1: -1} {
		if u, ok := x.UnitOf(off); ok != (want >= 0) || ok && u.Off != want {
			t.Errorf("unit of %d: %+v, %v", off, u, ok)
		}
	}
}

// use calls everything with an index of unknown worth.
func use(x *Index, s *die.Sections) {
	x.Lookup(s, "name1")
	x.SymbolNames("name1")
	for i := -1; i < min(x.Names(), 100)+1; i++ {
		x.Name(i)
	}
	for i := -1; i < min(x.Symbols(), 100)+1; i++ {
		x.Symbol(i)
	}
	for _, v := range []uint64{0, 1, 0x100, 0x250, 1 << 40, 1<<64 - 1} {
		x.UnitAt(v)
		x.NextRange(v)
		x.UnitsNear(v)
		x.UnitOf(int(v))
		x.SymbolAfter(v)
	}
}

// FuzzIndex uses index files that were changed with their check sums put
// right: nothing in them may be relied on.
func FuzzIndex(f *testing.F) {
	res, s := result(5)
	f.Add(file(f, Build(res, nil)), uint16(headerSize+4), uint32(7))
	f.Add(file(f, Build(nil, &Symbols{addrs: make([]byte, 16), index: make([]byte, 8), buckets: make([]byte, 12), names: make([]byte, 16)})), uint16(fixedSize), uint32(1<<31))
	f.Fuzz(func(t *testing.T, data []byte, at uint16, v uint32) {
		if int(at)+4 <= len(data) {
			le.PutUint32(data[at:], v)
		}
		if len(data) >= headerSize {
			copy(data, magic[:])
			le.PutUint32(data[8:], Version)
			le.PutUint32(data[12:], numTables)
			copy(data[16:], appendIdentity(nil, testID))
			le.PutUint64(data[fixedSize-8:], uint64(len(data)))
			le.PutUint64(data[headerSize-8:], uint64(crc32.Checksum(data[:headerSize-8], castagnoli)))
		}
		x, err := Parse(data, testID)
		if err != nil {
			return
		}
		_ = x.Check()
		use(x, s)
	})
}
