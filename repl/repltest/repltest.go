// Package repltest runs commands in tests and checks their JSON.
//
// Run gives the text, the JSON lines and the errors of one command line; Typed
// fails on JSON that carries a line of the text instead of data. Only tests
// import the package.
package repltest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"testing"

	"github.com/kdive/kdive/repl"
)

// Result is what one command line printed.
type Result struct {
	Out    string // standard output
	Err    string // error messages
	Status int    // exit status of the session
}

// Run executes lines in a session of their own that has the given commands.
func Run(t testing.TB, cmds []*repl.Command, o repl.Options, lines ...string) Result {
	t.Helper()
	var out, errs bytes.Buffer
	o.Commands, o.Stdout, o.Stderr, o.Stdin = lines, &out, &errs, strings.NewReader("")
	sh := repl.New(o)
	sh.Add(cmds...)
	status := sh.Run()
	return Result{out.String(), errs.String(), status}
}

// Check runs one line as text and as JSON, checks with Typed that the JSON
// holds data, and returns the text and the JSON objects. allow is as in Typed.
func Check(t testing.TB, cmds []*repl.Command, line string, allow ...string) (text string, rows []map[string]any) {
	t.Helper()
	plain := Run(t, cmds, repl.Options{}, line)
	js := Run(t, cmds, repl.Options{JSON: true}, line)
	if plain.Status != js.Status {
		t.Errorf("%s: status %d as text, %d as JSON", line, plain.Status, js.Status)
	}
	if err := Typed(plain.Out, js.Out, allow...); err != nil {
		t.Errorf("%s: %v", line, err)
	}
	rows, err := Rows(js.Out)
	if err != nil {
		t.Errorf("%s: %v", line, err)
	}
	return plain.Out, rows
}

// Rows decodes JSON lines; numbers stay exact as json.Number.
func Rows(lines string) ([]map[string]any, error) {
	var rows []map[string]any
	for line := range strings.Lines(lines) {
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		var row map[string]any
		if err := d.Decode(&row); err != nil {
			return nil, fmt.Errorf("not a JSON object: %q: %w", line, err)
		}
		if _, ok := row["type"].(string); !ok {
			return nil, fmt.Errorf("object without a type: %q", line)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// messages are the types of objects whose strings are sentences for people.
var messages = map[string]bool{"note": true, "warning": true, "error": true, "fault": true, "help": true}

// Typed compares the text and the JSON output of the same command and fails if
// a string of the JSON is formatted text: if it spans lines, pads with runs of
// blanks, or holds a whole line of the text that has several words. allow names
// fields ("type.field") whose strings come from the dump as they are, such as
// the messages of the kernel log.
func Typed(text, lines string, allow ...string) error {
	rows, err := Rows(lines)
	if err != nil {
		return err
	}
	if len(rows) == 0 && strings.TrimSpace(text) != "" {
		return fmt.Errorf("the text has lines and the JSON none")
	}
	printed := map[string]bool{}
	for line := range strings.Lines(text) {
		if s := strings.TrimSpace(line); len(strings.Fields(s)) > 1 {
			printed[s] = true
		}
	}
	allowed := map[string]bool{}
	for _, a := range allow {
		allowed[a] = true
	}
	for _, row := range rows {
		typ := row["type"].(string)
		if messages[typ] {
			continue
		}
		for _, name := range sortedKeys(row) {
			if allowed[typ+"."+name] {
				continue
			}
			if err := typedValue(typ+"."+name, row[name], printed); err != nil {
				return err
			}
		}
	}
	return nil
}

func typedValue(path string, v any, printed map[string]bool) error {
	switch v := v.(type) {
	case string:
		return typedString(path, v, printed)
	case []any:
		for i, e := range v {
			if err := typedValue(fmt.Sprintf("%s[%d]", path, i), e, printed); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, k := range sortedKeys(v) {
			if err := typedValue(path+"."+k, v[k], printed); err != nil {
				return err
			}
		}
	}
	return nil
}

func typedString(path, s string, printed map[string]bool) error {
	switch {
	case strings.Contains(s, "\n"):
		return fmt.Errorf("%s is text of several lines: %q", path, s)
	case strings.Contains(s, "  "):
		return fmt.Errorf("%s is padded text: %q", path, s)
	case printed[strings.TrimSpace(s)]:
		return fmt.Errorf("%s is a line of the text: %q", path, s)
	}
	return nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
