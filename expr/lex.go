package expr

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/kdive/kdive/ctype"
)

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokName
	tokInt
	tokFloat
	tokChar
	tokString
	tokDollar // history or register, text without the $
	tokPunct
)

type token struct {
	kind tokenKind
	at   int    // byte offset in the text
	text string // as written
	num  uint64
	flt  float64
	typ  *ctype.Type // of numbers
	str  string      // of strings and quoted file names
}

func (t token) is(op string) bool { return t.kind == tokPunct && t.text == op }

type lexer struct {
	src string
	pos int // behind the last token
}

func (l *lexer) errorAt(at, end int, format string, args ...any) error {
	return &Error{Column: at + 1, Token: l.src[at:min(end, len(l.src))], Err: fmt.Errorf(format, args...)}
}

// operators, longest first.
var operators = []string{
	"<<=", ">>=", "->", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "::", "++", "--",
	"+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=",
	"+", "-", "*", "/", "%", "&", "|", "^", "~", "!", "<", ">", "=", "?", ":", ",", ".", "(", ")", "[", "]", "{", "}", "@",
}

func (l *lexer) lex() (token, error) {
	for l.pos < len(l.src) && strings.IndexByte(" \t\r\n", l.src[l.pos]) >= 0 {
		l.pos++
	}
	at := l.pos
	if at == len(l.src) {
		return token{at: at}, nil
	}
	rest := l.src[at:]
	c := rest[0]
	switch {
	case c >= '0' && c <= '9' || c == '.' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9':
		return l.number()
	case isName(c):
		return l.take(tokName, nameLen(rest)), nil
	case c == '$':
		n := 1
		for n < len(rest) && (rest[n] == '$' || isName(rest[n]) || isDigit(rest[n])) {
			n++
		}
		return l.take(tokDollar, n), nil
	case c == '\'' || c == '"':
		return l.quoted(c)
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			return l.take(tokPunct, len(op)), nil
		}
	}
	return token{}, l.errorAt(at, at+1, "not part of any expression")
}

func (l *lexer) take(kind tokenKind, n int) token {
	t := token{kind: kind, at: l.pos, text: l.src[l.pos : l.pos+n]}
	l.pos += n
	return t
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isName(c byte) bool  { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }

func nameLen(s string) int {
	n := 0
	for n < len(s) && (isName(s[n]) || isDigit(s[n])) {
		n++
	}
	return n
}

// number reads an integer (decimal, 0x, 0b, octal; suffixes u and l) or a
// floating-point constant.
func (l *lexer) number() (token, error) {
	at := l.pos
	n := nameLen(l.src[at:])
	word := l.src[at : at+n]
	hex := len(word) > 1 && word[0] == '0' && word[1]|0x20 == 'x'
	if !hex && (at+n < len(l.src) && l.src[at+n] == '.' || strings.ContainsAny(word, "eE")) {
		return l.float()
	}
	digits := strings.TrimRight(word, "uUlL")
	suffix := strings.ToLower(word[len(digits):])
	base, text := 10, digits
	switch {
	case hex:
		base, text = 16, digits[2:]
	case len(digits) > 1 && digits[0] == '0' && digits[1]|0x20 == 'b':
		base, text = 2, digits[2:]
	case len(digits) > 1 && digits[0] == '0':
		base, text = 8, digits[1:]
	}
	num, err := strconv.ParseUint(text, base, 64)
	switch suffix {
	case "", "u", "l", "ul", "lu", "ll", "ull", "llu":
	default:
		err = strconv.ErrSyntax
	}
	if err != nil || strings.Contains(word, "_") {
		if ne, ok := err.(*strconv.NumError); ok && ne.Err == strconv.ErrRange {
			return token{}, l.errorAt(at, at+n, "does not fit into 64 bits")
		}
		return token{}, l.errorAt(at, at+n, "not a number")
	}
	t := l.take(tokInt, n)
	t.num, t.typ = num, constantType(num, base != 10, strings.Contains(suffix, "u"), strings.Contains(suffix, "l"))
	return t, nil
}

// constantType is the first type of C's list that can hold an integer constant.
// Decimal constants beyond long are unsigned long, as in gdb.
func constantType(n uint64, anyBase, unsigned, long bool) *ctype.Type {
	switch {
	case !long && !unsigned && n < 1<<31:
		return typeInt
	case !long && (unsigned || anyBase) && n < 1<<32:
		return typeUint
	case !unsigned && n < 1<<63:
		return typeLong
	}
	return typeUlong
}

func (l *lexer) float() (token, error) {
	at, end := l.pos, l.pos
	for end < len(l.src) {
		c := l.src[end]
		sign := (c == '+' || c == '-') && end > at && l.src[end-1]|0x20 == 'e'
		if !isDigit(c) && c != '.' && !isName(c) && !sign {
			break
		}
		end++
	}
	text := l.src[at:end]
	typ := typeDouble
	switch text[len(text)-1] | 0x20 {
	case 'f':
		text, typ = text[:len(text)-1], typeFloat
	case 'l':
		text = text[:len(text)-1]
	}
	f, err := strconv.ParseFloat(text, 64)
	if ne, ok := err.(*strconv.NumError); ok && ne.Err != strconv.ErrRange || strings.ContainsAny(text, "_xXiInN") {
		return token{}, l.errorAt(at, end, "not a number")
	}
	t := l.take(tokFloat, end-at)
	t.flt, t.typ = f, typ
	return t, nil
}

// quoted reads a character constant, a string, or a file name in quotes, which
// :: follows.
func (l *lexer) quoted(quote byte) (token, error) {
	at := l.pos
	var b strings.Builder
	pos := at + 1
	for pos < len(l.src) && l.src[pos] != quote {
		c, n, ok := unescape(l.src[pos:])
		if !ok {
			return token{}, l.errorAt(pos, pos+2, "not an escape sequence")
		}
		b.WriteByte(c)
		pos += n
	}
	if pos == len(l.src) {
		return token{}, l.errorAt(at, pos, "the closing %c is missing", quote)
	}
	t := l.take(tokString, pos+1-at)
	t.str = b.String()
	if quote == '"' || strings.HasPrefix(strings.TrimLeft(l.src[l.pos:], " "), "::") {
		return t, nil
	}
	if len(t.str) != 1 {
		return token{}, l.errorAt(at, pos+1, "not one character")
	}
	t.kind, t.num = tokChar, uint64(int64(int8(t.str[0])))
	return t, nil
}

// unescape reads one character of a literal and tells how many bytes it takes.
func unescape(s string) (c byte, n int, ok bool) {
	if s[0] != '\\' {
		return s[0], 1, true
	}
	if len(s) < 2 {
		return 0, 0, false
	}
	if i := strings.IndexByte("abtnvfre", s[1]); i >= 0 {
		return "\a\b\t\n\v\f\r\x1b"[i], 2, true
	}
	switch {
	case strings.IndexByte(`\'"?`, s[1]) >= 0:
		return s[1], 2, true
	case s[1] >= '0' && s[1] <= '7':
		v := 0
		for n = 1; n < len(s) && n < 4 && s[n] >= '0' && s[n] <= '7'; n++ {
			v = v*8 + int(s[n]-'0')
		}
		return byte(v), n, v < 256
	case s[1] == 'x':
		for n = 2; n < len(s) && n < 4 && strings.IndexByte("0123456789abcdefABCDEF", s[n]) >= 0; n++ {
		}
		v, err := strconv.ParseUint(s[2:n], 16, 8)
		return byte(v), n, err == nil
	}
	return 0, 0, false
}
