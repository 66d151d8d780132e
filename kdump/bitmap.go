package kdump

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/kdive/kdive/kdump/source"
)

// MaxPFN bounds what a header may claim: 256 TiB of physical addresses, 8 GiB
// of bitmap.
const MaxPFN = 1 << 36

// rankShift is the binary logarithm of the bits that one entry of the rank
// index stands for: 512 bytes of bitmap, 16 MiB of memory.
const rankShift = 12

const rankBytes = 1 << rankShift / 8

// bitmap is one bit a page frame, lowest bit first, read in place from the
// dump file. With its rank index it tells in constant time how many bits are
// set before a given one, which is a page's place in the descriptor table.
type bitmap struct {
	src  source.Source
	off  int64  // of the first byte
	bits uint64 // how many bits there are to read

	rank []uint64 // bits set before each block of 1<<rankShift
	set  uint64   // bits set in all
}

// pagesFor is the length in pages of a bitmap of n bits.
func pagesFor(n uint64) uint64 {
	blocks := n / (8 * PageSize)
	if n%(8*PageSize) != 0 {
		blocks++
	}
	return blocks
}

// index counts the bits. If the file ends early the bitmap is cut to what is
// there.
func (b *bitmap) index() error {
	blocks := (b.bits + 1<<rankShift - 1) >> rankShift
	b.rank = make([]uint64, 0, blocks)
	buf := make([]byte, min(1<<20, blocks*rankBytes))
	for done := uint64(0); done < b.bits; {
		if done = b.skipHole(done); done >= b.bits {
			break
		}
		n := min(uint64(len(buf)), (b.bits-done+7)/8)
		got, err := b.src.ReadAt(buf[:n], b.off+int64(done/8))
		chunk := buf[:got]
		if end := b.bits - done; end < uint64(got)*8 {
			chunk[got-1] &= 1<<(end%8) - 1 // bits beyond the last page
		}
		for len(chunk) > 0 {
			k := min(rankBytes, len(chunk))
			b.rank = append(b.rank, b.set)
			b.set += uint64(ones(chunk[:k]))
			chunk = chunk[k:]
		}
		done += uint64(got) * 8
		if uint64(got) < n {
			missing := (b.bits - done + 7) / 8
			b.bits = done
			return fmt.Errorf("bitmap lacks its last %d bytes: %w", missing, err)
		}
	}
	return nil
}

// skipHole enters the blocks of a hole into the index and returns the first
// bit behind them. A sparse file can claim a bitmap far longer than itself.
func (b *bitmap) skipHole(done uint64) uint64 {
	if done%(1<<rankShift) != 0 {
		return done
	}
	next := b.src.DataFrom(b.off+int64(done/8)) - b.off
	for uint64(next)/rankBytes > done>>rankShift && done < b.bits {
		b.rank = append(b.rank, b.set)
		done += 1 << rankShift
	}
	return done
}

func ones(p []byte) int {
	n := 0
	for len(p) >= 8 {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(p))
		p = p[8:]
	}
	for _, c := range p {
		n += bits.OnesCount8(c)
	}
	return n
}

// window is the block of a bitmap that its reader looked at last.
type window struct {
	block uint64
	valid bool
	data  [rankBytes]byte
}

// load makes the window hold the block of bit i, which must exist.
func (w *window) load(b *bitmap, i uint64) error {
	block := i >> rankShift
	if w.valid && w.block == block {
		return nil
	}
	w.valid = false
	n := min(rankBytes, (b.bits-block<<rankShift+7)/8)
	clear(w.data[:])
	if err := source.ReadFull(b.src, w.data[:n], b.off+int64(block)*rankBytes); err != nil {
		return err
	}
	w.block, w.valid = block, true
	return nil
}

// test tells whether bit i is set; the window must hold it.
func (w *window) test(i uint64) bool {
	i &= 1<<rankShift - 1
	return w.data[i/8]>>(i%8)&1 != 0
}

// before counts the bits set before bit i; the window must hold bit i.
func (w *window) before(b *bitmap, i uint64) uint64 {
	n := b.rank[i>>rankShift]
	i &= 1<<rankShift - 1
	n += uint64(ones(w.data[:i/64*8]))
	last := binary.LittleEndian.Uint64(w.data[i/64*8:])
	return n + uint64(bits.OnesCount64(last&(1<<(i%64)-1)))
}

// next returns the first bit from i on whose value is v, or the end.
func (w *window) next(b *bitmap, i uint64, v bool) (uint64, error) {
	for i < b.bits {
		block := i >> rankShift
		if v && b.blockEmpty(block) || !v && b.blockFull(block) {
			i = (block + 1) << rankShift
			continue
		}
		if err := w.load(b, i); err != nil {
			return i, err
		}
		in := i & (1<<rankShift - 1)
		word := binary.LittleEndian.Uint64(w.data[in/64*8:])
		if !v {
			word = ^word
		}
		if word &= ^uint64(0) << (in % 64); word != 0 {
			return min(i&^63+uint64(bits.TrailingZeros64(word)), b.bits), nil
		}
		i = i&^63 + 64
	}
	return b.bits, nil
}

func (b *bitmap) blockCount(block uint64) uint64 {
	if block+1 < uint64(len(b.rank)) {
		return b.rank[block+1] - b.rank[block]
	}
	return b.set - b.rank[block]
}

func (b *bitmap) blockEmpty(block uint64) bool { return b.blockCount(block) == 0 }
func (b *bitmap) blockFull(block uint64) bool  { return b.blockCount(block) == 1<<rankShift }
