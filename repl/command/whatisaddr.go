package command

import (
	"context"
	"fmt"

	"github.com/kdive/kdive/identify"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// placeRow is all that is known of an address.
type placeRow struct {
	*identity
	physical uint64
	mapped   bool // physical is known

	word     uint64
	readErr  error
	pointsTo *identity // nil: word is no address of anything

	holders []heldAt
	more    int // holders that are not in the list
	stale   int // words in parts of stacks that are not in use
}

// heldAt is a word that points to the object.
type heldAt struct {
	addr uint64
	by   *identity
}

// maxHolders is how many holders are listed.
const maxHolders = 64

var placeRecord = &output.Record[placeRow]{
	Type: "place",
	Help: "what is at an address",
	Columns: []output.Column[placeRow]{
		{Name: "address", Help: "kernel virtual address that was asked for", Get: func(r *placeRow) output.Value { return output.Addr(r.Addr) }},
		{Name: "physical", Help: "its physical address; null: not mapped", Get: func(r *placeRow) output.Value { return onlyIf(r.mapped, output.Addr(r.physical)) }},
		{Name: "what", Help: "its kind and what is known of that", Get: func(r *placeRow) output.Value { return r.identity.value() }},
		{Name: "word", Help: "the 8 bytes there", Get: func(r *placeRow) output.Value {
			if r.readErr != nil {
				return output.Fault(r.readErr)
			}
			return output.Hex(r.word)
		}},
		{Name: "points_to", Help: "what the word is the address of; null: nothing", Get: func(r *placeRow) output.Value {
			if r.pointsTo == nil {
				return output.Null()
			}
			return r.pointsTo.value()
		}},
		{Name: "holders", Help: "words in memory that are the address of the object: address, holder", Get: func(r *placeRow) output.Value {
			var v []output.Value
			for _, h := range r.holders {
				v = append(v, output.Object(output.Field{Name: "address", Value: output.Addr(h.addr)}, output.Field{Name: "holder", Value: h.by.value()}))
			}
			return output.List(v...)
		}},
		{Name: "more_holders", Help: "holders that are not in the list", Get: func(r *placeRow) output.Value { return output.Int(r.more) }},
		{Name: "stale_holders", Help: "words in parts of stacks that are not in use; not in the list", Get: func(r *placeRow) output.Value { return output.Int(r.stale) }},
	},
	Text: placeText,
}

func placeText(b []byte, r *placeRow) []byte {
	b = r.line(fmt.Appendf(b, "%x: ", r.Addr))
	b = append(b, '\n')
	row := func(name, format string, args ...any) {
		b = fmt.Appendf(b, "%10s  "+format+"\n", append([]any{name}, args...)...)
	}
	switch r.Kind {
	case identify.Object:
		s := r.Object.Slab
		row("object", "%d of %d in slab %x of cache %s, %d bytes each", r.Object.Index, s.Objects, s.Addr, s.Cache.Name, s.Cache.Size)
		if r.stateErr != nil {
			row("state", "%v", r.stateErr)
		}
	case identify.Symbol, identify.PerCPU:
		if r.Size > 0 {
			row("symbol", "%x to %x, %d bytes", r.Base, r.Base+r.Size-1, r.Size)
		}
	case identify.Nothing:
		return b
	default:
		row("memory", "%x to %x", r.Base, r.Base+r.Size-1)
	}
	if e := r.Evidence(); e != "" {
		row("known by", "%s", e)
	}
	if r.typed {
		row("type", "%s: %s%s", r.typing.Name(), r.typing.Why, votes(&r.typing))
	}
	if r.inMember && r.member.Path != "" {
		row("member", "%s", r.member.Type.Declare(r.member.Path))
	}
	if r.mapped {
		row("physical", "%x", r.physical)
	}
	switch {
	case r.readErr != nil:
		row("word", "%v", r.readErr)
	case r.pointsTo != nil:
		row("word", "%016x  %s", r.word, r.pointsTo.line(nil))
	default:
		row("word", "%016x", r.word)
	}
	name := "held by"
	for _, h := range r.holders {
		row(name, "%x  %s", h.addr, h.by.line(nil))
		name = ""
	}
	if r.more > 0 {
		row(name, "and %d more words", r.more)
	}
	if r.stale > 0 {
		row(name, "%d words in unused parts of stacks", r.stale)
	}
	return b
}

// votes is how many holders say so, if there are several.
func votes(t *identify.Typing) string {
	switch {
	case t.Against > 0:
		return fmt.Sprintf(" (%d holders say so, %d otherwise)", t.Holders, t.Against)
	case t.Holders > 1:
		return fmt.Sprintf(" (%d holders say so)", t.Holders)
	}
	return ""
}

// whatIsAt shows what is at an address.
func (t *Target) whatIsAt(ctx context.Context, c *repl.Call, addr uint64) error {
	m, err := t.identify()
	if err != nil {
		return err
	}
	k := t.Opened.Kernel
	r := placeRow{identity: identityAt(k, m, addr)}
	if r.Kind == identify.Object && !c.Has("q") {
		if err := t.findHolders(ctx, c, &r); err != nil {
			return err
		}
	}
	if r.Kind == identify.Symbol {
		for _, d := range t.declarations(k, r.Symbol.Name) {
			if d.addr == r.Symbol.Addr {
				declarationRecord.Emit(c.Out, &d)
				break
			}
		}
	}
	r.physical, r.mapped = physicalAt(k, addr)
	if r.word, r.readErr = k.U64(addr &^ 7); r.readErr == nil && k.IsKernelAddress(r.word) {
		if x := identityAt(k, m, r.word); x.Kind != identify.Nothing {
			x.target, r.pointsTo = true, x
		}
	}
	placeRecord.Emit(c.Out, &r)
	return nil
}

func physicalAt(k *kernel.Kernel, addr uint64) (uint64, bool) {
	p, _, err := k.Translate(addr)
	return p, err == nil
}

// findHolders looks for who points to an object, and what that makes of it.
func (t *Target) findHolders(ctx context.Context, c *repl.Call, r *placeRow) error {
	m, err := t.identify()
	if err != nil {
		return err
	}
	k := t.Opened.Kernel
	progress := func(done uint64) { c.Progress(done, 0) }
	var at []uint64
	bases := []uint64{r.Base}
	for h, err := range m.Holders(ctx, bases[:1], progress) {
		if err != nil {
			return err
		}
		if f, ok := m.FrameAt(&h.Place); ok && h.Place.Kind == identify.TaskStack && f.Part == identify.Unused {
			r.stale++
			continue
		}
		if len(at) == maxHolders {
			r.more++
			continue
		}
		at = append(at, h.Place.Addr)
		if h.Place.Kind == identify.Object {
			bases = append(bases, h.Place.Base)
		}
	}
	if err := m.Learn(ctx, bases, progress); err != nil {
		return err
	}
	r.identity = identityAt(k, m, r.Addr)
	for _, a := range at {
		r.holders = append(r.holders, heldAt{a, identityAt(k, m, a)})
	}
	return nil
}
