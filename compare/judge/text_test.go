package judge

import (
	"slices"
	"strings"
	"testing"
)

const testRules = `
# a comment
[hz]
dumps: tiny*, 6.12*
commands: sys
crash: ^ UPTIME: 00:03:\d\d$ => UPTIME
kdive: ^ UPTIME: 00:00:\d\d$ => UPTIME
why: a reason
  on two lines

[extra]
kdive: ^ CAUSE: .*$
why: more is more

[array]
commands: struct *
value: ^s\.flex: drgn has no such member
why: no elements
`

func TestText(t *testing.T) {
	rules, err := ParseRules(testRules)
	if err != nil {
		t.Fatal(err)
	}
	if got := rules.Why("hz"); got != "a reason on two lines" {
		t.Errorf("reason %q", got)
	}
	tests := []struct {
		name, dump, command, crash, kdive string
		equal, explained, unexplained     int
	}{
		{"blanks collapse", "x", "ps", "  a   b \n\n c\n\n", " a b\n\n c", 3, 0, 0},
		{"an indent is one blank", "x", "ps", "a", " a", 0, 0, 1},
		{"a missing line", "x", "ps", "a\nb\nc", "a\nc", 2, 0, 1},
		{"an empty line counts", "x", "ps", "a\n\nc", "a\nc", 2, 0, 1},
		{"nothing at all", "x", "ps", "a\nb", "", 0, 0, 2},
		{"replaced", "tiny", "sys", "a\n UPTIME: 00:03:45", "a\n UPTIME: 00:00:02", 1, 1, 0},
		{"another dump", "5.10", "sys", " UPTIME: 00:03:45", " UPTIME: 00:00:02", 0, 0, 1},
		{"another command", "tiny", "ps", " UPTIME: 00:03:45", " UPTIME: 00:00:02", 0, 0, 1},
		{"no blanket", "tiny", "sys", " UPTIME: 00:03:45", " UPTIME: 09:00:02", 0, 0, 1},
		{"dropped", "x", "sys", "a", "a\n CAUSE: \"b\"", 1, 1, 0},
		{"dropped with the empty line behind it", "x", "sys", "a\nb", "a\n CAUSE: \"b\"\n\nb", 2, 2, 0},
		{"dropped with the empty line before it", "x", "sys", "a\nb", "a\n\n CAUSE: \"b\"\nb", 2, 2, 0},
		{"two empty lines are one too many", "x", "sys", "a\nb", "a\n CAUSE: \"b\"\n\n\nb", 2, 2, 1},
		{"an empty line elsewhere", "x", "sys", "a\nb", "a\n CAUSE: \"b\"\nb\n\nc", 2, 1, 2},
		{"dropped on one side only", "x", "sys", "a\n CAUSE: \"b\"", "a", 1, 0, 1},
		{"rules leave equal lines alone", "tiny", "sys", " UPTIME: 00:03:45", " UPTIME: 00:03:45", 1, 0, 0},
		{"reordered", "x", "ps", "a\nb", "b\na", 1, 0, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := rules.Text(tt.dump, tt.command, "crash", tt.crash, tt.kdive)
			if got.Equal != tt.equal || got.Explained != tt.explained || got.Unexplained != tt.unexplained {
				t.Errorf("%s, want %d %d %d: %q", got.Summary(), tt.equal, tt.explained, tt.unexplained, got.Diffs)
			}
			if (got.Unexplained > 0) != (len(got.Diffs) > 0) || (got.Explained > 0) != (len(got.Rules) > 0) {
				t.Errorf("rules %v, diffs %q", got.Rules, got.Diffs)
			}
		})
	}
}

func TestParseRulesFails(t *testing.T) {
	for _, text := range []string{"why: x", "[a]\nwhy: x", "[a]\nkdive: x", "[a]\nwhy: x\nkdive: (", "[a]\nwho: x\nwhy: x\nkdive: x", "[a]\nwhy: x\nkdive: x\nnonsense"} {
		if _, err := ParseRules(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

// TestExplained: every rule in use has a reason, and none matches everything.
func TestExplained(t *testing.T) {
	rules, err := Explained()
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) == 0 {
		t.Error("no rules")
	}
	for _, r := range rules {
		for _, e := range r.edits {
			if e.pattern.MatchString("") || e.pattern.MatchString("any line of text") {
				t.Errorf("rule %s: %s is a blanket", r.ID, e.pattern)
			}
		}
	}
}

func TestSections(t *testing.T) {
	head, s := Sections("banner\ncrash> sys\na\nb\ncrash> quit\n", CrashPrompt)
	if head != "banner\n" || len(s) != 2 || s[0] != (Section{"sys", "a\nb\n"}) || s[1] != (Section{"quit", ""}) {
		t.Errorf("%q %q", head, s)
	}
}

func TestDiffOfLongTexts(t *testing.T) {
	a := strings.Split(strings.Repeat("x y z ", 2000), " ")
	b := slices.Insert(slices.Clone(a), 3000, "new")
	equal, changed := 0, 0
	for _, h := range diff(a, b) {
		equal += h.equal
		changed += len(h.a) + len(h.b)
	}
	if equal != len(a) || changed != 1 {
		t.Errorf("equal %d of %d, changed %d", equal, len(a), changed)
	}
}
