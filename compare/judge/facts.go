package judge

import (
	"fmt"
	"slices"
)

// Facts is what drgn says of a dump.
type Facts struct {
	Version string
	System  map[string]any
	Tasks   []map[string]any
	Modules []map[string]any
	Log     []map[string]any
	Structs []map[string]any            // fields task, value
	Wide    map[string][]map[string]any // by kind, see wide.py; nil in kept facts
}

// ParseFacts reads what facts.py printed.
func ParseFacts(text string) (*Facts, error) {
	rows, others := Rows(text)
	if len(others) > 0 {
		return nil, fmt.Errorf("drgn's facts: not JSON: %q", others[0])
	}
	f := &Facts{}
	for _, r := range rows {
		switch r["kind"] {
		case "meta":
			f.Version, _ = r["drgn"].(string)
		case "system":
			f.System = r
		case "task":
			f.Tasks = append(f.Tasks, r)
		case "module":
			f.Modules = append(f.Modules, r)
		case "log":
			f.Log = append(f.Log, r)
		case "struct":
			f.Structs = append(f.Structs, r)
		}
	}
	if f.System == nil || len(f.Tasks) == 0 || len(f.Structs) != len(f.Tasks) || len(f.Log) == 0 {
		return nil, fmt.Errorf("drgn's facts: %d tasks, %d structs, %d records of the log", len(f.Tasks), len(f.Structs), len(f.Log))
	}
	return f, nil
}

// TaskAddrs are the addresses of all tasks in hexadecimal, without 0x.
func (f *Facts) TaskAddrs() []string {
	out := make([]string, len(f.Tasks))
	for i, t := range f.Tasks {
		out[i] = hex(t["task"])
	}
	return out
}

// hex is a number in hexadecimal, "" if it is none.
func hex(v any) string {
	n := scalar(v)
	if n == "" {
		return ""
	}
	return fmt.Sprintf("%x", bigOf(n))
}

// Query is one command whose JSON is compared with drgn's facts.
type Query struct {
	Name    string // of the comparison
	Command string // to be run in kdive, without "| json"
	Judge   func(r Rules, dump string, rows []map[string]any) Tally
}

// Queries are the commands that answer the same questions as the facts.
func (f *Facts) Queries() []Query {
	q := []Query{
		{"sys", "sys", f.system},
		{"log", "log", f.log},
		{"ps", "ps", f.tasks("ps", "task", psFields)},
		{"ps -t", "ps -t", f.tasks("ps -t", "task_times", map[string]string{"start_time": "start_time", "utime": "utime", "stime": "stime"})},
		{"ps -l", "ps -l", f.tasks("ps -l", "last_run", map[string]string{"last_run": "last"})},
		{"ps -a", "ps -a", f.tasks("ps -a", "task_args", map[string]string{"args": "args", "env": "env"})},
		{"mod", "mod", f.modules},
	}
	if f.Tasks[0]["last"] == nil { // the kernel does not record it
		q = slices.DeleteFunc(q, func(x Query) bool { return x.Name == "ps -l" })
	}
	for i := range f.Structs {
		s := f.Structs[i]
		q = append(q, Query{"struct task_struct", "struct task_struct " + hex(s["task"]), func(r Rules, dump string, rows []map[string]any) Tally {
			return taskStruct(r, dump, s, rows)
		}})
	}
	return append(q, f.wideQueries()...)
}

// psFields are fields of kdive's records of tasks and what they are in the
// facts.
var psFields = map[string]string{
	"pid": "pid", "ppid": "ppid", "tgid": "tgid", "cpu": "cpu", "comm": "comm", "state": "state",
	"vsz": "vsz", "rss": "rss", "active": "active", "kernel": "kernel",
}

// one compares one field.
func (w *walker) one(what string, kdive, drgn any) {
	if drgn == nil {
		return // drgn's helper does not know
	}
	if k, d := plainText(kdive), plainText(drgn); k == d {
		w.t.Equal++
	} else {
		w.differ(1, "%s: kdive %s drgn %s", what, brief(kdive), brief(drgn))
	}
}

// plainText is a scalar or a list of strings in a spelling that both sides
// share.
func plainText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		if len(v) > 2 && v[:2] == "0x" {
			return scalar(v)
		}
		return v
	case []any:
		s := "["
		for _, e := range v {
			s += fmt.Sprintf("%q ", plainText(e))
		}
		return s + "]"
	}
	return scalar(v)
}

func ofType(rows []map[string]any, typ string) []map[string]any {
	return slices.DeleteFunc(slices.Clone(rows), func(r map[string]any) bool { return r["type"] != typ })
}

// states are the letters that drgn has for the two of kdive.
var states = map[string]string{
	"RU": "R", "IN": "S", "UN": "D", "ID": "I", "ST": "T", "TR": "t", "ZO": "Z", "DE": "X", "PA": "P", "WA": "W", "NE": "N",
}

// tasks compares the records of all tasks, which are found by address.
func (f *Facts) tasks(command, typ string, names map[string]string) func(Rules, string, []map[string]any) Tally {
	return func(r Rules, dump string, rows []map[string]any) Tally {
		w := walker{rules: r.of(dump, command)}
		byAddr := map[string]map[string]any{}
		for _, row := range ofType(rows, typ) {
			byAddr[scalar(row["task"])] = row
		}
		if len(byAddr) != len(f.Tasks) {
			w.differ(1, "tasks: kdive %d drgn %d", len(byAddr), len(f.Tasks))
		}
		for _, t := range f.Tasks {
			row, ok := byAddr[scalar(t["task"])]
			if !ok {
				w.differ(1, "task %s (pid %s): not in kdive's %s", hex(t["task"]), scalar(t["pid"]), command)
				continue
			}
			for _, k := range sortedNames(names) {
				got := row[k]
				if s, ok := got.(string); k == "state" && ok {
					got = states[s]
				}
				w.one(fmt.Sprintf("pid %s: %s", scalar(t["pid"]), k), got, t[names[k]])
			}
		}
		return w.t
	}
}

func sortedNames(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func taskStruct(r Rules, dump string, s map[string]any, rows []map[string]any) Tally {
	var t Tally
	for _, row := range rows {
		if v, ok := row["value"].(map[string]any); ok {
			t.Add(r.Value(dump, "struct task_struct", "task_struct", v, s["value"]))
			return t
		}
	}
	t.Fail(fmt.Sprintf("struct task_struct %s: no value among %d records of kdive", hex(s["task"]), len(rows)))
	return t
}
