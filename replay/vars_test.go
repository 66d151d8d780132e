package replay_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kdive/kdive/debuginfo/location"
	"github.com/kdive/kdive/frame"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/replay"
	"github.com/kdive/kdive/unwind"
)

// tally counts the variables of traces by what the tables, and then replay, say.
type tally struct {
	total, exact, derived int
	lost                  map[location.Reason]int
	found                 map[location.Reason]int
	changed, asOf         map[location.Reason]int
	samples               []string
}

func (c *tally) count(k *kernel.Kernel, tr *unwind.Trace, i int, plain, full []frame.Level) {
	for l := range plain {
		for n := range plain[l].Vars {
			v, w := &plain[l].Vars[n], &full[l].Vars[n]
			c.total++
			switch v.Class {
			case location.Exact:
				c.exact++
				continue
			case location.Derived:
				c.derived++
				continue
			}
			c.lost[v.Reason]++
			if w.Class == location.Lost {
				continue
			}
			c.found[v.Reason]++
			if strings.Contains(w.How, "may have changed") {
				c.changed[v.Reason]++
			}
			if strings.Contains(w.How, "as of") {
				c.asOf[v.Reason]++
			}
			bits, err := w.Value.Uint()
			name, off, _ := k.SymbolAt(tr.Frames[i].PC)
			c.samples = append(c.samples, fmt.Sprintf("%x frame %d %s+%d %s: %s (%s) = %#x %v [%s] %x", tr.Thread.PID, i, name, off, plain[l].Function, v.Name, v.Reason, bits, err, w.How, w.Steps))
		}
	}
}

// spy notes why nothing could be derived.
type spy struct {
	*replay.Model
	k   *kernel.Kernel
	why map[string]int
}

func (s spy) note(kind string, p location.Provenance) {
	if p.Class == location.Lost {
		s.why[kind+": "+p.How]++
	}
}

func (s spy) Variable(tr *unwind.Trace, i int, v *frame.Sought) location.Result {
	r := s.Model.Variable(tr, i, v)
	s.note("variable, "+v.Found.Provenance().Reason.String(), r.Provenance())
	if p := r.Provenance(); p.Class == location.Lost && os.Getenv("KDIVE_LOST") != "" {
		if name, off, ok := s.k.SymbolAt(tr.Frames[i].PC); ok {
			fmt.Printf("LOST %s+%d %s %s: %s: %s\n", name, off, v.Scope.Name, v.Name, v.Found.Provenance().How, p.How)
		}
	}
	return r
}

func (s spy) EntryRegister(tr *unwind.Trace, i int, r unwind.Reg) (uint64, location.Provenance) {
	v, p := s.Model.EntryRegister(tr, i, r)
	s.note("entry", p)
	return v, p
}

func (s spy) Register(tr *unwind.Trace, i int, r unwind.Reg) (uint64, location.Provenance) {
	v, p := s.Model.Register(tr, i, r)
	s.note("register", p)
	return v, p
}

// TestHidden takes from variables that have a value the place that gives it, and
// has it derived from the others.
func TestHidden(t *testing.T) {
	opened, list := dump(t)
	k := opened.Kernel
	m := replay.New(k, nil)
	model := frame.New(k)
	var asked, equal, equalChanged, wrong, wrongChanged int
	for _, tr := range list {
		tr := m.Extend(tr)
		for i := range tr.Frames {
			code, err := model.CodeAt(tr, i)
			if err != nil {
				continue
			}
			levels, _ := model.Levels(tr, i)
			for _, l := range levels {
				for n := range l.Vars {
					v := &l.Vars[n]
					actual, err := v.Value.Uint()
					if err != nil || v.Class == location.Lost || v.Type.Size() > 8 {
						continue
					}
					r, ok := replay.Hidden(m, tr, i, v, code)
					if !ok {
						continue
					}
					asked++
					if r.Provenance().Class == location.Lost {
						continue
					}
					var got uint64
					for k, b := range r.Pieces[0].Data {
						got |= uint64(b) << (8 * k)
					}
					changed := strings.Contains(r.Pieces[0].How, "may have changed")
					mask := ^uint64(0) >> (64 - 8*uint(v.Type.Size()))
					switch same := len(r.Pieces[0].Data) > 0 && got&mask == actual&mask; {
					case same && changed:
						equalChanged++
					case same:
						equal++
					case changed:
						wrongChanged++
					default:
						wrong++
					}
					if got&mask != actual&mask {
						name, off, _ := k.SymbolAt(tr.Frames[i].PC)
						t.Logf("%s+%d %s %s: %#x, derived %#x %s %x", name, off, l.Function, v.Name, actual&mask, got, r.Pieces[0].How, r.Pieces[0].Steps)
					}
				}
			}
		}
	}
	if wrong != 0 || equal == 0 {
		t.Error("wrong, or none")
	}
	t.Logf("hidden: asked %d, equal %d + %d from memory; wrong %d + %d from memory", asked, equal, equalChanged, wrong, wrongChanged)
}

