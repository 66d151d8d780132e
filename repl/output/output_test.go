package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/kdive/kdive/fault"
)

// row is a task as ps prints it.
type row struct {
	mark  string
	pid   int
	cpu   any
	task  uint64
	mem   float64
	comm  string
	fault error
}

var rowRecord = &Record[row]{
	Type: "task",
	Help: "one task",
	Columns: []Column[row]{
		{Head: "  ", Verb: "%s ", Get: func(r *row) Value { return String(r.mark) }},
		{Name: "pid", Head: "    PID", Verb: "%7d", Help: "process ID", Get: func(r *row) Value { return Int(r.pid) }},
		{Name: "cpu", Head: "  CPU", Verb: "  %3d", None: "-", Get: func(r *row) Value {
			if n, ok := r.cpu.(int); ok {
				return Int(n)
			}
			return Null()
		}},
		{Name: "task", Head: "       TASK       ", Verb: "  %^16x", Get: func(r *row) Value {
			if r.fault != nil {
				return Fault(r.fault)
			}
			return Addr(r.task)
		}},
		{Name: "mem", Head: "%MEM ", Verb: " %4.1f ", Get: func(r *row) Value { return Float(r.mem) }},
		{Name: "comm", Head: "COMM", Verb: "%s", Get: func(r *row) Value { return String(r.comm) },
			Text: func(r *row) string { return "[" + r.comm + "]" }},
		{Name: "kernel", Get: func(r *row) Value { return Bool(true) }},
	},
}

func emit(json bool, f func(*Emitter)) string {
	var b bytes.Buffer
	o := NewEmitter(&b, json, false, nil)
	f(o)
	_ = o.Close()
	return b.String()
}

func TestRecord(t *testing.T) {
	excluded := &fault.Error{Addr: 0x1000, Space: fault.Virtual, Reason: fault.Excluded}
	rows := []row{
		{mark: ">", pid: 1, cpu: 0, task: 0xffff8e231fefc800, mem: 0.25, comm: "init"},
		{mark: " ", pid: 12345678, task: 0x1000, comm: "x\x1b[2J"},
		{mark: " ", pid: 3, cpu: 1, fault: fmt.Errorf("task: %w", excluded)},
	}
	all := func(o *Emitter) {
		rowRecord.Head(o)
		for i := range rows {
			rowRecord.Emit(o, &rows[i])
		}
	}
	text := `      PID  CPU       TASK       %MEM COMM
>       1    0  ffff8e231fefc800  0.2 [init]
  12345678    -        1000        0.0 [x.[2J]
        3    1     <excluded>     0.0 []
`
	if got := emit(false, all); got != text {
		t.Errorf("text:\n%s\nwant:\n%s", got, text)
	}
	jsonText := `{"type":"task","pid":1,"cpu":0,"task":"0xffff8e231fefc800","mem":0.25,"comm":"init","kernel":true}
{"type":"task","pid":12345678,"cpu":null,"task":"0x1000","mem":0,"comm":"x\u001b[2J","kernel":true}
{"type":"task","pid":3,"cpu":1,"task":{"type":"fault","reason":"excluded","space":"kernel virtual","addr":"0x1000"},"mem":0,"comm":"","kernel":true}
`
	if got := emit(true, all); got != jsonText {
		t.Errorf("JSON:\n%s\nwant:\n%s", got, jsonText)
	}
}

// TestWidths sets two widths one after the other.
func TestWidths(t *testing.T) {
	r := &Record[struct{}]{Type: "x", Columns: []Column[struct{}]{
		{Name: "a", Head: "A  ", Verb: "%-1s  ", Get: func(*struct{}) Value { return String("a") }},
		{Name: "b", Head: " B", Verb: "%2d", Get: func(*struct{}) Value { return Int(1) }},
	}}
	two := r.Width("a", 3).Width("b", 4)
	if got := string(two.appendText(nil, &struct{}{})); two.head != "A      B" && got != "a       1\n" {
		t.Errorf("two widths: %q, %q", two.head, got)
	}
	if got := string(two.appendText(nil, &struct{}{})); got != "a       1\n" {
		t.Errorf("two widths: %q", got)
	}
}

