package find

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kdive/kdive/debuginfo/trust"
	"github.com/kdive/kdive/elffile"
)

// unpackedKind is the cache's sub-directory of unpacked files.
const unpackedKind = "unpacked"

// Progress is told how many of total bytes of a file have been unpacked. The
// last call has done equal to total.
type Progress func(path string, done, total int64)

// Unpack is the path of the ELF file that path holds: path itself if it is
// one, else a file in the cache that it is unpacked into, once. What it is
// packed with is decided by its contents. The ELF file is not looked into.
func (c Cache) Unpack(ctx context.Context, path string, progress Progress) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !st.Mode().IsRegular() {
		return "", fmt.Errorf("%s: not a regular file", path)
	}
	head := make([]byte, sniffLen)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return "", err
	}
	k := sniff(head[:n])
	switch k {
	case kindELF:
		return path, nil
	case kindZstd, kindXz, kindGzip:
	default:
		return "", fmt.Errorf("%s: %w", path, k.refusal())
	}
	name, err := unpackedName(f, st)
	if err != nil {
		return "", err
	}
	for _, dir := range c.Readable(unpackedKind) {
		if found := filepath.Join(dir, name); whole(found) {
			return found, c.publish(found)
		}
	}
	dir, err := c.Writable(unpackedKind)
	if err != nil {
		return "", fmt.Errorf("%s must be unpacked: %w", path, err)
	}
	sweep(dir)
	target := filepath.Join(dir, name)
	if err := unpackTo(ctx, target, k, f, st.Size(), progress); err != nil {
		return "", fmt.Errorf("%s: unpacking it: %w", path, err)
	}
	return target, c.publish(target)
}

// publish lets all users read an unpacked file of a public cache.
func (c Cache) publish(path string) error {
	if !c.Public || filepath.Dir(filepath.Dir(path)) != c.Own {
		return nil
	}
	if err := allow(filepath.Dir(path), 0o055); err != nil {
		return err
	}
	return allow(path, 0o044)
}

// unpackedName tells apart everything that may lie at this path in the course
// of time: by path, size, time, and the ends of the contents, where the packers
// keep their check sums.
func unpackedName(f *os.File, st os.FileInfo) (string, error) {
	abs, err := filepath.Abs(f.Name())
	if err != nil {
		return "", err
	}
	const ends = 64 << 10
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%d\x00%d\x00", abs, st.Size(), st.ModTime().UnixNano())
	for _, off := range []int64{0, max(0, st.Size()-ends)} {
		if _, err := io.Copy(h, io.NewSectionReader(f, off, ends)); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12]) + "-" + plainName(filepath.Base(abs)), nil
}

// plainName is the part of a file's name that helps whoever lists the cache.
func plainName(base string) string {
	base = unpackedBase(base)
	if len(base) > 80 {
		base = base[:80]
	}
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && r != '/' && r != '*' {
			return r
		}
		return '_'
	}, base)
}

// whole says whether a cached file can be used. A crash of the machine may have
// cut it off; then its section table, at its end, is missing.
func whole(path string) bool {
	if trust.File(path) != nil {
		return false
	}
	e, err := elffile.Open(path)
	if err != nil {
		return false
	}
	e.Close()
	return true
}

// unpackTo writes target, which appears under its name only when complete.
func unpackTo(ctx context.Context, target string, k kind, src *os.File, size int64, progress Progress) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(target), temporary) // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	if progress == nil {
		progress = func(string, int64, int64) {}
	}
	in := &counter{r: io.NewSectionReader(src, 0, size)}
	err = expand(k, tmp, in, size, func() error {
		progress(src.Name(), min(in.n, size-1), size)
		return ctx.Err()
	})
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it is cut off")
	}
	if err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), target); err != nil {
		return err
	}
	progress(src.Name(), size, size)
	return nil
}

// counter counts what passes through it.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
