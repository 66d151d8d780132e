package repl

import (
	"fmt"
	"strings"
	"testing"
)

var optionCommand = &Command{
	Name:     "cmd",
	Synopsis: "[-px] operand",
	Options: []Option{
		{Name: "p"}, {Name: "x"}, {Name: "s", Arg: "member"}, {Name: "16"}, {Name: "8"},
		{Name: "panic"}, {Name: "level", Arg: "n"}, {Name: "l", Arg: "offset"}, {Name: "S", Assign: "cpus"}, {Name: "n", Number: true},
	},
}

var exprCommand = &Command{
	Name:    "p",
	Expr:    true,
	Options: []Option{{Name: "x"}, {Name: "d"}, {Name: "u"}, {Name: "c", Arg: "cpu"}},
}

// show renders parsed arguments for comparison.
func show(p parsedArgs) string {
	var b strings.Builder
	for _, o := range p.options {
		fmt.Fprintf(&b, "-%s", o.name)
		if o.value != "" {
			fmt.Fprintf(&b, "=%s", o.value)
		}
		b.WriteString(" ")
	}
	for _, w := range p.operands {
		fmt.Fprintf(&b, "[%s]", w.text)
	}
	fmt.Fprintf(&b, " %q", p.rest)
	if p.json {
		b.WriteString(" json")
	}
	if p.help {
		b.WriteString(" help")
	}
	return b.String()
}

func TestParseArgs(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ` ""`},
		{" a b", `[a][b] "a b"`},
		{"-p a", `-p [a] "a"`},
		{"-px a", `-p -x [a] "a"`},
		{"a -p b", `-p [a][b] "a -p b"`},
		{"-SS a", `-S -S [a] "a"`},
		{"-S=1,3-5 a", `-S=1,3-5 [a] "a"`},
		{"a -S=a", `-S=a [a] "a -S=a"`},
		{"--S=1", `-S=1  ""`},
		{"-s a,b c", `-s=a,b [c] "c"`},
		{"-sa.b c", `-s=a.b [c] "c"`},
		{"-pxs m c", `-p -x -s=m [c] "c"`},
		{"-16 a", `-16 [a] "a"`},
		{"-8", `-8  ""`},
		{"-5 a", `-n=5 [a] "a"`},
		{"-panic", `-panic  ""`},
		{"--panic", `-panic  ""`},
		{"--level 3 a", `-level=3 [a] "a"`},
		{"--level=3 a", `-level=3 [a] "a"`},
		{"-l -8 a", `-l=-8 [a] "a"`},
		{"-- -p a", `[-p][a] "-p a"`},
		{"a - b", `[a][-][b] "a - b"`},
		{"'-p' a", `[-p][a] "'-p' a"`},
		{"'a b' \"c d\"", `[a b][c d] "'a b' \"c d\""`},
		{"(a + b) 4", `[(a + b)][4] "(a + b) 4"`},
		{"(a", `[(a] "(a"`},
		{`\foo`, `[\foo] "\\foo"`},
		{`a\|b`, `[a|b] "a\\|b"`},
		{"('x' + 1)", `[('x' + 1)] "('x' + 1)"`},
		{"a --json", `[a] "a --json" json`},
		{"--help", ` "" help`},
	}
	for _, tt := range tests {
		p, err := optionCommand.parseArgs(tt.text)
		if got := show(p); err != nil || got != tt.want {
			t.Errorf("%q: %s, error %v; want %s", tt.text, got, err, tt.want)
		}
	}
}

