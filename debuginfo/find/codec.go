package find

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"
)

// A debug file of a kernel has below 2 GiB and packs to a quarter or a tenth.
// What goes far beyond is a decompression bomb.
const (
	maxUnpacked = 8 << 30
	maxRatio    = 100
	ratioFrom   = 64 << 20 // bytes below which the ratio does not matter

	// maxWindow bounds the decoders' memory: xz -9 needs 64 MiB, zstd up to
	// --long=27 needs 128.
	maxWindow = 128 << 20
)

// kind is what the first bytes of a file say it is.
type kind uint8

const (
	kindOther kind = iota
	kindELF
	kindZstd
	kindXz
	kindGzip
	kindBoot // a bzImage
	kindBzip2
	kindLz4
)

var magics = []struct {
	kind  kind
	off   int
	bytes string
}{
	{kindELF, 0, "\x7fELF"},
	{kindZstd, 0, "\x28\xb5\x2f\xfd"},
	{kindXz, 0, "\xfd7zXZ\x00"},
	{kindGzip, 0, "\x1f\x8b\x08"},
	{kindBoot, 0x202, "HdrS"}, // Documentation/arch/x86/boot.rst
	{kindBzip2, 0, "BZh"},
	{kindLz4, 0, "\x04\x22\x4d\x18"},
}

// sniffLen is how many bytes sniff wants to see.
const sniffLen = 0x206

func sniff(head []byte) kind {
	for _, m := range magics {
		if len(head) >= m.off+len(m.bytes) && string(head[m.off:m.off+len(m.bytes)]) == m.bytes {
			return m.kind
		}
	}
	return kindOther
}

// refusal says why a file of this kind is no debug file.
func (k kind) refusal() error {
	switch k {
	case kindBoot:
		return errors.New("a boot image (vmlinuz), which has no debug info: its vmlinux is needed")
	case kindBzip2, kindLz4:
		return errors.New("packed with bzip2 or lz4: unpack it first")
	}
	return errors.New("neither an ELF file nor one packed with zstd, xz or gzip")
}

// expand copies the unpacked contents of r, packed bytes in size, to w, and
// calls step between chunks. It holds a window of at most maxWindow in memory.
func expand(k kind, w io.Writer, r io.Reader, packed int64, step func() error) (err error) {
	// The decoders are not ours and their input is hostile.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decoder: %v", p)
		}
	}()
	src, done, err := decoder(k, r)
	if err != nil {
		return err
	}
	defer done()
	buf := make([]byte, 1<<20)
	for total := int64(0); ; {
		n, rerr := fill(src, buf)
		if total == 0 && !bytes.HasPrefix(buf[:n], []byte(magics[0].bytes)) {
			if rerr != nil && rerr != io.EOF {
				return rerr
			}
			return errors.New("what is packed in it is not an ELF file")
		}
		total += int64(n)
		if total > maxUnpacked || total > ratioFrom && total/maxRatio > packed {
			return fmt.Errorf("%d bytes unpack to more than %d: not believed", packed, total)
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
		if rerr == io.EOF {
			return nil
		}
		if rerr != nil {
			return rerr
		}
		if err := step(); err != nil {
			return err
		}
	}
}

// fill reads until buf is full or there is an error. Unlike io.ReadFull it
// keeps the end of the data apart from data that is cut off.
func fill(src io.Reader, buf []byte) (n int, err error) {
	for empty := 0; n < len(buf) && err == nil; {
		var m int
		m, err = src.Read(buf[n:])
		n += m
		if m > 0 {
			empty = 0
		} else if empty++; empty > 100 && err == nil {
			err = io.ErrNoProgress
		}
	}
	return n, err
}

func decoder(k kind, r io.Reader) (src io.Reader, done func(), err error) {
	switch k {
	case kindZstd:
		// One thread: the decoder then runs on our goroutine, under our recover,
		// and is as fast as with two, for one has most of the work.
		d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, nil, err
		}
		return d, d.Close, nil
	case kindXz:
		d, err := xz.NewReader(r, maxWindow)
		return d, func() {}, err
	case kindGzip:
		d, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, err
		}
		return d, func() { d.Close() }, nil
	}
	return nil, nil, k.refusal()
}
