package identify

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/kdive/kdive/ctype"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/search"
	"github.com/kdive/kdive/slab"
)

// Holder is a word that points to an object.
type Holder struct {
	Place  Place  // of the word
	Object uint64 // what it points to
}

// Limits of Learn: objects to find the types of, and holders that are
// remembered for one of them.
const (
	maxLearned = 1 << 20
	maxHolders = 64
	maxRounds  = 2
)

// Learn finds the types of objects of caches that anybody takes memory of: it
// looks in all of memory for words that point to them, and takes the type of the
// pointer, or what a rule says of it. Where the holder is of unknown type, too,
// its own holders are looked for, once. bases are addresses of objects; those
// whose type is known or was asked for before cost nothing. progress may be nil.
func (m *Model) Learn(ctx context.Context, bases []uint64, progress func(done uint64)) error {
	l := &learner{m: m, progress: progress, holders: map[uint64][]Place{}}
	next := slices.Clone(bases)
	for range maxRounds {
		if next = l.unknown(next); len(next) == 0 {
			break
		}
		found, err := l.round(ctx, next)
		if err != nil {
			return err
		}
		next = found
	}
	l.decide()
	return nil
}

// knows reports whether the type of an object needs no look at its holders.
func (m *Model) knows(p *Place) bool {
	t, ok := m.objectType(p)
	return ok && (t.Certain || t.Source != FromCache)
}

type learner struct {
	m        *Model
	progress func(done uint64)
	holders  map[uint64][]Place // by object
	order    []uint64           // objects, first asked first
}

// unknown are the objects whose type is not known and was not looked for yet.
func (l *learner) unknown(bases []uint64) []uint64 {
	m := l.m
	out := bases[:0]
	for _, b := range bases {
		p := m.Find(b)
		if p.Kind != Object || p.Offset() != 0 {
			continue
		}
		if m.knows(&p) {
			continue
		}
		m.typeMu.Lock()
		if !m.asked[b] && len(m.asked) < maxLearned {
			m.asked[b] = true
			out = append(out, b)
			l.order = append(l.order, b)
		}
		m.typeMu.Unlock()
	}
	return out
}

// round finds the holders of objects, and returns those holders that are
// objects of unknown type themselves.
func (l *learner) round(ctx context.Context, bases []uint64) (unknown []uint64, err error) {
	m := l.m
	for h, err := range m.Holders(ctx, bases, l.progress) {
		if err != nil {
			return nil, err
		}
		list := l.holders[h.Object]
		if len(list) >= maxHolders {
			continue
		}
		l.holders[h.Object] = append(list, h.Place)
		if h.Place.Kind == Object {
			if !m.knows(&h.Place) {
				unknown = append(unknown, h.Place.Base)
			}
		}
	}
	slices.Sort(unknown)
	return slices.Compact(unknown), nil
}

// decide settles the types, of the objects asked last first: they are the
// holders of those before.
func (l *learner) decide() {
	for _, base := range slices.Backward(l.order) {
		b := ballot{m: l.m, object: l.m.Find(base)}
		for i := range l.holders[base] {
			b.hear(&l.holders[base][i])
		}
		if t, ok := b.winner(); ok {
			l.m.typeMu.Lock()
			l.m.learned[base] = t
			l.m.typeMu.Unlock()
		}
	}
}

// Holders yields the words of kernel memory that are the address of one of the
// objects. Words in memory that is not in use, and in the object itself, are left
// out.
func (m *Model) Holders(ctx context.Context, objects []uint64, progress func(done uint64)) iter.Seq2[Holder, error] {
	return func(yield func(Holder, error) bool) {
		pattern, err := search.Set(slices.Clone(objects))
		if err != nil {
			return // nothing to look for
		}
		s := search.Search{Dump: m.k.Dump, Pattern: pattern, Memory: m.k, Extents: m.writable(ctx), Progress: progress}
		for h, err := range s.Hits(ctx) {
			if err != nil {
				if ctx.Err() == nil {
					continue // a page table that cannot be read
				}
				yield(Holder{}, err)
				return
			}
			p := m.Find(h.Addr)
			if p.Alias() && !m.inImage(p.At) || !m.inUse(&p) || p.Kind == Object && p.Base == h.Word {
				continue
			}
			if !yield(Holder{p, h.Word}, nil) {
				return
			}
		}
	}
}

