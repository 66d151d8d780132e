package search

import (
	"context"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/vmcore"
)

// BenchmarkDump compares a search of the dump that KDIVE_BENCH_DUMP names with
// one thread that only reads it.
func BenchmarkDump(b *testing.B) {
	path := os.Getenv("KDIVE_BENCH_DUMP")
	if path == "" {
		b.Skip("KDIVE_BENCH_DUMP names no dump")
	}
	d, err := vmcore.Open([]string{path})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	var size uint64
	for run := range d.Runs() {
		size += run.End - run.Start
	}
	b.Run("read by one thread", func(b *testing.B) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		b.SetBytes(int64(size))
		buf := make([]byte, pieceSize)
		defer reportCPU(b)()
		for b.Loop() {
			r := d.NewReader()
			for run := range d.Runs() {
				for at := run.Start; at < run.End; at += pieceSize {
					_ = r.ReadPhys(buf[:min(pieceSize, run.End-at)], at)
				}
			}
		}
	})
	b.Run("search", func(b *testing.B) {
		b.SetBytes(int64(size))
		p, err := Words(8, []uint64{0xdeadbeef12345678}, 0)
		if err != nil {
			b.Fatal(err)
		}
		defer reportCPU(b)()
		for b.Loop() {
			s := Search{Dump: d, Pattern: p, Extents: func(yield func(kernel.Extent, error) bool) {
				for run := range d.Runs() {
					if !yield(kernel.Extent{Vaddr: run.Start, Paddr: run.Start, Size: run.End - run.Start}, nil) {
						return
					}
				}
			}}
			for _, err := range s.Hits(context.Background()) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// reportCPU adds the seconds of processor time, which do not depend on what else
// runs on the machine.
func reportCPU(b *testing.B) func() {
	start := cpuSeconds()
	return func() { b.ReportMetric((cpuSeconds()-start)/float64(b.N), "cpu-s/op") }
}

func cpuSeconds() float64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}
