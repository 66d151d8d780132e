package find

import (
	"io"
	"sync/atomic"
)

// counter counts what passes through it. Decoders may read ahead on a goroutine
// of their own.
type counter struct {
	r io.Reader
	n atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}
