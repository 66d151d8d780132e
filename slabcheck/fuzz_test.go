package slabcheck

import (
	"context"
	"testing"

	"github.com/kdive/kdive/slab"
)

// FuzzCheck overwrites words of a sound cache: whatever they say, the check ends
// and reports.
func FuzzCheck(f *testing.F) {
	f.Add(uint32(0), uint64(0), uint32(8), uint64(1)<<63)
	f.Add(uint32(100*64+24), ^uint64(0), uint32(0x400), uint64(0x4141414141414141))
	f.Add(uint32(1<<20), uint64(0xffffffff), uint32(1<<20+16), uint64(pages+100*64))
	f.Fuzz(func(t *testing.T, at1 uint32, v1 uint64, at2 uint32, v2 uint64) {
		k := soundSLUB(t)
		for _, w := range [...]struct {
			at uint32
			v  uint64
		}{{at1, v1}, {at2, v2}} {
			k.Words(place(w.at), w.v)
		}
		m, err := slab.Load(k)
		if err != nil {
			t.Skip()
		}
		r, err := Check(context.Background(), k, m, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range r.Findings {
			if x.Rule == nil || x.Text == "" || x.Expected != nil && len(x.Expected) != len(x.Found) {
				t.Errorf("finding %+v", x)
			}
		}
	})
}

// place spreads numbers over the page structures, the caches and the objects.
func place(at uint32) uint64 {
	switch off := uint64(at&^7) % (1 << 18); at >> 30 {
	case 0:
		return pages + off%(130*64)
	case 1:
		return cacheAt + off%0x900
	case 2:
		return nodeAt + off%0x3500
	default:
		return memory(100) + off%(30<<12)
	}
}
