package elffile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

const (
	chdrSize = 24 // sizeof(Elf64_Chdr)

	// Debug info of the largest kernels is below 1 GiB and shrinks to a fifth.
	// What declares more is damage or a trap.
	maxInflated  = 2 << 30
	maxRatio     = 200
	alwaysAllow  = 1 << 20 // below this the ratio does not matter
	zstdMinLimit = 8 << 20 // window that a small frame may declare
)

// inflate reads an SHF_COMPRESSED section (gABI, "Section Compression").
func (f *File) inflate(s *Section) ([]byte, error) {
	raw, err := f.bytes(s.Offset, s.Size)
	if err != nil {
		return nil, err
	}
	if len(raw) < chdrSize {
		return nil, fmt.Errorf("compression header of %d bytes, expected %d", len(raw), chdrSize)
	}
	kind := elf.CompressionType(binary.LittleEndian.Uint32(raw))
	size := binary.LittleEndian.Uint64(raw[8:])
	raw = raw[chdrSize:]
	if size > maxInflated || size > alwaysAllow && size/maxRatio > uint64(len(raw)) {
		return nil, fmt.Errorf("%d compressed bytes claim to be %d: not believed", len(raw), size)
	}
	dst, err := f.allocate(int(size))
	if err != nil {
		return nil, err
	}
	switch kind {
	case elf.COMPRESS_ZLIB:
		err = inflateZlib(dst, raw)
	case elf.COMPRESS_ZSTD:
		err = inflateZstd(dst, raw)
	default:
		err = errors.New("unknown method")
	}
	if err != nil {
		return nil, fmt.Errorf("%v: %w", kind, err)
	}
	return dst, nil
}

func inflateZlib(dst, raw []byte) error {
	r, err := zlib.NewReader(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := io.ReadFull(r, dst); err != nil {
		return err
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(r, 1)); n != 0 || err != nil {
		return errors.Join(err, fmt.Errorf("more than the declared %d bytes", len(dst)))
	}
	return nil
}

// inflateZstd decodes in one call and not through a stream: the stream's
// goroutines would read the mapped file outside of the caller's Guard.
func inflateZstd(dst, raw []byte) error {
	limit := uint64(max(len(dst), zstdMinLimit))
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(limit))
	if err != nil {
		return err
	}
	defer d.Close()
	out, err := d.DecodeAll(raw, dst[:0])
	if err != nil {
		return err
	}
	if len(out) != len(dst) {
		return fmt.Errorf("%d bytes instead of the declared %d", len(out), len(dst))
	}
	if len(out) > 0 && &out[0] != &dst[0] {
		copy(dst, out)
	}
	return nil
}
