package command

import (
	"context"
	"fmt"
	"math/bits"

	"github.com/kdive/kdive/bitdiff"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// cmpval puts two values side by side.
func cmpval(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "cmpval",
		Synopsis: "[-1248] A B",
		Summary:  "put two values side by side: bits, bytes, characters",
		Detail: `
A is the value that should be there, B the one that was found; each a number, a symbol,
or an expression in parentheses. Numbers are read as by eval: digits alone are decimal,
0x and letters make them hexadecimal. The smallest of 1, 2, 4 and 8 bytes that holds
both is compared unless an option says how many. Bytes are numbered as in memory, the
lowest first.

A stray write often has a meaning of its own: bytes that are text, one bit, a small
number.`,
		Options: []repl.Option{
			{Name: "1", Help: "compare one byte"},
			{Name: "2", Help: "two bytes"},
			{Name: "4", Help: "four bytes"},
			{Name: "8", Help: "eight bytes"},
		},
		Examples: []repl.Example{
			{Line: "cmpval 13008943 13008988", Help: "What changed one number into the other?"},
			{Line: "cmpval 0xffff880008012f80 0xffff880008015c80", Help: "Two pointers."},
		},
		Records: []output.Describer{comparedRecord},
		Run:     func(_ context.Context, c *repl.Call) error { return runCmpval(t, c) },
	}
}

// compared are two values and what differs.
type compared struct {
	a, b  uint64
	width int // in bytes
	bitdiff.Diff
}

func runCmpval(t *Target, c *repl.Call) error {
	if len(c.Args) != 2 {
		return c.Usage("two values are expected")
	}
	var x compared
	for i, v := range [...]*uint64{&x.a, &x.b} {
		var err error
		if *v, err = t.number(c.Args[i]); err != nil {
			return err
		}
	}
	x.width = widthOf(x.a | x.b)
	for _, n := range [...]int{1, 2, 4, 8} {
		if c.Has(fmt.Sprint(n)) {
			x.width = n
		}
	}
	x.Diff = bitdiff.Words(x.a, x.b, x.width)
	comparedRecord.Emit(c.Out, &x)
	return nil
}

// number reads an operand: as eval does, or an expression in parentheses.
func (t *Target) number(text string) (uint64, error) {
	if isExpression(text) {
		if v, err := t.expressionAddress(text); err == nil {
			return v, nil
		}
	}
	return evaluate(text, t.Symbols)
}

// widthOf is the smallest width that holds a value, in bytes.
func widthOf(v uint64) int {
	n := 1
	for bits.Len64(v) > 8*n {
		n *= 2
	}
	return n
}

var comparedRecord = &output.Record[compared]{
	Type: "compared",
	Help: "two values and what differs",
	Columns: []output.Column[compared]{
		{Name: "a", Help: "the first value", Get: func(x *compared) output.Value { return output.Hex(x.a) }},
		{Name: "b", Help: "the second value", Get: func(x *compared) output.Value { return output.Hex(x.b) }},
		{Name: "width", Help: "bytes that were compared", Get: func(x *compared) output.Value { return output.Int(x.width) }},
		{Name: "difference", Help: "b less a", Get: func(x *compared) output.Value { return output.Int(int64(x.b - x.a)) }},
		{Name: "xor", Help: "bits that differ, as a mask", Get: func(x *compared) output.Value { return output.Hex((x.a ^ x.b) & x.mask()) }},
		{Name: "bits", Help: "numbers of the bits that differ, the lowest first", Get: func(x *compared) output.Value { return intList(x.Bits) }},
		{Name: "changes", Help: "bytes that differ: index in memory, value in a and in b, each also as text", Get: func(x *compared) output.Value { return changesValue(x.Bytes) }},
	},
	Text: comparedText,
}

func (x *compared) mask() uint64 { return ^uint64(0) >> (64 - 8*x.width) }

func comparedText(b []byte, x *compared) []byte {
	mask := x.mask()
	for _, side := range [...]struct {
		name string
		v    uint64
	}{{"A", x.a & mask}, {"B", x.b & mask}} {
		signed := ""
		if n := int64(side.v<<(64-8*x.width)) >> (64 - 8*x.width); n < 0 {
			signed = fmt.Sprintf("  (%d)", n)
		}
		b = fmt.Appendf(b, "        %s: %0*x  '%s'  %d%s\n", side.name, 2*x.width, side.v, textBytes(side.v, x.width), side.v, signed)
	}
	if len(x.Bytes) == 0 {
		return append(b, "    equal\n"...)
	}
	b = fmt.Appendf(b, "  A XOR B: %0*x  %d of %d bits, %d of %d bytes; B - A = %d\n", 2*x.width, (x.a^x.b)&mask, len(x.Bits), 8*x.width, len(x.Bytes), x.width, int64(x.b-x.a))
	b = append(b, "     bits:"...)
	for i := len(x.Bits) - 1; i >= 0; i-- {
		b = fmt.Appendf(b, " %d", x.Bits[i])
	}
	b = append(b, '\n')
	for _, c := range x.Bytes {
		b = fmt.Appendf(b, "   %s\n", changeText(c))
	}
	return b
}

// textBytes are a value's bytes in memory, dots for what does not print.
func textBytes(v uint64, n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = '.'
		if c := byte(v >> (8 * i)); c >= ' ' && c <= '~' {
			out[i] = c
		}
	}
	return string(out)
}
