package debuginfo

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/kdive/kdive/elffile"
)

// questions asks an object a fixed set of things and returns the answers; ok
// counts those that are no errors.
func questions(in *Info) (answers []string, ok int) {
	add := func(err error, format string, args ...any) {
		if err == nil {
			ok++
			answers = append(answers, fmt.Sprintf(format, args...))
		} else {
			answers = append(answers, "error")
		}
	}
	for _, name := range []string{"struct task_struct", "struct list_head", "struct page", "struct super_block", "union thread_union", "enum pid_type", "pid_t", "unsigned long", "struct rq", "struct mm_struct"} {
		t, err := in.Type(name)
		if err == nil {
			err = t.Err()
		}
		s := ""
		if err == nil {
			for _, m := range t.Members() {
				s += fmt.Sprint(m.Offset, m.Type.Size(), m.Type.Declare(m.Name), ";")
			}
		}
		add(err, "%s %d %s", t, t.Size(), s)
	}
	for _, name := range []string{"init_task", "jiffies", "runqueues", "saved_command_line"} {
		v, err := in.Variables(name)
		add(err, "%d", len(v))
	}
	for _, name := range []string{"schedule", "vfs_read", "do_exit", "panic"} {
		f, err := in.Functions(name)
		add(err, "%d", len(f))
		syms := in.Lookup(name)
		if len(syms) == 0 {
			add(fmt.Errorf("none"), "")
			continue
		}
		file, line, found := in.Line(syms[0].Addr + 40)
		scopes, err := in.Scopes(syms[0].Addr + 40)
		add(err, "%s:%d %v %d", file, line, found, len(scopes))
	}
	return answers, ok
}

// TestMutations damages a real object in a thousand ways: no panic, no hang,
// bounded memory, and most answers stay what they were.
func TestMutations(t *testing.T) {
	path := os.Getenv("KDIVE_TEST_VMLINUX")
	needOracle(t)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Skip(err)
	}
	clean, err := elffile.New("clean", data)
	if err != nil {
		t.Fatal(err)
	}
	want, all := questions(newInfo(clean, clean, Options{}))
	t.Logf("%d of %d questions answered on the clean file", all, len(want))
	var spots []elffile.Section
	for _, name := range []string{".debug_info", ".debug_abbrev", ".debug_line", ".debug_str", ".debug_rnglists", ".debug_line_str", ".symtab", ".strtab"} {
		if s := clean.Section(name); s != nil {
			spots = append(spots, *s)
		}
	}
	rng := rand.New(rand.NewPCG(7, 7))
	opened, same, full := 0, 0, 0
	var longest time.Duration
	const n = 1000
	for i := range n {
		img := data
		var undo func()
		switch {
		case i%10 == 0: // cut off
			img = data[:rng.IntN(len(data))]
		case i%10 == 1: // the table of sections
			undo = flip(img, len(data)-1-rng.IntN(64*len(clean.Sections)), rng)
		case i%10 == 2: // anywhere
			undo = flip(img, rng.IntN(len(data)), rng)
		default:
			s := spots[i%len(spots)]
			undo = flip(img, int(s.Offset)+rng.IntN(int(s.Size)), rng)
		}
		start := time.Now()
		if f, err := elffile.New("mutant", img); err == nil {
			opened++
			in := newInfo(f, f, Options{})
			got, ok := questions(in)
			if slices.Equal(got, want) {
				same++
			}
			if ok == all {
				full++
			}
			in.Close()
		}
		if d := time.Since(start); d > longest {
			longest = d
			t.Logf("mutant %d took %v", i, d)
		}
		if undo != nil {
			undo()
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%d mutants: %d open, %d answer everything, %d all alike; longest %v, %d MiB from the system besides the file", n, opened, full, same, longest, (int(m.Sys)-2*len(data))>>20)
	if longest > 10*time.Second {
		t.Errorf("one took %v", longest)
	}
}

func flip(b []byte, at int, rng *rand.Rand) (undo func()) {
	old := b[at]
	b[at] = byte(rng.IntN(256))
	return func() { b[at] = old }
}
