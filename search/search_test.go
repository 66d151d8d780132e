package search

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/vmcore"
	"github.com/kdive/kdive/vmcore/vmcoretest"
)

const page = kernel.PageSize

// open opens a dump with these pages and, in front of and behind them, excluded
// ones.
func open(t testing.TB, pages map[uint64][]byte, excluded ...uint64) *vmcore.Dump {
	t.Helper()
	m := &vmcoretest.Memory{Pages: pages}
	m.Exclude(excluded...)
	name := filepath.Join(t.TempDir(), "dump")
	if err := os.WriteFile(name, m.Kdump(vmcoretest.Kdump{Codec: vmcoretest.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := vmcore.Open([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// physical is a dump's physical memory.
type physical struct{ *vmcore.Dump }

func (p physical) Read(b []byte, paddr uint64) error { return p.ReadPhys(b, paddr) }

// all is all of a dump's physical memory in one extent.
func all(d *vmcore.Dump) iter.Seq2[kernel.Extent, error] {
	return extents(kernel.Extent{Size: d.Info().MaxPhys})
}

func extents(list ...kernel.Extent) iter.Seq2[kernel.Extent, error] {
	return func(yield func(kernel.Extent, error) bool) {
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func collect(t *testing.T, s *Search) (hits []Hit) {
	t.Helper()
	for h, err := range s.Hits(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		hits = append(hits, h)
	}
	return hits
}

// TestWords compares with a plain loop over random memory of few values, in
// which some pages are not in the dump.
func TestWords(t *testing.T) {
	const pages = 200
	rng := rand.New(rand.NewPCG(1, 2))
	memory := map[uint64][]byte{}
	var excluded []uint64
	for pfn := range uint64(pages) {
		if rng.IntN(10) == 0 {
			excluded = append(excluded, pfn)
			continue
		}
		b := make([]byte, page)
		for i := range b {
			b[i] = byte(rng.IntN(3))
		}
		memory[pfn] = b
	}
	d := open(t, memory, excluded...)
	for _, width := range []int{2, 4, 8} {
		for _, ignore := range []uint64{0, 0xff, 0x0300} {
			values := []uint64{0x0101, 0x0002}
			if width > 2 {
				values = append(values, 0x02000101)
			}
			p, err := Words(width, values, ignore)
			if err != nil {
				t.Fatal(err)
			}
			s := &Search{Dump: d, Pattern: p, Extents: all(d)}
			got := collect(t, s)
			want := naive(memory, pages, width, values, ignore)
			if !slices.Equal(got, want) {
				t.Fatalf("width %d, mask %#x: %d hits, want %d", width, ignore, len(got), len(want))
			}
			if len(want) == 0 && width < 8 {
				t.Fatalf("width %d, mask %#x: the test finds nothing", width, ignore)
			}
			if s.Bytes != d.Info().MaxPhys || s.Unread[fault.Excluded] != uint64(len(excluded))*page {
				t.Errorf("%d bytes, unread %v; %d pages are excluded", s.Bytes, s.Unread, len(excluded))
			}
		}
	}
}

func naive(memory map[uint64][]byte, pages uint64, width int, values []uint64, ignore uint64) (hits []Hit) {
	for pfn := range pages {
		b := memory[pfn]
		for i := 0; i+width <= len(b); i += width {
			var w [8]byte
			copy(w[:], b[i:i+width])
			word := binary.LittleEndian.Uint64(w[:])
			for which, v := range values {
				if word&^ignore == v&^ignore&(^uint64(0)>>(64-8*width)) {
					at := pfn*page + uint64(i)
					hits = append(hits, Hit{at, at, word, which})
					break
				}
			}
		}
	}
	return hits
}

// TestStrings has the text at every kind of border: of a page, of a piece, of
// an extent that goes on at another physical address, of readable memory.
func TestStrings(t *testing.T) {
	memory := map[uint64][]byte{}
	const pages = 3 * pieceSize / page
	for pfn := range uint64(pages) {
		memory[pfn] = make([]byte, page)
	}
	put := func(at uint64, s string) {
		for i := range len(s) {
			memory[(at+uint64(i))/page][(at+uint64(i))%page] = s[i]
		}
	}
	put(0x10, "needle")
	put(page-3, "needle")
	put(pieceSize-5, "needle")
	put(2*pieceSize-1, "needle")
	put(5*page-2, "nee") // the rest is elsewhere, see below
	put(9*page, "edle")
	put(7*page-3, "needle") // its end is not in the dump
	delete(memory, 7)
	d := open(t, memory, 7)
	p, err := Strings([]string{"needle", "eedl"})
	if err != nil {
		t.Fatal(err)
	}
	s := &Search{Dump: d, Pattern: p, Extents: all(d), Memory: physical{d}}
	addrs := func(hits []Hit) (out []string) {
		for _, h := range hits {
			out = append(out, fmt.Sprintf("%x/%d", h.Addr, h.Which))
		}
		return out
	}
	want := []string{"10/0", "11/1", "ffd/0", "ffe/1", "3fffb/0", "3fffc/1", "7ffff/0", "80000/1"}
	if got := addrs(collect(t, s)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// Virtual memory: page 4, then page 9.
	put(5*page-2, "ne")
	d = open(t, memory, 7)
	const base = 0xffffc90000000000
	virtual := virtualMemory{d, map[uint64]uint64{base: 4 * page, base + page: 9 * page}}
	s = &Search{Dump: d, Pattern: p, Memory: virtual,
		Extents: extents(kernel.Extent{Vaddr: base, Paddr: 4 * page, Size: page}, kernel.Extent{Vaddr: base + page, Paddr: 9 * page, Size: page})}
	hits := collect(t, s)
	if len(hits) != 2 || hits[0] != (Hit{base + page - 2, 5*page - 2, 0, 0}) {
		t.Errorf("over two extents: %x", hits)
	}
}

type virtualMemory struct {
	d     *vmcore.Dump
	pages map[uint64]uint64
}

func (v virtualMemory) Read(p []byte, addr uint64) error {
	for i := range p {
		a := addr + uint64(i)
		paddr, ok := v.pages[a&^(page-1)]
		if !ok {
			return &fault.Error{Addr: a, Space: fault.Virtual, Reason: fault.Unmapped}
		}
		if err := v.d.ReadPhys(p[i:i+1], paddr+a%page); err != nil {
			return err
		}
	}
	return nil
}

// TestOrder has extents in no order, of odd sizes and starts, and an error
// among them.
func TestOrder(t *testing.T) {
	memory := map[uint64][]byte{}
	for pfn := range uint64(300) {
		b := make([]byte, page)
		for i := 0; i < page; i += 8 {
			binary.LittleEndian.PutUint64(b[i:], 42)
		}
		memory[pfn] = b
	}
	d := open(t, memory)
	broken := errors.New("broken table")
	rng := rand.New(rand.NewPCG(3, 4))
	var list []kernel.Extent
	var want []uint64
	for range 60 {
		e := kernel.Extent{Vaddr: uint64(rng.Int64N(1 << 40)), Paddr: uint64(rng.IntN(100)) * 8, Size: uint64(rng.IntN(150 * page))}
		e.Vaddr = e.Vaddr&^7 | uint64(rng.IntN(2)*3)
		e.Paddr |= e.Vaddr & 7
		list = append(list, e)
		for a := (e.Vaddr + 7) &^ 7; a+8 <= e.Vaddr+e.Size; a += 8 {
			want = append(want, a)
		}
	}
	p, err := Words(8, []uint64{42}, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &Search{Dump: d, Pattern: p, Extents: func(yield func(kernel.Extent, error) bool) {
		for i, e := range list {
			if i == 30 && !yield(kernel.Extent{}, broken) {
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}}
	n, faults := 0, 0
	for h, err := range s.Hits(context.Background()) {
		if err != nil {
			if faults++; !errors.Is(err, broken) {
				t.Error(err)
			}
			continue
		}
		if n >= len(want) || h.Addr != want[n] {
			t.Fatalf("hit %d is at %#x", n, h.Addr)
		}
		n++
	}
	if n != len(want) || faults != 1 {
		t.Errorf("%d hits, want %d; %d errors", n, len(want), faults)
	}
}

func TestStop(t *testing.T) {
	memory := map[uint64][]byte{}
	for pfn := range uint64(500) {
		memory[pfn] = make([]byte, page)
	}
	d := open(t, memory)
	p, err := Words(8, []uint64{0}, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &Search{Dump: d, Pattern: p, Extents: all(d)}
	for range s.Hits(context.Background()) {
		break
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	var last error
	for _, err := range s.Hits(ctx) {
		if n++; n == 1000 {
			cancel()
		}
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("after cancelling: %v", last)
	}
}

func TestPatternErrors(t *testing.T) {
	for _, f := range []func() (*Pattern, error){
		func() (*Pattern, error) { return Words(3, []uint64{1}, 0) },
		func() (*Pattern, error) { return Words(2, []uint64{0x10000}, 0) },
		func() (*Pattern, error) { return Words(4, []uint64{1 << 32}, 0) },
		func() (*Pattern, error) { return Words(8, nil, 0) },
		func() (*Pattern, error) { return Strings(nil) },
		func() (*Pattern, error) { return Strings([]string{""}) },
		func() (*Pattern, error) { return Strings([]string{strings.Repeat("x", maxText+1)}) },
	} {
		if p, err := f(); err == nil {
			t.Errorf("%+v: no error", p)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	data := make([]byte, pieceSize)
	for i := range data {
		data[i] = byte(i * 7)
	}
	for _, width := range []int{2, 4, 8} {
		p, err := Words(width, []uint64{0xffff}, 0)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%d", width*8), func(b *testing.B) {
			b.SetBytes(pieceSize)
			var hits []Hit
			for b.Loop() {
				hits = p.Find(hits[:0], data, len(data), 0, 0)
			}
		})
	}
	p, err := Strings([]string{"no such string"})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("string", func(b *testing.B) {
		b.SetBytes(pieceSize)
		for b.Loop() {
			p.Find(nil, data, len(data), 0, 0)
		}
	})
}

// FuzzFind compares the finders with a look at every place.
func FuzzFind(f *testing.F) {
	f.Add([]byte("abcdabcdabcdabcd"), uint64(0x64636261), uint64(0xff), uint8(4))
	f.Add([]byte{0, 1, 0, 0, 0, 0, 0xff, 0xff, 0, 0}, uint64(0), uint64(0), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, value, ignore uint64, w uint8) {
		width := []int{2, 4, 8}[w%3]
		value &= ^uint64(0) >> (64 - 8*width)
		p, err := Words(width, []uint64{value}, ignore)
		if err != nil {
			t.Fatal(err)
		}
		got := p.Find(nil, data, len(data), 0x1000, 0)
		var want []Hit
		for i := 0; i+width <= len(data); i += width {
			var b [8]byte
			copy(b[:], data[i:i+width])
			if word := binary.LittleEndian.Uint64(b[:]); (word^value)&^ignore&(^uint64(0)>>(64-8*width)) == 0 {
				want = append(want, Hit{0x1000 + uint64(i), uint64(i), word, 0})
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("width %d: %v, want %v", width, got, want)
		}
	})
}

// TestGap searches what damaged page tables map: pages within the memory that
// are not in the dump, and much beyond all memory.
func TestGap(t *testing.T) {
	p := make([]byte, page)
	binary.LittleEndian.PutUint64(p[64:], 0x1234567)
	d := open(t, map[uint64][]byte{1: p, 4: p, 9: p}, 2, 6)
	pattern, err := Words(8, []uint64{0x1234567}, 0)
	if err != nil {
		t.Fatal(err)
	}
	const beyond = 1 << 34
	s := &Search{Dump: d, Pattern: pattern, Extents: extents(kernel.Extent{Vaddr: 1 << 40, Size: 10*page + beyond})}
	hits := collect(t, s)
	if len(hits) != 3 || hits[0].Addr != 1<<40+page+64 || hits[2].Addr != 1<<40+9*page+64 {
		t.Errorf("hits %v", hits)
	}
	if e, n := s.Unread[fault.Excluded], s.Unread[fault.NotRAM]; e != 2*page || n != 5*page+beyond {
		t.Errorf("%d bytes excluded, %d no memory", e, n)
	}
}
