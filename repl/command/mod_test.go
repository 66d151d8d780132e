package command

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/repltest"
)

const modHead = "     MODULE       NAME          BASE         SIZE  OBJECT FILE\n"

func TestMod(t *testing.T) {
	const row = "ffffffffc0019000  shmbug  ffffffffc0017000  16384  (not loaded)  [CONFIG_KALLSYMS]\n"
	tinyText(t, "mod -D") // the tests share the dump, and some need its modules
	got, rows := tinyCheck(t, "mod")
	if got != modHead+row {
		t.Errorf("got\n%s", got)
	}
	if len(rows) != 1 || rows[0]["name"] != "shmbug" || rows[0]["object_file"] != nil || rows[0]["taints"] != "O" || rows[0]["state"] == "" {
		t.Errorf("rows %v", rows)
	}
	if got := tinyText(t, "mod shmbug"); got != modHead+row {
		t.Errorf("by name:\n%s", got)
	}
	if got, rows := tinyCheck(t, "mod -t"); got != "NAME    TAINTS\nshmbug  O\n" || len(rows) != 1 || rows[0]["taints"] != "O" {
		t.Errorf("got\n%s\n%v", got, rows)
	}
}

// TestModLoad finds the debug file in the directory of the bundled dump, in one
// that is named, and takes the file itself.
func TestModLoad(t *testing.T) {
	dir := filepath.Join("..", "..", "testdata", "tiny")
	file := filepath.Join(dir, "shmbug.ko")
	for _, load := range []string{"mod -s shmbug", "mod -S", "mod -s shmbug " + file, "mod -s shmbug " + dir, "mod -S " + dir} {
		cmds := All(tiny(t))
		r := repltest.Run(t, cmds, repl.Options{}, load, "mod", "mod -D", "mod")
		tables := strings.Split(r.Out, modHead)
		if r.Status != 0 || len(tables) != 4 {
			t.Errorf("%s: %+v", load, r)
			continue
		}
		loaded := "ffffffffc0019000  shmbug  ffffffffc0017000  16384  " + file + " \n"
		if tables[1] != loaded || tables[2] != loaded || !strings.Contains(tables[3], "(not loaded)") {
			t.Errorf("%s:\n%s", load, r.Out)
		}
	}
}

func TestModTypes(t *testing.T) {
	r := repltest.Run(t, All(tiny(t)), repl.Options{}, "mod -s shmbug", "whatis __this_module", "mod -d shmbug", "mod")
	if r.Status != 0 || !strings.Contains(r.Out, "struct module __this_module;") || !strings.HasSuffix(r.Out, "(not loaded)  [CONFIG_KALLSYMS]\n") {
		t.Errorf("%+v", r)
	}
}

func TestModMisuse(t *testing.T) {
	vmlinux := filepath.Join("..", "..", "testdata", "tiny", "vmlinux.zst")
	for line, want := range map[string]string{
		"mod nosuch":                "module nosuch is not loaded",
		"mod -s nosuch":             "module nosuch is not loaded",
		"mod -d nosuch":             "module nosuch is not loaded",
		"mod -s shmbug a b":         "at most one file",
		"mod -S a b":                "at most one directory",
		"mod -S /no/such/dir":       "no such file",
		"mod -s shmbug /no/such":    "no such file",
		"mod -s shmbug " + vmlinux:  "does not belong to the dump",
		"mod -s shmbug mod_test.go": "mod_test.go",
	} {
		if got := tinyFailure(t, line); !strings.Contains(got, want) {
			t.Errorf("%s: %q", line, got)
		}
	}
	if r := repltest.Run(t, All(bare(t)), repl.Options{}, "mod"); r.Status != 1 || !strings.Contains(r.Err, "without a vmlinux") {
		t.Errorf("without debug info: %+v", r)
	}
}
