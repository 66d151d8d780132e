package command

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kdive/kdive/repl/repltest"
)

// The values are those of crash 9.0.2 unless the comment says otherwise.
func TestEvaluate(t *testing.T) {
	symbols := fakeSymbols{"init_task": 0xffffffffbec11600, "schedule": 0xffffffffbe4bc100}
	tests := []struct {
		text string
		want uint64
	}{
		{"8", 8},
		{"08", 8},
		{"1k", 1 << 10},
		{"1K", 1 << 10},
		{"3m", 3 << 20},
		{"0x10g", 16 << 30},
		{"1 k", 1 << 10},
		{"deadbeef k", 0xdeadbeef << 10},
		{"5 k + 1", 5121},
		{"1e5", 0x1e5},
		{"0b101", 0xb101},
		{"DEADBEEF", 0xdeadbeef},
		{"0xDEADBEEF", 0xdeadbeef},
		{"1 + 2", 3},
		{"1+2", 3},
		{"( 5 )", 5},
		{"-5", 0xfffffffffffffffb},
		{"- 5", 0xfffffffffffffffb},
		{"-0x10", 0xfffffffffffffff0},
		{"~0", 0xffffffffffffffff},
		{"~5 + 1", 0xfffffffffffffffb},
		{"5 + ~3", 1},
		{"5 - 10", 0xfffffffffffffffb},
		{"(8 >> 1)", 4},
		{"(8 | 1)", 9},
		{"5&3", 1},
		{"5^3", 6},
		{"7 % 0x5", 2},
		{"10*2", 20},
		{"2 # 10", 1024},
		{"2#3", 8},
		{"2 # 63", 1 << 63},
		{"2 # 64", 0},
		{"1 << 63", 1 << 63},
		{"ffffffffffffffff + 1", 0},
		{"18446744073709551615 + 2", 1},
		{"init_task", 0xffffffffbec11600},
		{"init_task+8", 0xffffffffbec11608},
		{"(init_task+8)", 0xffffffffbec11608},
		{"schedule + 10", 0xffffffffbe4bc10a},
		{"~schedule", 0x41b43eff},
		{"-schedule", 0x41b43f00},
		// What crash refuses or gets wrong.
		{"1 + 2 + 3", 6},
		{"1 + 2 * 3", 7},
		{"(1 + 2) * 3", 9},
		{"1 << 4 | 1", 17},
		{"1 | 6 & 4 ^ 7", 3},
		{"2 # 3 # 2", 512},
		{"-6 / 2", 0x7ffffffffffffffd},
		{"6 - -2", 8},
		{"--5", 5},
		{"1 << 64", 0},
		{"((1+2))", 3},
		{"100 - 10 - 1", 89},
	}
	for _, tt := range tests {
		got, err := evaluate(tt.text, symbols)
		if err != nil || got != tt.want {
			t.Errorf("%s = %#x, %v; want %#x", tt.text, got, err, tt.want)
		}
	}
}

func TestEvaluateErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"5 / 0", "division by zero"},
		{"5 % 0", "division by zero"},
		{"1.5g", "invalid number"},
		{"1kk", "invalid number"},
		{"1_0", "invalid number"},
		{"foo", "neither a number nor a symbol"},
		{"k", "neither a number nor a symbol"},
		{"(1", "closing parenthesis"},
		{"1)", "not expected"},
		{"1 +", "operand is missing"},
		{"* 2", "not expected"},
		{"2 ** 10", "not expected"},
		{"1 2", "not expected"},
		{"fffffffffffffffff", "64 bits"},
		{"99999999999999999999", "64 bits"},
		{"ffffffffffffffffk", "64 bits"},
		{strings.Repeat("(", 100000), "deeply"},
		{strings.Repeat("-", 100000) + "1", "deeply"},
		{"1" + strings.Repeat("#1", 100000), "deeply"},
	}
	for _, tt := range tests {
		_, err := evaluate(tt.text, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40s: error %v, want %q", tt.text, err, tt.want)
		}
	}
}

const evalSample = `hexadecimal: ffffffff80000000  (17179869182GB)
    decimal: 18446744071562067968  (-2147483648)
      octal: 1777777777760000000000
     binary: 1111111111111111111111111111111110000000000000000000000000000000
`

func TestEvalText(t *testing.T) {
	if got := text(t, "eval 0xffffffff80000000"); got != evalSample {
		t.Errorf("got\n%s", got)
	}
	bits := []struct{ value, want string }{
		{"0", "   bits set: \n"},
		{"4040404", "   bits set: 21 20 19 18 16 15 13 10 9 7 6 4 2 \n"},
		{"fffffe0000000000", "   bits set: 63 62 61 60 59 58 57 56 55 54 53 52 51 50 49 48 47 46 45 44 43 42 \n             41 \n"},
		{"1ffffff", "   bits set: 24 23 22 21 20 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0 \n             \n"},
		{"7ffffc00000003ff", "   bits set: 62 61 60 59 58 57 56 55 54 53 52 51 50 49 48 47 46 45 44 43 42 9 \n             8 7 6 5 4 3 2 1 0 \n"},
	}
	for _, tt := range bits {
		got := text(t, "eval -b "+tt.value)
		if i := strings.Index(got, "   bits set"); i < 0 || got[i:] != tt.want {
			t.Errorf("eval -b %s: got\n%swant\n%s", tt.value, got, tt.want)
		}
	}
}

func TestEvalOperators(t *testing.T) {
	for line, want := range map[string]string{
		"eval 8 >> 1":   "4",
		"eval 1 << 3":   "8",
		"eval 8 | 1":    "9",
		"eval 8 |1":     "9",
		"eval 8 | (1)":  "9",
		"eval 8 > 1":    "",
		"eval -b -l 5":  "5",
		"eval -lb 5":    "5",
		"eval 5 - 3":    "2",
		"eval 5 --json": `{"type":"number","value":"0x5","unsigned":5,"signed":5,"bits":null}`,
	} {
		r := repltest.Run(t, commands(), opts, line)
		switch {
		case want == "" && r.Status == 1:
		case strings.HasPrefix(want, "{") && r.Out == want+"\n":
		case strings.HasPrefix(r.Out, fmt.Sprintf("hexadecimal: %s  \n", want)):
		default:
			t.Errorf("%s: %+v", line, r)
		}
	}
}

func TestEvalJSON(t *testing.T) {
	_, rows := repltest.Check(t, commands(), "eval -b -1")
	if len(rows) != 1 || rows[0]["value"] != "0xffffffffffffffff" || len(rows[0]["bits"].([]any)) != 64 {
		t.Errorf("rows %v", rows)
	}
}

func FuzzEvaluate(f *testing.F) {
	f.Add("1 + (2 << 3) # 4k - ~init_task")
	f.Fuzz(func(t *testing.T, s string) {
		_, _ = evaluate(s, fakeSymbols{"init_task": 1})
	})
}
