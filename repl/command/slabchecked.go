package command

import (
	"fmt"
	"slices"

	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/slabcheck"
	"github.com/kdive/kdive/slabcheck/rules"
)

// checked is the summary of a check.
type checked struct{ *slabcheck.Report }

// count is how many findings are that sure.
func (r *checked) count(sure rules.Sure) (n int) {
	for _, f := range r.Findings {
		if f.Sure == sure {
			n++
		}
	}
	return n
}

// ruleCount is how often a rule is broken.
type ruleCount struct {
	rule *rules.Rule
	sure rules.Sure
	n    int
}

// byRule counts the findings of each rule in the order of the rules.
func (r *checked) byRule() []ruleCount {
	var list []ruleCount
	for _, rule := range rules.All() {
		for _, sure := range []rules.Sure{rules.Certain, rules.Likely, rules.InFlight} {
			n := 0
			for _, f := range r.Findings {
				if f.Rule == rule && f.Sure == sure {
					n++
				}
			}
			if n > 0 {
				list = append(list, ruleCount{rule, sure, n})
			}
		}
	}
	return list
}

// names are the caches that something was found in.
func (r *checked) names() []string {
	var names []string
	for _, f := range r.Findings {
		if f.Cache != nil && f.Sure != rules.InFlight && !slices.Contains(names, f.Cache.Name) {
			names = append(names, f.Cache.Name)
		}
	}
	return names
}

var checkedRecord = &output.Record[checked]{
	Type: "slab_check",
	Help: "what a check looked at and how much it found",
	Columns: []output.Column[checked]{
		{Name: "caches", Help: "caches that were checked", Get: func(r *checked) output.Value { return output.Int(r.Caches) }},
		{Name: "slabs", Help: "their slabs", Get: func(r *checked) output.Value { return output.Int(r.Slabs) }},
		{Name: "objects", Help: "objects in these slabs", Get: func(r *checked) output.Value { return output.Int(r.Objects) }},
		{Name: "free", Help: "of them, those on lists of free objects", Get: func(r *checked) output.Value { return output.Int(r.Free) }},
		{Name: "pending", Help: "slabs that were given back and wait for RCU", Get: func(r *checked) output.Value { return output.Int(r.Pending) }},
		{Name: "certain", Help: "findings that no sound kernel shows", Get: func(r *checked) output.Value { return output.Int(r.count(rules.Certain)) }},
		{Name: "likely", Help: "findings that a sound kernel hardly ever shows", Get: func(r *checked) output.Value { return output.Int(r.count(rules.Likely)) }},
		{Name: "in_flight", Help: "findings that an interrupted update explains", Get: func(r *checked) output.Value { return output.Int(r.count(rules.InFlight)) }},
		{Name: "omitted", Help: "findings beyond the number that is kept of each rule and cache", Get: func(r *checked) output.Value { return output.Int(r.Omitted) }},
		{Name: "unread", Help: "structures and slabs that the dump does not have", Get: func(r *checked) output.Value { return output.Int(r.Unread) }},
		{Name: "broken_caches", Help: "caches with findings that are not in flight", Get: func(r *checked) output.Value { return output.Strings(r.names()) }},
		{Name: "by_rule", Help: "rule, sure, and how many findings", Get: func(r *checked) output.Value {
			list := []output.Value{}
			for _, x := range r.byRule() {
				list = append(list, output.Object(output.Field{Name: "rule", Value: output.String(x.rule.ID)},
					output.Field{Name: "sure", Value: output.String(x.sure.String())}, output.Field{Name: "findings", Value: output.Int(x.n)}))
			}
			return output.List(list...)
		}},
	},
	Text: checkedText,
}

func checkedText(b []byte, r *checked) []byte {
	if rules := r.byRule(); len(rules) > 0 {
		b = append(b, "\nRULE                     SURE       FINDINGS\n"...)
		for _, x := range rules {
			b = fmt.Appendf(b, "%-24s %-10s %8d\n", x.rule.ID, x.sure, x.n)
		}
	}
	b = fmt.Appendf(b, "%d caches, %d slabs, %d objects, %d of them free", r.Caches, r.Slabs, r.Objects, r.Free)
	if r.Pending > 0 {
		b = fmt.Appendf(b, ", %d slabs wait for RCU", r.Pending)
	}
	if r.Unread > 0 {
		b = fmt.Appendf(b, ", %d places not in the dump", r.Unread)
	}
	certain, likely, flight := r.count(rules.Certain), r.count(rules.Likely), r.count(rules.InFlight)
	switch {
	case certain+likely+flight == 0:
		b = append(b, ": no findings\n"...)
	default:
		b = fmt.Appendf(b, ": %d certain, %d likely, %d in flight", certain, likely, flight)
		if r.Omitted > 0 {
			b = fmt.Appendf(b, ", %d more left out", r.Omitted)
		}
		b = append(b, '\n')
	}
	return b
}
