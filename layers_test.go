package kdive

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/kdive/kdive"

// layers are the rooms of the house from the ground up. A package may import
// packages of lower layers and its own sub-packages; a sub-package without an
// entry belongs to its parent's layer. See ARCHITECTURE.md.
var layers = [][]string{
	{"fault", "mapped", "ctype", "disasm", "bitdiff"},
	{"elffile", "kdump", "value", "repl/output"},
	{"debuginfo", "vmcore", "expr"},
	{"kernel"},
	{"walk", "klog", "search", "livetext"},
	{"task", "mm", "unwind", "sysinfo"},
	{"slab", "ipc", "vfs", "frame"},
	{"identify", "replay", "slabcheck"},
	{"."},
	{"repl", "kdivetest"},
	{"repl/command"},
	{"cmd", "compare", "realdump", "hostile"},
}

// forbidden are imports that point downwards and are wrong all the same: the
// shell must work for any commands.
var forbidden = map[string][]string{
	"repl": {"kernel", "task", "value", "debuginfo", "vmcore", "."},
}

func TestImportsPointDownwards(t *testing.T) {
	rank := map[string]int{}
	for i, l := range layers {
		for _, p := range l {
			rank[p] = i
		}
	}
	rankOf := func(pkg string) (int, bool) {
		for p := pkg; ; p = filepath.Dir(p) {
			if r, ok := rank[p]; ok && (p != "." || pkg == ".") {
				return r, true
			}
			if p == "." {
				return 0, false
			}
		}
	}
	checked := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		pkg := filepath.Dir(path)
		from, ok := rankOf(pkg)
		if !ok {
			t.Errorf("package %s has no layer: add it to the table", pkg)
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			name, _ := strconv.Unquote(imp.Path.Value)
			if name != modulePath && !strings.HasPrefix(name, modulePath+"/") {
				continue
			}
			name = strings.TrimPrefix(strings.TrimPrefix(name, modulePath), "/")
			if name == "" {
				name = "."
			}
			checked++
			to, _ := rankOf(name)
			if family(pkg) != family(name) && to >= from {
				t.Errorf("%s imports %s: imports point downwards only", path, name)
			}
			for _, bad := range forbidden[pkg] {
				if name == bad {
					t.Errorf("%s imports %s, which it must not know", path, name)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 50 {
		t.Errorf("only %d imports looked at: the walk is broken", checked)
	}
}

// family is the top directory of a package: within it sub-packages import each
// other as the compiler allows. repl/command is above repl, so it counts alone.
func family(pkg string) string {
	if pkg == "repl/command" || pkg == "repl/output" {
		return pkg
	}
	top, _, _ := strings.Cut(filepath.ToSlash(pkg), "/")
	return top
}
