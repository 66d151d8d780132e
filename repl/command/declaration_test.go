package command

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/repltest"
)

// TestDeclarations holds every command to what help and the manual need.
func TestDeclarations(t *testing.T) {
	for _, c := range commands() {
		if c.Summary == "" || strings.HasSuffix(c.Summary, ".") || strings.Contains(c.Summary, "\n") {
			t.Errorf("%s: the summary is a few words without a full stop: %q", c.Name, c.Summary)
		}
		if first := strings.Fields(c.Summary + " x")[0]; first[0] >= 'A' && first[0] <= 'Z' && strings.ToUpper(first) != first {
			t.Errorf("%s: the summary begins in lower case: %q", c.Name, c.Summary)
		}
		if c.Run == nil {
			t.Errorf("%s: does nothing", c.Name)
		}
		checkOptions(t, c)
		checkRecords(t, c)
	}
}

func checkOptions(t *testing.T, c *repl.Command) {
	seen := map[string]bool{"json": true, "help": true}
	for _, o := range c.Options {
		if seen[o.Name] {
			t.Errorf("%s: option %s is declared twice", c.Name, o.Name)
		}
		seen[o.Name] = true
		if o.Name == "" || strings.HasPrefix(o.Name, "-") || o.Help == "" {
			t.Errorf("%s: option %q needs a name without dashes, and help", c.Name, o.Name)
		}
	}
}

// jsonName is what types and fields of JSON are called: programs ask for .name.
var jsonName = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

func checkRecords(t *testing.T, c *repl.Command) {
	for _, r := range c.Records {
		d := r.Describe()
		if d.Type == "" || d.Help == "" || len(d.Fields) == 0 {
			t.Errorf("%s: record %q needs a type, help and fields", c.Name, d.Type)
		}
		if !jsonName.MatchString(d.Type) {
			t.Errorf("%s: the type %q is no name in lower case with underscores", c.Name, d.Type)
		}
		seen := map[string]bool{"type": true}
		for _, f := range d.Fields {
			if seen[f.Name] {
				t.Errorf("%s: %s.%s is declared twice", c.Name, d.Type, f.Name)
			}
			seen[f.Name] = true
			if !jsonName.MatchString(f.Name) {
				t.Errorf("%s: %s.%s is no name in lower case with underscores", c.Name, d.Type, f.Name)
			}
			if f.Help == "" && d.Type != "help" {
				t.Errorf("%s: %s.%s has no help", c.Name, d.Type, f.Name)
			}
		}
	}
}

// TestHelpPages prints every page; examples must parse as command lines.
func TestHelpPages(t *testing.T) {
	for _, c := range commands() {
		page := text(t, "help '"+c.Name+"'")
		if !strings.Contains(page, c.Name+" - "+c.Summary) {
			t.Errorf("%s: no page, but %q", c.Name, page)
		}
		for _, line := range strings.Split(page, "\n") {
			if len(line) > 100 {
				t.Errorf("%s: line of help is too long: %s", c.Name, line)
			}
		}
	}
	var manual bytes.Buffer
	if err := repl.Manual(&manual, commands()); err != nil || !strings.Contains(manual.String(), "## eval") {
		t.Errorf("manual: %v\n%s", err, manual.String())
	}
}

// TestMisuse gives every command an option that it does not have.
func TestMisuse(t *testing.T) {
	for _, c := range commands() {
		if c.Expr {
			continue
		}
		if got := failure(t, c.Name+" --no-such-option"); !strings.Contains(got, "usage: "+c.Name) {
			t.Errorf("%s: %q", c.Name, got)
		}
	}
}

// TestTyped runs the commands that need no dump as text and as JSON.
func TestTyped(t *testing.T) {
	for _, line := range []string{
		"alias", "alias man", "ascii", "ascii 62696c2f7273752f 0a20", "echo one two", "eval -b 1k", "help", "help eval",
		"help input", "set -v", "set radix 16", "set radix", "set core on", "h", "alias foo echo a b",
	} {
		repltest.Check(t, commands(), line)
	}
}
