package command

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// sourceLine is one line of a source file.
type sourceLine struct {
	file   string
	number int
	text   string
	here   bool // the line that was asked for
}

var sourceRecord = &output.Record[sourceLine]{
	Type: "source_line",
	Help: "one line of a source file",
	Columns: []output.Column[sourceLine]{
		{Verb: "%s ", Get: func(r *sourceLine) output.Value {
			if r.here {
				return output.String("*")
			}
			return output.String(" ")
		}},
		{Name: "file", Help: "as the debug info names it", Get: func(r *sourceLine) output.Value { return output.String(r.file) }},
		{Name: "line", Verb: "%d\t", Help: "number of the line", Get: func(r *sourceLine) output.Value { return output.Int(r.number) }},
		{Name: "source", Verb: "%s", Help: "the line", Get: func(r *sourceLine) output.Value { return output.String(r.text) }},
		{Name: "here", Help: "the code that was asked for is of this line", Get: func(r *sourceLine) output.Value { return output.Bool(r.here) }},
	},
}

// before is how many lines are shown in front of the one asked for.
const before = 5

// runSource prints the source of an address (-s): count lines behind its line, or
// up to the end of the function.
func runSource(t *Target, c *repl.Call) error {
	p, err := t.planDis(c)
	switch {
	case err != nil:
		return err
	case p.back || p.forward:
		return c.Usage("-s excludes -r and -f")
	case p.user:
		return c.Usage("-s is for the kernel's code")
	}
	file, line, ok := p.k.Line(p.addr)
	if !ok {
		return fmt.Errorf("%s: the debug info names no source line", c.Args[0])
	}
	count := p.asked
	c.Out.Printf("FILE: %s\nLINE: %d\n\n", strings.TrimPrefix(file, buildDir(p.k)), line)
	defer c.Out.Print("\n")
	f, err := t.openSource(c, file)
	if err != nil {
		c.Error(fmt.Errorf("%s: source code is not available: %w", c.Args[0], err))
		return nil
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		n++
		if n < line-before {
			continue
		}
		text := lines.Text()
		sourceRecord.Emit(c.Out, &sourceLine{file: file, number: n, text: text, here: n == line})
		if count > 0 && n >= line+count || count == 0 && n >= line && strings.HasPrefix(text, "}") {
			return nil
		}
	}
	if n < line {
		return fmt.Errorf("%s has %d lines", f.Name(), n)
	}
	return lines.Err()
}

// buildDir is where the kernel was built, as the debug info spells it in front
// of the names of files, with a slash at its end.
func buildDir(k *kernel.Kernel) string {
	const known = "init/main.c"
	if addr, ok := k.ImageSymbol("start_kernel"); ok {
		if file, _, ok := k.Line(addr); ok {
			if dir, ok := strings.CutSuffix(file, known); ok {
				return dir
			}
		}
	}
	return ""
}

// openSource opens a source file: below the directories of --source, whatever of
// the path's start is missing there, else where the debug info says. The debug
// info is as foreign as the dump: a restricted session reads no file it names.
func (t *Target) openSource(c *repl.Call, file string) (*os.File, error) {
	if c.Shell.Restricted() {
		return nil, fmt.Errorf("a restricted session opens no files")
	}
	parts := strings.Split(filepath.Clean("/"+file), "/")
	for _, dir := range t.sources {
		for i := range parts {
			if f, err := openRegular(filepath.Join(dir, filepath.Join(parts[i:]...))); err == nil {
				return f, nil
			}
		}
	}
	if filepath.IsAbs(file) {
		return openRegular(file)
	}
	return nil, fmt.Errorf("%s is not below a directory given with --source", file)
}

func openRegular(path string) (*os.File, error) {
	st, err := os.Stat(path)
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path)
	}
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}
