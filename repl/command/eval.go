package command

import (
	"context"
	"fmt"
	"math/bits"
	"strings"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// evaluated is the value of one expression.
type evaluated struct {
	value uint64
	bits  bool // list the bits that are set
}

var evalRecord = &output.Record[evaluated]{
	Type: "number",
	Help: "the value of an expression",
	Columns: []output.Column[evaluated]{
		{Name: "value", Help: "the value in hexadecimal", Get: func(e *evaluated) output.Value { return output.Hex(e.value) }},
		{Name: "unsigned", Help: "the value", Get: func(e *evaluated) output.Value { return output.Uint(e.value) }},
		{Name: "signed", Help: "the same 64 bits with a sign", Get: func(e *evaluated) output.Value { return output.Int(int64(e.value)) }},
		{Name: "bits", Help: "numbers of the bits that are set, highest first; null without -b", Get: bitsValue},
	},
	Text: evalText,
}

func bitsValue(e *evaluated) output.Value {
	if !e.bits {
		return output.Null()
	}
	set := []output.Value{}
	for v := e.value; v != 0; {
		n := 63 - bits.LeadingZeros64(v)
		set = append(set, output.Int(n))
		v &^= 1 << n
	}
	return output.List(set...)
}

// evalText is crash's form: each value with two blanks behind it.
func evalText(b []byte, e *evaluated) []byte {
	v := e.value
	b = fmt.Appendf(b, "hexadecimal: %x  %s\n", v, sizeNote(v))
	signed := ""
	if v>>63 != 0 {
		signed = fmt.Sprintf("(%d)", int64(v))
	}
	b = fmt.Appendf(b, "    decimal: %d  %s\n", v, signed)
	b = fmt.Appendf(b, "      octal: %o\n     binary: %064b\n", v, v)
	if e.bits {
		b = appendBits(b, v)
	}
	return b
}

// sizeNote is the value as a size if it is a multiple of a kilobyte.
func sizeNote(v uint64) string {
	switch {
	case v == 0:
	case v%(1<<30) == 0:
		return fmt.Sprintf("(%dGB)", v>>30)
	case v%(1<<20) == 0:
		return fmt.Sprintf("(%dMB)", v>>20)
	case v%(1<<10) == 0:
		return fmt.Sprintf("(%dKB)", v>>10)
	}
	return ""
}

// appendBits lists the bits that are set, in lines that end at column 77 or behind.
func appendBits(b []byte, v uint64) []byte {
	const label = "   bits set: "
	b = append(b, label...)
	column := len(label)
	for v != 0 {
		n := 63 - bits.LeadingZeros64(v)
		v &^= 1 << n
		cell := fmt.Sprintf("%d ", n)
		b = append(b, cell...)
		column += len(cell)
		if column >= 77 { // as crash does it, even behind the last number
			b = append(b, "\n"+strings.Repeat(" ", len(label))...)
			column = len(label)
		}
	}
	return append(b, '\n')
}

// eval shows a number in all bases.
func eval(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "eval",
		Synopsis: "[-b] [-l] expression",
		Summary:  "calculate, and show the result in every base",
		Detail: `
Operands are numbers and kernel symbols; a symbol stands for its address. A number
of digits only is decimal, every other one is hexadecimal, with or without 0x. k, m
or g behind a number multiplies it by 1024, 1024*1024 and so on.

Operators, the strongest first; parentheses group:

  ~ -         complement and sign
  #           power, from right to left
  * / %       division is unsigned
  + -
  << >>       unsigned
  &
  ^
  |

Values have 64 bits and wrap. A number that needs more is an error, and so is a
division by zero.

If a digit, an opening parenthesis or a unary operator follows them, | and >> are
operators; otherwise they begin a pipe or redirect ("help input").`,
		Options: []repl.Option{
			{Name: "b", Help: "list the bits that are set, too"},
			{Name: "l", Help: "calculate with 64 bits, which is always done"},
		},
		Examples: []repl.Example{
			{Line: "eval 128m", Help: "How many bytes are 128 megabytes?"},
			{Line: "eval -b (1 << 32 | 7)", Help: "Which bits are set?"},
			{Line: "eval init_task + 8", Help: "An address behind a symbol."},
		},
		Expr:    true,
		Records: []output.Describer{evalRecord},
		Run: func(_ context.Context, c *repl.Call) error {
			if c.Rest == "" {
				return c.Usage("nothing to evaluate")
			}
			v, err := evaluate(c.Rest, t.Symbols)
			if err != nil {
				return err
			}
			evalRecord.Emit(c.Out, &evaluated{v, c.Has("b")})
			return nil
		},
	}
}
