package judge

import (
	"cmp"
	_ "embed"
	"maps"
	"slices"
	"strings"
)

//go:embed facts.py
var script string

// Script is the program for drgn that prints the facts.
func Script() string { return script }

// Prompt stands before each command in the output of kdive, CrashPrompt in that
// of crash.
const (
	Prompt      = "kdive> "
	CrashPrompt = "crash> "
)

// everyday are the commands whose text is compared, beside struct of every task.
var everyday = []string{
	"sys", "sys -t", "sys -i", "log", "log -t", "log -m", "log -c", "log -d", "mod", "mod -t",
	"ps", "ps -k", "ps -u", "ps -G", "ps -s", "ps -S", "ps -A", "ps -l", "ps -m", "ps -t", "ps -g", "ps -p", "ps -c", "ps -r", "ps -a",
	"struct task_struct", "struct task_struct -o",
}

// samples are single uses of other commands.
var samples = []string{
	"struct mm_struct", "struct page -o", "struct file", "struct inode -o", "struct list_head", "struct rq", "struct -x task_struct", "union sigval",
	"struct task_struct.se", "struct task_struct.pid,comm init_task", "struct -x mm_struct init_mm", "struct -r list_head init_task",
	"struct uts_namespace init_uts_ns", "struct rq.nr_running runqueues:a",
	"whatis jiffies", "whatis init_task", "whatis schedule", "whatis struct list_head", "whatis pid_t", "whatis vfs_read", "whatis atomic_t",
	"whatis gfp_t", "whatis spinlock_t", "whatis file_operations",
	"p jiffies", "p init_uts_ns", "p init_mm", "p &init_task", "p sizeof(struct page)", "p init_task.comm", "p init_task.tasks", "p runqueues", "p runqueues:0",
	"p nr_cpu_ids", "px jiffies", "p tainted_mask", "p init_cred", "p init_fs", "p *init_task.signal", "p (long)init_task.pid",
	"p &((struct task_struct *)0)->comm", "p avenrun", "p init_user_ns", "p boot_cpu_data", "p system_state",
	"sym schedule", "sym init_task", "sym -n schedule", "sym -p schedule", "sym linux_banner",
	"list -H modules", "list task_struct.tasks -s task_struct.pid,comm -h init_task", "list -s super_block.s_dev,s_id -H super_blocks",
	"list file_system_type.next -s file_system_type.name file_systems",
	"rd init_task 32", "rd -8 linux_banner 16", "rd -32 linux_banner 16", "rd -d init_task 4", "rd jiffies",
	"ptov 1000", "btop 5000", "ptob 5", "pte 8000000000000163", "eval 1234", "eval -b 123456", "eval 1g",
	"set", "task -R pid,comm,flags",
}

const taskStructOf = "struct task_struct "

// Commands are the commands whose text is compared on a dump with these tasks.
func Commands(f *Facts) []string {
	c := slices.Concat(everyday, samples)
	for _, addr := range f.TaskAddrs() {
		c = append(c, taskStructOf+addr)
	}
	return c
}

// Session are all lines that kdive has to run for Compare: the commands for
// their text, those that answer drgn's facts as JSON.
func Session(commands []string, f *Facts) []string {
	s := append([]string(nil), commands...)
	s = append(s, "set print_max 65536")
	for _, q := range f.Queries() {
		s = append(s, q.Command+asJSON)
	}
	return s
}

const asJSON = " | json"

// Mark is the command that prints the line before the output of a command.
func Mark(command string) string {
	quote := "'"
	if strings.Contains(command, quote) {
		quote = `"`
	}
	return "echo " + quote + Prompt + command + quote
}

// Comparison is the outcome for one command.
type Comparison struct {
	Peer  string
	Name  string // command; "struct task_struct" stands for those of all tasks
	Tally Tally
}

// Compare judges the output of a session of kdive with a dump. crash is the
// output of a session of crash, empty if there is none; nothing that crash or
// drgn answered may be missing in kdive's output.
func Compare(rules Rules, dump, crash string, f *Facts, kdive string) []Comparison {
	said := answers(kdive, Prompt)
	var out comparisons
	out.addTexts(rules, dump, crash, said, func(command string) string {
		if strings.HasPrefix(command, taskStructOf+"f") {
			return strings.TrimSpace(taskStructOf) + " ADDR"
		}
		return command
	})
	if crash != "" {
		asked := answers(crash, CrashPrompt)
		for _, c := range Commands(f) {
			if _, ok := asked[c]; !ok {
				out.add("crash", c, Tally{Unexplained: 1, Diffs: []string{"crash was not asked"}})
			}
		}
	}
	for _, q := range f.Queries() {
		rows, others := Rows(said[q.Command+asJSON])
		t := q.Judge(rules, dump, rows)
		for _, o := range others {
			t.Fail(q.Command + ": not JSON: " + o)
		}
		out.add("drgn", q.Name, t)
	}
	return out
}

type comparisons []Comparison

// add adds to the comparison of that name, or begins one.
func (c *comparisons) add(peer, name string, t Tally) {
	for i := range *c {
		if x := &(*c)[i]; x.Peer == peer && x.Name == name {
			x.Tally.Add(t)
			return
		}
	}
	*c = append(*c, Comparison{peer, name, t})
}

// addTexts compares what kdive said with what crash printed in a session; name
// gives the comparison that a command counts for.
func (c *comparisons) addTexts(rules Rules, dump, crash string, said map[string]string, name func(command string) string) {
	_, sections := Sections(crash, CrashPrompt)
	for _, s := range sections {
		if s.Command == "quit" {
			continue
		}
		text, ok := said[s.Command]
		if !ok {
			text = "(kdive was not asked)"
		}
		n := name(s.Command)
		t := rules.Text(dump, n, "crash", s.Text, text)
		for i := range t.Diffs {
			t.Diffs[i] = s.Command + ": " + t.Diffs[i]
		}
		c.add("crash", n, t)
	}
}

// HidePaths replaces paths in a text by other names, longer paths first, so that
// what is said of files in different places compares.
func HidePaths(text string, paths map[string]string) string {
	spellings := slices.SortedFunc(maps.Keys(paths), func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	for _, p := range spellings {
		text = strings.ReplaceAll(text, p, paths[p])
	}
	return text
}