func TestParseExpr(t *testing.T) {
	tests := []struct{ text, want string }{
		{" a + b ", `[a + b] "a + b"`},
		{"-x a", `-x [a] "a"`},
		{"-xu a -d", `-x -u [a -d] "a -d"`},
		{"-5 + 1", `[-5 + 1] "-5 + 1"`},
		{"-y", `[-y] "-y"`},
		{"-- -x", `[-x] "-x"`},
		{"-c 1 a", `-c=1 [a] "a"`},
		{"-c1 a", `-c=1 [a] "a"`},
		{"--json a", `[a] "a" json`},
		{"a --json", `[a] "a" json`},
		{"'a  b'", `['a  b'] "'a  b'"`},
		{"-x", `-x  ""`},
	}
	for _, tt := range tests {
		p, err := exprCommand.parseArgs(tt.text)
		if got := show(p); err != nil || got != tt.want {
			t.Errorf("%q: %s, error %v; want %s", tt.text, got, err, tt.want)
		}
	}
}

func TestParseArgsErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"-z", "invalid option -- 'z'"},
		{"-pzx", "invalid option -- 'z'"},
		{"-ä", "invalid option -- 'ä'"},
		{"--nothing", "unknown option --nothing"},
		{"--panic=1", "takes no argument"},
		{"-s", "option -s needs an argument: member"},
		{"--level", "option -level needs an argument: n"},
		{"'a", "no closing '"},
	}
	for _, tt := range tests {
		_, err := optionCommand.parseArgs(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: error %v, want %q", tt.text, err, tt.want)
		}
	}
	if _, err := (&Command{Name: "none"}).parseArgs("-5 -0x1f"); err != nil {
		t.Errorf("negative numbers are operands: %v", err)
	}
}

func TestParseNumber(t *testing.T) {
	tests := []struct {
		text          string
		number, addr  uint64
		numErr, adErr bool
	}{
		{"10", 10, 0x10, false, false},
		{"0x10", 16, 16, false, false},
		{"0X10", 16, 16, false, false},
		{"ff", 255, 255, false, false},
		{"010", 10, 0x10, false, false},
		{"ffffffffffffffff", 1<<64 - 1, 1<<64 - 1, false, false},
		{"18446744073709551615", 1<<64 - 1, 0, false, true},
		{"18446744073709551616", 0, 0, true, true},
		{"10000000000000000f", 0, 0, true, true},
		{"", 0, 0, true, true},
		{"0x", 0, 0, true, true},
		{"-1", 0, 0, true, true},
		{"+1", 0, 0, true, true},
		{"1_0", 0, 0, true, true},
		{"xyz", 0, 0, true, true},
	}
	for _, tt := range tests {
		n, err := ParseNumber(tt.text)
		if n != tt.number || (err != nil) != tt.numErr {
			t.Errorf("ParseNumber(%q) = %d, %v", tt.text, n, err)
		}
		n, err = ParseAddress(tt.text)
		if n != tt.addr || (err != nil) != tt.adErr {
			t.Errorf("ParseAddress(%q) = %#x, %v", tt.text, n, err)
		}
	}
}

func FuzzParseArgs(f *testing.F) {
	f.Add("-pxs m 'c d' (a + b) -- -16 --level=3 \\x")
	f.Fuzz(func(t *testing.T, text string) {
		for _, cmd := range []*Command{optionCommand, exprCommand} {
			p, err := cmd.parseArgs(text)
			if err != nil {
				continue
			}
			if len(p.operands) > 0 && p.rest == "" {
				t.Errorf("%q: operands %v without text", text, p.operands)
			}
		}
	})
}

func TestParseText(t *testing.T) {
	cmd := &Command{Name: "repeat", Text: true, Options: []Option{{Name: "n", Number: true}, {Name: "x"}}}
	for text, want := range map[string]string{
		" -5 ps -k --json": `-n=5 [ps][-k][--json] "ps -k --json"`,
		" -x ps -x":        `-x [ps][-x] "ps -x"`,
		" --json ps -k":    `[ps][-k] "ps -k" json`,
	} {
		p, err := cmd.parseArgs(text)
		if got := show(p); err != nil || got != want {
			t.Errorf("%q: %s, %v, want %s", text, got, err, want)
		}
	}
}
