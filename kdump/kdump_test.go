package kdump

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kdump/source"
	"github.com/kdive/kdive/vmcore/vmcoretest"
)

// memory is a Source over bytes.
type memory struct{ *bytes.Reader }

func (m memory) Size() int64 { return m.Reader.Size() }

func (m memory) DataFrom(off int64) int64 { return off }
func (m memory) Stored() int64            { return m.Reader.Size() }
func (m memory) Warnings() []string       { return nil }
func (m memory) Close() error             { return nil }

var _ source.Source = memory{}

func bitsOf(n int, density float64, r *rand.Rand) []bool {
	b := make([]bool, n)
	for i := range b {
		b[i] = r.Float64() < density
	}
	return b
}

func TestBitmap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 7, 8, 63, 64, 65, 4095, 4096, 4097, 3 * 4096, 10000} {
		for _, density := range []float64{0, 0.01, 0.5, 1} {
			want := bitsOf(n, density, r)
			raw := bytes.Repeat([]byte{0xff}, (n+7)/8+3) // bits beyond the last do not count
			for i, set := range want {
				if !set {
					raw[i/8] &^= 1 << (i % 8)
				}
			}
			b := &bitmap{src: memory{bytes.NewReader(append([]byte("head"), raw...))}, off: 4, bits: uint64(n)}
			if err := b.index(); err != nil {
				t.Fatal(err)
			}
			checkBitmap(t, b, want)
		}
	}
}

func checkBitmap(t *testing.T, b *bitmap, want []bool) {
	t.Helper()
	w := new(window)
	before := uint64(0)
	for i, set := range want {
		if err := w.load(b, uint64(i)); err != nil {
			t.Fatal(err)
		}
		if w.test(uint64(i)) != set || w.before(b, uint64(i)) != before {
			t.Fatalf("%d bits: bit %d is %v with %d before it, want %v with %d", len(want), i, w.test(uint64(i)), w.before(b, uint64(i)), set, before)
		}
		if set {
			before++
		}
		for _, v := range []bool{false, true} {
			next := slices.Index(want[i:], v)
			if next < 0 {
				next = len(want) - i
			}
			if got, err := w.next(b, uint64(i), v); err != nil || got != uint64(i+next) {
				t.Fatalf("%d bits: next %v from %d is %d, %v; want %d", len(want), v, i, got, err, i+next)
			}
		}
	}
	if b.set != before {
		t.Errorf("%d bits: %d set, want %d", len(want), b.set, before)
	}
}

// sparse is bytes with a hole in front.
type sparse struct {
	memory
	hole int64
}

func (s sparse) DataFrom(off int64) int64 { return max(off, min(s.hole, s.Size())) }

func TestBitmapWithHole(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, hole := range []int{0, 1, 511, 512, 513, 5000, 9999} {
		const n = 60000
		want := bitsOf(n, 0.3, r)
		raw := make([]byte, n/8)
		for i := range want {
			if want[i] = want[i] && i >= hole*8; want[i] {
				raw[i/8] |= 1 << (i % 8)
			}
		}
		b := &bitmap{src: sparse{memory{bytes.NewReader(raw)}, int64(hole)}, bits: n}
		if err := b.index(); err != nil {
			t.Fatal(err)
		}
		checkBitmap(t, b, want)
	}
}

func TestBitmapCutOff(t *testing.T) {
	b := &bitmap{src: memory{bytes.NewReader(bytes.Repeat([]byte{1}, 1000))}, bits: 5000 * 8}
	if err := b.index(); !errors.Is(err, io.EOF) || b.bits != 8000 || b.set != 1000 {
		t.Errorf("%v, %d bits, %d set", err, b.bits, b.set)
	}
}

func TestReadHeader(t *testing.T) {
	m := &vmcoretest.Memory{VMCoreInfo: "OSRELEASE=x\n"}
	m.Write(0x123*PageSize, []byte{1})
	file := m.Kdump(vmcoretest.Kdump{Codec: vmcoretest.Snappy, Status: flagNoVmemmap, Split: true, Start: 5, End: 0x124, EraseInfo: "erase x\n"})
	h, err := ReadHeader(memory{bytes.NewReader(file)})
	if err != nil {
		t.Fatal(err)
	}
	if h.Version != 6 || h.Codec() != "snappy" || !h.NoVmemmap() || h.Incomplete() || h.MaxMapnr != 0x124 ||
		!h.Split || h.StartPFN != 5 || h.EndPFN != 0x124 || h.DumpLevel != 0 || h.PhysBase != 0x1000000 ||
		h.Utsname.Nodename != "testhost" || h.Utsname.Machine != "x86_64" || h.CPUs != 2 {
		t.Errorf("%+v", h)
	}
	for what, e := range map[string]Extent{"OSRELEASE=x\n": h.VMCoreInfo, "erase x\n": h.EraseInfo} {
		if b, err := e.read(memory{bytes.NewReader(file)}, "text"); err != nil || string(b) != what {
			t.Errorf("%q, %v, want %q", b, err, what)
		}
	}
	for _, n := range []int{0, 100, 463, PageSize + 103} {
		if _, err := ReadHeader(memory{bytes.NewReader(file[:n])}); err == nil {
			t.Errorf("cut at %d: no error", n)
		}
	}
}

// Many readers share a cache so small that every page is thrown out again.
func TestCacheUnderContention(t *testing.T) {
	m := &vmcoretest.Memory{}
	for pfn := range uint64(600) {
		m.Write(pfn*PageSize, bytes.Repeat([]byte{byte(pfn), byte(pfn >> 8)}, PageSize/2))
	}
	im, err := Open([]Part{{"dump", memory{bytes.NewReader(m.Kdump(vmcoretest.Kdump{Codec: vmcoretest.Zstd}))}}})
	if err != nil {
		t.Fatal(err)
	}
	im.cache.init(1)
	var wg sync.WaitGroup
	for seed := range uint64(8) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, 0))
			for range 3000 {
				p := make([]byte, 2+r.IntN(3*PageSize))
				at := r.Uint64N(590 * PageSize)
				if err := im.ReadPhys(p, at); err != nil {
					t.Error(err)
					return
				}
				for _, i := range []int{0, len(p) / 2, len(p) - 1} {
					a := at + uint64(i)
					if want := m.Pages[a/PageSize][a%PageSize]; p[i] != want {
						t.Errorf("address %#x: %#x, want %#x", a, p[i], want)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestLargeRead(t *testing.T) {
	m := &vmcoretest.Memory{}
	var want []byte
	for pfn := range uint64(300) {
		p := bytes.Repeat([]byte{byte(pfn), 1, byte(pfn >> 8), 2}, PageSize/4)
		m.Write(pfn*PageSize, p)
		want = append(want, p...)
	}
	delete(m.Pages, 250)
	m.Exclude(250)
	im, err := Open([]Part{{"dump", memory{bytes.NewReader(m.Kdump(vmcoretest.Kdump{Codec: vmcoretest.LZO}))}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []int{0, 1, 4095, 100 * PageSize} {
		got := make([]byte, 200*PageSize-7)
		err := im.ReadPhys(got, uint64(from))
		end := len(got)
		if from+end > 250*PageSize {
			end = 250*PageSize - from
			var f *fault.Error
			if !errors.As(err, &f) || f.Addr != 250*PageSize || f.Reason != fault.Excluded {
				t.Errorf("from %d: %v", from, err)
			}
		} else if err != nil {
			t.Errorf("from %d: %v", from, err)
		}
		if !bytes.Equal(got[:end], want[from:from+end]) {
			t.Errorf("from %d: bytes differ", from)
		}
	}
}
