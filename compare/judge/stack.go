package judge

import (
	_ "embed"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

//go:embed stack.py
var stackScript string

// StackScript is the program for drgn that prints the stacks of all tasks.
func StackScript() string { return stackScript }

// stacks are the commands whose text is back traces, in all forms.
var stacks = []string{
	"foreach bt", "bt -a", "foreach bt -sl", "foreach bt -sx", "foreach bt -FF", "foreach user bt -f", "foreach bt -t", "foreach bt -e",
	"bt -F", "bt -T", "bt -E", "bt -r 1", "bt -o 1", "bt -g 1", "bt 0 1", "bt -R schedule 1", "bt -R no_such_function 1", "foreach bt -R do_syscall_64", "bt -c 0",
}

// code are samples of disassembly.
var code = []string{
	"dis schedule", "dis -l vfs_read", "dis -x do_exit 30", "dis -r vfs_write+40", "dis -f vfs_write+40", "dis -f vfs_write+40 3", "dis -rl schedule+30 4", "dis schedule+4 2",
	"dis vfs_read+1", "dis -d ksys_read", "dis init_task", "dis memcpy 8", "dis asm_exc_page_fault", "dis entry_SYSCALL_64 40", "dis -s schedule",
	"dis native_write_msr", "dis copy_user_generic_unrolled", "dis clear_page_erms", "dis finish_task_switch",
}

// stacksBriefly are those of dumps that were made for their stacks.
var stacksBriefly = []string{"foreach bt", "foreach bt -e", "bt -E", "foreach bt -T"}

// StackCommands are the commands whose text is compared; brief for a dump that
// was made for its stacks.
func StackCommands(brief bool) []string {
	if brief {
		return stacksBriefly
	}
	return slices.Concat(stacks, code)
}

// allStacks is the command whose JSON is compared with what drgn says.
const allStacks = "foreach bt"

// StackSession are all lines that kdive has to run for Stacks.
func StackSession(commands []string) []string {
	return append(append([]string{"set inline off"}, commands...), allStacks+asJSON)
}

// Stacks judges what kdive said against crash (empty if it was not asked) and
// what drgn's script printed.
func Stacks(rules Rules, dump string, commands []string, crash, drgn, kdive string) ([]Comparison, error) {
	facts, others := Rows(drgn)
	if len(others) > 0 || len(facts) == 0 {
		return nil, fmt.Errorf("drgn's stacks: %d, and not JSON: %q", len(facts), others)
	}
	said := answers(kdive, Prompt)
	rows, others := Rows(said[allStacks+asJSON])
	marks := stackMarks(rows)
	var out comparisons
	if crash != "" {
		theirs := answers(crash, CrashPrompt)
		for _, c := range commands {
			a, ok := theirs[c]
			if !ok {
				out.add("crash", c, Tally{Unexplained: 1, Diffs: []string{"crash was not asked"}})
				continue
			}
			b := said[c]
			if printsStacks(c) {
				a, b = stackText(a, nil), stackText(b, marks)
			}
			out.add("crash", c, rules.Text(dump, c, "crash", a, b))
		}
	}
	t := compareStacks(rules, dump, facts, rows)
	for _, o := range others {
		t.Fail(allStacks + ": not JSON: " + o)
	}
	out.add("drgn", allStacks, t)
	return out, nil
}

// printsStacks reports whether a command prints back traces.
func printsStacks(command string) bool {
	w := strings.Fields(command)
	return len(w) > 0 && (w[0] == "bt" || w[0] == "foreach" && slices.Contains(w, "bt"))
}

var (
	frameLine = regexp.MustCompile(`^ ?#(\d+) (\[\w+\] .*)`)
	wordsLine = regexp.MustCompile(`^ +[0-9a-f]{16}: `)
	frameKey  = regexp.MustCompile(`^ \[(\w+)\] .* at (\w+)( \[.*\])?$`)
)

// stackText makes texts of back traces comparable line by line: frames lose their
// numbers, which all differ behind a frame that one side lacks (what is not
// numbered one by one says so), and a set of registers becomes one line. Frames
// get the marks that are known of them.
func stackText(text string, marks map[string]string) string {
	var b strings.Builder
	next := 0
	regs := ""     // that are being collected
	first := false // behind the registers of a CPU, before a frame
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.TrimSpace(line) == "" {
			continue // between tasks
		}
		if strings.HasPrefix(line, "PID:") {
			next, first = 0, false
		}
		if m := frameLine.FindStringSubmatch(line); m != nil {
			line = " " + m[2]
			if k := frameKey.FindStringSubmatch(line); k != nil {
				line += marks[k[1]+" "+k[2]]
			}
			if n, _ := strconv.Atoi(m[1]); n != next {
				line += " (misnumbered)"
			}
			next++
			first = false
		}
		if first && wordsLine.MatchString(line) {
			line += " {before the first frame}"
		}
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, "[exception RIP:") || strings.HasPrefix(trimmed, "RIP: ") && regs == "" ||
			regs != "" && registerLine.MatchString(trimmed):
			regs += " " + trimmed
			if lastRegisters.MatchString(trimmed) {
				first = strings.HasPrefix(trimmed, "CS:")
				b.WriteString(" registers" + regs + "\n")
				regs = ""
			}
			continue
		case regs != "":
			b.WriteString(" registers" + regs + " (cut off)\n")
			regs = ""
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

var (
	registerLine  = regexp.MustCompile(`^(R[0-9A-Z]+|ORIG_RAX|CS): `)
	lastRegisters = regexp.MustCompile(`^(ORIG_RAX: \w+  )?CS: `)
)

// stackMarks are what kdive's records say of frames that its text does not, and
// that rules ask for: a call that never returns and is its function's last
// instruction, where registers were saved at a change of stacks.
func stackMarks(rows []map[string]any) map[string]string {
	marks := map[string]string{}
	var last map[string]any // the frame before
	moved := false          // it is on another stack than the one before it
	for _, r := range rows {
		key := hex(r["slot"]) + " " + hex(r["pc"])
		switch {
		case r["type"] == "frame":
			if r["noreturn"] == true {
				marks[key] += " {noreturn}"
			}
			if r["frame"] != nil {
				moved = last != nil && last["task"] == r["task"] && last["stack"] != r["stack"]
				last = r
			}
		case r["type"] == "registers" && r["kind"] == "exception" && moved:
			key = hex(last["slot"]) + " " + hex(last["pc"])
			if !strings.Contains(marks[key], "registers") {
				marks[key] += " {registers at " + hex(r["address"]) + "}"
			}
		}
	}
	return marks
}

// compareStacks compares the functions on the stacks of all tasks, those that the
// compiler put in place included, and their places in the source.
func compareStacks(r Rules, dump string, facts, rows []map[string]any) Tally {
	w := walker{rules: r.of(dump, allStacks)}
	ours := map[string][]function{}
	for _, row := range ofType(rows, "frame") {
		if row["source"] == "tail call" {
			continue // drgn knows none
		}
		task := scalar(row["task"])
		pc := hex(row["pc"])
		if calls, ok := row["inlined"].([]any); ok {
			for _, c := range calls {
				c, _ := c.(map[string]any)
				ours[task] = append(ours[task], function{pc: pc, names: []string{base(plainText(c["symbol"]))}, inline: true,
					file: plainText(c["file"]), line: scalar(c["line"])})
			}
		}
		f := function{pc: pc, names: []string{base(plainText(row["symbol"]))}}
		if calls, ok := row["inlined"].([]any); ok && len(calls) == 0 { // else it is the innermost call's
			f.file, f.line = plainText(row["file"]), scalar(row["line"])
		}
		ours[task] = append(ours[task], f)
	}
	for _, s := range facts {
		task := scalar(s["task"])
		theirs := functions(s)
		if e, ok := s["error"].(string); ok {
			theirs = append(theirs, function{names: []string{"error: " + e}})
		}
		w.sequence(hex(s["task"]), ours[task], theirs)
		delete(ours, task)
	}
	for _, task := range slices.Sorted(maps.Keys(ours)) {
		w.differ(len(ours[task]), "task %s: drgn has none", task)
	}
	return w.t
}

// function is one call on a stack.
type function struct {
	pc     string
	names  []string // any of them
	inline bool
	file   string // that it executes; empty if not known
	line   string
}

func (f function) String() string {
	how := ""
	if f.inline {
		how = " (inlined)"
	}
	return fmt.Sprintf("%s %s%s", f.pc, f.names[0], how)
}

func (f function) same(g function) bool {
	return f.pc == g.pc && f.inline == g.inline && slices.ContainsFunc(f.names, func(n string) bool { return slices.Contains(g.names, n) })
}

// base is a function's name as in the source.
func base(name string) string {
	name, _, _ = strings.Cut(name, ".")
	return name
}

// functions are those of the kernel on a stack in drgn's facts.
func functions(s map[string]any) []function {
	var out []function
	frames, _ := s["frames"].([]any)
	for _, x := range frames {
		f, _ := x.([]any)
		if len(f) != 5 {
			continue
		}
		pc := hex(f[0])
		if len(pc) < 16 {
			break // drgn goes on into user space
		}
		var names []string
		list, _ := f[1].([]any)
		for _, n := range list {
			names = append(names, base(plainText(n)))
		}
		out = append(out, function{pc, append(names, ""), f[2] == true, plainText(f[3]), scalar(f[4])})
	}
	return out
}

func (w *walker) sequence(task string, ours, theirs []function) {
	switch {
	case len(ours) == 0 && len(theirs) > 0:
		w.differ(len(theirs), "task %s: kdive has no frames, drgn begins with %s", task, theirs[0])
		return
	case len(theirs) == 0 && len(ours) > 0:
		w.differ(len(ours), "task %s: drgn has no frames in the kernel, kdive begins with %s", task, ours[0])
		return
	}
	for i := 0; i < len(ours) || i < len(theirs); i++ {
		switch {
		case i >= len(ours):
			w.differ(len(theirs)-i, "task %s: only drgn has %s", task, theirs[i])
			return
		case i >= len(theirs):
			w.differ(len(ours)-i, "task %s: only kdive has %s", task, ours[i])
			return
		case !ours[i].same(theirs[i]):
			w.differ(1, "task %s: kdive %s drgn %s", task, ours[i], theirs[i])
			if ours[i].pc != theirs[i].pc {
				return // different ways from here on
			}
		default:
			w.t.Equal++
			w.source(task, ours[i], theirs[i])
		}
	}
}

// source compares the places of one call in the source, as far as both know it.
func (w *walker) source(task string, ours, theirs function) {
	if ours.file == "" || theirs.file == "" {
		return
	}
	a, b := path.Clean(ours.file), path.Clean(theirs.file)
	if ours.line == theirs.line && (strings.HasSuffix(a, b) || strings.HasSuffix(b, a)) {
		w.t.Equal++
	} else {
		w.differ(1, "task %s: %s: kdive %s:%s drgn %s:%s", task, ours, a, ours.line, b, theirs.line)
	}
}
