package judge

import (
	"encoding/json"
	"fmt"
	"math/big"
	"sort"
	"strconv"
	"strings"
)

// Value compares a tree of values that kdive printed as JSON with the same
// object as drgn has it: structures as objects, arrays as arrays, everything
// else as numbers and booleans. Each scalar counts.
func (r Rules) Value(dump, command, path string, kdive, drgn any) Tally {
	w := walker{rules: r.of(dump, command)}
	w.value(path, kdive, drgn)
	return w.t
}

type walker struct {
	rules Rules
	t     Tally
}

// differ judges a difference of n scalars.
func (w *walker) differ(n int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if id := explainedBy(w.rules, text); id != "" {
		w.t.Explained += n
		w.t.explain(id, n)
		return
	}
	w.t.Unexplained += n
	w.t.note(text)
}

// explainedBy is the rule that the text of a difference matches, "" if none.
func explainedBy(rules Rules, diff string) string {
	for _, r := range rules {
		for _, e := range r.edits {
			if e.side == "value" && e.pattern.MatchString(diff) {
				return r.ID
			}
		}
	}
	return ""
}

func (w *walker) value(path string, k, d any) {
	switch d := d.(type) {
	case map[string]any:
		w.object(path, k, d)
	case []any:
		w.array(path, k, d)
	default:
		if got, want := scalar(k), scalar(d); got == want && got != "" {
			w.t.Equal++
		} else {
			w.differ(1, "%s: kdive %s drgn %s", path, brief(k), brief(d))
		}
	}
}

func (w *walker) object(path string, k any, d map[string]any) {
	o, ok := k.(map[string]any)
	if !ok {
		w.differ(scalars(d), "%s: kdive %s drgn has %d members", path, brief(k), len(d))
		return
	}
	for _, name := range keys(d) {
		member, ok := o[name]
		if !ok {
			w.differ(max(1, scalars(d[name])), "%s.%s: kdive has no such member", path, name)
			continue
		}
		w.value(path+"."+name, member, d[name])
	}
	for _, name := range keys(o) {
		if _, ok := d[name]; !ok {
			w.differ(1, "%s.%s: drgn has no such member, kdive %s", path, name, brief(o[name]))
		}
	}
}

func (w *walker) array(path string, k any, d []any) {
	if b, ok := bytesOf(k); ok {
		w.bytes(path, b, d)
		return
	}
	if o, ok := k.(map[string]any); ok && len(d) == 0 && o["addr"] != nil {
		return // a flexible array: drgn sees no element, kdive shows where it begins
	}
	a, ok := k.([]any)
	if !ok || len(a) != len(d) {
		w.differ(scalars(d), "%s: kdive %s drgn has %d elements", path, brief(k), len(d))
		return
	}
	for i := range d {
		w.value(fmt.Sprintf("%s[%d]", path, i), a[i], d[i])
	}
}

// bytesOf is a character array: text up to the first zero byte, behind which
// there are zero bytes only, or all bytes in hexadecimal.
func bytesOf(k any) ([]byte, bool) {
	switch k := k.(type) {
	case string:
		return []byte(k), true
	case map[string]any:
		h, ok := k["hex"].(string)
		if !ok {
			return nil, false
		}
		b := make([]byte, len(h)/2)
		for i := range b {
			n, err := strconv.ParseUint(h[2*i:2*i+2], 16, 8)
			if err != nil {
				return nil, false
			}
			b[i] = byte(n)
		}
		return b, true
	}
	return nil, false
}

func (w *walker) bytes(path string, b []byte, d []any) {
	for i := range d {
		want, _ := strconv.ParseInt(scalar(d[i]), 10, 64)
		got := byte(0)
		if i < len(b) {
			got = b[i]
		}
		if got == byte(want) {
			w.t.Equal++
		} else {
			w.differ(1, "%s[%d]: kdive %d drgn %d", path, i, got, want)
		}
	}
}

// scalar is the decimal spelling of a scalar of either side, "" if it is none.
func scalar(v any) string {
	switch v := v.(type) {
	case json.Number:
		return number(v.String())
	case bool:
		if v {
			return "1"
		}
		return "0"
	case string:
		return number(v)
	case map[string]any:
		if a, ok := v["addr"].(string); ok && v["type"] == nil {
			return number(a)
		}
		if n, ok := v["value"]; ok && v["type"] == nil {
			return scalar(n)
		}
	}
	return ""
}

func number(s string) string {
	n, ok := new(big.Int).SetString(s, 0)
	if !ok {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return ""
		}
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return n.String()
}

// scalars is how many scalars a tree holds.
func scalars(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		for _, m := range v {
			n += scalars(m)
		}
	case []any:
		for _, m := range v {
			n += scalars(m)
		}
	default:
		n = 1
	}
	return n
}

func keys(m map[string]any) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// brief is the JSON of a value, cut off where it gets long.
func brief(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	if len(b) > 120 {
		return string(b[:120]) + "..."
	}
	return string(b)
}

// Rows decodes JSON lines; numbers stay exact. Lines that are no JSON objects
// are returned beside them.
func Rows(text string) (rows []map[string]any, others []string) {
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		var row map[string]any
		if err := d.Decode(&row); err != nil {
			others = append(others, strings.TrimSpace(line))
			continue
		}
		rows = append(rows, row)
	}
	return rows, others
}
