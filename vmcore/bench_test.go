package vmcore_test

import (
	"math/rand/v2"
	"testing"

	"github.com/kdive/kdive/vmcore"
	"github.com/kdive/kdive/vmcore/vmcoretest"
)

// benchMemory is 16 MiB of pages as kernels have them: half text-like, half
// pointers and small numbers.
func benchMemory() *vmcoretest.Memory {
	r := rand.New(rand.NewPCG(11, 12))
	m := &vmcoretest.Memory{VMCoreInfo: sampleInfo}
	p := make([]byte, page)
	for pfn := range uint64(4096) {
		for i := 0; i < page; i += 8 {
			v := uint64(r.IntN(1000))
			if pfn%2 == 0 && i%24 == 0 {
				v = 0xffff888000000000 | r.Uint64N(1<<30)&^7
			}
			put64(p[i:], v)
		}
		m.Write(pfn*page, p)
	}
	return m
}

func benchFiles() map[string][]byte {
	m := benchMemory()
	files := map[string][]byte{"elf": m.ELF(vmcoretest.HeadersFirst, nil)}
	for name, c := range vmcoretest.Codecs {
		files[name] = m.Kdump(vmcoretest.Kdump{Codec: c})
	}
	files["zlib,flattened"] = vmcoretest.Flatten(vmcoretest.Records(files["zlib"], 32768))
	return files
}

func BenchmarkOpen(b *testing.B) {
	for name, file := range benchFiles() {
		b.Run(name, func(b *testing.B) {
			paths := write(b, file)
			b.ReportAllocs()
			for b.Loop() {
				d, err := vmcore.Open(paths)
				if err != nil {
					b.Fatal(err)
				}
				d.Close()
			}
		})
	}
}

// BenchmarkPage reads whole pages past the cache, as a scan does.
func BenchmarkPage(b *testing.B) {
	for name, file := range benchFiles() {
		b.Run(name, func(b *testing.B) {
			r := open(b, file).NewReader()
			p := make([]byte, page)
			b.SetBytes(page)
			b.ReportAllocs()
			for i := uint64(0); b.Loop(); i++ {
				if err := r.ReadPhys(p, i%4096*page); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWord reads words that the cache holds.
func BenchmarkWord(b *testing.B) {
	for name, file := range benchFiles() {
		b.Run(name, func(b *testing.B) {
			d := open(b, file)
			p := make([]byte, 8)
			b.ReportAllocs()
			for i := uint64(0); b.Loop(); i++ {
				if err := d.ReadPhys(p, i%4096*page+i*8%page); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkScan reads all memory on all processors.
func BenchmarkScan(b *testing.B) {
	for name, file := range benchFiles() {
		b.Run(name, func(b *testing.B) {
			d := open(b, file)
			b.SetBytes(1 << 20)
			b.RunParallel(func(pb *testing.PB) {
				r := d.NewReader()
				p := make([]byte, 1<<20)
				for i := uint64(0); pb.Next(); i++ {
					if err := r.ReadPhys(p, i%16<<20); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
