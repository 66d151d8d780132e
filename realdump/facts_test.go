package realdump

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kdive/kdive"
	"github.com/kdive/kdive/compare/judge"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/command"
)

// minCompared is how many lines and values a comparison of one dump looks at, at
// the very least: every task has hundreds of values.
const minCompared = 100_000

// TestFacts compares what kdive says of a dump with what crash and drgn said.
func TestFacts(t *testing.T) {
	for _, d := range dumps {
		t.Run(d.name, func(t *testing.T) { testFacts(t, d) })
	}
}

func testFacts(t *testing.T, d realDump) {
	files := d.files(t)
	kept, err := judge.ReadKept(filepath.Join("..", "testdata", "facts"), d.name)
	if err != nil {
		t.Fatal(err)
	}
	facts, err := judge.ParseFacts(kept.Drgn)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := judge.Explained()
	if err != nil {
		t.Fatal(err)
	}
	if err := facts.AddWide(kept.DrgnWide); err != nil {
		t.Fatal(err)
	}
	said := session(t, files, judge.Session(append(judge.Commands(facts), judge.Wide(facts)...), facts))
	results := judge.Compare(rules, d.name, kept.Crash+kept.Wide, facts, said)
	results = append(results, judge.Memory(rules, d.name, kept.Memory, session(t, files, judge.KeptMemory(facts)))...)
	commands := judge.StackCommands(false)
	stacks, err := judge.Stacks(rules, d.name, commands, kept.Stacks, kept.DrgnStacks, session(t, files, judge.StackSession(commands)))
	if err != nil {
		t.Fatal(err)
	}
	var total judge.Tally
	for _, c := range append(results, stacks...) {
		// What is nowhere (-R) has no answer.
		if c.Tally.Compared() == 0 && !strings.Contains(c.Name, " -R ") {
			t.Errorf("%s, %s: nothing was compared", c.Peer, c.Name)
		}
		if c.Tally.Unexplained > 0 {
			t.Errorf("%s, %s: %s\n%s", c.Peer, c.Name, c.Tally.Summary(), strings.Join(c.Tally.Diffs, "\n"))
		}
		total.Add(c.Tally)
	}
	if total.Compared() < minCompared {
		t.Errorf("only %d lines and values were compared", total.Compared())
	}
	t.Logf("crash %s, drgn %s: %s", kept.CrashVersion, kept.DrgnVersion, total.Summary())
}

// session runs commands in kdive and returns all it printed, with a prompt
// before each command, and without the directories of the files.
func session(t *testing.T, f files, commands []string) string {
	t.Helper()
	var in strings.Builder
	for _, c := range commands {
		fmt.Fprintf(&in, "%s\n%s\n", judge.Mark(c), c)
	}
	return play(t, f, in.String())
}

// play runs lines in kdive and returns all it printed, without the directories
// of the files.
func play(t *testing.T, f files, lines string) string {
	t.Helper()
	opened, err := kdive.Open(context.Background(), kdive.Options{
		Files: append([]string{f.vmlinux}, f.dump...), ModuleDirs: f.modules, Cache: cache(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, w := range opened.Warnings() {
		t.Logf("warning: %s", w)
	}
	var out bytes.Buffer
	command.NewShell(repl.Options{Silent: true, Stdin: strings.NewReader(lines), Stdout: &out, Stderr: &out}, command.NewTarget(opened)).Run()
	names := map[string]string{f.vmlinux: "vmlinux"}
	for _, d := range f.dump {
		names[d] = filepath.Base(d)
	}
	return judge.HidePaths(out.String(), names)
}
