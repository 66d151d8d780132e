package command

import (
	"context"
	"encoding/binary"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck"
	"github.com/kdive/kdive/slabcheck/rules"
	"github.com/kdive/kdive/unwind"
)

// slabCheck looks for contradictions in the caches of objects.
func slabCheck(t *Target) *repl.Command {
	return &repl.Command{
		Name:     "slabcheck",
		Synopsis: "[-q] [-f] [cache|address ...]\n-t address ...\n-l",
		Summary:  "check the caches of kernel objects for corruption",
		Detail: `
Goes through all caches, or those that are named, and everything that must hold in a
sound allocator: free lists end and stay in their slab, nothing is free in two places,
counters are what they count, the links of lists agree in both directions, pages name
their slab, per-CPU arrays hold objects of their cache; if the kernel was started with
slub_debug, red zones, poison and padding are whole, and the records of users make
sense. One broken slab hides nothing of the next.

Each finding says how sure it is. Certain: no sound kernel shows it. Likely: a sound
kernel hardly ever does. In flight: a CPU was stopped in the middle of the update that
explains it; the frame that proves it is named. Where both the value that was found and
the one that should be there are known, the bits and bytes that differ follow: bytes
that are text often tell who wrote them. The objects in front of and behind the place
are the first suspects.

With -t, the records that kernels started with slub_debug=U keep of an object: which
code allocated it last, and which freed it, on which CPU, for which process, how long
before the dump, and the calls that led there.

What the dump does not have is not corruption: it is counted as unread.`,
		Options: []repl.Option{
			{Name: "q", Help: "the summary only"},
			{Name: "f", Help: "leave out what is in flight"},
			{Name: "t", Help: "who allocated and freed the objects at these addresses (slub_debug=U)"},
			{Name: "l", Help: "list the rules"},
		},
		Examples: []repl.Example{
			{Line: "slabcheck", Help: "All caches."},
			{Line: "slabcheck kmalloc-32 kmalloc-64", Help: "Two of them."},
			{Line: "slabcheck ffff9b6d00a38d00", Help: "The cache that this object is of."},
		},
		Records: []output.Describer{findingRecord, checkedRecord, ruleRecord, trackRecord},
		Run:     func(ctx context.Context, c *repl.Call) error { return runSlabCheck(ctx, t, c) },
	}
}

func runSlabCheck(ctx context.Context, t *Target, c *repl.Call) error {
	if c.Has("l") {
		ruleRecord.Head(c.Out)
		for _, r := range rules.All() {
			ruleRecord.Emit(c.Out, r)
		}
		return nil
	}
	m, err := t.slabs()
	if err != nil {
		return err
	}
	if c.Has("t") {
		return showTracks(t, c, m)
	}
	caches, err := t.namedCaches(m, c.Args)
	if err != nil {
		return err
	}
	r, err := slabcheck.Check(ctx, t.Opened.Kernel, m, slabcheck.Options{
		Caches: caches,
		Frames: t.allocatorFrames,
		Progress: func(done, total int) {
			c.Progress(uint64(done), uint64(total))
		},
	})
	if err != nil {
		return err
	}
	if err := t.showFindings(ctx, c, r.Findings); err != nil {
		return err
	}
	for i, err := range r.UnreadAt {
		if i >= 10 {
			c.Out.Note("and %d more could not be read", r.Unread-i)
			break
		}
		c.Out.Fault("not read", err)
	}
	checkedRecord.Emit(c.Out, &checked{r})
	return nil
}

// showFindings shows what options do not leave out.
func (t *Target) showFindings(ctx context.Context, c *repl.Call, list []*rules.Finding) error {
	if c.Has("q") {
		return nil
	}
	if c.Has("f") {
		list = slices.DeleteFunc(slices.Clone(list), func(f *rules.Finding) bool { return f.Sure == rules.InFlight })
	}
	rows, err := t.nearFindings(ctx, list)
	if err != nil {
		return err
	}
	for _, r := range rows {
		findingRecord.Emit(c.Out, r)
	}
	return nil
}

