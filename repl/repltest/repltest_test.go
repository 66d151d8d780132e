package repltest

import (
	"strings"
	"testing"
)

func TestTyped(t *testing.T) {
	const text = "  PID  COMM\n    1  init\nLinux version 6.1\nschedule\n"
	tests := []struct{ name, json, want string }{
		{"data", `{"type":"task","pid":1,"comm":"init"}`, ""},
		{"one word may equal a line", `{"type":"symbol","name":"schedule"}`, ""},
		{"line", `{"type":"log","text":"Linux version 6.1"}`, "log.text is a line of the text"},
		{"allowed line", `{"type":"msg","text":"Linux version 6.1"}`, ""},
		{"padding", `{"type":"task","comm":"init    "}`, "task.comm is padded text"},
		{"lines", `{"type":"task","comm":"a\nb"}`, "task.comm is text of several lines"},
		{"nested", `{"type":"task","list":[{"a":["1  init"]}]}`, "task.list[0].a[0] is padded text"},
		{"nested line", `{"type":"x","o":{"a":"Linux version 6.1"}}`, "x.o.a is a line of the text"},
		{"notes are sentences", `{"type":"note","text":"Linux version 6.1"}`, ""},
		{"no object", `"x"`, "not a JSON object"},
		{"no type", `{"a":1}`, "object without a type"},
		{"nothing", ``, "the JSON none"},
	}
	for _, tt := range tests {
		err := Typed(text, tt.json, "msg.text")
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
	if err := Typed("", ""); err != nil {
		t.Errorf("a silent command: %v", err)
	}
}
