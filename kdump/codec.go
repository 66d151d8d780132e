package kdump

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/kdive/kdive/kdump/lzo"
)

// decoder decompresses pages and keeps what the codecs can use again. It
// belongs to one goroutine at a time.
type decoder struct {
	in   bytes.Reader
	zlib io.ReadCloser
	zstd *zstd.Decoder
}

var (
	errShort = errors.New("decompresses to less than a page")
	errLong  = errors.New("decompresses to more than a page")
)

// decode decompresses src, stored under the flags of its descriptor, into the
// page dst.
func (d *decoder) decode(dst, src []byte, flags uint32) error {
	switch codec := flags & (flagZlib | flagLZO | flagSnappy | flagZstd); codec {
	case 0:
		if len(src) != PageSize {
			return fmt.Errorf("raw page of %d bytes", len(src))
		}
		copy(dst, src)
		return nil
	case flagZlib:
		return d.inflate(dst, src)
	case flagLZO:
		n, err := lzo.Decompress(dst, src)
		return whole(n, err)
	case flagSnappy:
		return d.unsnap(dst, src)
	case flagZstd:
		return d.unzstd(dst, src)
	default:
		return fmt.Errorf("unknown compression %#x", codec)
	}
}

func whole(n int, err error) error {
	if err == nil && n != PageSize {
		return errShort
	}
	return err
}

func (d *decoder) inflate(dst, src []byte) error {
	d.in.Reset(src)
	if d.zlib == nil {
		r, err := zlib.NewReader(&d.in)
		if err != nil {
			return err
		}
		d.zlib = r
	} else if err := d.zlib.(zlib.Resetter).Reset(&d.in, nil); err != nil {
		return err
	}
	n, err := io.ReadFull(d.zlib, dst)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		// Both can mean a stream that ends well and is short, or a cut one;
		// the page is damaged either way.
		return fmt.Errorf("zlib: %w (%d bytes)", errShort, n)
	}
	if err != nil {
		return err
	}
	// Only reading on to the end makes zlib verify its check sum.
	var more [1]byte
	switch n, err := d.zlib.Read(more[:]); {
	case n > 0:
		return fmt.Errorf("zlib: %w", errLong)
	case err != io.EOF:
		return err
	}
	return nil
}

func (d *decoder) unsnap(dst, src []byte) error {
	n, err := snappy.DecodedLen(src)
	if err != nil {
		return err
	}
	if n != PageSize {
		return fmt.Errorf("snappy: claims %d bytes for a page", n)
	}
	_, err = snappy.Decode(dst, src)
	return err
}

func (d *decoder) unzstd(dst, src []byte) error {
	if d.zstd == nil {
		z, err := zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(1<<20),
			zstd.WithDecoderMaxMemory(1<<20))
		if err != nil {
			return err
		}
		d.zstd = z
	}
	out, err := d.zstd.DecodeAll(src, dst[:0:PageSize])
	switch {
	case err != nil:
		return fmt.Errorf("zstd: %w", err)
	case len(out) < PageSize:
		return fmt.Errorf("zstd: %w", errShort)
	case len(out) > PageSize:
		return fmt.Errorf("zstd: %w", errLong)
	}
	return nil
}
