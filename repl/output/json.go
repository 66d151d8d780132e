package output

import (
	"errors"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/kdive/kdive/fault"
)

// AppendJSON appends v as JSON without any white space.
func (v Value) AppendJSON(b []byte) []byte {
	switch v.kind {
	case KindBool:
		return strconv.AppendBool(b, v.num != 0)
	case KindInt:
		return strconv.AppendInt(b, int64(v.num), 10)
	case KindUint:
		return strconv.AppendUint(b, v.num, 10)
	case KindFloat:
		f := math.Float64frombits(v.num)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return append(b, "null"...)
		}
		return strconv.AppendFloat(b, f, 'g', -1, 64)
	case KindAddr:
		return AppendAddr(b, v.num)
	case KindString:
		return AppendString(b, v.str)
	case KindTime:
		b = append(b, '"')
		b = v.ref.(time.Time).UTC().AppendFormat(b, time.RFC3339Nano)
		return append(b, '"')
	case KindList:
		return appendList(b, v.ref.([]Value))
	case KindObject:
		return appendObject(b, v.ref.([]Field))
	case KindFault:
		return AppendFault(b, v.ref.(error))
	case KindTree:
		return v.ref.(Appender).AppendJSON(b)
	}
	return append(b, "null"...)
}

func appendList(b []byte, list []Value) []byte {
	b = append(b, '[')
	for i, e := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = e.AppendJSON(b)
	}
	return append(b, ']')
}

func appendObject(b []byte, fields []Field) []byte {
	b = append(b, '{')
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendString(b, f.Name)
		b = append(b, ':')
		b = f.Value.AppendJSON(b)
	}
	return append(b, '}')
}

// AppendAddr appends an address as the JSON string "0x…".
func AppendAddr(b []byte, addr uint64) []byte {
	b = append(b, '"', '0', 'x')
	b = strconv.AppendUint(b, addr, 16)
	return append(b, '"')
}

// AppendFault appends the object that stands for a failed read: the reason, the
// address and its space where memory is the cause, the message otherwise.
func AppendFault(b []byte, err error) []byte {
	b = append(b, `{"type":"fault"`...)
	return append(appendFaultFields(b, err), '}')
}

func appendFaultFields(b []byte, err error) []byte {
	var e *fault.Error
	var lost *fault.Lost
	if errors.As(err, &lost) {
		b = append(b, `,"reason":"lost","message":`...)
		return AppendString(b, lost.Why)
	}
	if !errors.As(err, &e) {
		b = append(b, `,"message":`...)
		return AppendString(b, err.Error())
	}
	b = append(b, `,"reason":`...)
	b = AppendString(b, e.Reason.String())
	b = append(b, `,"space":`...)
	b = AppendString(b, e.Space.String())
	b = append(b, `,"addr":`...)
	b = AppendAddr(b, e.Addr)
	if e.Detail != "" {
		b = append(b, `,"detail":`...)
		b = AppendString(b, e.Detail)
	}
	return b
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, since JSON cannot carry them.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < 0x7f {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			b = append(b, s[start:i]...)
			b = appendEscape(b, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(b, s[start:i]...)
			b = append(b, `\ufffd`...)
			start = i + size
		case r < 0xa0, r == '\u2028', r == '\u2029': // C1 controls and the line separators of JavaScript
			b = append(b, s[start:i]...)
			b = append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
			start = i + size
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