func TestWidth(t *testing.T) {
	wide := rowRecord.Width("pid", 10)
	head := strings.TrimRight(emit(false, wide.Head), "\n")
	if want := "         PID  CPU       TASK       %MEM COMM"; head != want {
		t.Errorf("heading %q, want %q", head, want)
	}
	line := emit(false, func(o *Emitter) { wide.Emit(o, &row{mark: ">", pid: 7}) })
	if !strings.HasPrefix(line, ">          7    -") {
		t.Errorf("line %q", line)
	}
}

func TestCells(t *testing.T) {
	tests := []struct {
		verb string
		v    Value
		want string
	}{
		{"%d", Int(-5), "-5"},
		{"%x", Int(-1), "ffffffffffffffff"},
		{"%016x", Addr(0x1f), "000000000000001f"},
		{"%#x", Addr(0x1f), "0x1f"},
		{"%X", Addr(0x1f), "1F"},
		{"%s", Addr(0x1f), "1f"},
		{"%o", Uint(uint8(8)), "10"},
		{"%-6d|", Uint(uint8(8)), "8     |"},
		{"%6s|", String("ab"), "    ab|"},
		{"%^6s|", String("abc"), " abc  |"},
		{"%^18s|", Null(), "      (none)      |"},
		{"%03d", Null(), "(none)"},
		{"%.3s", String("abcdef"), "abc"},
		{"%c", Uint(uint8('x')), "x"},
		{"%5.1f%", Float(2.25), ""},
		{"%5.1f", Float(2.25), "  2.2"},
		{"%s", Bool(true), "true"},
		{"%-4s|", String("é"), "é   |"},
		{"%s", Fault(errors.New("x")), "<unreadable>"},
		{"%s", Time(time.Date(2026, 11, 21, 2, 8, 54, 0, time.UTC)), "Sat Nov 21 02:08:54 UTC 2026"},
	}
	for _, tt := range tests {
		f, err := parseVerb(tt.verb)
		if tt.want == "" {
			if err == nil {
				t.Errorf("%q is accepted", tt.verb)
			}
			continue
		}
		if err != nil {
			t.Error(err)
			continue
		}
		if got := string(f.appendCell(nil, tt.v, "(none)")); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.verb, got, tt.want)
		}
	}
	for _, bad := range []string{"", "abc", "%", "%5", "%q", "%d %d"} {
		if _, err := parseVerb(bad); err == nil {
			t.Errorf("format %q is accepted", bad)
		}
	}
}

type tree struct{}

func (tree) AppendJSON(b []byte) []byte { return append(b, `{"next":"0x1"}`...) }

