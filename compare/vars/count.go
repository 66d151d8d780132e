package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/kdive/kdive/compare/judge"
)

// count is the result of a comparison.
type count struct {
	drgn, kdive *answers
	drgnHas     int
	kdiveHas    int
	both        int
	equal       int
	differ      int
	missing     int // drgn has the variable, kdive not even its name
	stackless   int // of these, in frames of tasks that gave their stacks back
	onlyDrgn    []string
	differences []string
	classes     map[string]*class
	dropped     int // kdive lists them, drgn does not
}

// class is why drgn has no value, and what kdive makes of it.
type class struct{ absent, tables, replay int }

func newCount(d, k *answers) *count {
	c := &count{drgn: d, kdive: k, classes: map[string]*class{}}
	for i := range d.vars {
		c.variable(&d.vars[i])
	}
	for i := range k.vars {
		if _, ok := d.find[k.vars[i].place]; !ok {
			c.dropped++
		}
	}
	return c
}

func (c *count) variable(d *variable) {
	has := !d.absent && d.fault == ""
	if has {
		c.drgnHas++
	}
	i, ok := c.kdive.find[d.place]
	if !ok {
		c.missing++
		if !c.kdive.tasks[d.task] {
			c.stackless++
		}
		c.onlyDrgn = append(c.onlyDrgn, fmt.Sprintf("%v: kdive has no such variable", d.place))
		return
	}
	k := &c.kdive.vars[i]
	known := k.class != "lost"
	if known {
		c.kdiveHas++
	}
	switch {
	case has && known:
		c.both++
		c.compare(k, d)
	case has:
		c.onlyDrgn = append(c.onlyDrgn, fmt.Sprintf("%v: drgn %v %#x, kdive: %s", d.place, d.value, d.addr, k.how))
	default:
		c.absent(k, d)
	}
}

func (c *count) compare(k, d *variable) {
	if d.addr != 0 || k.addr != 0 {
		if d.addr == k.addr {
			c.equal++
			return
		}
		if d.addr != 0 && k.addr != 0 {
			c.differ++
			c.differences = append(c.differences, fmt.Sprintf("%v: at %#x, drgn at %#x", d.place, k.addr, d.addr))
			return
		}
	}
	if t := (judge.Rules{}).Value("", "", d.name, k.value, d.value); t.Unexplained > 0 {
		c.differ++
		c.differences = append(c.differences, fmt.Sprintf("%v (%s): %v [%s: %s]", d.place, k.ctype, t.Diffs, k.class, k.how))
		return
	}
	c.equal++
}

// absent counts what drgn has no value of, by why the tables lack it.
func (c *count) absent(k, d *variable) {
	why := k.recovered
	switch {
	case d.fault != "":
		why = "drgn fails: " + d.fault
	case why != "":
	case k.class == "lost":
		why = k.reason
	case strings.Contains(k.how, "at the function's entry"):
		why = "entry value"
	default:
		why = "other: " + k.how
		if len(why) > 40 {
			why = why[:40]
		}
	}
	x := c.classes[why]
	if x == nil {
		x = &class{}
		c.classes[why] = x
	}
	x.absent++
	switch {
	case k.class == "lost":
	case k.recovered != "":
		x.replay++
	default:
		x.tables++
	}
}

func (c *count) print(w io.Writer, verbose bool) {
	all := len(c.drgn.vars)
	percent := func(n int) float64 { return 100 * float64(n) / float64(max(all, 1)) }
	fmt.Fprintf(w, "variables that drgn lists: %d in %d frames, inlined ones included\n", all, c.drgn.frames)
	fmt.Fprintf(w, "with a value in drgn:      %d (%.1f %%)\n", c.drgnHas, percent(c.drgnHas))
	fmt.Fprintf(w, "with a value in kdive:     %d (%.1f %%)\n", c.kdiveHas, percent(c.kdiveHas))
	fmt.Fprintf(w, "in both:                   %d, equal %d, different %d\n", c.both, c.equal, c.differ)
	fmt.Fprintf(w, "in drgn only:              %d; frames that kdive does not have: %d, of them of tasks without a stack: %d\n", len(c.onlyDrgn), c.missing, c.stackless)
	fmt.Fprintf(w, "more that kdive lists:     %d\n", c.dropped)
	fmt.Fprintf(w, "absent in drgn, by why the debug info alone does not tell them:\n")
	for _, why := range slices.Sorted(maps.Keys(c.classes)) {
		x := c.classes[why]
		fmt.Fprintf(w, "  %-42s %5d   kdive by the tables %5d, by replay %5d, lost %5d\n", why, x.absent, x.tables, x.replay, x.absent-x.tables-x.replay)
	}
	for _, s := range c.differences {
		fmt.Fprintln(w, "DIFFERENT", s)
	}
	if verbose {
		for _, s := range c.onlyDrgn {
			fmt.Fprintln(w, "only drgn", s)
		}
	}
}
