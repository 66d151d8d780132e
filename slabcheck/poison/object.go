package poison

import (
	"bytes"
	"fmt"

	"github.com/kdive/kdive/slabcheck/rules"
	"github.com/kdive/kdive/value"
)

// object is one object with what is around it.
type object struct {
	c      *Cache
	s      *Slab
	i      int
	d      layout
	b      []byte // from the red zone in front to the end of the padding
	free   bool
	sure   rules.Sure
	report func(rules.Finding)
}

// guess decides whether an object is free where the lists cannot: by its red zone.
func (o *object) guess() {
	o.sure = rules.Likely
	if o.c.Flags&o.c.flags.RedZone == 0 {
		return
	}
	z := o.part(o.d.size, o.d.inuse)
	inactive := bytes.Count(o.b[:o.d.left], []byte{redInactive}) + bytes.Count(z, []byte{redInactive})
	o.free = 2*inactive > len(z)+int(o.d.left)
}

// part is what is from one offset to another from the object's start.
func (o *object) part(from, to int64) []byte {
	from, to = from+o.d.left, to+o.d.left
	if from < 0 || from > to || to > int64(len(o.b)) {
		return nil
	}
	return o.b[from:to]
}

// check compares a part with what it should be filled with.
func (o *object) check(r *rules.Rule, from, to int64, fill byte, what string) {
	b := o.part(from, to)
	first := other(b, fill)
	if first < 0 {
		return
	}
	state := "an allocated"
	if o.free {
		state = "a free"
	}
	f := rules.New(r, "the %s %s object is overwritten", what, state)
	f.Slab, f.Object, f.Index, f.Sure = o.s.Slab, o.s.Object(o.i), o.i, o.sure
	pattern(&f, f.Object+uint64(from), b, first, fill)
	f.Offset = from + int64(first)
	f.Window, f.Touches = first == 0, []uint64{f.Object}
	o.report(f)
}

func (o *object) zones() {
	c := o.c
	if c.Flags&c.flags.RedZone == 0 {
		if c.Flags&c.flags.Poison != 0 {
			o.check(rules.PadAlign, o.d.size, o.d.inuse, poisonInuse, "padding behind the data of")
		}
		return
	}
	fill, opposite := byte(redActive), byte(redInactive)
	if o.free {
		fill, opposite = opposite, fill
	}
	if o.filled(-o.d.left, 0, opposite) && o.filled(o.d.size, o.d.inuse, opposite) {
		o.otherState(fill, opposite)
		return
	}
	o.check(rules.RedLeft, -o.d.left, 0, fill, "red zone in front of")
	o.check(rules.RedRight, o.d.size, o.d.inuse, fill, "red zone behind")
	if asked, ok := o.asked(); ok && c.extra && !o.free && asked <= o.d.size {
		o.check(rules.RedExtra, asked, o.d.size, fill, fmt.Sprintf("red zone behind the %d bytes that were asked for of", asked))
	}
}

// filled reports whether a part that is not empty is filled with one byte.
func (o *object) filled(from, to int64, fill byte) bool {
	b := o.part(from, to)
	return len(b) > 0 && other(b, fill) < 0
}

// otherState reports an object whose red zones are whole, and those of the other
// state: it was put on a list without being freed, or taken off without being
// allocated. While a CPU moves objects from one list to another, they are on none.
func (o *object) otherState(fill, opposite byte) {
	text := "the red zones of an object on no list say that it is free"
	if o.free {
		text = "the red zones of a free object say that it is allocated"
	}
	f := rules.New(rules.RedState, "%s", text)
	f.Slab, f.Object, f.Index, f.Sure = o.s.Slab, o.s.Object(o.i), o.i, o.sure
	f.At, f.Offset = f.Object+uint64(o.d.size), o.d.size
	f.Found, f.Expected = []byte{opposite}, []byte{fill}
	f.Window, f.Touches, f.Within = true, []uint64{f.Object}, o.s.Slab
	o.report(f)
}

// asked is the size that kmalloc was asked for.
func (o *object) asked() (int64, bool) {
	if o.c.origLen == 0 || o.d.orig == 0 {
		return 0, false
	}
	b := o.part(o.d.orig, o.d.orig+int64(o.c.origLen))
	if b == nil {
		return 0, false
	}
	v := int64(value.Number(b))
	if !o.free && (v < 0 || v > o.d.size) {
		f := rules.New(rules.OrigSize, "the object says that %d bytes of %d were asked for", v, o.d.size)
		f.Slab, f.Object, f.Index = o.s.Slab, o.s.Object(o.i), o.i
		f.At, f.Offset, f.Found = f.Object+uint64(o.d.orig), o.d.orig, bytes.Clone(b)
		o.report(f)
		return 0, false
	}
	return v, true
}

func (o *object) poison() {
	c := o.c
	if !o.free || c.Flags&c.flags.ObjPoison == 0 || c.Flags&c.flags.Poison == 0 || o.d.size < 1 || c.n.Kasan.Present() {
		return
	}
	from, to := int64(0), o.d.size-1
	if link := c.Layout().Link; link < o.d.inuse && link < o.d.size {
		return // the free pointer is in it
	}
	o.check(rules.Poison, from, to, poisonFree, "poison of")
	o.check(rules.PoisonEnd, to, o.d.size, poisonEnd, "end of the poison of")
}

func (o *object) padding() {
	c := o.c
	if c.Flags&c.flags.Poison == 0 || c.n.Kasan.Present() {
		return
	}
	if c.Flags&c.flags.Kmalloc != 0 && c.Flags&c.flags.StoreUser != 0 && c.origLen == 0 {
		return // where it begins is not known
	}
	o.check(rules.PadObject, o.d.end+c.extInObject(o.s), o.d.whole, poisonInuse, "padding at the end of")
}

// link checks the free pointer of an allocated object, where it has a place of
// its own: it is what the object had on the list.
func (o *object) link() {
	c := o.c
	link := c.Layout().Link
	if o.free || link < o.d.inuse {
		return
	}
	b := o.part(link, link+8)
	if b == nil {
		return
	}
	raw := value.Number(b)
	at := o.s.Object(o.i)
	to := o.s.DecodeLink(at, raw)
	if _, ok := o.s.Index(to); ok || to == 0 {
		return
	}
	if c.Flags&c.flags.Poison != 0 && other(b, poisonInuse) < 0 {
		return // it never was on a list
	}
	f := rules.New(rules.FreePointer, "the free pointer of allocated object %#x leads to %#x, no object of the slab", at, to)
	f.Slab, f.Object, f.Index, f.Sure = o.s.Slab, at, o.i, o.sure
	f.At, f.Offset, f.Member, f.Found, f.Target = at+uint64(link), link, "free pointer", rules.Word(raw, 8), to
	o.report(f)
}

func (o *object) wiped() {
	c := o.c
	if !o.free || !c.Wiped() {
		return
	}
	if o.s.Waits(o.i) {
		return
	}
	link := c.Layout().Link
	if c.slub {
		o.check(rules.FreeWiped, 0, min(link, o.d.size), 0, "zeroed data of")
		o.check(rules.FreeWiped, min(link+8, o.d.size), o.d.size, 0, "zeroed data of")
	}
}

// other is the index of the first byte that is not v, -1 if all are.
func other(b []byte, v byte) int {
	for i := range b {
		if b[i] != v {
			return i
		}
	}
	return -1
}