func TestValues(t *testing.T) {
	tests := []struct {
		v    Value
		want string
	}{
		{Null(), "null"},
		{Int(math.MinInt64), "-9223372036854775808"},
		{Uint(uint64(math.MaxUint64)), "18446744073709551615"},
		{Float(math.NaN()), "null"},
		{Float(1.5), "1.5"},
		{Bool(false), "false"},
		{Time(time.Time{}), "null"},
		{Time(time.Unix(0, 5)), `"1970-01-01T00:00:00.000000005Z"`},
		{Fault(nil), "null"},
		{Fault(errors.New("gone")), `{"type":"fault","message":"gone"}`},
		{Tree(tree{}), `{"next":"0x1"}`},
		{List(Int(1), Strings([]string{"a", "b"})), `[1,["a","b"]]`},
		{Object(Field{"a", Hex(uint32(255))}, Field{"b", List()}), `{"a":"0xff","b":[]}`},
		{String("a\"\\\n\r\t\x00\x7f\xff\u0085\u2028é\ufffd"), `"a\"\\\n\r\t\u0000\u007f\ufffd\u0085\u2028é` + "\ufffd\""},
	}
	for _, tt := range tests {
		if got := string(tt.v.AppendJSON(nil)); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}

func TestRemarks(t *testing.T) {
	all := func(o *Emitter) {
		o.Print("decoration\n")
		o.Note("%d pages not seen", 3)
		o.Fault("page 5", &fault.Error{Addr: 0x5000, Space: fault.Physical, Reason: fault.Damaged, Detail: "zlib"})
		o.Object("error", Field{"message", String("x")})
	}
	text := "decoration\n3 pages not seen\npage 5: physical address 0x5000: page data damaged (zlib)\n"
	if got := emit(false, all); got != text {
		t.Errorf("text %q", got)
	}
	js := `{"type":"note","text":"3 pages not seen"}
{"type":"fault","subject":"page 5","reason":"damaged","space":"physical","addr":"0x5000","detail":"zlib"}
{"type":"error","message":"x"}
`
	if got := emit(true, all); got != js {
		t.Errorf("JSON %q", got)
	}
}

func TestDescribe(t *testing.T) {
	d := rowRecord.Describe()
	if d.Type != "task" || len(d.Fields) != 6 {
		t.Fatalf("%+v", d)
	}
	if f := d.Fields[0]; f.Name != "pid" || f.Kind != "integer" || f.Help != "process ID" {
		t.Errorf("%+v", f)
	}
	if f := d.Fields[2]; f.Kind != "address" {
		t.Errorf("%+v", f)
	}
}

// The documentation knows the kinds also of what an empty row has not.
func TestDescribeNullable(t *testing.T) {
	type inner struct{ n int }
	type nested struct {
		inner *inner
		self  *nested
		when  time.Time
	}
	r := &Record[nested]{Type: "nested", Columns: []Column[nested]{
		{Name: "pointer", Get: func(r *nested) Value { return Int(r.inner.n) }},
		{Name: "deep", Get: func(r *nested) Value { return Addr(uint64(r.self.inner.n)) }},
		{Name: "null", Get: func(r *nested) Value { return NullOf(String("")) }},
		{Name: "time", Get: func(r *nested) Value { return Time(r.when) }},
		{Name: "fault", Get: func(r *nested) Value { return Fault(nil) }},
		{Name: "error", Get: func(r *nested) Value { return Fault(errors.New("nothing there")) }},
		{Name: "panic", Get: func(r *nested) Value { panic("always") }},
	}}
	want := []string{"integer", "address", "string", "time", "fault", "", ""}
	for i, f := range r.Describe().Fields {
		if f.Kind != want[i] {
			t.Errorf("%s: %q, want %q", f.Name, f.Kind, want[i])
		}
	}
	for _, v := range []Value{NullOf(String("x")), Time(time.Time{}), Fault(nil)} {
		if got := string(v.AppendJSON(nil)); got != "null" || v.Kind() != KindNull {
			t.Errorf("%s, %v", got, v.Kind())
		}
	}
}

type failing struct{ n int }

func (f *failing) Write(p []byte) (int, error) { f.n++; return 0, errors.New("full") }

func TestWriteError(t *testing.T) {
	w := &failing{}
	var stopped error
	o := NewEmitter(w, false, true, func(err error) { stopped = err })
	o.Print("a\n")
	o.Print("b\n")
	if w.n != 1 || stopped == nil || o.Err() == nil {
		t.Errorf("%d writes, stopped by %v", w.n, stopped)
	}
}

func TestClosedEmitterIsSilent(t *testing.T) {
	var b bytes.Buffer
	o := NewEmitter(&b, false, true, nil)
	_ = o.Close()
	o.Print("late\n")
	o.Flush()
	if b.Len() != 0 {
		t.Errorf("wrote %q", b.String())
	}
}

func FuzzString(f *testing.F) {
	f.Add("a\x00\xff\u2028\"\\")
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		if err := json.Unmarshal(AppendString(nil, s), &got); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); got != want && len([]rune(s)) == len([]rune(want)) {
			t.Errorf("%q became %q", s, got)
		}
		for _, r := range Clean(s) {
			if r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
				t.Errorf("%q: control character %q stays", s, r)
			}
		}
	})
}

func FuzzVerb(f *testing.F) {
	f.Add("  %-016.3x ")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := parseVerb(s)
		if err != nil {
			return
		}
		for _, x := range []Value{Null(), Int(-1), String("äb"), Float(1), Bool(true), Addr(1)} {
			if n := len(v.appendCell(nil, x, "")); n > len(s)+5000 {
				t.Fatalf("%q makes a cell of %d bytes", s, n)
			}
		}
	})
}

func BenchmarkEmit(b *testing.B) {
	r := row{mark: ">", pid: 1, cpu: 0, task: 0xffff8e231fefc800, mem: 0.25, comm: "init"}
	for _, js := range []bool{false, true} {
		b.Run(fmt.Sprintf("json=%v", js), func(b *testing.B) {
			o := NewEmitter(discard{}, js, false, nil)
			b.ReportAllocs()
			for b.Loop() {
				rowRecord.Emit(o, &r)
			}
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
