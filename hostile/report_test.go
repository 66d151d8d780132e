package hostile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// tally counts what came of the mutations of a class.
type tally struct {
	all, opened, same, changed, refused, excused, broken int
	answers, changes                                     int
	wall, cpu                                            time.Duration
	resident                                             int64
}

func (a *tally) add(r *result) {
	a.all++
	a.wall, a.cpu, a.resident = max(a.wall, r.o.wall), max(a.cpu, r.o.cpu), max(a.resident, r.o.resident)
	switch {
	case r.o.broken != nil:
		a.broken++
	case r.o.status == 2:
		a.refused++
		if r.excused {
			a.excused++
		}
	}
	if r.o.status == 0 || r.o.status == 1 {
		a.opened++
		a.answers += len(r.o.answers)
		a.changes += len(r.changed)
		if len(r.changed) == 0 {
			a.same++
		} else {
			a.changed++
		}
	}
}

// report is a table of what came of the mutations, by class, and the messages
// of those that were not opened.
func (h *harness) report(results []*result) string {
	by, total := map[string]*tally{}, &tally{}
	reasons := map[string]int{}
	for _, r := range results {
		if by[r.m.class] == nil {
			by[r.m.class] = &tally{}
		}
		by[r.m.class].add(r)
		total.add(r)
		if r.o.status == 2 {
			reasons[r.o.reason()]++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d mutations, %d of %d opened (%.1f%%)\n", total.all, total.opened, total.all, 100*float64(total.opened)/float64(max(total.all, 1)))
	fmt.Fprintf(&b, "%-20s %6s %7s %10s %8s %8s %7s %9s %8s %6s\n", "class", "runs", "opened", "all same", "changed", "refused", "broken", "answers", "wall", "MiB")
	line := func(name string, a *tally) {
		share := ""
		if a.answers > 0 {
			share = fmt.Sprintf("%.1f%% ok", 100-100*float64(a.changes)/float64(a.answers))
		}
		fmt.Fprintf(&b, "%-20s %6d %7d %10d %8d %8d %7d %9s %8v %6d\n", name, a.all, a.opened, a.same, a.changed, a.refused, a.broken, share, a.wall.Round(10*time.Millisecond), a.resident>>20)
	}
	for _, class := range slices.Sorted(maps.Keys(by)) {
		line(class, by[class])
	}
	line("total", total)
	fmt.Fprintf(&b, "processor time at most %v; %d refused because a page that opening reads was damaged\n", total.cpu.Round(10*time.Millisecond), total.excused)
	for _, reason := range slices.SortedFunc(maps.Keys(reasons), func(a, b string) int { return reasons[b] - reasons[a] }) {
		fmt.Fprintf(&b, "%6d  %s\n", reasons[reason], reason)
	}
	return b.String()
}