// TestSystemCalls compares what is derived of system calls with what the entry saved:
// the number and the address of the registers.
func TestSystemCalls(t *testing.T) {
	opened, list := dump(t)
	m := replay.New(opened.Kernel, nil)
	model := frame.New(opened.Kernel)
	model.Recover = m
	numbers, regs := 0, 0
	for _, tr := range list {
		tr := m.Extend(tr)
		if tr.User == nil || tr.User.Addr == 0 {
			continue
		}
		for i := range tr.Frames {
			levels, _ := model.Levels(tr, i)
			for _, l := range levels {
				if l.Function != "x64_sys_call" && l.Function != "do_syscall_64" && !strings.HasPrefix(l.Function, "__x64_sys_") {
					continue
				}
				for n := range l.Vars {
					v := &l.Vars[n]
					bits, err := v.Value.Uint()
					switch {
					case err != nil:
					case v.Name == "regs" && v.Parameter:
						if regs++; bits != tr.User.Addr {
							t.Errorf("%s: regs = %#x, saved at %#x", l.Function, bits, tr.User.Addr)
						}
					case v.Name == "nr" && l.Function == "x64_sys_call":
						if numbers++; bits != tr.User.OrigRAX {
							t.Errorf("nr = %#x, saved was %#x", bits, tr.User.OrigRAX)
						}
					}
				}
			}
		}
	}
	t.Logf("%d times regs, %d times nr", regs, numbers)
	if regs == 0 {
		t.Error("none")
	}
}

func TestVariables(t *testing.T) {
	opened, list := dump(t)
	k := opened.Kernel
	m := replay.New(k, nil)
	plain, full := frame.New(k), frame.New(k)
	watch := spy{m, k, map[string]int{}}
	full.Recover = watch
	c := tally{lost: map[location.Reason]int{}, found: map[location.Reason]int{}, changed: map[location.Reason]int{}, asOf: map[location.Reason]int{}}
	var t1, t2, t3 time.Duration
	tails := 0
	for _, tr := range list {
		start := time.Now()
		tr := m.Extend(tr)
		t3 += time.Since(start)
		for i := range tr.Frames {
			if tr.Frames[i].Source == unwind.FromTailCall {
				tails++
			}
			start := time.Now()
			a, _ := plain.Levels(tr, i)
			mid := time.Now()
			b, _ := full.Levels(tr, i)
			t1 += mid.Sub(start)
			t2 += time.Since(mid)
			c.count(k, tr, i, a, b)
		}
	}
	t.Logf("%d variables: exact %d, derived by the tables %d; %d tail calls; time %v plain, %v with replay, %v for the tail calls", c.total, c.exact, c.derived, tails, t1, t2, t3)
	for r, n := range c.lost {
		t.Logf("lost, %s: %d; replay %d (memory that may have changed %d, as of earlier %d)", r, n, c.found[r], c.changed[r], c.asOf[r])
	}
	for w, n := range watch.why {
		t.Logf("%6d %s", n, w)
	}
	if os.Getenv("KDIVE_SAMPLES") != "" {
		for _, s := range c.samples {
			fmt.Println(s)
		}
	}
}
