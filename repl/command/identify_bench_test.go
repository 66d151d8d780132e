package command

import (
	"testing"

	"github.com/kdive/kdive/identify"
)

var benchPlaces = map[string]uint64{
	"object": 0xffff9b6d00a38d10, "symbol": 0xffffffffbec11998, "stack": 0xffffa92d00237d10,
	"percpu": 0xffff9b6d02a205d0, "page": 0xffff9b6d00ac9d10,
}

func BenchmarkFind(b *testing.B) {
	m, err := tiny(b).identify()
	if err != nil {
		b.Fatal(err)
	}
	for name, addr := range benchPlaces {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if p := m.Find(addr); p.Kind == identify.Nothing {
					b.Fatal("nothing")
				}
			}
		})
	}
	b.Run("typed", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p := m.Find(0xffff9b6d001a63d8)
			if t, ok := m.TypeAt(&p); ok {
				m.MemberAt(&p, &t)
			}
		}
	})
}
