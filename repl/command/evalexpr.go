package command

import (
	"fmt"
	"strings"

	"github.com/kdive/kdive/repl"
)

// evaluate calculates an integer expression of the eval command, with unsigned
// 64-bit arithmetic that wraps. symbols may be nil.
func evaluate(text string, symbols Symbols) (uint64, error) {
	p := &intParser{text: text, symbols: symbols}
	p.next()
	v, err := p.binary(0)
	if err != nil {
		return 0, fmt.Errorf("invalid expression: (%s): %w", text, err)
	}
	if p.tok != "" {
		return 0, fmt.Errorf("invalid expression: (%s): %q is not expected here", text, p.tok)
	}
	return v, nil
}

// maxNesting bounds parentheses and unary operators.
const maxNesting = 200

// intParser is a recursive descent over the text.
type intParser struct {
	text    string
	pos     int
	tok     string // current token, "" at the end
	depth   int
	symbols Symbols
}

// levels are the binary operators by rising strength; power is apart since it
// groups from the right.
var levels = []string{"|", "^", "&", "<< >>", "+ -", "* / %"}

// next moves to the following token: a word, <<, >>, or one character.
func (p *intParser) next() {
	for p.pos < len(p.text) && (p.text[p.pos] == ' ' || p.text[p.pos] == '\t') {
		p.pos++
	}
	start := p.pos
	for p.pos < len(p.text) && isWordByte(p.text[p.pos]) {
		p.pos++
	}
	if p.pos == start && p.pos < len(p.text) {
		p.pos++
		if c := p.text[start]; (c == '<' || c == '>') && p.pos < len(p.text) && p.text[p.pos] == c {
			p.pos++
		}
	}
	p.tok = p.text[start:p.pos]
}

func isWordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '.' || c == '$' || c >= 0x80
}

func (p *intParser) binary(level int) (uint64, error) {
	if level == len(levels) {
		return p.power()
	}
	a, err := p.binary(level + 1)
	for err == nil && p.tok != "" && hasOperator(levels[level], p.tok) {
		op := p.tok
		p.next()
		var b uint64
		if b, err = p.binary(level + 1); err == nil {
			a, err = apply(op, a, b)
		}
	}
	return a, err
}

func hasOperator(list, op string) bool {
	for _, o := range strings.Fields(list) {
		if o == op {
			return true
		}
	}
	return false
}

func apply(op string, a, b uint64) (uint64, error) {
	switch op {
	case "|":
		return a | b, nil
	case "^":
		return a ^ b, nil
	case "&":
		return a & b, nil
	case "<<":
		return a << b, nil // Go shifts everything out; b is unsigned
	case ">>":
		return a >> b, nil
	case "+":
		return a + b, nil
	case "-":
		return a - b, nil
	case "*":
		return a * b, nil
	}
	if b == 0 {
		return 0, fmt.Errorf("division by zero")
	}
	if op == "/" {
		return a / b, nil
	}
	return a % b, nil
}

// power reads unary # power.
func (p *intParser) power() (uint64, error) {
	base, err := p.unary()
	if err != nil || p.tok != "#" {
		return base, err
	}
	if p.depth++; p.depth > maxNesting {
		return 0, fmt.Errorf("nested too deeply")
	}
	defer func() { p.depth-- }()
	p.next()
	exp, err := p.power()
	if err != nil {
		return 0, err
	}
	v := uint64(1)
	for ; exp != 0; exp >>= 1 {
		if exp&1 != 0 {
			v *= base
		}
		base *= base
	}
	return v, nil
}

func (p *intParser) unary() (uint64, error) {
	if p.depth++; p.depth > maxNesting {
		return 0, fmt.Errorf("nested too deeply")
	}
	defer func() { p.depth-- }()
	switch p.tok {
	case "-":
		p.next()
		v, err := p.unary()
		return -v, err
	case "~":
		p.next()
		v, err := p.unary()
		return ^v, err
	case "(":
		p.next()
		v, err := p.binary(0)
		if err != nil {
			return 0, err
		}
		if p.tok != ")" {
			return 0, fmt.Errorf("closing parenthesis is missing")
		}
		p.next()
		return v, nil
	case "":
		return 0, fmt.Errorf("operand is missing")
	}
	if !isWordByte(p.tok[0]) {
		return 0, fmt.Errorf("%q is not expected here", p.tok)
	}
	return p.operand()
}

// operand is a number with or without a multiplier, or a symbol.
func (p *intParser) operand() (uint64, error) {
	word := p.tok
	p.next()
	shift, attached := multiplier(word[len(word)-1:])
	digits := word
	if attached && len(word) > 1 {
		digits = word[:len(word)-1]
	}
	v, err := repl.ParseNumber(digits)
	if err != nil || attached && len(word) == 1 {
		return p.symbol(word, err)
	}
	if !attached {
		if n, ok := multiplier(p.tok); ok {
			shift = n
			p.next()
		}
	}
	if v<<shift>>shift != v {
		return 0, fmt.Errorf("number needs more than 64 bits: %s", word)
	}
	return v << shift, nil
}

// multiplier is the shift that k, m or g stand for.
func multiplier(s string) (shift uint, ok bool) {
	switch s {
	case "k", "K":
		return 10, true
	case "m", "M":
		return 20, true
	case "g", "G":
		return 30, true
	}
	return 0, false
}

func (p *intParser) symbol(name string, numErr error) (uint64, error) {
	if name[0] >= '0' && name[0] <= '9' {
		return 0, numErr
	}
	if p.symbols != nil {
		if addr, ok := p.symbols.Symbol(name); ok {
			return addr, nil
		}
	}
	if numErr != nil && strings.Contains(numErr.Error(), "64 bits") {
		return 0, numErr
	}
	return 0, fmt.Errorf("%s is neither a number nor a symbol", name)
}
