package command

import (
	"context"
	"fmt"
	"strings"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// asciiNames are the control characters 0 to 0x20.
var asciiNames = [...]string{
	"NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "HT", "LF", "VT", "FF", "CR", "SO", "SI",
	"DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US", "SP",
}

// asciiName is how the chart calls a 7-bit character.
func asciiName(c byte) string {
	switch {
	case c <= ' ':
		return asciiNames[c]
	case c == 0x7f:
		return "DEL"
	}
	return string(rune(c))
}

// asciiRecord is one value read as characters.
var asciiRecord = &output.Record[uint64]{
	Type: "ascii",
	Help: "one value and its bytes as characters, lowest byte first",
	Columns: []output.Column[uint64]{
		{Name: "value", Verb: "%016x: ", Help: "the value", Get: func(v *uint64) output.Value { return output.Hex(*v) }},
		{Name: "characters", Verb: "%s", Help: "eight characters or their names, lowest byte first",
			Get: func(v *uint64) output.Value { return output.Strings(asciiCells(*v)) },
			Text: func(v *uint64) string {
				s := ""
				for i, cell := range asciiCells(*v) {
					if c := byte(*v >> (8 * i)); c < ' ' || c >= 0x7f {
						cell = "<" + cell + ">"
					}
					s += cell
				}
				return s
			}},
	},
}

func asciiCells(v uint64) []string {
	cells := make([]string, 8)
	for i := range cells {
		switch c := byte(v >> (8 * i)); {
		case c == ' ':
			cells[i] = " "
		case c < 0x80:
			cells[i] = asciiName(c)
		default:
			cells[i] = fmt.Sprintf("%02x", c)
		}
	}
	return cells
}

// ascii shows values as characters, or the chart of all characters.
func ascii(*Target) *repl.Command {
	return &repl.Command{
		Name:     "ascii",
		Synopsis: "[value ...]",
		Summary:  "show hexadecimal values as characters",
		Detail: `
Each value is split into its eight bytes, the lowest first, as they lie in memory.
Without an operand the chart of the ASCII characters is printed.`,
		Examples: []repl.Example{{Line: "ascii 62696c2f7273752f", Help: "Shows /usr/lib."}},
		Records:  []output.Describer{asciiRecord, asciiChartRecord},
		Run:      runAscii,
	}
}

func runAscii(_ context.Context, c *repl.Call) error {
	if len(c.Args) == 0 {
		asciiChart(c)
		return nil
	}
	for _, arg := range c.Args {
		v, err := repl.ParseAddress(arg)
		if err != nil {
			return err
		}
		asciiRecord.Emit(c.Out, &v)
	}
	return nil
}

// asciiChartRecord is one character of the chart; the text form prints the
// chart as a whole.
var asciiChartRecord = &output.Record[byte]{
	Type: "character",
	Help: "one character of the chart",
	Columns: []output.Column[byte]{
		{Name: "code", Help: "its code", Get: func(c *byte) output.Value { return output.Uint(*c) }},
		{Name: "character", Help: "the character or its name", Get: func(c *byte) output.Value { return output.String(asciiName(*c)) }},
	},
	Text: func(b []byte, _ *byte) []byte { return b },
}

func asciiChart(c *repl.Call) {
	for i := range byte(0x80) {
		asciiChartRecord.Emit(c.Out, &i)
	}
	c.Out.Print("\n      0    1   2   3   4   5   6   7\n    +-------------------------------\n")
	for low := range byte(16) {
		line := fmt.Sprintf("  %X |", low)
		for high := range byte(8) {
			name := asciiName(high<<4 | low)
			if len(name) == 1 {
				name += " "
			}
			line += fmt.Sprintf(" %3s", name)
		}
		c.Out.Print(strings.TrimRight(line, " ") + "\n")
	}
	c.Out.Print("\n")
}
