// Package bitdiff compares two values bit by bit and byte by byte: what a stray
// write changed tells who wrote it. It knows nothing of where values come from,
// nor of how a difference is printed. Start from Of.
package bitdiff

// Diff is what is different between two values of the same width.
type Diff struct {
	Bits  []int    // that differ, the lowest first; bit 8n is the lowest of byte n
	Bytes []Change // that differ, the lowest first
}

// Change is one byte that differs.
type Change struct {
	Index    int // in memory, from the value's address; of an integer, by significance
	From, To byte
}

// Of compares two values as they are in memory. If one is longer, its further
// bytes are compared with nothing and left out.
func Of(from, to []byte) Diff {
	var d Diff
	for i := range min(len(from), len(to)) {
		x := from[i] ^ to[i]
		if x == 0 {
			continue
		}
		d.Bytes = append(d.Bytes, Change{i, from[i], to[i]})
		for b := range 8 {
			if x>>b&1 != 0 {
				d.Bits = append(d.Bits, i*8+b)
			}
		}
	}
	return d
}

// Words compares two integers of n bytes, 8 at most.
func Words(from, to uint64, n int) Diff {
	n = max(0, min(n, 8))
	a, b := make([]byte, n), make([]byte, n)
	for i := range n {
		a[i], b[i] = byte(from>>(8*i)), byte(to>>(8*i))
	}
	return Of(a, b)
}

// Char is a byte as an ASCII character, ok if it prints.
func Char(b byte) (c string, ok bool) {
	if b < ' ' || b > '~' {
		return "", false
	}
	return string(rune(b)), true
}

// Printable reports whether both sides of the change print.
func (c Change) Printable() bool {
	_, a := Char(c.From)
	_, b := Char(c.To)
	return a && b
}
