package value

import (
	"bytes"
	"math/bits"
	"unicode"
	"unicode/utf8"
)

// charArray prints n characters as a string. One zero byte at the end is the
// terminator and not shown; the others are.
func (p *printer) charArray(v Value, n int64) {
	// Max counts characters, of up to four bytes; one more tells whether anything follows.
	want := min(n, 4*int64(p.Max)+1)
	v = p.load(v, want)
	b, err := v.raw(want)
	if err != nil {
		b = v.readable(want)
		if len(b) == 0 {
			p.fault(err)
			return
		}
		p.string(b, false)
		p.fault(err)
		return
	}
	if p.Stop {
		if i := bytes.IndexByte(b, 0); i >= 0 {
			p.string(b[:i], false)
			return
		}
	}
	if want == n && b[n-1] == 0 {
		b = b[:n-1]
	}
	p.string(b, want < n)
}

// readable is the longest part of the first n bytes that can be read.
func (v Value) readable(n int64) []byte {
	if v.blk == nil {
		return nil
	}
	for _, h := range v.blk.holes {
		if v.off < h.hi && h.lo < v.off+n {
			n = max(0, h.lo-v.off)
			break
		}
	}
	b, _, _ := v.blk.slice(v.off, n)
	return b
}

// stringAt prints the text that a character pointer points to.
func (p *printer) stringAt(mem Memory, addr uint64) {
	b, ended, err := readString(mem, addr, p.Max+1)
	if err != nil && len(b) == 0 {
		p.fault(err)
		return
	}
	more := !ended && err == nil
	if len(b) > p.Max {
		b, more = b[:p.Max], true
	}
	p.string(b, more)
	if err != nil {
		p.fault(err)
	}
}

// string prints at most Max characters of b in quotes, and "..." if there is
// more or more is known to follow.
func (p *printer) string(b []byte, more bool) {
	if len(b) == 0 {
		p.text(`""`)
	}
	open := false
	for n := 0; len(b) > 0; n++ {
		if n == p.Max {
			more = true
			break
		}
		if size := incomplete(b); size > 0 {
			p.incompleteSequence(b[:size], &open, n == 0)
			b = b[size:]
			continue
		}
		if !open {
			if n > 0 {
				p.text(", ")
			}
			p.text(`"`)
			open = true
		}
		b = b[p.rune(b):]
	}
	if open {
		p.text(`"`)
	}
	if more {
		p.text("...")
	}
}

// incomplete is the number of bytes at the end of b that begin a UTF-8 sequence
// (of up to six bytes, as the C library counts) without ending it.
func incomplete(b []byte) int {
	if len(b) >= 6 || b[0] < 0xc2 || b[0] > 0xfd {
		return 0
	}
	need := bits.LeadingZeros8(^b[0])
	if len(b) >= need {
		return 0
	}
	for _, c := range b[1:] {
		if c&0xc0 != 0x80 {
			return 0
		}
	}
	return len(b)
}

func (p *printer) incompleteSequence(b []byte, open *bool, first bool) {
	if *open {
		p.text(`"`)
		*open = false
	}
	if !first {
		p.text(", ")
	}
	p.text("<incomplete sequence ")
	for _, c := range b {
		p.octal(c)
	}
	p.text(">")
}

// rune prints the first character of b and returns how many bytes it has.
func (p *printer) rune(b []byte) int {
	if b[0] < utf8.RuneSelf {
		p.char(b[0], '"')
		return 1
	}
	r, n := utf8.DecodeRune(b)
	if r == utf8.RuneError || !unicode.IsGraphic(r) {
		for _, c := range b[:n] {
			p.octal(c)
		}
		return n
	}
	p.out = append(p.out, b[:n]...)
	return n
}

// char prints one byte as in a C literal between quotes.
func (p *printer) char(c, quote byte) {
	switch {
	case c == quote || c == '\\':
		p.out = append(p.out, '\\', c)
	case c >= ' ' && c < 0x7f:
		p.out = append(p.out, c)
	case c >= '\a' && c <= '\r':
		p.out = append(p.out, '\\', "abtnvfr"[c-'\a'])
	default:
		p.octal(c)
	}
}

func (p *printer) octal(c byte) {
	p.out = append(p.out, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
}
