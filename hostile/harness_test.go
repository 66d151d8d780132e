package hostile

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// harness runs a session for each of many mutations of some files.
type harness struct {
	t         *testing.T
	bench     *bench
	mutator   *mutator
	originals []string // the undamaged files
	names     []string // of their copies in a worker's directory
	session   session
	judge     func(*result)                 // sets broken for what is wrong with this kind of mutation
	prepare   func(dir string, i int) error // before each session; may be nil

	clean outcome
}

// result is one mutation and what came of it.
type result struct {
	i       int
	m       mutation
	dir     string // where it ran
	o       outcome
	changed []int // lines whose answer is not that of the undamaged files
	excused bool  // not opened, or all changed, because opening reads the damaged page
}

// run runs n mutations and prints a table.
func (h *harness) run(n int) {
	h.t.Helper()
	first, last := 0, n
	if i, ok := only(h.t); ok {
		first, last = i, i+1
	}
	workers := min(runtime.GOMAXPROCS(0), last-first)
	jobs := make(chan int)
	var mu sync.Mutex
	var results []*result
	var wg sync.WaitGroup
	dirs := make([]string, workers)
	for w := range dirs {
		dirs[w] = h.workDir(w)
	}
	h.baseline(dirs[0])
	for _, dir := range dirs {
		wg.Go(func() {
			for i := range jobs {
				r, err := h.one(dir, i)
				if err != nil {
					h.t.Errorf("mutation %d: %v", i, err)
					continue
				}
				mu.Lock()
				results = append(results, r)
				mu.Unlock()
			}
		})
	}
	for i := first; i < last; i++ {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
	slices.SortFunc(results, func(a, b *result) int { return a.i - b.i })
	failed := 0
	for _, r := range results {
		if r.o.broken != nil {
			if failed++; failed <= 20 {
				h.t.Errorf("KDIVE_MUTATION=%d: %v: %v", r.i, r.m, r.o.broken)
			}
		}
	}
	if failed > 20 {
		h.t.Errorf("%d mutations failed", failed)
	}
	h.t.Log(h.report(results))
}

// workDir makes a directory with copies of the files, to be damaged.
func (h *harness) workDir(w int) string {
	dir := filepath.Join(h.bench.dir, h.t.Name()+"-"+fmt.Sprint(w))
	err := os.Mkdir(dir, 0o700)
	for i := range h.originals {
		at := filepath.Join(dir, h.names[i])
		if err == nil {
			err = os.MkdirAll(filepath.Dir(at), 0o700)
		}
		if err == nil {
			err = copyFile(h.originals[i], at)
		}
	}
	for _, link := range []string{h.bench.vmlinux, h.bench.dump} {
		at := filepath.Join(dir, filepath.Base(link))
		if _, lerr := os.Lstat(at); err == nil && lerr != nil {
			err = os.Symlink(link, at)
		}
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return dir
}

// baseline runs the session on the undamaged files, twice: answers that differ
// by themselves could prove nothing.
func (h *harness) baseline(dir string) {
	h.t.Helper()
	for k := range 2 {
		o, err := h.once(dir, -1)
		if err != nil || o.broken != nil || o.status == 2 {
			h.t.Fatalf("undamaged files: %v, %v, status %d, %s", err, o.broken, o.status, o.stderr)
		}
		if k > 0 {
			for i := range o.answers {
				if o.answers[i] != h.clean.answers[i] {
					h.t.Fatalf("%q is not the same twice:\n%s", h.session.lines[i], difference(h.clean.answers[i], o.answers[i]))
				}
			}
		}
		h.clean = o
	}
	if os.Getenv("KDIVE_MUTATION") != "" {
		for i, a := range h.clean.answers {
			h.t.Logf("%s: %d lines\n%s", h.session.lines[i], strings.Count(a, "\n"), a[:min(len(a), 300)])
		}
	}
	h.t.Logf("undamaged: status %d, %v (%v of processor time), %d MiB", h.clean.status, h.clean.wall.Round(time.Millisecond), h.clean.cpu, h.clean.resident>>20)
}

func (h *harness) once(dir string, i int) (outcome, error) {
	if h.prepare != nil {
		if err := h.prepare(dir, i); err != nil {
			return outcome{}, err
		}
	}
	return h.bench.run(h.in(dir)), nil
}

// in is the session in a worker's directory.
func (h *harness) in(dir string) session {
	s := h.session
	s.dir = dir
	if !filepath.IsAbs(s.cache) {
		s.cache = filepath.Join(dir, s.cache)
	}
	return s
}

func (h *harness) one(dir string, i int) (*result, error) {
	r := &result{i: i, m: h.mutator.mutation(i), dir: dir}
	if h.prepare != nil {
		if err := h.prepare(dir, i); err != nil {
			return nil, err
		}
	}
	path := filepath.Join(dir, h.names[r.m.file])
	undo, err := r.m.apply(path, h.originals[r.m.file])
	if err != nil {
		return nil, err
	}
	r.o = h.bench.run(h.in(dir))
	if len(r.o.answers) == len(h.clean.answers) {
		for k := range r.o.answers {
			if r.o.answers[k] != h.clean.answers[k] {
				r.changed = append(r.changed, k)
			}
		}
	}
	if r.o.broken == nil && h.judge != nil {
		h.judge(r)
	}
	return r, undo()
}

// difference shows where two texts part.
func difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(a), len(b)) {
		x, y := "", ""
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y || i >= min(len(a), len(b)) {
			return fmt.Sprintf("line %d (of %d, %d)\n  was %.300q\n  is  %.300q", i+1, len(a), len(b), x, y)
		}
	}
	return "no difference"
}