// namedCaches are the caches that operands name, nil if there are no operands.
func (t *Target) namedCaches(m *slab.Model, args []string) ([]*slab.Cache, error) {
	var caches []*slab.Cache
	for _, arg := range args {
		if named := m.Named(arg); named != nil {
			caches = append(caches, named...)
			continue
		}
		addr, err := t.address(arg)
		if err != nil {
			return nil, fmt.Errorf("%s: no such cache, and no address", arg)
		}
		if x := m.Cache(addr); x != nil {
			caches = append(caches, x)
			continue
		}
		o, _, ok := t.findObject(m, addr)
		if !ok {
			return nil, fmt.Errorf("%x: neither a cache nor in a slab", addr)
		}
		caches = append(caches, o.Slab.Cache)
	}
	return caches, nil
}

// allocatorSources are where the functions are that update caches.
var allocatorSources = []string{"slub.c", "slab.c", "slab_common.c"}

// allocatorFrames are the functions of the allocator that CPUs were stopped in,
// with all that they have in registers and on the stack.
func (t *Target) allocatorFrames() []slabcheck.Frame {
	tr, err := t.unwinder()
	if err != nil {
		return nil
	}
	var list []slabcheck.Frame
	for cpu, x := range tr.table.Current {
		if x == nil {
			continue
		}
		trace := tr.unwinder.Trace(thread(tr.table, x))
		first, name := t.stoppedIn(trace.Frames)
		if first < 0 {
			continue
		}
		f := slabcheck.Frame{CPU: cpu, Function: name, PC: trace.Frames[first].PC}
		for i := range trace.Frames {
			frame := &trace.Frames[i]
			if i > first && !inAllocator(siteAt(t.Opened.Kernel, frame)) {
				break
			}
			for r := range unwind.Reg(32) {
				if v, ok := frame.Regs.Get(r); ok {
					f.Words = append(f.Words, v)
				}
			}
			f.Words = append(f.Words, t.stackOf(frame.SP, frame.CFA)...)
		}
		list = append(list, f)
	}
	return list
}

// stoppedIn is the innermost frame of the allocator and its function, -1 if
// there is none, or if the CPU got from there by itself to where it stopped: what
// an interrupt finds may be half done, what the allocator trips over is not.
func (t *Target) stoppedIn(frames []unwind.Frame) (first int, function string) {
	for i := range frames {
		s := siteAt(t.Opened.Kernel, &frames[i])
		if !inAllocator(s) {
			continue
		}
		for j := i - 1; j >= 0; j-- {
			inner := siteAt(t.Opened.Kernel, &frames[j]).symbol
			switch {
			case interrupts(inner):
				return i, s.symbol
			case trips(inner):
				return -1, ""
			}
		}
		return i, s.symbol
	}
	return -1, ""
}

// interrupts reports whether a function is where the kernel is entered by an
// interrupt, of which the code that it finds knows nothing.
func interrupts(name string) bool {
	for _, part := range [...]string{"nmi", "interrupt", "sysvec", "irq_entries"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// trips reports whether a function is where the kernel is entered by a fault of
// its own, or gives up.
func trips(name string) bool {
	if strings.HasPrefix(name, "asm_exc_") || strings.HasPrefix(name, "exc_") {
		return true
	}
	return slices.Contains([]string{"panic", "die", "oops_end", "crash_kexec", "__crash_kexec", "__warn", "report_bug", "page_fault",
		"general_protection", "invalid_op", "no_context", "page_fault_oops"}, name)
}

// inAllocator reports whether a place in the code, or a call in it that the
// compiler put in place, is in the allocator's own source.
func inAllocator(s site) bool {
	if slices.Contains(allocatorSources, path.Base(s.file)) && strings.Contains(s.file, "/mm/") {
		return true
	}
	return slices.ContainsFunc(s.calls, func(c inlinedCall) bool {
		return slices.Contains(allocatorSources, path.Base(c.file)) && strings.Contains(c.file, "/mm/")
	})
}

// stackOf are the words of a stack frame.
func (t *Target) stackOf(sp, cfa uint64) []uint64 {
	if cfa <= sp || cfa-sp > 16<<10 {
		return nil
	}
	buf := make([]byte, (cfa-sp)&^7)
	if t.Opened.Kernel.Read(buf, sp) != nil {
		return nil
	}
	var words []uint64
	for i := 0; i < len(buf); i += 8 {
		words = append(words, binary.LittleEndian.Uint64(buf[i:]))
	}
	return words
}
