package vmcore_test

import (
	"errors"
	"hash/maphash"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/vmcore"
)

var partName = regexp.MustCompile(`\.[0-9]+$`)

// TestRealFormats compares real dumps of one memory: KDIVE_FORMATS names a
// directory with one file for each format, the parts of a split dump ending in
// .1, .2 and so on. Files whose names begin with trunc or incomplete may lack
// pages.
func TestRealFormats(t *testing.T) {
	dir := os.Getenv("KDIVE_FORMATS")
	if dir == "" {
		t.Skip("KDIVE_FORMATS names no directory with dumps")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	sets := map[string][]string{}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if is, _, err := vmcore.Sniff(path); err == nil && is {
			name := partName.ReplaceAllString(e.Name(), "")
			sets[name] = append([]string{path}, sets[name]...) // parts backwards
		}
	}
	c := comparison{seen: map[uint64]page64{}}
	names := make([]string, 0, len(sets))
	for name := range sets {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) { c.compare(t, name, sets[name]) })
	}
	if len(names) < 2 {
		t.Errorf("%d dumps are nothing to compare", len(names))
	}
	t.Logf("%d dumps, %d different pages", len(names), len(c.seen))
}

type page64 struct {
	sum  uint64
	from string
}

// comparison remembers each page's check sum and where it was seen first.
type comparison struct {
	seed maphash.Seed
	seen map[uint64]page64
}

func (c *comparison) compare(t *testing.T, name string, paths []string) {
	if c.seed == (maphash.Seed{}) {
		c.seed = maphash.MakeSeed()
	}
	d, err := vmcore.Open(paths)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	partial := strings.HasPrefix(name, "trunc") || strings.HasPrefix(name, "incomplete")
	if partial != d.Info().Incomplete || partial != (len(d.Warnings()) > 0) {
		t.Errorf("%+v, warnings %q", d.Info(), d.Warnings())
	}
	if d.VMCoreInfo() == nil || len(d.CPUs()) == 0 {
		t.Errorf("VMCOREINFO %v, %d CPUs", d.VMCoreInfo() != nil, len(d.CPUs()))
	}
	reasons := map[fault.Reason]int{}
	r := d.NewReader()
	b := make([]byte, page)
	for pfn := range d.Info().MaxPhys / page {
		err := r.ReadPhys(b, pfn*page)
		reasons[fault.ReasonOf(err)]++
		if err != nil {
			if reason := fault.ReasonOf(err); reason == fault.Damaged || reason == 0 || reason == fault.Truncated && !partial {
				t.Errorf("frame %#x: %v", pfn, err)
			}
			// Memory can end within a page: /proc/vmcore goes by bytes.
			var f *fault.Error
			if errors.As(err, &f) && d.State(f.Addr) != f.Reason && f.Reason != fault.Truncated {
				t.Errorf("frame %#x: state %v, read %v", pfn, d.State(f.Addr), err)
			}
			continue
		}
		sum := maphash.Bytes(c.seed, b)
		if first, ok := c.seen[pfn]; !ok {
			c.seen[pfn] = page64{sum, name}
		} else if first.sum != sum {
			t.Errorf("frame %#x differs from %s", pfn, first.from)
		}
	}
	t.Logf("%s, flattened %v, split %v: %d pages, %d excluded, %d cut off", d.Info().Format, d.Info().Flattened, d.Info().Split,
		reasons[0], reasons[fault.Excluded], reasons[fault.Truncated])
}
