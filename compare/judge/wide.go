package judge

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed wide.py
var wideScript string

// WideScript is a second program for drgn: what it prints is kept for tests of
// some dumps only.
func WideScript() string { return wideScript }

// wide are more commands whose text is compared where crash is at hand.
var wide = []string{
	"vm", "vm 1", "vm -m 1", "vm -v 1", "foreach vm", "foreach vm -R 8100073", "foreach vm -R bin", "vm -R 400000 1",
	"files", "files 1", "foreach files", "foreach files -c", "foreach files -R console",
	"ipcs", "ipcs -m", "ipcs -M", "ipcs -s", "ipcs -q", "ipcs -n 1", "ipcs -M 13008943", "ipcs 13008943",
	"foreach ps", "foreach user ps", "foreach kernel ps", "foreach gleader ps", "foreach active ps", "foreach user active ps", "foreach IN ps", "foreach ZO ps",
	"foreach 1 2 set", "foreach 'kworker.*' ps", "foreach 0 ps", "foreach ps -t", "foreach ps -g", "foreach ps -r", "foreach init vtop 400000",
	"foreach 1 2 task -R pid,comm,thread,se", "task -R thread", "task pid,comm",
}

// paged is of how many processes each page is compared.
const paged = 10

// Wide are more commands whose text is compared on a dump with these tasks.
func Wide(f *Facts) []string {
	c := slices.Clone(wide)
	for _, t := range f.Tasks {
		if n := scalar(t["vsz"]); n != "0" && n != "" && len(c) < len(wide)+paged {
			c = append(c, "vm -p "+hex(t["task"]))
		}
	}
	return c
}

// AddWide reads what wide.py printed.
func (f *Facts) AddWide(text string) error {
	rows, others := Rows(text)
	if len(others) > 0 {
		return fmt.Errorf("drgn's wide facts: not JSON: %q", others[0])
	}
	f.Wide = map[string][]map[string]any{}
	for _, r := range rows {
		kind, _ := r["kind"].(string)
		f.Wide[kind] = append(f.Wide[kind], r)
	}
	for _, kind := range []string{"area", "page", "file", "ipc"} {
		if len(f.Wide[kind]) == 0 {
			return fmt.Errorf("drgn's wide facts: no %s", kind)
		}
	}
	return nil
}

// wideQueries are the commands that answer the same questions.
func (f *Facts) wideQueries() []Query {
	if f.Wide == nil {
		return nil
	}
	q := []Query{
		{"vm", "foreach vm", match("vm", "vm_area", f.Wide["area"], []string{"task", "vma"}, []string{"start", "end", "flags", "offset", "file"})},
		{"files", "foreach files", match("files", "file", f.Wide["file"], []string{"task", "fd"}, []string{"file", "dentry", "inode", "path"})},
		{"files -c", "foreach files -c", match("files -c", "file_cache", f.Wide["file"], []string{"task", "fd"}, []string{"inode", "mapping", "pages"})},
	}
	for _, group := range groups(f.Wide["page"], "task") {
		q = append(q, Query{"vm -p", "vm -p " + hex(group[0]["task"]), match("vm -p", "vm_page", group, []string{"virtual"}, []string{"pid", "physical"})})
	}
	for _, group := range groups(f.Wide["ipc"], "pid") {
		pid := scalar(group[0]["pid"])
		for _, kind := range groups(group, "ipc") {
			name, _ := kind[0]["ipc"].(string)
			fields := slices.DeleteFunc([]string{"id", "key", "uid", "permissions", "values", "bytes", "messages", "attaches", "inode"}, func(s string) bool { return kind[0][s] == nil })
			q = append(q, Query{"ipcs", "ipcs -n " + pid, match("ipcs", name, kind, []string{"address"}, fields)})
		}
	}
	return q
}

// groups are the rows by the value of a field, in the order of their first row.
func groups(rows []map[string]any, field string) [][]map[string]any {
	var out [][]map[string]any
	at := map[string]int{}
	for _, r := range rows {
		k := plainText(r[field])
		if _, ok := at[k]; !ok {
			at[k] = len(out)
			out = append(out, nil)
		}
		out[at[k]] = append(out[at[k]], r)
	}
	return out
}

// match compares records of one type, which are found by their keys, with what
// drgn says. Of records that it says nothing of there may be more: threads share
// address spaces, and drgn looks up the pages of small areas alone.
func match(command, typ string, facts []map[string]any, keys, fields []string) func(Rules, string, []map[string]any) Tally {
	return func(r Rules, dump string, rows []map[string]any) Tally {
		w := walker{rules: r.of(dump, command)}
		found := map[string]map[string]any{}
		for _, row := range ofType(rows, typ) {
			found[keyOf(row, keys)] = row
		}
		for _, want := range facts {
			key := keyOf(want, keys)
			row, ok := found[key]
			if !ok {
				w.differ(1, "%s %s: not in kdive's %s", typ, key, command)
				continue
			}
			for _, f := range fields {
				if row[f] == nil && want[f] == nil {
					w.t.Equal++
					continue
				}
				w.one(fmt.Sprintf("%s %s: %s", typ, key, f), row[f], want[f])
			}
		}
		return w.t
	}
}

func keyOf(row map[string]any, keys []string) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = k + " " + scalar(row[k])
	}
	return strings.Join(parts, " ")
}
