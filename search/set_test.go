package search

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSet(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, count := range []int{1, 2, 100, 5000} {
		values := make([]uint64, count)
		for i := range values {
			values[i] = 0xffff888000000000 + random.Uint64N(1<<20)*8
		}
		values = append(values, values[0]) // twice
		data := make([]byte, 1<<16+24)
		var want []Hit
		for i := 0; i < len(data); i += 8 {
			w := 0xffff888000000000 + random.Uint64N(1<<20)*8
			if random.IntN(4) == 0 {
				w = values[random.IntN(len(values))]
			}
			binary.LittleEndian.PutUint64(data[i:], w)
			if slices.Contains(values, w) {
				want = append(want, Hit{Addr: 0x1000 + uint64(i), Paddr: 0x5000 + uint64(i), Word: w})
			}
		}
		p, err := Set(slices.Clone(values))
		if err != nil {
			t.Fatal(err)
		}
		got := p.Find(nil, data, len(data), 0x1000, 0x5000)
		if len(got) != len(want) {
			t.Fatalf("%d values: %d hits, want %d", count, len(got), len(want))
		}
		for i, h := range got {
			if p.Values()[h.Which] != h.Word {
				t.Errorf("hit %d: value %d is %#x, not %#x", i, h.Which, p.Values()[h.Which], h.Word)
			}
			if h.Which = 0; h != want[i] {
				t.Errorf("hit %d: %+v, want %+v", i, h, want[i])
			}
		}
	}
	if _, err := Set(nil); err == nil {
		t.Error("a set of nothing is accepted")
	}
}

func BenchmarkSet(b *testing.B) {
	values := make([]uint64, 10000)
	for i := range values {
		values[i] = 0xffff888000000000 + uint64(i)*4096
	}
	p, _ := Set(values)
	data := make([]byte, pieceSize)
	for i := 0; i < len(data); i += 8 { // one word in eight is an address nearby
		if i%64 == 0 {
			binary.LittleEndian.PutUint64(data[i:], 0xffff888000000008+uint64(i)*512)
		}
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		p.Find(nil, data, len(data), 0, 0)
	}
}
