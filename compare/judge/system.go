package judge

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

func bigOf(n string) *big.Int {
	b, ok := new(big.Int).SetString(n, 0)
	if !ok {
		return new(big.Int)
	}
	return b
}

// maxUptimeError is by how many seconds two uptimes of one moment may differ:
// kdive's counts ticks since the timer was started, drgn's is the clock of the
// last tick.
const maxUptimeError = 1.0

func (f *Facts) system(r Rules, dump string, rows []map[string]any) Tally {
	w := walker{rules: r.of(dump, "sys")}
	all := ofType(rows, "system")
	if len(all) != 1 {
		w.t.Fail(fmt.Sprintf("sys: %d records", len(all)))
		return w.t
	}
	k, d := all[0], f.System
	for _, name := range []string{"nodename", "release", "version", "machine", "tasks"} {
		w.one(name, k[name], d[name])
	}
	w.one("cpus", k["cpus"], d["present"])
	present, _ := strconv.Atoi(scalar(d["present"]))
	online, _ := strconv.Atoi(scalar(d["online"]))
	if got := scalar(k["offline"]); got == strconv.Itoa(present-online) {
		w.t.Equal++
	} else {
		w.differ(1, "offline: kdive %s drgn %d", got, present-online)
	}
	w.one("panic", k["panic"], d["panic"])
	w.one("load", numbers(k["load_average"]), numbers(d["load"]))
	if d["date"] != nil {
		secs, _ := strconv.ParseInt(scalar(d["date"]), 10, 64)
		date, _ := k["date"].(string)
		t, err := time.Parse(time.RFC3339Nano, date)
		if err == nil && t.Unix() == secs {
			w.t.Equal++
		} else {
			w.differ(1, "date: kdive %q drgn %d", date, secs)
		}
	}
	if d["uptime"] != nil {
		got, err := strconv.ParseFloat(scalar(k["uptime"]), 64)
		want, _ := strconv.ParseFloat(scalar(d["uptime"]), 64)
		if err == nil && math.Abs(got-want) <= maxUptimeError {
			w.t.Equal++
		} else {
			w.differ(1, "uptime: kdive %.2f drgn %.2f", got, want)
		}
	}
	return w.t
}

func numbers(v any) string {
	list, _ := v.([]any)
	var parts []string
	for _, e := range list {
		parts = append(parts, scalar(e))
	}
	return strings.Join(parts, " ")
}

var logFields = []string{"sequence", "time", "level", "facility", "caller", "text", "subsystem", "device"}

func (f *Facts) log(r Rules, dump string, rows []map[string]any) Tally {
	w := walker{rules: r.of(dump, "log")}
	records := ofType(rows, "log")
	if len(records) != len(f.Log) {
		w.differ(1, "log: kdive %d records drgn %d", len(records), len(f.Log))
	}
	for i := range min(len(records), len(f.Log)) {
		for _, name := range logFields {
			w.one(fmt.Sprintf("log %s: %s", scalar(f.Log[i]["sequence"]), name), records[i][name], f.Log[i][name])
		}
	}
	return w.t
}

func (f *Facts) modules(r Rules, dump string, rows []map[string]any) Tally {
	w := walker{rules: r.of(dump, "mod")}
	byName := map[string]map[string]any{}
	for _, row := range ofType(rows, "module") {
		name, _ := row["name"].(string)
		byName[name] = row
	}
	if len(byName) != len(f.Modules) {
		w.differ(1, "modules: kdive %d drgn %d", len(byName), len(f.Modules))
	}
	for _, m := range f.Modules {
		name, _ := m["name"].(string)
		row, ok := byName[name]
		if !ok {
			w.differ(1, "module %s: not in kdive's mod", name)
			continue
		}
		size := new(big.Int)
		regions, _ := m["regions"].([]any)
		for _, region := range regions {
			if pair, ok := region.([]any); ok && len(pair) == 2 {
				size.Add(size, bigOf(scalar(pair[1])))
			}
		}
		w.one(name+": module", scalar(row["module"]), scalar(m["module"]))
		w.one(name+": base", scalar(row["base"]), scalar(m["base"]))
		w.one(name+": size", scalar(row["size"]), size.String())
	}
	slices.Sort(w.t.Diffs)
	return w.t
}
