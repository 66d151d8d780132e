package repl

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseNumber reads a number as crash's commands do: digits alone are decimal,
// with 0x or with any of a-f the number is hexadecimal. There is no octal.
func ParseNumber(s string) (uint64, error) {
	if h, ok := cutHex(s); ok {
		return parse(s, h, 16)
	}
	if strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0 {
		return parse(s, s, 10)
	}
	return parse(s, s, 16)
}

// ParseAddress reads a number as commands that take addresses do: always
// hexadecimal, with or without 0x.
func ParseAddress(s string) (uint64, error) {
	if h, ok := cutHex(s); ok {
		return parse(s, h, 16)
	}
	return parse(s, s, 16)
}

func cutHex(s string) (string, bool) {
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		return s[2:], true
	}
	return s, false
}

func parse(whole, digits string, base int) (uint64, error) {
	if digits == "" || digits[0] == '+' || digits[0] == '-' || strings.Contains(digits, "_") {
		return 0, fmt.Errorf("invalid number: %s", whole)
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		if strings.Contains(err.Error(), "out of range") {
			return 0, fmt.Errorf("number needs more than 64 bits: %s", whole)
		}
		return 0, fmt.Errorf("invalid number: %s", whole)
	}
	return n, nil
}