// writable is the kernel's memory, each piece once as far as it is known by one
// address only: the image is part of the direct map.
func (m *Model) writable(ctx context.Context) iter.Seq2[kernel.Extent, error] {
	return func(yield func(kernel.Extent, error) bool) {
		for _, z := range m.k.Zones() {
			last := z.Last
			switch r := m.pageReader(); {
			case z.Kind == kernel.ZoneImage:
				continue
			case r != nil && z.Kind == kernel.ZoneDynamic:
				if base := r.pages.Address(0); base > z.Start && base <= last {
					last = base - 1 // page structures hold pages, not objects
				}
			}
			for e, err := range m.k.Extents(ctx, z, z.Start, last) {
				if !yield(e, err) {
					return
				}
			}
		}
	}
}

// inUse reports whether what lies at a place counts: memory that nobody uses
// keeps old words.
func (m *Model) inUse(p *Place) bool {
	switch p.Kind {
	case Object:
		state, _, err := p.Object.State()
		return err != nil || state != slab.Free
	case Nothing, SlabRest, FreePage, FilePage, AnonPage:
		return false
	}
	return true
}

// ballot counts what the holders of an object say that it is.
type ballot struct {
	m      *Model
	object Place
	votes  []vote
}

// vote is one opinion.
type vote struct {
	Typing
	weight int
}

// Weights of opinions: a rule knows, a pointer to a structure is nearly sure, to
// numbers or pointers it may be any piece of memory.
const (
	byRule    = 1000
	byStruct  = 10
	byElement = 1
)

// hear takes the opinion of one holder.
func (b *ballot) hear(holder *Place) {
	t, ok := b.m.TypeAt(holder)
	if !ok {
		return
	}
	f, ok := b.m.MemberAt(holder, &t)
	if !ok || f.Offset != 0 {
		return
	}
	at := holder.At
	where := fmt.Sprintf("%s of %#x", memberName(&t, f.Path), holder.Base)
	if holder.Kind == Symbol || holder.Kind == PerCPU {
		where = symbolMember(holder, f.Path)
	}
	if typ, why := b.m.ruleFor(t.Type.Name(), holder.Base, holder.Offset()); typ != nil {
		b.count(Typing{Type: typ, Source: FromRule, Certain: true, Why: why, Holder: at}, byRule)
		return
	}
	u := f.Type.Underlying()
	if u.Kind() != ctype.Pointer || u.Elem() == nil {
		return
	}
	target := u.Elem()
	size := target.Size()
	switch k := target.Underlying().Kind(); {
	case size <= 0 || size > int64(b.object.Size):
	case k == ctype.Struct || k == ctype.Union:
		target = target.Underlying() // without const and the like
		b.count(Typing{Type: target, Source: FromPointer, Why: "pointed to by " + where, Holder: at}, byStruct)
	case k == ctype.Pointer || k == ctype.Int || k == ctype.Bool:
		b.count(Typing{Type: target, Array: true, Source: FromPointer, Why: "pointed to by " + where, Holder: at}, byElement)
	}
}

func (b *ballot) count(t Typing, weight int) {
	for i := range b.votes {
		if v := &b.votes[i]; v.Type == t.Type && v.Array == t.Array || v.Name() == t.Name() {
			v.Holders++
			v.weight += weight
			if t.Source < v.Source {
				t.Holders = v.Holders
				v.Typing = t
			}
			return
		}
	}
	t.Holders = 1
	b.votes = append(b.votes, vote{t, weight})
}

// winner is the opinion with the most weight; of equals the larger structure,
// which the other may be the beginning of.
func (b *ballot) winner() (Typing, bool) {
	if len(b.votes) == 0 {
		return Typing{}, false
	}
	best, all := 0, 0
	for i := range b.votes {
		v, w := &b.votes[i], &b.votes[best]
		all += v.Holders
		if v.weight > w.weight || v.weight == w.weight && v.Type.Size() > w.Type.Size() {
			best = i
		}
	}
	t := b.votes[best].Typing
	t.Against = all - t.Holders
	return t, true
}

// memberName is "file.private_data": the structure and member.
func memberName(t *Typing, path string) string {
	name := t.Type.Name()
	if name == "" {
		name = t.Name()
	}
	switch {
	case path == "":
		return name
	case path[0] == '[':
		return name + path
	}
	return name + "." + path
}

// symbolMember is the variable and the member of it.
func symbolMember(p *Place, path string) string {
	switch {
	case path == "":
		return p.Symbol.Name
	case path[0] == '[':
		return p.Symbol.Name + path
	}
	return p.Symbol.Name + "." + path
}
