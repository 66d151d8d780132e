package chain

import (
	"fmt"
	"slices"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel/kerneltest"
	"github.com/kdive/kdive/slabcheck/rules"
	"github.com/kdive/kdive/value"
)

// TestLinks breaks a ring of a head at 0x1000 and entries at 0x2000 to 0x5000.
func TestLinks(t *testing.T) {
	const next, prev = 0, 8
	all := []uint64{0x2000, 0x3000, 0x4000, 0x5000}
	for _, x := range []struct {
		name    string
		spoil   func(k *kerneltest.Kernel)
		entries []uint64
		whole   bool
		want    string // of each finding: entry, member, what was found, what should be there
	}{
		{"sound", func(*kerneltest.Kernel) {}, all, true, ""},
		{"next", func(k *kerneltest.Kernel) { k.Words(0x3000+next, 0x41) }, all, true, "3000 next 41 4000 "},
		{"prev", func(k *kerneltest.Kernel) { k.Words(0x4000+prev, 0x41) }, all, true, "4000 prev 41 3000 "},
		{"next of the head", func(k *kerneltest.Kernel) { k.Words(0x1000+next, 0x3000) }, all, true, "1000 next 3000 2000 "},
		{"back to the start", func(k *kerneltest.Kernel) { k.Words(0x4000+next, 0x2000) }, all, true, "4000 next 2000 5000 "},
		{"both ends", func(k *kerneltest.Kernel) { k.Words(0x1000, 0x41, 0x41) }, nil, false, "1000 next 41 ? 1000 prev 41 ? "},
		{"an entry overwritten", func(k *kerneltest.Kernel) { k.Words(0x3000, 0x41, 0x41) }, []uint64{0x2000, 0x4000, 0x5000}, false, "2000 next 3000 ? 4000 prev 3000 ? "},
	} {
		t.Run(x.name, func(t *testing.T) {
			k := kerneltest.New(t, "struct list_head { struct list_head *next, *prev; };")
			k.Link(append([]uint64{0x1000}, all...)...)
			x.spoil(k)
			lists, err := NewLists(k)
			if err != nil {
				t.Fatal(err)
			}
			l := Links{Name: "the list", Head: 0x1000, Entry: func(at uint64) bool { return at&0xfff == 0 && at < 0x6000 }}
			got := ""
			entries, whole, err := lists.Check(&l, func(entry uint64, f rules.Finding) {
				want := "?"
				if f.HasWant {
					want = fmt.Sprintf("%x", f.Want)
				}
				got += fmt.Sprintf("%x %s %x %s ", entry, f.Member, value.Number(f.Found), want)
			})
			if err != nil || !slices.Equal(entries, x.entries) || whole != x.whole || got != x.want {
				t.Errorf("%#x, whole %v, findings %q, %v", entries, whole, got, err)
			}
		})
	}
}

func TestLinksThatTheDumpLacks(t *testing.T) {
	k := kerneltest.New(t, "struct list_head { struct list_head *next, *prev; };")
	k.Link(0x1000, 0x2000, 0x3000, 0x4000)
	k.Fail(0x3000, fault.Excluded)
	lists, err := NewLists(k)
	if err != nil {
		t.Fatal(err)
	}
	l := Links{Head: 0x1000, Entry: func(uint64) bool { return true }}
	entries, whole, err := lists.Check(&l, func(_ uint64, f rules.Finding) { t.Errorf("a finding: %s", f.Text) })
	if !slices.Equal(entries, []uint64{0x2000, 0x4000}) || whole || !fault.NotInDump(err) {
		t.Errorf("%#x, whole %v, %v", entries, whole, err)
	}
}
