package command

import (
	"slices"
	"strings"
	"testing"
)

// The chart is crash's, but for the backquote and the apostrophe, which crash
// swaps.
const chart = `
      0    1   2   3   4   5   6   7
    +-------------------------------
  0 | NUL DLE  SP  0   @   P   ` + "`" + `   p
  1 | SOH DC1  !   1   A   Q   a   q
  2 | STX DC2  "   2   B   R   b   r
  3 | ETX DC3  #   3   C   S   c   s
  4 | EOT DC4  $   4   D   T   d   t
  5 | ENQ NAK  %   5   E   U   e   u
  6 | ACK SYN  &   6   F   V   f   v
  7 | BEL ETB  '   7   G   W   g   w
  8 |  BS CAN  (   8   H   X   h   x
  9 |  HT  EM  )   9   I   Y   i   y
  A |  LF SUB  *   :   J   Z   j   z
  B |  VT ESC  +   ;   K   [   k   {
  C |  FF  FS  ,   <   L   \   l   |
  D |  CR  GS  -   =   M   ]   m   }
  E |  SO  RS  .   >   N   ^   n   ~
  F |  SI  US  /   ?   O   _   o  DEL

`

func TestAscii(t *testing.T) {
	tests := []struct{ line, want string }{
		{"ascii", chart},
		{"ascii 62696c2f7273752f", "62696c2f7273752f: /usr/lib\n"},
		{"ascii 0xff000a41 7f", "00000000ff000a41: A<LF><NUL><ff><NUL><NUL><NUL><NUL>\n" +
			"000000000000007f: <DEL><NUL><NUL><NUL><NUL><NUL><NUL><NUL>\n"},
		{"ascii 10", "0000000000000010: <DLE><NUL><NUL><NUL><NUL><NUL><NUL><NUL>\n"},
		{"ascii ff80", "000000000000ff80: <80><ff><NUL><NUL><NUL><NUL><NUL><NUL>\n"},
	}
	for _, tt := range tests {
		if got := text(t, tt.line); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.line, got, tt.want)
		}
	}
	for _, line := range []string{"ascii 41424344454647484950", "ascii zz"} {
		failure(t, line)
	}
}

func TestHelpTopics(t *testing.T) {
	if got := text(t, "help output"); !strings.Contains(got, "| json") {
		t.Error(got)
	}
	if got := text(t, "help all"); strings.Count(got, "\nNAME\n") != len(commands()) {
		t.Errorf("%d pages", strings.Count(got, "\nNAME\n"))
	}
	if got := failure(t, "help eval nothing"); got != "help: no command is called nothing\n" {
		t.Error(got)
	}
}

func TestRepeat(t *testing.T) {
	if got := failure(t, "repeat"); !strings.Contains(got, "no command to repeat") {
		t.Error(got)
	}
	if got := failure(t, "repeat echo a '| cat"); !strings.Contains(got, "no closing '") {
		t.Error(got)
	}
	if got := failure(t, "repeat nonsense"); got != "kdive: command not found: nonsense\n" {
		t.Error(got)
	}
	if got := text(t, "repeat echo x | head -2"); got != "x\nx\n" {
		t.Errorf("repeat | head: %q", got)
	}
}

// TestHelpList checks the columns: fifteen wide, five of them, filled downwards.
func TestHelpList(t *testing.T) {
	var names []string
	lines := strings.Split(strings.Trim(text(t, "help"), "\n"), "\n")
	lines = lines[:len(lines)-2] // the blank line and the remark
	for col := 0; col < 5*15; col += 15 {
		for _, line := range lines {
			if len(line) >= col+15 {
				names = append(names, strings.TrimSpace(line[col:col+15]))
			}
		}
	}
	var want []string
	for _, c := range commands() {
		if !c.Hidden {
			want = append(want, c.Name)
		}
	}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("columns read\n%q\nwant\n%q", names, want)
	}
}
