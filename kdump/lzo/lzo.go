// Package lzo decodes LZO1X blocks, the format of pages in dumps made with
// makedumpfile -l.
//
// The format is the one described in the Linux kernel's
// Documentation/staging/lzo.rst, bitstream version 0 (plain LZO1X) and version
// 1 (LZO-RLE, used by zram). There is no encoder. Start from Decompress.
package lzo

import "errors"

// What can be wrong with a block.
var (
	ErrInput    = errors.New("lzo: input ends inside an instruction")
	ErrOutput   = errors.New("lzo: output is larger than expected")
	ErrDistance = errors.New("lzo: copy from before the start of the output")
	ErrVersion  = errors.New("lzo: unknown bitstream version")
	ErrTrailing = errors.New("lzo: bytes after the end of the stream")
)

// Decompress decodes src into dst and returns how much of dst it filled. It
// writes nothing past len(dst) and reads nothing past len(src).
func Decompress(dst, src []byte) (int, error) {
	d := decoder{dst: dst, src: src}
	if err := d.start(); err != nil {
		return d.out, err
	}
	for {
		done, err := d.step()
		if err != nil {
			return d.out, err
		}
		if done {
			if d.in != len(d.src) {
				return d.out, ErrTrailing
			}
			return d.out, nil
		}
	}
}

// Values of decoder.state besides 1 to 3 literals copied by an instruction.
const (
	noLiterals   = 0
	manyLiterals = 4
)

type decoder struct {
	dst, src []byte
	in, out  int
	state    int  // how many literals the last instruction copied: 0..3, or 4 for 4 and more
	rle      bool // bitstream version 1
}

// start handles the first byte, which has an encoding of its own.
func (d *decoder) start() error {
	if len(d.src) >= 5 && d.src[0] == 17 {
		if d.src[1] > 1 {
			return ErrVersion
		}
		d.rle = d.src[1] == 1
		d.in = 2
	}
	if d.in >= len(d.src) {
		return ErrInput
	}
	b := int(d.src[d.in])
	if b <= 17 {
		return nil
	}
	d.in++
	n := b - 17
	d.state = min(n, manyLiterals)
	return d.literals(n)
}

// step executes one instruction and tells whether it was the end mark.
func (d *decoder) step() (done bool, err error) {
	if d.in >= len(d.src) {
		return false, ErrInput
	}
	b := int(d.src[d.in])
	d.in++
	switch {
	case b >= 64:
		return false, d.near(b)
	case b >= 32:
		return false, d.medium(b)
	case b >= 16:
		return d.far(b)
	case d.state == noLiterals:
		n, err := d.length(b, 15)
		if err != nil {
			return false, err
		}
		d.state = manyLiterals
		return false, d.literals(n + 3)
	}
	return false, d.short(b)
}

// near is a copy of 3 to 8 bytes from within 2 KiB: 01LDDDSS and 1LLDDDSS.
func (d *decoder) near(b int) error {
	h, err := d.byte()
	if err != nil {
		return err
	}
	n := 3 + b>>5&1
	if b >= 128 {
		n = 5 + b>>5&3
	}
	return d.copyThen(h<<3+b>>2&7+1, n, b&3)
}

// short is a copy of 2 bytes from within 1 KiB, or of 3 bytes from the 2 KiB
// beyond the reach of near after a long literal: 0000DDSS.
func (d *decoder) short(b int) error {
	h, err := d.byte()
	if err != nil {
		return err
	}
	if d.state == manyLiterals {
		return d.copyThen(h<<2+b>>2+2049, 3, b&3)
	}
	return d.copyThen(h<<2+b>>2+1, 2, b&3)
}

// medium is a copy from within 16 KiB: 001LLLLL.
func (d *decoder) medium(b int) error {
	n, err := d.length(b&31, 31)
	if err != nil {
		return err
	}
	w, err := d.word()
	if err != nil {
		return err
	}
	return d.copyThen(w>>2+1, n+2, w&3)
}

// far is a copy from 16 to 48 KiB back, the end mark, or a run of zeros:
// 0001HLLL.
func (d *decoder) far(b int) (done bool, err error) {
	if d.rle && b&8 != 0 && d.in+1 < len(d.src) && d.src[d.in]&0xfc == 0xfc && d.src[d.in+1] == 0xff {
		return false, d.zeros(b)
	}
	n, err := d.length(b&7, 7)
	if err != nil {
		return false, err
	}
	w, err := d.word()
	if err != nil {
		return false, err
	}
	distance := 16384 + b&8<<11 + w>>2
	if distance == 16384 {
		return true, nil
	}
	return false, d.copyThen(distance, n+2, w&3)
}

// zeros is the run-length instruction of bitstream version 1.
func (d *decoder) zeros(b int) error {
	w, err := d.word()
	if err != nil {
		return err
	}
	x, err := d.byte()
	if err != nil {
		return err
	}
	n := x<<3 + b&7 + 4
	if n > len(d.dst)-d.out {
		return ErrOutput
	}
	clear(d.dst[d.out : d.out+n])
	d.out += n
	d.state = w & 3
	return d.literals(d.state)
}

// length completes a length whose bits in the instruction are v; zero stands
// for base plus 255 for every zero byte that follows plus the byte after them.
func (d *decoder) length(v, base int) (int, error) {
	if v != 0 {
		return v, nil
	}
	v = base
	for {
		b, err := d.byte()
		if err != nil {
			return 0, err
		}
		if b != 0 {
			return v + b, nil
		}
		if v += 255; v > len(d.dst) {
			return 0, ErrOutput
		}
	}
}

func (d *decoder) byte() (int, error) {
	if d.in >= len(d.src) {
		return 0, ErrInput
	}
	d.in++
	return int(d.src[d.in-1]), nil
}

func (d *decoder) word() (int, error) {
	if len(d.src)-d.in < 2 {
		return 0, ErrInput
	}
	d.in += 2
	return int(d.src[d.in-2]) | int(d.src[d.in-1])<<8, nil
}

// literals copies n bytes from the input.
func (d *decoder) literals(n int) error {
	if n > len(d.src)-d.in {
		return ErrInput
	}
	if n > len(d.dst)-d.out {
		return ErrOutput
	}
	copy(d.dst[d.out:], d.src[d.in:d.in+n])
	d.in += n
	d.out += n
	return nil
}

// copyThen copies n bytes from distance back, which may overlap what it
// writes, then the instruction's own literals.
func (d *decoder) copyThen(distance, n, literals int) error {
	if distance > d.out {
		return ErrDistance
	}
	if n > len(d.dst)-d.out {
		return ErrOutput
	}
	from := d.out - distance
	end := d.out + n
	// Each pass copies what is there and so doubles what the next can.
	for d.out < end {
		d.out += copy(d.dst[d.out:end], d.dst[from:d.out])
	}
	d.state = literals
	return d.literals(literals)
}
