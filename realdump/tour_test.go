package realdump

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/tour/6.1-cloud.txt")

// TestTour plays the investigation on a distribution's kernel.
func TestTour(t *testing.T) {
	const tour = "../testdata/tour/6.1-cloud."
	lines, err := os.ReadFile(tour + "kdive")
	if err != nil {
		t.Fatal(err)
	}
	got := play(t, cloud(t), string(lines))
	if *update {
		if err := os.WriteFile(tour+"txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(tour + "txt")
	if err != nil {
		t.Fatal(err)
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("line %d of %d, %d:\n%s\nwant\n%s", i+1, len(g), len(w), strings.Join(g[min(i, len(g)):], "\n"), strings.Join(w[min(i, len(w)):], "\n"))
		}
	}
}
