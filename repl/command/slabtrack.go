package command

import (
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/sysinfo"
)

// trackRow is the record of one user of an object.
type trackRow struct {
	*slab.Track
	object slab.Object
	k      *kernel.Kernel
	hz     int
}

func (r *trackRow) event() string {
	if r.Freed {
		return "freed"
	}
	return "allocated"
}

// place is an address in the code as symbol+offset.
func (r *trackRow) place(addr uint64) string {
	if name, off, ok := r.k.SymbolAt(addr); ok {
		return fmt.Sprintf("%s+%d", name, off)
	}
	return fmt.Sprintf("%#x", addr)
}

var trackRecord = &output.Record[trackRow]{
	Type: "slab_track",
	Help: "who allocated or freed an object last",
	Columns: []output.Column[trackRow]{
		{Name: "object", Help: "address of the object", Get: func(r *trackRow) output.Value { return output.Addr(r.object.Addr) }},
		{Name: "cache_name", Help: "name of its cache", Get: func(r *trackRow) output.Value { return output.String(r.object.Slab.Cache.Name) }},
		{Name: "event", Help: "allocated or freed", Get: func(r *trackRow) output.Value { return output.String(r.event()) }},
		{Name: "caller", Help: "address in the code that called the allocator", Get: func(r *trackRow) output.Value { return output.Addr(r.Addr) }},
		{Name: "symbol", Help: "function and offset of that", Get: func(r *trackRow) output.Value { return output.String(r.place(r.Addr)) }},
		{Name: "cpu", Help: "CPU that it ran on", Get: func(r *trackRow) output.Value { return output.Int(r.CPU) }},
		{Name: "pid", Help: "process that it ran for", Get: func(r *trackRow) output.Value { return output.Int(r.PID) }},
		{Name: "jiffies", Help: "when, in ticks of the kernel's clock", Get: func(r *trackRow) output.Value { return output.Uint(r.When) }},
		{Name: "age", Help: "ticks from then until the dump", Get: func(r *trackRow) output.Value { return output.Int(r.Age) }},
		{Name: "seconds", Help: "the same in seconds", Get: func(r *trackRow) output.Value {
			if r.hz == 0 {
				return output.Null()
			}
			return output.Float(float64(r.Age) / float64(r.hz))
		}},
		{Name: "stack", Help: "calls that led there, the innermost first: address, function and offset", Get: func(r *trackRow) output.Value {
			list := make([]output.Value, len(r.Stack))
			for i, pc := range r.Stack {
				list[i] = output.Object(output.Field{Name: "pc", Value: output.Addr(pc)}, output.Field{Name: "symbol", Value: output.String(r.place(pc))})
			}
			return output.List(list...)
		}},
		{Name: "fault", Help: "why there is no stack", Get: func(r *trackRow) output.Value { return output.Fault(r.Err) }},
	},
	Text: func(b []byte, r *trackRow) []byte {
		b = fmt.Appendf(b, "%s by %s, PID %d on CPU %d, ", r.event(), r.place(r.Addr), r.PID, r.CPU)
		if r.hz != 0 {
			b = fmt.Appendf(b, "%.3f seconds before the dump\n", float64(r.Age)/float64(r.hz))
		} else {
			b = fmt.Appendf(b, "%d ticks before the dump\n", r.Age)
		}
		for i, pc := range r.Stack {
			b = fmt.Appendf(b, "  #%d %016x %s\n", i, pc, r.place(pc))
		}
		if r.Err != nil {
			b = fmt.Appendf(b, "  %v\n", r.Err)
		}
		return b
	},
}

// showTracks is slabcheck -t.
func showTracks(t *Target, c *repl.Call, m *slab.Model) error {
	if len(c.Args) == 0 {
		return c.Usage("an address of an object is expected")
	}
	for _, arg := range c.Args {
		addr, err := t.address(arg)
		if err != nil {
			c.Error(err)
			continue
		}
		o, _, ok := t.findObject(m, addr)
		if !ok || o.Index < 0 {
			c.Error(fmt.Errorf("%x: not in an object of a cache", addr))
			continue
		}
		if err := t.tracksOf(c, o); err != nil {
			c.Error(fmt.Errorf("%x: %w", addr, err))
		}
	}
	return nil
}

// tracksOf shows the records of an object under a line that names it.
func (t *Target) tracksOf(c *repl.Call, o slab.Object) error {
	tracks, err := o.Tracks()
	if err != nil {
		return err
	}
	state, _, _ := o.State()
	c.Out.Printf("%016x %s #%d of slab %016x: %s\n", o.Addr, o.Slab.Cache.Name, o.Index, o.Slab.Addr, state)
	if len(tracks) == 0 {
		c.Out.Note("%x: nobody has allocated this object since its slab was made", o.Addr)
	}
	hz := t.hz()
	for i := range tracks {
		trackRecord.Emit(c.Out, &trackRow{&tracks[i], o, t.Opened.Kernel, hz})
	}
	return nil
}

// hz is how often the kernel's clock ticks in a second, 0 if that is not known.
func (t *Target) hz() int {
	h, err := sysinfo.ReadHZ(t.Opened.Kernel)
	if err != nil {
		return 0
	}
	return int(h.Value)
}
