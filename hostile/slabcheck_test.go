package hostile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kdive/kdive"
	"github.com/kdive/kdive/vmcore"
	"github.com/kdive/kdive/vmcore/vmcoretest"
)

// finding is what slabcheck says of one fault.
type finding struct {
	Type, Rule, Name, Sure string
	raw                    string
}

// TestSlabcheck damages the allocator of the bundled dump, and of an ELF core that
// KDIVE_SLAB_DUMP="VMLINUX DUMP" names, and counts what slabcheck finds.
func TestSlabcheck(t *testing.T) {
	b := theBench(t)
	vmlinux, elf := b.vmlinux, filepath.Join(t.TempDir(), "vmcore.elf")
	if named := strings.Fields(os.Getenv("KDIVE_SLAB_DUMP")); len(named) == 2 {
		vmlinux = named[0]
		if err := copyFile(named[1], elf); err != nil {
			t.Fatal(err)
		}
	} else if err := os.WriteFile(elf, memoryOf(t, b.dump).ELF(vmcoretest.HeadersFirst, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	target, err := kdive.Open(context.Background(), kdive.Options{Files: []string{vmlinux, elf}, Cache: b.cache})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	h := openHeap(t, target.Kernel, 11)
	classes := oldClasses
	if h.slub() {
		classes = append(append(append([]damageClass{}, subClasses...), sheafClasses...), debugClasses...)
	}
	run := slabRun{t: t, b: b, vmlinux: vmlinux, elf: elf, segments: target.Dump.Segments(), h: h, healthy: map[string]bool{}}
	for _, f := range run.check() {
		run.healthy[f.raw] = true
		if f.Sure != "in flight" {
			t.Errorf("undamaged: %s", f.raw)
		}
	}
	n := 1
	if thorough() {
		n = 10
	}
	for _, c := range classes {
		run.class(c, n)
	}
	if run.made < 15 || run.found < run.made || run.named*100 < run.made*95 {
		t.Errorf("%d damages: %d found, %d named right", run.made, run.found, run.named)
	}
	t.Logf("%-45s %5s %5s %5s  rules\n%s%-45s %5d %5d %5d", "class", "made", "found", "named", run.table.String(), "total", run.made, run.found, run.named)
}

// slabRun is one undamaged dump and the counts of what was done to it.
type slabRun struct {
	t                  *testing.T
	b                  *bench
	vmlinux, elf       string
	segments           []vmcore.Segment
	h                  *heap
	healthy            map[string]bool // findings of the undamaged dump
	table              strings.Builder
	made, found, named int
}

// class makes n damages of a class, one at a time, and looks for each.
func (r *slabRun) class(c damageClass, n int) {
	made, found, named := 0, 0, 0
	rule := regexp.MustCompile("^(" + c.rules + ")")
	rules := map[string]int{}
	for range n {
		d := c.make(r.h)
		if d == nil {
			break
		}
		undo, err := r.apply(d)
		if err != nil {
			r.t.Errorf("%s: %v", c.name, err)
			return
		}
		made++
		hit, right := false, false
		var said []string
		for _, f := range r.check() {
			if r.healthy[f.raw] || f.Sure == "in flight" {
				continue
			}
			hit = true
			if rule.MatchString(f.Rule) && (f.names(d)) {
				right = true
				rules[f.Rule]++
			}
			said = append(said, f.raw)
		}
		if hit {
			found++
		}
		if right {
			named++
		} else {
			r.t.Logf("%s: cache %s %#x, %s: not named, but %.600s", c.name, d.cache.name, d.cache.addr, d, strings.Join(said, "\n"))
		}
		if err := undo(); err != nil {
			r.t.Fatal(err)
		}
	}
	if made > 0 {
		fmt.Fprintf(&r.table, "%-45s %5d %5d %5d  %v\n", c.name, made, found, named, rules)
	} else {
		fmt.Fprintf(&r.table, "%-45s no place for it\n", c.name)
	}
	r.made, r.found, r.named = r.made+made, r.found+found, r.named+named
}

func (d *damage) String() string {
	s := ""
	if d.slab != nil {
		s = fmt.Sprintf("slab %#x at %#x", d.slab.base, d.slab.page)
	}
	for _, w := range d.writes {
		s += fmt.Sprintf(" %#x=%x", w.addr, w.data)
	}
	return s
}

// names reports whether a finding names the damaged cache and, if it is in one, the slab.
func (f *finding) names(d *damage) bool {
	if d.slab == nil {
		return f.Name == d.cache.name || strings.Contains(f.raw, fmt.Sprintf("%x", d.cache.addr))
	}
	for p := d.slab.base; p < d.slab.base+d.slab.bytes; p += pageSize {
		if strings.Contains(f.raw, fmt.Sprintf("%x", p>>12)) {
			return true
		}
	}
	return strings.Contains(f.raw, fmt.Sprintf("%x", d.slab.page))
}

// apply writes to the file.
func (r *slabRun) apply(d *damage) (undo func() error, err error) {
	f, err := os.OpenFile(r.elf, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	type old struct {
		at   int64
		data []byte
	}
	var was []old
	for _, w := range d.writes {
		at, err := r.offset(w.addr)
		if err != nil {
			return nil, err
		}
		o := old{at, make([]byte, len(w.data))}
		if _, err := f.ReadAt(o.data, at); err != nil {
			return nil, err
		}
		was = append(was, o)
		if _, err := f.WriteAt(w.data, at); err != nil {
			return nil, err
		}
	}
	return func() error {
		f, err := os.OpenFile(r.elf, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		for _, o := range was {
			_, werr := f.WriteAt(o.data, o.at)
			err = errors.Join(err, werr)
		}
		return err
	}, nil
}

// offset is where the file has the byte at a virtual address.
func (r *slabRun) offset(vaddr uint64) (int64, error) {
	paddr, _, err := r.h.k.Translate(vaddr)
	if err != nil {
		return 0, err
	}
	for _, s := range r.segments {
		if paddr >= s.Paddr && paddr-s.Paddr < s.Filesz {
			return int64(s.Offset + paddr - s.Paddr), nil
		}
	}
	return 0, fmt.Errorf("%#x is not in the file", paddr)
}

// check runs slabcheck in a process of its own.
func (r *slabRun) check() []finding {
	o := r.b.run(session{dir: filepath.Dir(r.elf), files: []string{r.vmlinux, r.elf}, cache: r.b.cache, lines: []string{"slabcheck --json"}})
	if o.broken != nil || len(o.answers) != 1 {
		r.t.Fatalf("slabcheck: %v, status %d\n%s", o.broken, o.status, tail(o.stderr))
	}
	var list []finding
	for line := range strings.SplitSeq(o.answers[0], "\n") {
		f := finding{raw: line}
		if json.Unmarshal([]byte(line), &f) == nil && f.Type == "slab_finding" {
			list = append(list, f)
		}
	}
	return list
}
