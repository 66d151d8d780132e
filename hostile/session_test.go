package hostile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kdive/kdive/repl/command"
)

// Limits of one session with all commands.
const (
	maxTime     = 10 * time.Second
	maxResident = 1 << 30
	patience    = 6 * maxTime // on a busy machine, until the session counts as hanging
)

// allLines are the commands of a session. Those that change what later ones
// say come last.
var allLines = []string{
	"sys", "log", "log -t", "vmcoreinfo",
	"ps", "ps -a", "ps -p", "ps -t", "ps -l", "ps -g 1", "ps -m", "ps -r", "ps -S", "ps -s",
	"mod", "mod -t", "mod -s shmbug",
	"set", "task -x", "task -R pid,comm,mm,files 1",
	"p jiffies", "p -x init_task", "p init_uts_ns.name", "p *init_task.mm", "px runqueues:a", "p modules.next",
	"struct task_struct", "struct task_struct.comm,pid,tasks init_task", "struct super_block -o", "union sigval",
	"whatis jiffies", "whatis struct list_head", "*list_head init_stack", "struct task_struct init_task", "struct rq.nr_running runqueues:a",
	"list task_struct.tasks -h init_task -s task_struct.pid,comm", "list modules", "list -r -H super_blocks",
	"tree -t rbtree vmap_area_root", "tree -t radix irq_desc_tree", "tree -t xarray (&init_pid_ns.idr.idr_rt)",
	"rd init_task 64", "rd -8 linux_banner 128", "rd -s init_stack 64", "rd -p 1000000 256", "rd -a linux_banner", "rd jiffies",
	"vtop init_task", "vtop linux_banner", "vtop ffffc90000000000", "ptov 1000000",
	"sym init_task", "sym ffffffff81000000", "sym -q schedule", "sym -m shmbug", "search -k deadbeef", "search -p 12345678", "search -c victim",
	"bt", "bt -a", "bt -f 1", "bt -F 1", "bt -T", "bt -e", "bt -E", "bt -l -s", "bt -p", "foreach bt", "foreach task -R pid,mm",
	"kmem -s", "kmem -S kmalloc-32", "kmem -S --full task_struct", "kmem init_task", "kmem -s list", "rd -SS init_stack 64", "rd -S init_task 32",
	"bt -V", "bt -FF", "foreach bt -V", "frame 7", "down", "args", "locals", "up", "frame",
	"kmem -i", "kmem -V", "kmem -n", "kmem -z", "kmem -o", "kmem -h", "kmem -g", "kmem -f", "kmem -F", "kmem -v", "kmem -p", "kmem 1000000", "kmem ffffc90000000000",
	"slabcheck", "whatis init_stack", "whatis ffff9b6d00a38d00", "search -a ffff9b6d008dda00", "search -g ffff9b6d008dda00", "cmpval 2f 5c",
	"ipcs", "ipcs -M", "ipcs -s", "ipcs -q", "ipcs -ma", "dis schedule", "dis -l -r schedule", "dis -s schedule 3", "vm", "vm -p", "vm -m 1", "foreach vm", "files", "files -p 1",
	"foreach files", "foreach vtop -u 400000", "pte 8000000001a11163",
	"set 1", "ps -a 1", "vtop -u 400000", "task", "set -p",
}

// lines are those of allLines whose commands exist.
func lines(t *testing.T) []string {
	t.Helper()
	known := map[string]bool{}
	for _, c := range command.All(&command.Target{}) {
		known[c.Name] = true
	}
	known["px"], known["*"] = known["p"], known["struct"]
	var list, lacking []string
	for _, l := range allLines {
		name, _, _ := strings.Cut(l, " ")
		if strings.HasPrefix(name, "*") {
			name = "*"
		}
		if known[name] {
			list = append(list, l)
		} else {
			lacking = append(lacking, name)
		}
	}
	if len(lacking) > 0 {
		t.Logf("commands that do not exist yet: %s", strings.Join(lacking, " "))
	}
	return list
}

// session is one run of the program.
type session struct {
	dir   string   // working directory; files are relative to it, so that names in answers are the same
	files []string // operands
	cache string
	lines []string
}

