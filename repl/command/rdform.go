package command

import (
	"encoding/binary"
	"math/bits"
	"strconv"

	"github.com/kdive/kdive/repl/output"
)

// rdForm is how rd shows units.
type rdForm struct {
	width   int // bytes of a unit: 1, 2, 4 or 8
	swap    bool
	numbers numbers
	ascii   bool
	names   annotator // nil: units are numbers only
}

type numbers uint8

const (
	hexadecimal numbers = iota
	signed
	unsigned
)

// rdRowBytes is how many bytes a row shows.
const rdRowBytes = 16

// rdRow is one row of units, all of which could be read.
type rdRow struct {
	form *rdForm
	addr uint64
	data []byte
}

var rdRecord = &output.Record[rdRow]{
	Type: "memory",
	Help: "units of memory in a row",
	Columns: []output.Column[rdRow]{
		{Name: "address", Help: "address of the first unit, in the address space asked for", Get: func(r *rdRow) output.Value { return output.Addr(r.addr) }},
		{Name: "width", Help: "bytes in a unit", Get: func(r *rdRow) output.Value {
			if r.form == nil {
				return output.Int(8)
			}
			return output.Int(r.form.width)
		}},
		{Name: "words", Help: "the units as hexadecimal numbers", Get: func(r *rdRow) output.Value {
			var v []output.Value
			for i := range r.units() {
				v = append(v, output.Hex(r.unit(i)))
			}
			return output.List(v...)
		}},
		{Name: "symbols", Help: "what the units point to: {symbol, offset in bytes}, {cache, object, ctype} or null for each; null without -s and -S",
			Get: func(r *rdRow) output.Value { return r.symbols() }},
	},
	Text: rdRowText,
}

func (r *rdRow) units() int {
	if r.form == nil {
		return 0
	}
	return len(r.data) / r.form.width
}

// unit is unit i as a number.
func (r *rdRow) unit(i int) uint64 {
	b := r.data[i*r.form.width:]
	swap := r.form.swap
	switch r.form.width {
	case 1:
		return uint64(b[0])
	case 2:
		v := binary.LittleEndian.Uint16(b)
		if swap {
			v = bits.ReverseBytes16(v)
		}
		return uint64(v)
	case 4:
		v := binary.LittleEndian.Uint32(b)
		if swap {
			v = bits.ReverseBytes32(v)
		}
		return uint64(v)
	}
	v := binary.LittleEndian.Uint64(b)
	if swap {
		v = bits.ReverseBytes64(v)
	}
	return v
}

func (r *rdRow) symbols() output.Value {
	if r.form == nil || r.form.names == nil {
		return output.Null()
	}
	var v []output.Value
	for i := range r.units() {
		if a, ok := r.form.names.annotate(r.unit(i)); ok {
			v = append(v, a.value())
		} else {
			v = append(v, output.Null())
		}
	}
	return output.List(v...)
}

// rdRowText is a row as crash prints it: the characters stand in a column of
// their own, also in a row that is not full.
func rdRowText(b []byte, r *rdRow) []byte {
	b = append(appendHex(b, r.addr, 16, ' '), ":  "...)
	n := r.units()
	for i := range n {
		b = append(r.appendUnit(b, r.unit(i)), ' ')
	}
	if !r.form.ascii {
		return append(b, '\n')
	}
	missing := (rdRowBytes/r.form.width - n) * (2*r.form.width + 1)
	for range missing + 2 {
		b = append(b, ' ')
	}
	for _, c := range r.data {
		if !printable(c) {
			c = '.'
		}
		b = append(b, c)
	}
	return append(b, '\n')
}

func printable(c byte) bool { return c >= ' ' && c < 0x7f }

func (r *rdRow) appendUnit(b []byte, v uint64) []byte {
	w := r.form.width
	if r.form.numbers != hexadecimal {
		return r.appendDecimal(b, v)
	}
	if r.form.names != nil {
		if a, ok := r.form.names.annotate(v); ok {
			return padRight(append(b, a.text()...), len(b)+16)
		}
	}
	return appendHex(b, v, 2*w, '0')
}

// appendDecimal appends a unit right-aligned in the column that crash has for
// its width.
func (r *rdRow) appendDecimal(b []byte, v uint64) []byte {
	column := map[int]int{1: 3, 2: 5, 4: 12, 8: 15}[r.form.width]
	var digits [20]byte
	var s []byte
	if r.form.numbers == signed {
		shift := 64 - 8*r.form.width
		s = strconv.AppendInt(digits[:0], int64(v<<shift)>>shift, 10)
	} else {
		s = strconv.AppendUint(digits[:0], v, 10)
		if r.form.width == 8 {
			column = 20
		}
	}
	for range column - len(s) {
		b = append(b, ' ')
	}
	return append(b, s...)
}

// appendHex appends v with at least width digits, filled up in front.
func appendHex(b []byte, v uint64, width int, fill byte) []byte {
	for d := max(1, (bits.Len64(v)+3)/4); d < width; d++ {
		b = append(b, fill)
	}
	return strconv.AppendUint(b, v, 16)
}

// padRight fills b with blanks up to length n.
func padRight(b []byte, n int) []byte {
	for len(b) < n {
		b = append(b, ' ')
	}
	return b
}
