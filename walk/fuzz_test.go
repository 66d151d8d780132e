package walk

import (
	"encoding/binary"
	"testing"

	"github.com/kdive/kdive/kernel/kerneltest"
)

// FuzzWalks walks every container through memory that the fuzzer makes up:
// each of its words is either a small number or a pointer into that memory.
func FuzzWalks(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 0x82, 0x8a, 0x92, 0x9a}, uint16(0))
	f.Add([]byte{0x80, 0x82, 0x84, 0x86, 0x90, 0x9e, 0xa6}, uint16(3))
	f.Fuzz(func(t *testing.T, b []byte, flags uint16) {
		k := kerneltest.New(t, decls, mapleDecls, "struct radix_tree_root { void *rnode; }; struct radix_tree_node { u8 shift; void *slots[4]; };")
		const base, size = 0x10000, 0x2000
		k.Map(base, size)
		b = b[:min(len(b), size/8)]
		for i, c := range b {
			w := uint64(c)
			if c&0x80 != 0 {
				w = base + uint64(c&0x7f)*64 + uint64(flags>>(c&7))&0x7f
			}
			k.Bytes(base+uint64(i)*8, binary.LittleEndian.AppendUint64(nil, w))
		}
		w := New(k)
		n := 0
		count := func(error) bool {
			n++
			return n < 1<<16
		}
		for at := uint64(base); at < base+256; at += 64 {
			for _, err := range w.List(at, 8, CheckBack) {
				if !count(err) {
					break
				}
			}
			for _, err := range w.HList(at, 0) {
				if !count(err) {
					break
				}
			}
			for _, err := range w.Chain(at, Chain{Next: 8, Mask: 3}) {
				if !count(err) {
					break
				}
			}
			for e, err := range w.RBTree(at, InOrder) {
				if _ = e.Position(); !count(err) {
					break
				}
			}
			for e, err := range w.XArray(at) {
				if _ = e.Position(); !count(err) {
					break
				}
			}
			for e, err := range w.Radix(at) {
				if _ = e.Position(); !count(err) {
					break
				}
			}
			for e, err := range w.Maple(at) {
				if _ = e.Position(); !count(err) {
					break
				}
			}
		}
		if n >= 1<<16 {
			t.Fatal("a walk has no end")
		}
	})
}
