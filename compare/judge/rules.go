package judge

import (
	_ "embed"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
)

// Rule explains one kind of difference.
type Rule struct {
	ID       string
	Dumps    []string // patterns as path.Match has them; none: every dump
	Commands []string // the same
	Why      string
	edits    []edit
}

// edit changes or drops lines of one side.
type edit struct {
	side    string // crash, drgn, kdive; value: the text of a difference between values
	pattern *regexp.Regexp
	with    string
	drop    bool
}

// Rules are tried in order.
type Rules []Rule

//go:embed explained.txt
var explained string

// Explained are the differences that are known and whose reason is written down
// in explained.txt.
func Explained() (Rules, error) { return ParseRules(explained) }

// ParseRules reads rules: blocks that begin with [id] and have lines "dumps:",
// "commands:" and "why:", and edits "crash:", "drgn:", "kdive:" or "value:" with
// a regular expression, followed by " => replacement" unless lines are dropped.
// A line that begins with a blank goes on with the one before; # is a comment.
func ParseRules(text string) (Rules, error) {
	var rules Rules
	var errs []error
	for n, line := range logical(text) {
		fail := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("rules, entry %d: %s", n+1, fmt.Sprintf(format, args...)))
		}
		if id, ok := strings.CutPrefix(line, "["); ok {
			rules = append(rules, Rule{ID: strings.TrimSuffix(id, "]")})
			continue
		}
		key, val, ok := strings.Cut(line, ":")
		if !ok || len(rules) == 0 {
			fail("neither [id] nor key: value: %q", line)
			continue
		}
		r := &rules[len(rules)-1]
		val = strings.TrimSpace(val)
		switch key {
		case "dumps":
			r.Dumps = fields(val)
		case "commands":
			r.Commands = fields(val)
		case "why":
			r.Why = val
		case "crash", "drgn", "kdive", "value":
			e, err := parseEdit(key, val)
			if err != nil {
				fail("%v", err)
				continue
			}
			r.edits = append(r.edits, e)
		default:
			fail("unknown key %q", key)
		}
	}
	for _, r := range rules {
		if r.Why == "" || len(r.edits) == 0 {
			errs = append(errs, fmt.Errorf("rule %s: no reason or no edit", r.ID))
		}
	}
	return rules, errors.Join(errs...)
}

// logical are the lines of a text without comments, those that are continued
// joined by a blank.
func logical(text string) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case strings.TrimSpace(line) == "" || line[0] == '#':
		case line[0] == ' ' && len(out) > 0:
			out[len(out)-1] += " " + strings.TrimSpace(line)
		default:
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

func parseEdit(side, val string) (edit, error) {
	pattern, with, change := strings.Cut(val, " => ")
	re, err := regexp.Compile(pattern)
	return edit{side: side, pattern: re, with: with, drop: !change}, err
}

// fields are the parts of a list with commas.
func fields(list string) []string {
	parts := strings.Split(list, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// of are the rules for one command on one dump.
func (r Rules) of(dump, command string) Rules {
	var out Rules
	for _, x := range r {
		if matches(x.Dumps, dump) && matches(x.Commands, command) {
			out = append(out, x)
		}
	}
	return out
}

func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, err := path.Match(p, name); ok && err == nil {
			return true
		}
	}
	return len(patterns) == 0
}

// Why is the reason of the rule with that id.
func (r Rules) Why(id string) string {
	for _, x := range r {
		if x.ID == id {
			return x.Why
		}
	}
	return ""
}

// Unused are the ids of the rules that explained nothing.
func (r Rules) Unused(t Tally) []string {
	var ids []string
	for _, x := range r {
		if t.Rules[x.ID] == 0 {
			ids = append(ids, x.ID)
		}
	}
	return ids
}