// outcome is what came of it.
type outcome struct {
	status    int      // -1: killed
	answers   []string // by line, with the errors
	stderr    string
	resident  int64 // peak, bytes
	wall, cpu time.Duration
	broken    error // what no input may cause
}

// numbered begins a value in the history, which counts those that could be had.
var numbered = regexp.MustCompile(`(?m)^\$\d+ = `)

const mark = "@@ answer"

func (b *bench) run(s session) outcome {
	args := []string{"--cache", s.cache, "--module-debug", b.modules, "-e", "set error redirect"}
	for _, l := range s.lines {
		args = append(args, "-e", "echo "+mark, "-e", l)
	}
	args = append(args, "-e", "echo "+mark)
	args = append(args, s.files...)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return outcome{broken: err}
	}
	r, w, err := os.Pipe()
	if err != nil {
		return outcome{broken: err}
	}
	defer r.Close()
	c := exec.CommandContext(ctx, self, append([]string{b.program}, args...)...)
	var out, errs bytes.Buffer
	c.Dir, c.Stdout, c.Stderr, c.ExtraFiles = s.dir, &out, &errs, []*os.File{w}
	c.Env = append(os.Environ(), "HOME="+s.dir, "XDG_STATE_HOME="+s.dir, launchVariable+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	begun := time.Now()
	err = c.Run()
	w.Close()
	o := outcome{stderr: errs.String(), wall: time.Since(begun)}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		o.broken = err
		return o
	}
	o.status = c.ProcessState.ExitCode()
	o.cpu = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	_, _ = fmt.Fscan(r, &o.resident) // nothing if it was killed
	o.resident <<= 10
	parts := strings.Split(out.String(), mark+"\n")
	if len(parts) > 1 {
		o.answers = parts[1 : len(parts)-1]
		for i, a := range o.answers {
			o.answers[i] = numbered.ReplaceAllString(a, "$$ = ")
		}
	}
	o.broken = o.check(len(s.lines), out.String())
	return o
}

// bugs are words that only a bug prints. The kernel log may say "panic:", too.
var bugs = regexp.MustCompile(`(?m)this is a bug in kdive|^panic: |^fatal error: |^goroutine \d+ |runtime error|unexpected fault address|\[signal SIG`)

// check says what is wrong with how a session ended, whatever its input.
func (o *outcome) check(lines int, stdout string) error {
	switch {
	case o.status == -1 && o.wall >= patience:
		return fmt.Errorf("hangs: killed after %v", o.wall)
	case o.status < 0 || o.status > 2:
		return fmt.Errorf("died with status %d:\n%s", o.status, tail(o.stderr))
	case bugs.MatchString(o.stderr):
		return fmt.Errorf("a bug:\n%s", head(o.stderr[bugs.FindStringIndex(o.stderr)[0]:]))
	case bugs.MatchString(stdout):
		return fmt.Errorf("a bug:\n%s", head(stdout[bugs.FindStringIndex(stdout)[0]:]))
	case o.cpu > maxTime: // what a busy machine adds does not count
		return fmt.Errorf("took %v of processor time", o.cpu)
	case o.resident > maxResident:
		return fmt.Errorf("%d MiB resident", o.resident>>20)
	case o.status == 2 && (stdout != "" || !strings.HasPrefix(o.stderr, "kdive: ")):
		return fmt.Errorf("not opened, and said %q, %q", tail(o.stderr), tail(stdout))
	case o.status != 2 && len(o.answers) != lines:
		return fmt.Errorf("%d answers to %d commands:\n%s", len(o.answers), lines, tail(o.stderr))
	}
	return nil
}

// reason is the message of a session that could not be opened, without the
// numbers in it.
func (o *outcome) reason() string {
	line, _, _ := strings.Cut(strings.TrimPrefix(o.stderr, "kdive: "), "\n")
	line = regexp.MustCompile(`\b(0x)?[0-9a-f]{2,}\b|\d+|"[^"]*"`).ReplaceAllString(line, "N")
	return line[:min(len(line), 200)]
}

func head(s string) string { return s[:min(len(s), 3000)] }
func tail(s string) string { return s[max(0, len(s)-1500):] }
