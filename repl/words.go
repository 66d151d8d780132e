package repl

import (
	"fmt"
	"strings"
)

// word is one operand of a command line.
type word struct {
	text  string // quotes removed
	raw   string // as typed
	quote byte   // ' or " if the word began with it
	pos   int    // of its first byte in the line
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// splitWords splits command text at blanks. Quotes and parentheses hold blanks
// together; quotes are removed, parentheses stay, since they mark expressions.
// A backslash protects an operator or quote behind it and is otherwise kept:
// several commands give it a meaning.
func splitWords(s string) ([]word, error) {
	var words []word
	for i := 0; i < len(s); {
		if isBlank(s[i]) {
			i++
			continue
		}
		w, next, err := scanWord(s, i)
		if err != nil {
			return nil, err
		}
		words = append(words, w)
		i = next
	}
	return words, nil
}

func scanWord(s string, start int) (word, int, error) {
	w := word{pos: start}
	var b strings.Builder
	depth := 0
	i := start
	for i < len(s) {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s) && strings.IndexByte(protectable, s[i+1]) >= 0:
			b.WriteByte(s[i+1])
			i += 2
			continue
		case c == '\'' || c == '"':
			end := strings.IndexByte(s[i+1:], c)
			if end < 0 {
				return w, 0, fmt.Errorf("no closing %c", c)
			}
			if i == start {
				w.quote = c
			}
			if depth > 0 { // an expression may hold a character or string constant
				b.WriteString(s[i : i+end+2])
			} else {
				b.WriteString(s[i+1 : i+1+end])
			}
			i += end + 2
			continue
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case isBlank(c) && depth == 0:
			w.text, w.raw = b.String(), s[start:i]
			return w, i, nil
		}
		b.WriteByte(c)
		i++
	}
	w.text, w.raw = b.String(), s[start:]
	return w, i, nil
}

// protectable are the characters that a backslash takes the meaning from.
const protectable = `|<>;'"`
