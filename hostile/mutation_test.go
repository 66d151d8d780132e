package hostile

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
)

// mutation is one damage to a file.
type mutation struct {
	class string
	file  int     // which of several
	off   int64   // the byte changed, or where the file is cut
	xor   byte    // 0: the file is cut
	more  []int64 // further bytes to change, ascending
}

func (m mutation) String() string {
	if m.xor == 0 {
		return fmt.Sprintf("%s: file %d cut at %#x", m.class, m.file, m.off)
	}
	more := ""
	if len(m.more) > 0 {
		more = fmt.Sprintf(" and %d more", len(m.more))
	}
	return fmt.Sprintf("%s: file %d byte %#x ^ %#x%s", m.class, m.file, m.off, m.xor, more)
}

// Classes of mutations that are no part of the file.
const (
	truncated = "truncated" // the file is cut
	scattered = "scattered" // many bytes of a part change
)

// apply damages a file; undo mends it from the original.
func (m mutation) apply(path, original string) (undo func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if m.xor == 0 {
		if err := f.Truncate(m.off); err != nil {
			return nil, err
		}
		return func() error { return regrow(path, original, m.off) }, nil
	}
	places := append([]int64{m.off}, m.more...)
	was := make([]byte, len(places))
	for i, at := range places {
		if _, err := f.ReadAt(was[i:i+1], at); err != nil {
			return nil, err
		}
	}
	for i, at := range places {
		if _, err := f.WriteAt([]byte{was[i] ^ m.xor}, at); err != nil {
			return nil, err
		}
	}
	return func() error {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		for i, at := range places {
			_, werr := f.WriteAt(was[i:i+1], at)
			err = errors.Join(err, werr)
		}
		return err
	}, nil
}

// regrow copies what was cut off.
func regrow(path, original string, from int64) error {
	in, err := os.Open(original)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := in.Seek(from, io.SeekStart); err != nil {
		return err
	}
	if _, err := out.Seek(from, io.SeekStart); err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return err
}

// region is a part of a file with one meaning.
type region struct {
	class      string
	file       int
	start, end int64
}

// weight is how often mutations of a class are made.
type weight struct {
	class string
	n     int
}

// mutator makes mutations, the same ones in every run.
type mutator struct {
	seed    uint64
	sizes   []int64 // of the files
	regions []region
	weights []weight
	// prefer, if set, chooses half of the places in a class.
	prefer func(r *rand.Rand, class string) (file int, off int64, ok bool)
}

func (u *mutator) mutation(i int) mutation {
	r := rand.New(rand.NewPCG(u.seed, uint64(i)))
	class := u.class(i)
	if class == truncated {
		file := r.IntN(len(u.sizes))
		// Half of the cuts fall into one of the parts, however small.
		g := u.regions[r.IntN(len(u.regions))]
		if r.IntN(2) == 0 {
			g = region{class, file, 0, u.sizes[file]}
		}
		return mutation{class: class, file: g.file, off: g.start + r.Int64N(g.end-g.start)}
	}
	xor := byte(1 << r.IntN(8)) // a flipped bit, or any other value
	if r.IntN(2) == 0 {
		xor = byte(1 + r.IntN(255))
	}
	m := mutation{class: class, xor: xor}
	if class != scattered {
		m.file, m.off = u.place(r, class)
		return m
	}
	g := u.regions[r.IntN(len(u.regions))]
	m.file, m.off = u.place(r, g.class)
	for range 1 << r.IntN(14) {
		if file, off := u.place(r, g.class); file == m.file && off != m.off {
			m.more = append(m.more, off)
		}
	}
	slices.Sort(m.more)
	m.more = slices.Compact(m.more)
	return m
}

// place chooses a byte of a class.
func (u *mutator) place(r *rand.Rand, class string) (file int, off int64) {
	if u.prefer != nil && r.IntN(2) == 0 {
		if file, off, ok := u.prefer(r, class); ok {
			return file, off
		}
	}
	total := int64(0)
	for _, g := range u.regions {
		if g.class == class {
			total += g.end - g.start
		}
	}
	at := r.Int64N(total)
	for _, g := range u.regions {
		switch {
		case g.class != class:
		case at < g.end-g.start:
			return g.file, g.start + at
		default:
			at -= g.end - g.start
		}
	}
	panic("unreachable")
}

// class spreads the classes evenly over the mutations.
func (u *mutator) class(i int) string {
	total := 0
	for _, w := range u.weights {
		total += w.n
	}
	at := i * 7919 % total // a prime: neighbours are of different classes
	for _, w := range u.weights {
		if at < w.n {
			return w.class
		}
		at -= w.n
	}
	panic("unreachable")
}

// count is how many mutations of a kind to run: few, or KDIVE_MUTATIONS.
func count(t *testing.T, few int) int {
	t.Helper()
	if !thorough() {
		return few
	}
	n, err := strconv.Atoi(os.Getenv("KDIVE_MUTATIONS"))
	if err != nil || n < 1 {
		t.Fatalf("KDIVE_MUTATIONS: %v", err)
	}
	return n
}

// thorough tells whether the full number of mutations was asked for.
func thorough() bool { return os.Getenv("KDIVE_MUTATIONS") != "" }

// only is the one mutation that was asked for.
func only(t *testing.T) (int, bool) {
	t.Helper()
	s := os.Getenv("KDIVE_MUTATION")
	if s == "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("KDIVE_MUTATION is %q", s)
	}
	return n, true
}
