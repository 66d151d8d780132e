package main

import (
	"os"
	"strings"
	"testing"
)

// What docs/tour.md shows is what the tour prints, in that order.
func TestTourDocument(t *testing.T) {
	doc, err := os.ReadFile("docs/tour.md")
	if err != nil {
		t.Fatal(err)
	}
	tour, err := os.ReadFile("testdata/tour/tour.txt")
	if err != nil {
		t.Fatal(err)
	}
	rest := strings.Split(string(tour), "\n")
	shown := 0
	for line := range strings.SplitSeq(string(doc), "\n") {
		line, ok := strings.CutPrefix(line, "    ")
		if !ok || line == "..." || strings.HasPrefix(line, "$ ") {
			continue
		}
		shown++
		i := 0
		for i < len(rest) && strings.TrimLeft(rest[i], " ") != strings.TrimLeft(line, " ") {
			i++
		}
		if i == len(rest) {
			t.Fatalf("not printed, or not behind the line before it: %q", line)
		}
		rest = rest[i+1:]
	}
	if shown < 50 {
		t.Errorf("only %d lines of output", shown)
	}
}
