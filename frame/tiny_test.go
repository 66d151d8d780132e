package frame_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kdive/kdive/debuginfo/location"
	"github.com/kdive/kdive/frame"
	"github.com/kdive/kdive/kdivetest"
	"github.com/kdive/kdive/unwind"
	"github.com/kdive/kdive/value"
)

// tiny is the bundled dump: its kernel, an unwinder and the threads, the one that
// crashed first.
func tiny(t *testing.T) (*kdivetest.Damaged, *unwind.Unwinder, []unwind.Thread) {
	t.Helper()
	d := kdivetest.Damage(kdivetest.Open(t).Kernel)
	table, threads, config := kdivetest.Threads(t, d.Kernel)
	crashed := slices.Index(table.Tasks, table.Panic)
	threads[0], threads[crashed] = threads[crashed], threads[0]
	return d, unwind.New(d, config), threads
}

// find is a variable of the frame of a function.
func find(t *testing.T, d *kdivetest.Damaged, m *frame.Model, tr *unwind.Trace, function, name string) *frame.Variable {
	t.Helper()
	for i := range tr.Frames {
		if s, _, _ := d.SymbolAt(tr.Frames[i].CallSite()); s != function {
			continue
		}
		levels, err := m.Levels(tr, i)
		if err != nil {
			t.Fatal(err)
		}
		for j := range levels {
			if v, ok := levels[j].Find(name); ok {
				return v
			}
		}
	}
	t.Fatalf("no %s in a frame of %s", name, function)
	return nil
}

func TestVariables(t *testing.T) {
	d, u, threads := tiny(t)
	tests := []struct {
		function, name, want string
		class                location.Class
		reason               location.Reason
		how                  string
	}{
		// The caller called through a pointer, and shm_close jumped here.
		{"__shm_close", "sfd", "<lost: ", location.Lost, location.NoEntry, "vma_close called through a pointer"},
		// The call instruction leads to another function, which jumped here.
		{"__x64_sys_exit_group", "regs", "<lost: ", location.Lost, location.NoEntry, "do_syscall_64 called x64_sys_call, which left by a jump"},
		{"__shm_close", "ns", "0xffffffffbec98040", location.Exact, location.None, "r12"},
		{"__shm_close", "__flags", "2307", location.Derived, location.None, "constant"},
		{"__shm_close", "shp", "<lost: ", location.Lost, location.NotHere, "do not cover"},
		{"vma_close", "vma", "0xffff9b6d00ac3a80", location.Derived, location.None, "rbx, saved at ffffa92d00237d90 by __shm_close"},
		{"do_exit", "code", "0", location.Derived, location.None, "rdi at the function's entry: passed by do_group_exit: computed: rbx"},
		{"panic", "fmt", "0xffffffffbeacbadc", location.Derived, location.None, "passed by check_panic_on_warn: constant"},
		{"exit_mmap", "mas", "{\n  tree = 0xffff9b6d00a3f400,\n  index = 140371186212864,", location.Exact, location.None, "memory"},
		{"vma_close", "dummy_vm_ops", "{\n  open = 0x0,", location.Exact, location.None, "memory"},
		{"do_exit", "group_dead", "<lost: optimized out>", location.Lost, location.NoLocation, "optimized out"},
		{"delay_tsc", "cycles", "2480005", location.Exact, location.None, "r9"},
	}
	m := frame.New(d)
	tr := u.Trace(threads[0])
	for _, tt := range tests {
		v := find(t, d, m, tr, tt.function, tt.name)
		got := value.Format(v.Value, value.Style{})
		if !strings.HasPrefix(got, tt.want) || v.Class != tt.class || v.Reason != tt.reason || !strings.Contains(v.How, tt.how) {
			t.Errorf("%s of %s: %.80s %s, %s: %s", tt.name, tt.function, got, v.Class, v.Reason, v.How)
		}
	}
}

// circle is a Recoverer that asks the model what the model asks it.
type circle struct{ m *frame.Model }

func (c circle) Register(tr *unwind.Trace, i int, r unwind.Reg) (uint64, location.Provenance) {
	return c.m.Register(tr, i, r)
}

func (c circle) EntryRegister(tr *unwind.Trace, i int, r unwind.Reg) (uint64, location.Provenance) {
	if r != unwind.RSI {
		return 0, location.Provenance{}
	}
	return 7, location.Provenance{Class: location.Derived, How: "by fiat"}
}

func (c circle) Variable(tr *unwind.Trace, i int, v *frame.Sought) location.Result {
	if v.Name == "shp" && len(v.List) > 0 && len(v.Code.Scopes) > 0 {
		return location.Result{Pieces: []location.Piece{{Kind: location.Computed, Data: []byte{0x30, 0x12, 0, 0, 0, 0, 0, 0}, Provenance: location.Provenance{Class: location.Derived, How: "by fiat"}}}}
	}
	return location.LostResult(location.NotHere, "not by this one")
}

func TestRecoverer(t *testing.T) {
	d, u, threads := tiny(t)
	m := frame.New(d)
	m.Recover = circle{m}
	tr := u.Trace(threads[0])
	if v := find(t, d, m, tr, "__shm_close", "shp"); v.How != "by fiat" || v.Recovered != location.NotHere || value.Format(v.Value, value.Style{}) != "0x1230" {
		t.Errorf("shp: %v recovered %s", v.Provenance, v.Recovered)
	}
	// What nobody knows keeps the tables' reason.
	if v := find(t, d, m, tr, "__shm_close", "sfd"); v.Reason != location.NoEntry || !strings.Contains(v.How, "vma_close") || v.Recovered != location.None {
		t.Errorf("sfd: %v", v.Provenance)
	}
	for i := range tr.Frames {
		if _, err := m.Levels(tr, i); err != nil && i < 6 {
			t.Errorf("frame %d: %v", i, err)
		}
		for r := unwind.RAX; r <= unwind.RIP; r++ {
			m.Register(tr, i, r)
		}
	}
}

// TestDamagedFrames overwrites words of stacks: each variable has a value or is
// lost, with the reason, and can be printed.
func TestDamagedFrames(t *testing.T) {
	d, u, threads := tiny(t)
	r := rand.New(rand.NewPCG(3, 4))
	vars, lost := 0, 0
	for range 150 {
		clear(d.Bytes)
		h := threads[r.IntN(len(threads))]
		for range 1 + r.IntN(20) {
			w := r.Uint64()
			if r.IntN(2) == 0 {
				w = h.Stack + r.Uint64N(1<<14)
			}
			d.Put(h.SP&^7+r.Uint64N(1024)&^7, w, 8)
		}
		m := frame.New(d)
		tr := u.Trace(h)
		for i := range min(len(tr.Frames), 100) {
			levels, _ := m.Levels(tr, i)
			for _, l := range levels {
				for j := range l.Vars {
					v := &l.Vars[j]
					vars++
					if (v.Class == location.Lost) != (v.Reason != location.None) || v.How == "" {
						t.Fatalf("%s of %s: %+v", v.Name, l.Function, v.Provenance)
					}
					if s := value.Format(v.Value, value.Style{Max: 16}); v.Class == location.Lost {
						if lost++; !strings.Contains(s, "<lost: ") {
							t.Fatalf("%s of %s: %s", v.Name, l.Function, s)
						}
					}
				}
			}
		}
	}
	if vars < 1000 || lost == 0 {
		t.Errorf("%d variables, %d lost", vars, lost)
	}
}
