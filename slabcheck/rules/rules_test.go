package rules

import (
	"bytes"
	"slices"
	"testing"

	"github.com/kdive/kdive/slab"
)

func TestRules(t *testing.T) {
	kinds := []string{"cache", "list", "page", "free list", "CPU", "object"}
	seen := map[string]bool{}
	for _, r := range All() {
		if seen[r.ID] || !slices.Contains(kinds, r.Kind) || r.Help == "" {
			t.Errorf("rule %+v", *r)
		}
		seen[r.ID] = true
	}
	if !seen[FreePointer.ID] || len(seen) < 50 {
		t.Errorf("%d rules", len(seen))
	}
}

func TestFinding(t *testing.T) {
	f := New(FreePointer, "object %d", 3)
	if f.Text != "object 3" || f.Node != -1 || f.CPU != -1 || f.Index != -1 || f.Expected != nil {
		t.Errorf("a finding about nothing: %+v", f)
	}
	f.Found = Word(0x1234, 4)
	if g := f.Expect(0x10203040506); !bytes.Equal(g.Found, []byte{0x34, 0x12, 0, 0}) || !bytes.Equal(g.Expected, []byte{6, 5, 4, 3}) {
		t.Errorf("found %x, expected %x", g.Found, g.Expected)
	}
	if f.Expected != nil {
		t.Error("the first one changed")
	}
	s := &slab.Slab{Addr: 1}
	if f.About(slab.Object{Slab: s, Addr: 2, Index: 3}); f.Slab != s || f.Object != 2 || f.Index != 3 {
		t.Errorf("about an object: %+v", f)
	}
	for s, want := range map[Sure]string{Certain: "certain", Likely: "likely", InFlight: "in flight", 9: "in flight"} {
		if s.String() != want {
			t.Errorf("%d is %s", s, s)
		}
	}
}
