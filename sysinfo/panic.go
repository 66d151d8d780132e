package sysinfo

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/klog"
)

// Panic is why the system went down, as the log tells it.
type Panic struct {
	// Message is the kernel's last word: "Kernel panic - not syncing: ...", or,
	// where an oops led to the dump without a panic, the oops's headline. It is
	// empty if the kernel did not crash.
	Message string
	// Cause is the headline of the report that led to Message, if that is not
	// it: the oops behind "Fatal exception", the warning behind "panic_on_warn".
	Cause string
	// Survived is the headline of the last oops that did not bring the kernel
	// down; only set if Message is empty.
	Survived string
}

// report is a line of the log that says that something is wrong.
type report struct {
	kind string
	line string
}

// kinds are how the kernel begins its reports. Order matters: the first match
// decides.
var kinds = []struct {
	kind string
	line *regexp.Regexp
}{
	{"panic", regexp.MustCompile(`^Kernel panic - `)},
	{"softlockup", regexp.MustCompile(`^(?:watchdog: )?BUG: soft lockup`)},
	{"hardlockup", regexp.MustCompile(`^(?:NMI watchdog: |watchdog: )?(?:BUG: hard lockup|CPU\d+: Watchdog detected hard LOCKUP|Watchdog detected hard LOCKUP)`)},
	{"hungtask", regexp.MustCompile(`^INFO: task .* blocked `)},
	{"rcu", regexp.MustCompile(`^(?:rcu: )?INFO: .* (?:stall|detected).*|^rcu: INFO: .*stall`)},
	{"warning", regexp.MustCompile(`^WARNING: `)},
	{"mce", regexp.MustCompile(`^(?:mce: )?\[Hardware Error\]: `)},
	// Headlines that stand some lines before the line that tells an oops.
	{"bug", regexp.MustCompile(`^BUG: (?:kernel NULL pointer dereference|unable to handle|stack guard page|TASK stack guard|IRQ stack guard)|^kernel BUG at |^kernel stack overflow|^unable to handle kernel`)},
	// The line with the number of the oops: "Oops: 0002 [#1] ...".
	{"oops", regexp.MustCompile(`\[#\d+\]`)},
}

// blames says which kind of report a panic's reason stands for.
var blames = []struct {
	reason *regexp.Regexp
	kind   string
}{
	{regexp.MustCompile(`Fatal exception`), "oops"},
	{regexp.MustCompile(`panic_on_warn`), "warning"},
	{regexp.MustCompile(`softlockup`), "softlockup"},
	{regexp.MustCompile(`[Hh]ard LOCKUP`), "hardlockup"},
	{regexp.MustCompile(`hung_task`), "hungtask"},
	{regexp.MustCompile(`RCU Stall`), "rcu"},
	{regexp.MustCompile(`machine check|Machine check`), "mce"},
}

// headlineReach is how many lines a headline may stand above its oops line.
const headlineReach = 8

// ReadPanic reads the reason of the crash out of the log. crashed says whether
// other evidence tells that a CPU panicked; without it an oops in the log is one
// that the system survived.
//
// Only what the kernel itself said counts, not what programs wrote to the log;
// the first panic, because a panic ends all others; the last oops before it.
func ReadPanic(k kernel.View, crashed bool) Panic {
	var p Panic
	last := map[string]string{} // the last headline of each kind
	headline, above := "", 0
	for r, err := range klog.Records(k) {
		if err != nil || r.Facility != 0 {
			continue
		}
		for line := range strings.SplitSeq(r.Text, "\n") {
			above++
			switch rep := classify(line); rep.kind {
			case "":
			case "panic":
				p.Message = rep.line
				p.Cause = cause(rep.line, last)
				return p
			case "bug":
				headline, above = rep.line, 0
			case "oops":
				last["oops"] = rep.line
				if headline != "" && above <= headlineReach {
					last["oops"] = headline
				}
				headline = ""
			default:
				last[rep.kind] = rep.line
			}
		}
	}
	if crashed {
		p.Message = last["oops"]
	} else {
		p.Survived = last["oops"]
	}
	return p
}

// marks are what every report holds one of: most lines of a log need no closer
// look.
var marks = []string{"panic - ", "BUG", "INFO: ", "WARNING: ", "[Hardware Error]", "[#", "LOCKUP", "overflow", "unable to handle"}

func classify(line string) report {
	if !slices.ContainsFunc(marks, func(m string) bool { return strings.Contains(line, m) }) {
		return report{}
	}
	for _, k := range kinds {
		if k.line.MatchString(line) {
			return report{k.kind, line}
		}
	}
	return report{}
}

func cause(message string, last map[string]string) string {
	for _, b := range blames {
		if b.reason.MatchString(message) {
			return last[b.kind]
		}
	}
	return ""
}
