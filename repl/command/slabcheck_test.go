package command

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSlabCheckTiny(t *testing.T) {
	text, rows := tinyCheck(t, "slabcheck")
	if !strings.Contains(text, "no findings") {
		t.Errorf("findings on a sound dump:\n%s", text)
	}
	last := rows[len(rows)-1]
	number := func(field string) int64 {
		n, _ := last[field].(json.Number).Int64()
		return n
	}
	if last["type"] != "slab_check" || number("slabs") < 500 || number("free") < 1000 || number("unread") != 0 {
		t.Errorf("checked too little: %v", last)
	}
	if text, _ = tinyCheck(t, "slabcheck kmalloc-32"); !strings.HasPrefix(text, "1 caches") {
		t.Errorf("one cache: %s", text)
	}
	tinyFailure(t, "slabcheck no-such-cache")
}

func TestCmpval(t *testing.T) {
	text, rows := tinyCheck(t, "cmpval 13008943 13008988")
	for _, want := range []string{"byte 0: 2f -> 5c ('/' -> '\\')", "bits: 6 5 4 1 0", "1 of 4 bytes"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if r := rows[0]; r["xor"] != "0x73" || r["width"] != json.Number("4") {
		t.Errorf("row %v", r)
	}
	for line, want := range map[string]string{
		"cmpval -8 1 2":        "2 of 64 bits",
		"cmpval -1 0x100 0":    "equal",
		"cmpval (1<<4) 16":     "equal",
		"cmpval 0x80 0":        "(-128)",
		"cmpval init_task 0":   "8 bytes",
		"cmpval -2 0x4142 0x0": "'BA'",
	} {
		if text, _ := tinyCheck(t, line); !strings.Contains(text, want) {
			t.Errorf("%s: no %q in\n%s", line, want, text)
		}
	}
	tinyFailure(t, "cmpval 1")
	tinyFailure(t, "cmpval 1 nothing")
}
