// Command vars compares the variables of all stack frames with drgn: how many
// have a value in drgn and in kdive, why drgn's others have none, how many of
// those kdive finds, and whether the values that both have are the same.
//
// It runs drgn with vars.py and kdive's "foreach bt -V" on one dump. The exit
// status is 1 if a value differs.
package main

import (
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/kdive/kdive/compare/judge"
)

//go:embed vars.py
var script string

func main() {
	kdive := flag.String("kdive", "bin/kdive", "the kdive to compare")
	drgn := flag.String("drgn", "drgn", "the drgn to compare with")
	modules := flag.String("module-debug", "", "directory with the modules' debug files, for kdive")
	ko := flag.String("module", "", "debug file of a module, for both")
	kept := flag.String("kept", "", "file with what drgn printed before; it is written if it is not there")
	verbose := flag.Bool("v", false, "print all differences, and what drgn has and kdive has not")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: vars [flags] VMLINUX DUMP")
		flag.PrintDefaults()
		os.Exit(2)
	}
	r := run{vmlinux: flag.Arg(0), dump: flag.Arg(1), module: *ko, modules: *modules}
	a, err := r.drgn(*drgn, *kept)
	if err == nil {
		var b string
		if b, err = r.kdive(*kdive); err == nil {
			c := newCount(parseDrgn(a), parseKdive(b))
			c.print(os.Stdout, *verbose)
			if c.differ > 0 {
				os.Exit(1)
			}
			return
		}
	}
	fmt.Fprintf(os.Stderr, "vars: %v\n", err)
	os.Exit(2)
}

// run is what both sides are asked about.
type run struct{ vmlinux, dump, module, modules string }

func (r run) drgn(bin, kept string) (string, error) {
	if b, err := os.ReadFile(kept); err == nil {
		return string(b), nil
	}
	dir, err := os.MkdirTemp("", "vars")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "vars.py")
	if err := os.WriteFile(path, []byte(script), 0o644); err != nil {
		return "", err
	}
	args := []string{"-q", "-c", r.dump, "-s", r.vmlinux}
	if r.module != "" {
		args = append(args, "-s", r.module)
	}
	out, err := output(exec.Command(bin, append(args, path)...))
	if err == nil && kept != "" {
		err = os.WriteFile(kept, out, 0o644)
	}
	return string(out), err
}

func (r run) kdive(bin string) (string, error) {
	args := []string{"-s", "--json", "-e", "foreach bt -V"}
	if r.module != "" {
		args = append(args, "--module-debug", filepath.Dir(r.module))
	}
	if r.modules != "" {
		args = append(args, "--module-debug", r.modules)
	}
	out, err := output(exec.Command(bin, append(args, r.vmlinux, r.dump)...))
	if len(out) > 0 {
		err = nil // a command that fails for one task makes the status 1
	}
	return string(out), err
}

func output(cmd *exec.Cmd) ([]byte, error) {
	cmd.Stderr = os.Stderr
	cmd.Stdin = strings.NewReader("")
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s: %w", cmd.Path, err)
	}
	return out, nil
}

// place names a variable: the same in both outputs.
type place struct {
	task, pc uint64
	function string
	inlined  bool
	nth      int // of the frames that agree in all that
	name     string
}

type variable struct {
	place
	class, reason, how, recovered string // kdive
	addr                          uint64 // 0: not in memory as a whole
	value                         any
	absent                        bool // drgn
	fault                         string
	ctype                         string
}

type answers struct {
	frames int
	tasks  map[uint64]bool // that have frames
	vars   []variable
	find   map[place]int
}

func (a *answers) add(v variable) {
	// The innermost of one name hides the others.
	if i, ok := a.find[v.place]; ok {
		a.vars[i] = v
		return
	}
	a.find[v.place] = len(a.vars)
	a.vars = append(a.vars, v)
}

// counter numbers frames that look the same.
type counter map[place]int

func (c counter) next(p place) int {
	c[p]++
	return c[p] - 1
}

func parseDrgn(text string) *answers {
	a := &answers{find: map[place]int{}, tasks: map[uint64]bool{}}
	seen := counter{}
	var at place
	rows, _ := judge.Rows(text)
	for _, r := range rows {
		switch r["kind"] {
		case "frame":
			at = place{task: number(r["task"]), pc: number(r["pc"]), function: str(r["name"]), inlined: r["inline"] == true}
			at.nth = seen.next(at)
			a.frames++
		case "variable":
			v := variable{place: at, absent: r["absent"] == true, fault: str(r["fault"]), addr: number(r["address"]), value: r["value"]}
			v.name = str(r["name"])
			a.add(v)
		}
	}
	return a
}

func parseKdive(text string) *answers {
	a := &answers{find: map[place]int{}, tasks: map[uint64]bool{}}
	seen := counter{}
	var at place
	var last string
	rows, _ := judge.Rows(text)
	for _, r := range rows {
		switch r["type"] {
		case "frame":
			a.frames++
			a.tasks[number(r["task"])] = true
			last = ""
		case "variable":
			where := fmt.Sprint(r["task"], r["position"], r["function"], r["inlined"], r["level"])
			if where != last {
				at = place{task: number(r["task"]), pc: number(r["pc"]), function: str(r["function"]), inlined: r["inlined"] == true}
				at.nth = seen.next(at)
				last = where
			}
			v := variable{place: at, class: str(r["class"]), reason: str(r["reason"]), how: str(r["how"]), recovered: str(r["recovered"]),
				addr: number(r["address"]), value: r["value"], ctype: str(r["ctype"])}
			v.name = str(r["name"])
			a.add(v)
		}
	}
	return a
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

// number is a number, or an address in a string.
func number(v any) uint64 {
	var n uint64
	switch v := v.(type) {
	case json.Number:
		_, _ = fmt.Sscan(v.String(), &n)
	case string:
		_, _ = fmt.Sscanf(v, "0x%x", &n)
	}
	return n
}
