package expr

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// ErrNumber is in the chain of errors about words that are no numbers.
var ErrNumber = errors.New("not a number")

// Number reads a plain operand by crash's rule: decimal if it has only the
// digits 0-9, otherwise hexadecimal, with or without 0x (1e5 and 0b101 are
// hexadecimal; there is no octal). A suffix k, m or g multiplies by 2^10, 2^20
// or 2^30.
func Number(word string) (uint64, error) { return number(word, false) }

// Hex is Number for operands that are hexadecimal whatever their digits are,
// such as addresses.
func Hex(word string) (uint64, error) { return number(word, true) }

func number(word string, hex bool) (uint64, error) {
	text, shift := word, 0
	if n := len(word); n > 1 {
		switch word[n-1] | 0x20 {
		case 'k':
			shift = 10
		case 'm':
			shift = 20
		case 'g':
			shift = 30
		}
	}
	if shift > 0 {
		text = strings.TrimRight(word[:len(word)-1], " ")
	}
	base := 16
	digits := text
	switch {
	case strings.HasPrefix(text, "0x") || strings.HasPrefix(text, "0X"):
		digits = text[2:]
	case !hex && strings.Trim(text, "0123456789") == "":
		base = 10
	}
	if strings.ContainsAny(digits, "_+-xX") {
		return 0, fmt.Errorf("%s: %w", word, ErrNumber)
	}
	n, err := strconv.ParseUint(digits, base, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && bits.Len64(n)+shift > 64:
		return 0, fmt.Errorf("%s does not fit into 64 bits", word)
	case err != nil:
		return 0, fmt.Errorf("%s: %w", word, ErrNumber)
	}
	return n << shift, nil
}
