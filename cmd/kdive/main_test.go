package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/tour/tour.txt")

const (
	vmlinux = "testdata/tiny/vmlinux.zst"
	dump    = "testdata/tiny/vmcore.kdump"
)

// TestMain runs the tests at the root of the repository, where paths look as
// they do in "make run", with a cache of their own.
func TestMain(m *testing.M) {
	cache, err := os.MkdirTemp("", "kdive-test-")
	if err == nil {
		err = os.Chdir("../..")
	}
	if err != nil {
		panic(err)
	}
	os.Setenv("KDIVE_CACHE", cache)
	status := m.Run()
	os.RemoveAll(cache)
	os.Exit(status)
}

func program(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = run(args, strings.NewReader(""), &out, &errs)
	return status, out.String(), errs.String()
}

// The tour is the investigation on the bundled dump; make run plays it.
func TestTour(t *testing.T) {
	status, got, errs := program("-i", "testdata/tour/tour.kdive", vmlinux, dump)
	if status != 0 || errs != "" {
		t.Fatalf("status %d, errors:\n%s", status, errs)
	}
	if *update {
		if err := os.WriteFile("testdata/tour/tour.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/tour/tour.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Fatalf("line %d:\n got %q\nwant %q", i+1, g[i], w[i])
		}
	}
	t.Fatalf("%d lines, want %d", len(g), len(w))
}

func TestUsage(t *testing.T) {
	tests := []struct {
		args   []string
		status int
		out    string // part of the output
		errs   string // part of the errors
	}{
		{[]string{"--version"}, 0, "kdive unknown\n", ""},
		{[]string{"-h"}, 0, "Exit status: 0", ""},
		{nil, 2, "", "no dump named\nusage:"},
		{[]string{"--no-such-option"}, 2, "", "usage:"},
		{[]string{"/no/such/file"}, 2, "", "no such file"},
		{[]string{"go.mod"}, 2, "", "no dump among the files: go.mod"},
		{[]string{vmlinux, "go.mod"}, 2, "", "no dump among the files: " + vmlinux + " (file compressed with zstd), go.mod (file of unknown format)"},
		{[]string{"go.mod", "go.sum", dump}, 2, "", "at most one of the files can be the vmlinux"},
		{[]string{dump, "-s", "-e", "eval 1", vmlinux}, 0, "hexadecimal: 1", ""},
		{[]string{"-s", "-e", "eval 5/0", "--no-debuginfo", dump}, 1, "", "division by zero"},
		{[]string{"-s", "-e", "p jiffies", "--no-debuginfo", dump}, 1, "", `"jiffies": unknown name: no debug info`},
		{[]string{"-s", "-e", "rd jiffies", "--no-debuginfo", dump}, 1, "", "jiffies is neither an address nor a symbol: no debug info"},
		{[]string{"-s", "-e", "sys -c", "--no-debuginfo", dump}, 1, "", "sys: no debug info"},
		{[]string{"-s", "--json", "-e", "set", vmlinux, dump}, 0, `"pid":91`, ""},
		{[]string{"--restricted", "-s", "-e", "!id", vmlinux, dump}, 1, "", "restricted"},
		{[]string{"manual"}, 0, "struct", ""},
		{[]string{"index"}, 2, "", "no vmlinux named"},
		{[]string{"index", "go.mod"}, 1, "", "go.mod"},
		{[]string{"index", vmlinux}, 0, "", ""},
		{[]string{"index", "--no-such-option", vmlinux}, 2, "", "kdive index: flag provided but not defined: -no-such-option\nusage:"},
		{[]string{"index", "--force", vmlinux}, 2, "", "kdive index: it has no option --force\nusage:"},
		{[]string{"-e", "sys", "index", vmlinux}, 2, "", "kdive index: it has no option -e\nusage:"},
		{[]string{"-s", "manual"}, 2, "", "kdive manual: it has no option -s\nusage:"},
		{[]string{"manual", dump}, 2, "", "kdive manual: " + dump + ": it takes no files\nusage:"},
		{[]string{"index", "--help"}, 0, "Exit status: 0", ""},
		{[]string{"--share", dump}, 2, "", "kdive: --share is an option of kdive index\nusage:"},
	}
	for _, tt := range tests {
		status, out, errs := program(tt.args...)
		if status != tt.status || !strings.Contains(out, tt.out) || !strings.Contains(errs, tt.errs) {
			t.Errorf("kdive %q: status %d, want %d\n%.300s\n%.300s", tt.args, status, tt.status, out, errs)
		}
		if tt.errs == "" && errs != "" {
			t.Errorf("kdive %q: errors %q", tt.args, errs)
		}
	}
}

// A subcommand may stand behind options, unless a file has its name.
func TestOptionsBeforeSubcommand(t *testing.T) {
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	kernel := filepath.Join(root, vmlinux)
	made := func(cache string) bool {
		files, err := filepath.Glob(cache + "/*")
		return err == nil && len(files) > 0
	}
	for i, line := range [][]string{
		{"--cache", "c0", "index", kernel},
		{"--share", "--cache", "c1", "index", kernel},
		{"--cache=c2", "--", "index", kernel},
	} {
		status, _, errs := program(line...)
		if status != 0 || errs != "" || !made(fmt.Sprint("c", i)) {
			t.Errorf("kdive %q: status %d, %s", line, status, errs)
		}
	}
	if err := os.WriteFile("index", []byte("no dump"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, errs := program("--cache", "c3", "index"); status != 2 || !strings.Contains(errs, "kdive: no dump among the files: index") {
		t.Errorf("a file called index: status %d, %s", status, errs)
	}
	if status, _, errs := program("index", "--cache", "c4", kernel); status != 0 || !made("c4") {
		t.Errorf("the word first, beside such a file: status %d, %s", status, errs)
	}
}

// docs/commands.md is what "kdive manual" prints.
func TestManualIsCurrent(t *testing.T) {
	_, got, _ := program("manual")
	want, err := os.ReadFile("docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Error("docs/commands.md is out of date: run make docs")
	}
}
