package judge

import (
	"strings"
	"testing"
)

const someStack = `PID: 1        TASK: ffff800000000000  CPU: 0    COMMAND: "init"
    [exception RIP: delay+8]
    RIP: ffffffff81000008  RSP: ffffc90000000f00  RFLAGS: 00000046
    R13: 0000000000000000  R14: 0000000000000000  R15: 0000000000000000
    CS: 0010  SS: 0018
    ffffc90000000f08: 0000000000000001 
 #0 [ffffc90000000f10] panic at ffffffff81000100
    ffffc90000000f18: 0000000000000001 
 #2 [ffffc90000000f20] die at ffffffff81000200 [mod]
    RIP: 0000000000401000  RSP: 00007fff00000000  RFLAGS: 00000202
    ORIG_RAX: 0000000000000001  CS: 0033  SS: 002b
`

func TestStackText(t *testing.T) {
	got := stackText(someStack, map[string]string{"ffffc90000000f20 ffffffff81000200": " {noreturn}"})
	want := `PID: 1        TASK: ffff800000000000  CPU: 0    COMMAND: "init"
 registers [exception RIP: delay+8] RIP: ffffffff81000008  RSP: ffffc90000000f00  RFLAGS: 00000046 R13: 0000000000000000  R14: 0000000000000000  R15: 0000000000000000 CS: 0010  SS: 0018
    ffffc90000000f08: 0000000000000001  {before the first frame}
 [ffffc90000000f10] panic at ffffffff81000100
    ffffc90000000f18: 0000000000000001 
 [ffffc90000000f20] die at ffffffff81000200 [mod] {noreturn} (misnumbered)
 registers RIP: 0000000000401000  RSP: 00007fff00000000  RFLAGS: 00000202 ORIG_RAX: 0000000000000001  CS: 0033  SS: 002b
`
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestStackMarks(t *testing.T) {
	rows, others := Rows(`{"type":"frame","task":"0x1","frame":0,"slot":"0x10","pc":"0xffffffff81000100","stack":"IRQ stack","noreturn":true}
{"type":"frame","task":"0x1","frame":1,"slot":"0x80","pc":"0xffffffff81000200","stack":"process stack","noreturn":false}
{"type":"registers","task":"0x1","kind":"exception","address":"0x88"}
{"type":"frame","task":"0x1","frame":2,"slot":"0x90","pc":"0xffffffff81000300","stack":"process stack"}
{"type":"registers","task":"0x1","kind":"exception","address":"0x98"}
`)
	if len(others) > 0 {
		t.Fatal(others)
	}
	got := stackMarks(rows)
	if len(got) != 2 || got["10 ffffffff81000100"] != " {noreturn}" || got["80 ffffffff81000200"] != " {registers at 88}" {
		t.Errorf("%q", got)
	}
}

func TestStackSequence(t *testing.T) {
	facts := []map[string]any{{"task": "1", "frames": []any{
		[]any{"18446744071578845440", []any{"do_it"}, true, "kernel/a.c", "7"},
		[]any{"18446744071578845440", []any{"caller", "alias"}, false, "kernel/a.c", "20"},
		[]any{"4198400", []any{"main"}, false, "", "0"},
	}}}
	frame := `{"type":"frame","task":"0x1","pc":"0xffffffff81000100","symbol":"alias.isra.0","file":"/b/kernel/a.c","line":7,"inlined":[{"symbol":"do_it","file":"/b/kernel/a.c","line":LINE}]}
`
	for _, tt := range []struct {
		line         string
		equal, wrong int
	}{{"7", 3, 0}, {"8", 2, 1}} {
		rows, _ := Rows(strings.ReplaceAll(frame, "LINE", tt.line))
		got := compareStacks(nil, "dump", facts, rows)
		if got.Equal != tt.equal || got.Unexplained != tt.wrong {
			t.Errorf("line %s: %s %q", tt.line, got.Summary(), got.Diffs)
		}
	}
	if got := compareStacks(nil, "dump", facts, nil); got.Unexplained != 2 || !strings.Contains(got.Diffs[0], "kdive has no frames") {
		t.Errorf("%q", got.Diffs)
	}
}
