package output

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kdive/kdive/fault"
)

// align is where a cell sits in its width.
type align uint8

const (
	right align = iota
	left
	centre
)

// verb is one column's format: literal text around one conversion.
type verb struct {
	before, after string
	align         align
	zero          bool // pad numbers with zeros
	alternate     bool // 0x before hexadecimal
	width         int
	prec          int  // -1: none
	conv          byte // d x X o s c f
}

// parseVerb reads a format such as "  %-16s ". The flags are those of printf
// ('-' left, '0' zeros, '#' 0x) and '^', which centres.
func parseVerb(s string) (verb, error) {
	i := strings.IndexByte(s, '%')
	if i < 0 {
		return verb{}, fmt.Errorf("format %q: no conversion", s)
	}
	v := verb{before: s[:i], prec: -1}
	for i++; i < len(s); i++ {
		switch s[i] {
		case '-':
			v.align = left
			continue
		case '^':
			v.align = centre
			continue
		case '0':
			v.zero = true
			continue
		case '#':
			v.alternate = true
			continue
		}
		break
	}
	v.width, i = parseDigits(s, i)
	if i < len(s) && s[i] == '.' {
		v.prec, i = parseDigits(s, i+1)
	}
	if i >= len(s) || strings.IndexByte("dxXoscf", s[i]) < 0 {
		return verb{}, fmt.Errorf("format %q: unknown conversion", s)
	}
	v.conv = s[i]
	v.after = s[i+1:]
	if strings.Contains(v.after, "%") {
		return verb{}, fmt.Errorf("format %q: more than one conversion", s)
	}
	return v, nil
}

func parseDigits(s string, i int) (n, next int) {
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9' && n < 1000; i++ {
		n = n*10 + int(s[i]-'0')
	}
	return n, i
}

// appendCell appends v formatted. none is the text of a null.
func (f *verb) appendCell(b []byte, v Value, none string) []byte {
	b = append(b, f.before...)
	start := len(b)
	b = f.appendBare(b, v, none)
	b = f.pad(b, start, v.kind)
	return append(b, f.after...)
}

// pad widens the cell b[start:] to the width.
func (f *verb) pad(b []byte, start int, kind Kind) []byte {
	n := f.width - utf8.RuneCount(b[start:])
	if n <= 0 {
		return b
	}
	before, fill := n, byte(' ')
	switch f.align {
	case left:
		before = 0
	case centre:
		before = n / 2
	default:
		if f.zero && kind != KindString && kind != KindFault && kind != KindNull {
			fill = '0'
		}
	}
	end := len(b)
	for range n {
		b = append(b, ' ')
	}
	if before > 0 {
		copy(b[start+before:], b[start:end])
		for i := start; i < start+before; i++ {
			b[i] = fill
		}
	}
	return b
}

func (f *verb) appendBare(b []byte, v Value, none string) []byte {
	switch v.kind {
	case KindNull:
		return append(b, none...)
	case KindBool:
		return strconv.AppendBool(b, v.num != 0)
	case KindInt, KindUint, KindAddr:
		return f.appendNumber(b, v)
	case KindFloat:
		prec := f.prec
		if f.conv != 'f' {
			prec = -1
		}
		return strconv.AppendFloat(b, math.Float64frombits(v.num), 'f', prec, 64)
	case KindString:
		return f.appendString(b, v.str)
	case KindTime:
		return v.ref.(time.Time).UTC().AppendFormat(b, time.UnixDate)
	case KindFault:
		return append(b, FaultText(v.ref.(error))...)
	}
	return v.AppendJSON(b)
}

func (f *verb) appendNumber(b []byte, v Value) []byte {
	base := 10
	switch f.conv {
	case 'x', 'X':
		base = 16
	case 'o':
		base = 8
	case 's':
		if v.kind == KindAddr {
			base = 16
		}
	case 'c':
		return append(b, byte(v.num))
	}
	if base == 16 && f.alternate {
		b = append(b, '0', 'x')
	}
	if base == 10 && v.kind == KindInt {
		return strconv.AppendInt(b, int64(v.num), 10)
	}
	at := len(b)
	b = strconv.AppendUint(b, v.num, base)
	if f.conv == 'X' {
		copy(b[at:], strings.ToUpper(string(b[at:])))
	}
	return b
}

func (f *verb) appendString(b []byte, s string) []byte {
	if f.prec >= 0 && utf8.RuneCountInString(s) > f.prec {
		s = string([]rune(s)[:f.prec])
	}
	return append(b, s...)
}

// FaultText is what stands in the place of a value that could not be read:
// <excluded>, <not mapped>, …
func FaultText(err error) string {
	var e *fault.Error
	if errors.As(err, &e) {
		return "<" + e.Reason.String() + ">"
	}
	var lost *fault.Lost
	if errors.As(err, &lost) {
		return "<" + lost.Error() + ">"
	}
	return "<unreadable>"
}
