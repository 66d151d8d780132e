package kdump

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/kdive/kdive/kdump/source"
)

// counted is bytes that count how they are read.
type counted struct {
	source.Source
	data         []byte
	large, small int
}

func (c *counted) Size() int64 { return int64(len(c.data)) }

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	if len(p) >= aheadSize {
		c.large++
	} else {
		c.small++
	}
	if off >= int64(len(c.data)) {
		return 0, io.EOF
	}
	n := copy(p, c.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func TestAhead(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	c := &counted{data: make([]byte, 1<<20)}
	for i := range c.data {
		c.data[i] = byte(random.Uint32())
	}
	var a ahead
	check := func(off int64, n int) {
		t.Helper()
		p := make([]byte, n)
		err := a.read(p, c, off)
		if off+int64(n) > c.Size() {
			if err != io.ErrUnexpectedEOF {
				t.Fatalf("%d bytes at %d: %v", n, off, err)
			}
			return
		}
		if err != nil || !bytes.Equal(p, c.data[off:off+int64(n)]) {
			t.Fatalf("%d bytes at %d: wrong, %v", n, off, err)
		}
	}
	// In order, with a page in between that many share.
	for off := int64(8192); off < c.Size()-2000; off += 1000 {
		check(off, 1000)
		check(100, 50)
	}
	if c.large < 10 || c.large > 20 {
		t.Errorf("%d large reads for 1 MiB in order", c.large)
	}
	c.large = 0
	for range 5000 {
		check(random.Int64N(c.Size()), 1+random.IntN(4096))
	}
	if c.large > 10 {
		t.Errorf("%d large reads for single pages", c.large)
	}
	check(c.Size()-10, 11)
	check(c.Size()+5, 1)
	other := &counted{data: bytes.Repeat([]byte{7}, 1<<17)}
	p := make([]byte, 10)
	if err := a.read(p, other, 0); err != nil || p[0] != 7 {
		t.Errorf("another file: %v, %v", p, err)
	}
}
