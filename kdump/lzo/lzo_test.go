package lzo_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kdive/kdive/kdump/lzo"
	"github.com/kdive/kdive/vmcore/vmcoretest"
)

const end = "\x11\x00\x00"

func TestDecompress(t *testing.T) {
	abc := "\x1aabcdefghi" // 26-17 = 9 literals; state is "many"
	tests := []struct {
		name, src, want string
		size            int // of the output buffer; 0 is that of want
		err             error
	}{
		{name: "empty", src: end},
		{name: "first literals ride on the state", src: "\x13ab" + end, want: "ab"},
		{name: "long literal", src: "\x05abcdefgh" + end, want: "abcdefgh"},
		{name: "extended literal", src: "\x00\x02" + strings.Repeat("x", 20) + end, want: strings.Repeat("x", 20)},
		{name: "extended by zero bytes", src: "\x00\x00\x01" + strings.Repeat("x", 3+15+255+1) + end, want: strings.Repeat("x", 274)},
		{name: "near copy of 3", src: abc + "\x40\x00" + end, want: "abcdefghiiii"},
		{name: "near copy of 4 at 9", src: abc + "\x60\x01" + end, want: "abcdefghiabcd"},
		{name: "near copy of 8 and literals", src: abc + "\xe2\x01XY" + end, want: "abcdefghiabcdefghXY"},
		{name: "copy of 2 after literals", src: "\x13ab" + "\x04\x00" + end, want: "abab"},
		{name: "copy of 3 beyond 2 KiB", src: "\x00\x00\x00\x00\x00\x00\x00\x00\x00\xfe" + strings.Repeat("q", 3+15+8*255+254) + "\x00\x00" + end,
			want: strings.Repeat("q", 2312+3)},
		{name: "medium copy", src: abc + "\x22\x20\x00" + end, want: "abcdefghi" + "abcd"},
		{name: "medium copy overlapping", src: "\x12a" + "\x20\x05\x00\x00" + end, want: strings.Repeat("a", 1+2+31+5)},
		{name: "version 0 stream header", src: "\x11\x00\x13ab" + end, want: "ab"},
		{name: "zero run", src: "\x11\x01\x13ab" + "\x1b\xfc\xff\x02" + end, want: "ab" + strings.Repeat("\x00", 2<<3+3+4)},

		{name: "no input", err: lzo.ErrInput},
		{name: "no end mark", src: "\x13ab", want: "ab", err: lzo.ErrInput},
		{name: "literals cut off", src: "\x1aabc", size: 9, err: lzo.ErrInput},
		{name: "output full", src: abc + end, size: 8, err: lzo.ErrOutput},
		{name: "copy fills output", src: abc + "\x60\x01" + end, want: "abcdefghi", size: 12, err: lzo.ErrOutput},
		{name: "copy from before the start", src: "\x13ab" + "\x60\x01" + end, want: "ab", size: 9, err: lzo.ErrDistance},
		{name: "first instruction copies", src: "\x10\x05\x04\x00" + end, size: 99, err: lzo.ErrDistance},
		{name: "trailing bytes", src: "\x13ab" + end + "x", want: "ab", err: lzo.ErrTrailing},
		{name: "endless length", src: "\x00" + strings.Repeat("\x00", 100), size: 50, err: lzo.ErrOutput},
		{name: "version 2", src: "\x11\x02\x13ab" + end, err: lzo.ErrVersion},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dst := make([]byte, max(tt.size, len(tt.want)))
			n, err := lzo.Decompress(dst, []byte(tt.src))
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if got := string(dst[:n]); got != tt.want && tt.want != "" {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// pages are inputs of different kinds: noise, text, runs, zeros.
func pages() [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	var out [][]byte
	for kind := range 40 {
		p := make([]byte, 4096)
		for i := range p {
			switch {
			case kind%4 == 0:
				p[i] = byte(r.Uint32())
			case kind%4 == 1 && r.IntN(kind) == 0:
				p[i] = byte(r.IntN(4))
			case kind%4 == 2 && i >= 300:
				p[i] = p[i-1-r.IntN(300)]
			case kind%4 == 2:
				p[i] = byte(i)
			}
		}
		out = append(out, p)
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	for i, p := range pages() {
		dst := make([]byte, 4096)
		n, err := lzo.Decompress(dst, vmcoretest.CompressLZO(p))
		if err != nil || n != len(p) || !bytes.Equal(dst, p) {
			t.Errorf("page %d: %d bytes, error %v", i, n, err)
		}
	}
}

func FuzzDecompress(f *testing.F) {
	for _, p := range pages()[:8] {
		f.Add(vmcoretest.CompressLZO(p))
	}
	f.Add([]byte("\x11\x01\x13ab\x1b\xfc\xff\x02" + end))
	f.Fuzz(func(t *testing.T, src []byte) {
		buf := bytes.Repeat([]byte{0xa5}, 4096+64)
		n, err := lzo.Decompress(buf[:4096:4096], src)
		if n < 0 || n > 4096 {
			t.Fatalf("%d bytes, error %v", n, err)
		}
		if len(bytes.Trim(buf[4096:], "\xa5")) != 0 {
			t.Fatal("wrote beyond the output")
		}
	})
}

func BenchmarkDecompress(b *testing.B) {
	var src [][]byte
	for i, p := range pages() {
		if i%4 != 0 {
			src = append(src, vmcoretest.CompressLZO(p))
		}
	}
	dst := make([]byte, 4096)
	b.SetBytes(4096)
	for i := 0; b.Loop(); i++ {
		if _, err := lzo.Decompress(dst, src[i%len(src)]); err != nil {
			b.Fatal(err)
		}
	}
}
