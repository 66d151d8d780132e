// Command compare compares kdive with crash and drgn on real dumps.
//
// It runs each of the three once for a dump and prints for each command how many
// lines or values were compared, equal, explained and unexplained; the exit
// status is 1 if there is an unexplained difference. How answers are judged is
// package judge's. Start from run; README.md says how to use it.
package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/kdive/kdive/compare/judge"
)

type options struct {
	lab, kdive, cache, facts, only, also string
	verbose, identify, stacks            bool
}

func main() {
	var o options
	flag.StringVar(&o.lab, "lab", "", "directory with kernels, dumps and peers")
	flag.StringVar(&o.kdive, "kdive", "bin/kdive", "the kdive to compare")
	flag.StringVar(&o.cache, "cache", "", "directory for the peers' answers (default LAB/compare)")
	flag.StringVar(&o.facts, "facts", "", "write the peers' answers to this directory, too")
	flag.StringVar(&o.only, "only", "", "patterns of dumps, separated by commas")
	flag.StringVar(&o.also, "also", "", "file with more commands, one a line, to compare with crash")
	flag.BoolVar(&o.identify, "identify", false, "only ask what addresses are")
	flag.BoolVar(&o.stacks, "stacks", false, "only compare back traces and code")
	flag.BoolVar(&o.verbose, "v", false, "print all unexplained differences")
	flag.Parse()
	if o.lab == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if o.cache == "" {
		o.cache = path.Join(o.lab, "compare")
	}
	ok, err := run(o, os.Stdout)
	if err != nil {
		fmt.Fprintf(os.Stderr, "compare: %v\n", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// run compares all dumps and reports whether nothing is unexplained.
func run(o options, w io.Writer) (ok bool, err error) {
	rules, err := judge.Explained()
	if err != nil {
		return false, err
	}
	var total judge.Tally
	missing := 0
	for _, d := range dumps {
		if !d.selected(o.only) {
			continue
		}
		d = d.in(o.lab)
		if err := d.present(); err != nil {
			if d.stacksOnly() {
				continue
			}
			fmt.Fprintf(w, "%s: MISSING: %v\n", d.name, err)
			missing++
			continue
		}
		t, err := compareDump(o, d, rules, w)
		if err != nil {
			return false, fmt.Errorf("%s: %w", d.name, err)
		}
		total.Add(t)
	}
	fmt.Fprintf(w, "all dumps: %s\n", total.Summary())
	for _, id := range slices.Sorted(maps.Keys(total.Rules)) {
		fmt.Fprintf(w, "explained %-20s %6d  %s\n", id, total.Rules[id], rules.Why(id))
	}
	for _, id := range rules.Unused(total) {
		if o.only == "" && missing == 0 {
			fmt.Fprintf(w, "rule %s was not needed: take it out\n", id)
		}
	}
	if missing > 0 {
		fmt.Fprintf(w, "%d dumps are missing\n", missing)
	}
	return total.Unexplained == 0 && missing == 0 && total.Compared() > 0, nil
}

// selected reports whether one of the patterns names the dump.
func (d dump) selected(patterns string) bool {
	for p := range strings.SplitSeq(patterns, ",") {
		if ok, err := path.Match(p, d.name); ok && err == nil || patterns == "" {
			return true
		}
	}
	return false
}

func compareDump(o options, d dump, rules judge.Rules, w io.Writer) (total judge.Tally, err error) {
	var results []judge.Comparison
	if !o.identify && !o.stacks && !d.stacksOnly() {
		if results, err = compareCommands(o, d, rules); err != nil {
			return total, err
		}
	}
	if d.identify != "" && !o.stacks {
		t, err := compareIdentify(o, d, rules)
		if err != nil {
			return total, err
		}
		results = append(results, judge.Comparison{Peer: "drgn", Name: "identify", Tally: t})
	}
	if !o.identify {
		more, err := compareStacks(o, d, rules)
		if err != nil {
			return total, err
		}
		results = append(results, more...)
	}
	for _, c := range results {
		fmt.Fprintf(w, "%-18s %-6s %-20s %s\n", d.name, c.Peer, c.Name, c.Tally.Summary())
		show := c.Tally.Diffs
		if !o.verbose && len(show) > 6 {
			show = append(slices.Clone(show[:6]), "...")
		}
		for _, diff := range show {
			fmt.Fprintf(w, "    %s\n", diff)
		}
		total.Add(c.Tally)
	}
	return total, nil
}

// compareCommands compares what the commands print.
func compareCommands(o options, d dump, rules judge.Rules) ([]judge.Comparison, error) {
	peers := peers{lab: o.lab, cache: o.cache}
	drgn, err := peers.drgn(d)
	if err != nil {
		return nil, err
	}
	facts, err := judge.ParseFacts(drgn.text)
	if err != nil {
		return nil, err
	}
	wide, err := peers.script(d, "wide", judge.WideScript())
	if err != nil {
		return nil, err
	}
	if err := facts.AddWide(wide.text); err != nil {
		return nil, err
	}
	more := judge.Wide(facts)
	if o.also != "" {
		also, err := os.ReadFile(o.also)
		if err != nil {
			return nil, err
		}
		more = append(more, strings.Split(strings.TrimSpace(string(also)), "\n")...)
	}
	var crash, crashMore answer // what is kept for tests, and what is not
	commands := judge.Commands(facts)
	if d.crash {
		if crash, err = peers.crash(d, commands); err != nil {
			return nil, err
		}
		if crashMore, err = peers.crash(d, more); err != nil {
			return nil, err
		}
		if n := strings.Count(crashMore.text, "\n"+judge.CrashPrompt); n < len(more) {
			return nil, fmt.Errorf("crash answered %d of %d commands", n, len(more))
		}
	}
	if o.facts != "" {
		if err := keep(o.facts, peers, d, facts, crash, drgn); err != nil {
			return nil, err
		}
	}
	kdive, err := runKdive(o.kdive, d, judge.Session(append(commands, more...), facts))
	if err != nil {
		return nil, err
	}
	results := judge.Compare(rules, d.name, crash.text+crashMore.text, facts, kdive)
	if !d.crash {
		return results, nil
	}
	commands = judge.MemoryCommands(facts)
	if d.identify == "slub" { // it takes crash long
		commands = append(commands, judge.SearchCommands(facts)...)
	}
	if crash, err = peers.crash(d, commands); err != nil {
		return nil, err
	}
	if kdive, err = runKdive(o.kdive, d, commands); err != nil {
		return nil, err
	}
	return append(results, judge.Memory(rules, d.name, crash.text, kdive)...), nil
}

// compareStacks compares back traces, and samples of code.
func compareStacks(o options, d dump, rules judge.Rules) ([]judge.Comparison, error) {
	peers := peers{lab: o.lab, cache: o.cache}
	drgn, err := peers.script(d, "stacks", judge.StackScript())
	if err != nil {
		return nil, err
	}
	commands := judge.StackCommands(d.stacksOnly())
	var crash answer
	if d.crash {
		if crash, err = peers.crash(d, commands); err != nil {
			return nil, err
		}
	}
	kdive, err := runKdive(o.kdive, d, judge.StackSession(commands))
	if err != nil {
		return nil, err
	}
	return judge.Stacks(rules, d.name, commands, crash.text, drgn.text, kdive)
}

// compareIdentify asks kdive what the addresses of a sample are.
func compareIdentify(o options, d dump, rules judge.Rules) (judge.Tally, error) {
	p := peers{lab: o.lab, cache: o.cache}
	script := judge.IdentifyScript(d.identify == "slab")
	asked, err := p.script(d, "identify-"+d.identify+".py", script)
	if err != nil {
		return judge.Tally{}, err
	}
	samples, err := judge.ParseSamples(asked.text)
	if err != nil {
		return judge.Tally{}, err
	}
	out, err := runKdive(o.kdive, d, judge.IdentifyCommands(samples))
	if err != nil {
		return judge.Tally{}, err
	}
	return judge.Identify(rules, d.name, samples, out), nil
}
