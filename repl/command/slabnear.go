package command

import (
	"context"
	"fmt"

	"github.com/kdive/kdive/identify"
	"github.com/kdive/kdive/repl/output"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/rules"
)

// findingRow is a finding with what is known of the objects around it.
type findingRow struct {
	*rules.Finding
	near []nearObject
}

// nearObject is the object of a finding, or one beside it.
type nearObject struct {
	rules.Neighbour
	what    *identity // nil: not asked for
	holders []*identity
	more    int // holders that are not kept
	tracks  []trackRow
}

// Limits of what is found out about objects around findings.
const (
	maxNear        = 256 // objects
	maxNearHolders = 4   // of each
)

// nearFindings finds out about the objects of findings and their neighbours: the
// place of the finding first, then what lies in front of and behind it. Holders
// of all of them are found in one pass over memory.
func (t *Target) nearFindings(ctx context.Context, list []*rules.Finding) ([]*findingRow, error) {
	rows := make([]*findingRow, len(list))
	about := map[uint64]*nearObject{}
	var asked []uint64
	for i, f := range list {
		rows[i] = &findingRow{Finding: f}
		near := f.Near
		if f.Slab != nil && f.Index >= 0 && f.Slab.Cache.Err == nil && f.Index < f.Slab.Objects {
			o := f.Slab.At(f.Index)
			n := rules.Neighbour{Object: o.Addr, Index: f.Index}
			n.State, n.Place, _ = o.State()
			near = append([]rules.Neighbour{n}, near...)
		}
		for _, n := range near {
			rows[i].near = append(rows[i].near, nearObject{Neighbour: n})
			if len(about) < maxNear && about[n.Object] == nil {
				about[n.Object] = &nearObject{Neighbour: n}
				if n.State != slab.Free {
					asked = append(asked, n.Object)
				}
			}
		}
	}
	if len(about) == 0 {
		return rows, nil
	}
	if err := t.whoHolds(ctx, about, asked); err != nil {
		return nil, err
	}
	for _, r := range rows {
		for i := range r.near {
			if n := about[r.near[i].Object]; n != nil {
				r.near[i] = *n
			}
		}
	}
	return rows, nil
}

// whoHolds fills in what objects are and who points to them.
func (t *Target) whoHolds(ctx context.Context, about map[uint64]*nearObject, asked []uint64) error {
	k := t.Opened.Kernel
	m, err := t.identify()
	if err != nil {
		return nil // then it is not known
	}
	if len(asked) > 0 {
		if err := m.Learn(ctx, asked, nil); err != nil {
			return err
		}
		for h, err := range m.Holders(ctx, asked, nil) {
			if err != nil {
				return err
			}
			n := about[h.Object]
			if n == nil {
				continue
			}
			if h.Place.Kind == identify.PageStruct || len(n.holders) >= maxNearHolders {
				n.more++
				continue
			}
			n.holders = append(n.holders, identityAt(k, m, h.Place.Addr))
		}
	}
	hz := t.hz()
	for _, n := range about {
		n.what = identityAt(k, m, n.Object)
		n.what.target = true
		if n.what.Kind != identify.Object {
			continue
		}
		tracks, err := n.what.Object.Tracks()
		if err != nil {
			continue
		}
		for i := range tracks {
			n.tracks = append(n.tracks, trackRow{&tracks[i], n.what.Object, k, hz})
		}
	}
	return ctx.Err()
}

// append shows an object as lines below a finding about the object number at.
func (n *nearObject) append(b []byte, at int) []byte {
	label := "BEHIND    "
	switch {
	case n.Index < at:
		label = "BEFORE    "
	case n.Index == at:
		label = "HERE      "
	}
	b = fmt.Appendf(b, "    %s%016x #%d %s", label, n.Object, n.Index, n.State)
	if n.State == slab.Free || n.State == slab.Pending {
		b = fmt.Appendf(b, " (%s)", n.Place)
	}
	if n.what != nil && n.State != slab.Free {
		if w := n.what.what(); w != "" {
			b = fmt.Appendf(b, "  %s", w)
		}
	}
	b = append(b, '\n')
	for i := range n.tracks {
		r := &n.tracks[i]
		b = fmt.Appendf(b, "              %s by %s, PID %d\n", r.event(), r.place(r.Addr), r.PID)
	}
	for _, h := range n.holders {
		b = append(h.line(append(b, "              held by "...)), '\n')
	}
	if n.more > 0 {
		b = fmt.Appendf(b, "              and by %d more\n", n.more)
	}
	return b
}

func neighboursValue(f *findingRow) output.Value {
	if len(f.near) == 0 {
		return output.Null()
	}
	list := make([]output.Value, len(f.near))
	for i := range f.near {
		list[i] = f.near[i].value()
	}
	return output.List(list...)
}

func (n *nearObject) value() output.Value {
	place := output.Null()
	if n.State == slab.Free || n.State == slab.Pending {
		place = output.String(n.Place.String())
	}
	fields := []output.Field{{Name: "object", Value: output.Addr(n.Object)}, {Name: "index", Value: output.Int(n.Index)},
		{Name: "state", Value: output.String(n.State.String())}, {Name: "place", Value: place}}
	if n.what != nil {
		fields = append(fields, output.Field{Name: "what", Value: n.what.value()})
	}
	if len(n.holders) > 0 {
		var list []output.Value
		for _, h := range n.holders {
			list = append(list, h.value())
		}
		fields = append(fields, output.Field{Name: "holders", Value: output.List(list...)}, output.Field{Name: "more_holders", Value: output.Int(n.more)})
	}
	if len(n.tracks) > 0 {
		var list []output.Value
		for i := range n.tracks {
			list = append(list, trackRecord.Value(&n.tracks[i]))
		}
		fields = append(fields, output.Field{Name: "tracks", Value: output.List(list...)})
	}
	return output.Object(fields...)
}
