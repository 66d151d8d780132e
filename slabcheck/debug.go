package slabcheck

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/chain"
	"github.com/kdive/kdive/slabcheck/rules"
	"github.com/kdive/kdive/value"
)

// What SLUB fills memory with (include/linux/poison.h).
const (
	redInactive = 0xbb
	redActive   = 0xcc
	poisonInuse = 0x5a
	poisonFree  = 0x6b
	poisonEnd   = 0xa5
)

// debugLayout is where the debugging data of an object is (mm/slub.c, "Object
// layout"), from the object's start.
type debugLayout struct {
	left, size, inuse, tracks, orig, end, whole int64
}

func (c *cacheCheck) debugging() bool {
	return c.slub && c.Flags&(c.flags.RedZone|c.flags.Poison|c.flags.StoreUser) != 0
}

func (c *cacheCheck) debugLayout() debugLayout {
	l := c.Layout()
	d := debugLayout{left: l.Lead, size: c.ObjectSize, whole: c.Size - l.Lead}
	d.inuse, d.tracks, _ = c.Behind()
	d.end = d.tracks
	if c.Flags&c.flags.StoreUser != 0 {
		track, _ := c.tracks()
		d.end += 2 * int64(track.Size)
		d.orig = d.end
		d.end += int64(c.origLen)
	}
	return d
}

// learnDebug finds out what the kernel writes and nothing declares: how many
// bytes the size that was asked for takes, and whether what kmalloc gave beyond
// it is a red zone. Most objects tell.
func (c *cacheCheck) learnDebug() {
	if !c.debugging() || c.Flags&c.flags.Kmalloc == 0 || c.Flags&c.flags.StoreUser == 0 {
		return
	}
	d := c.debugLayout()
	var four, eight, red, plain int
	for i := range c.slabs {
		s := &c.slabs[i]
		if four+eight > 200 {
			break
		}
		for j := range s.Objects {
			o := s.At(j)
			if state, _, _ := o.State(); state != slab.Allocated {
				continue
			}
			var b [8]byte
			if c.k.Read(b[:], o.Addr+uint64(d.orig)) != nil {
				continue
			}
			asked := int64(binary.LittleEndian.Uint32(b[:]))
			if asked > d.size {
				continue
			}
			switch binary.LittleEndian.Uint32(b[4:]) {
			case 0:
				eight++
			case 0x5a5a5a5a:
				four++
			}
			if n := d.size - asked; n > 0 && n <= 4096 {
				room := make([]byte, n)
				if c.k.Read(room, o.Addr+uint64(asked)) == nil {
					if other(room, redActive) < 0 {
						red++
					} else {
						plain++
					}
				}
			}
		}
	}
	switch {
	case four+eight == 0:
	case four > eight:
		c.origLen = 4
	default:
		c.origLen = 8
	}
	c.extra = red > 4*plain && red > 0
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

// debugSlab checks what debugging puts around and into the objects of a slab.
func (c *cacheCheck) debugSlab(s *slabRec, free chain.Set, broken bool) {
	if !c.debugging() && !c.wipesFree() || s.Objects <= 0 || c.Size <= 0 {
		return
	}
	if !c.debugging() && free.Count() == 0 && len(c.held) == 0 {
		return
	}
	room := int64(kernel.PageSize) << max(c.orderOf(s), 0)
	if int64(s.Objects)*c.Size > room {
		return
	}
	buf := make([]byte, room)
	if err := c.k.Read(buf, s.Base); err != nil {
		c.cannot(err)
		return
	}
	d := c.debugLayout()
	for i := range s.Objects {
		at := int64(i) * c.Size
		_, held := c.held[s.Object(i)]
		o := objectBytes{c: c, s: s, i: i, d: d, b: buf[at : at+c.Size], free: free.Has(i) || held, sure: rules.Certain}
		if broken && !o.free {
			o.guess()
		}
		if !c.debugging() {
			o.wiped()
			continue
		}
		o.zones()
		o.poison()
		o.padding()
		o.trackRecords()
		o.link()
	}
	if c.Flags&c.flags.Poison != 0 {
		c.slabPadding(s, buf)
	}
}

// slabPadding checks what is behind the last object.
func (c *cacheCheck) slabPadding(s *slabRec, buf []byte) {
	from := int64(s.Objects) * c.Size
	to := int64(len(buf))
	if exts, size := c.objExts(s); size > 0 && exts >= from && exts+size <= to {
		// Only what is behind the accounting data is padding.
		from = exts + size
	}
	if from >= to {
		return
	}
	if o := other(buf[from:to], poisonInuse); o >= 0 {
		f := rules.New(rules.PadSlab, "the padding at the end of slab %#x is overwritten", s.Addr)
		f.Slab = s.Slab
		c.pattern(&f, s.Base+uint64(from), buf[from:to], o, poisonInuse)
		f.Offset = int64(f.At - s.Base)
		c.add(f)
	}
}

// objExts is where the accounting data of a slab's objects is, from the slab's
// start, if it is behind the objects; or, with a stride of the object size, in
// each object.
func (c *cacheCheck) objExts(s *slabRec) (at, size int64) {
	n := &c.sub
	if !n.ObjExts.Present() || !n.Stride.Present() || n.ExtSize == 0 {
		return 0, 0
	}
	v, err := n.ObjExts.Uint(c.k, s.Addr)
	if err != nil {
		return 0, 0
	}
	at = int64(v&^7 - s.Base)
	if at < 0 || at >= int64(kernel.PageSize)<<max(c.orderOf(s), 0) {
		return 0, 0
	}
	return at, int64(n.ExtSize) * int64(s.Objects)
}

// extInObject is the size of the accounting data in each object, 0 if it is
// elsewhere.
func (c *cacheCheck) extInObject(s *slabRec) int64 {
	n := &c.sub
	if _, size := c.objExts(s); size == 0 {
		return 0
	}
	if v, err := n.Stride.Uint(c.k, s.Addr); err != nil || int64(v) != c.Size {
		return 0
	}
	return int64(n.ExtSize)
}

// pattern fills in what is at address at, from the first byte that is not fill
// up to 64 bytes of those that differ.
func (c *cacheCheck) pattern(f *rules.Finding, at uint64, b []byte, first int, fill byte) {
	last := len(b)
	for last > first+1 && b[last-1] == fill {
		last--
	}
	f.Text += fmt.Sprintf(", %d bytes from %#x on", last-first, at+uint64(first))
	last = min(last, first+64)
	f.At = at + uint64(first)
	f.Found = bytes.Clone(b[first:last])
	f.Expected = bytes.Repeat([]byte{fill}, last-first)
}

// objectBytes is one object with what is around it.
type objectBytes struct {
	c    *cacheCheck
	s    *slabRec
	i    int
	d    debugLayout
	b    []byte // from the red zone in front to the end of the padding
	free bool
	sure rules.Sure
}

// guess decides whether an object is free where the lists cannot: by its red zone.
func (o *objectBytes) guess() {
	o.sure = rules.Likely
	if o.c.Flags&o.c.flags.RedZone == 0 {
		return
	}
	z := o.part(o.d.size, o.d.inuse)
	inactive := bytes.Count(o.b[:o.d.left], []byte{redInactive}) + bytes.Count(z, []byte{redInactive})
	o.free = 2*inactive > len(z)+int(o.d.left)
}

// part is what is from one offset to another from the object's start.
func (o *objectBytes) part(from, to int64) []byte {
	from, to = from+o.d.left, to+o.d.left
	if from < 0 || from > to || to > int64(len(o.b)) {
		return nil
	}
	return o.b[from:to]
}

// check compares a part with what it should be filled with.
func (o *objectBytes) check(r *rules.Rule, from, to int64, fill byte, what string) {
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
	o.c.pattern(&f, f.Object+uint64(from), b, first, fill)
	f.Offset = from + int64(first)
	f.Window, f.Touches = first == 0, []uint64{f.Object}
	o.c.add(f)
}

func (o *objectBytes) zones() {
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
func (o *objectBytes) filled(from, to int64, fill byte) bool {
	b := o.part(from, to)
	return len(b) > 0 && other(b, fill) < 0
}

// otherState reports an object whose red zones are whole, and those of the other
// state: it was put on a list without being freed, or taken off without being
// allocated. While a CPU moves objects from one list to another, they are on none.
func (o *objectBytes) otherState(fill, opposite byte) {
	text := "the red zones of an object on no list say that it is free"
	if o.free {
		text = "the red zones of a free object say that it is allocated"
	}
	f := rules.New(rules.RedState, "%s", text)
	f.Slab, f.Object, f.Index, f.Sure = o.s.Slab, o.s.Object(o.i), o.i, o.sure
	f.At, f.Offset = f.Object+uint64(o.d.size), o.d.size
	f.Found, f.Expected = []byte{opposite}, []byte{fill}
	f.Window, f.Touches, f.Within = true, []uint64{f.Object}, o.s.Slab
	o.c.add(f)
}

// asked is the size that kmalloc was asked for.
func (o *objectBytes) asked() (int64, bool) {
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
		o.c.add(f)
		return 0, false
	}
	return v, true
}

func (o *objectBytes) poison() {
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

func (o *objectBytes) padding() {
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
func (o *objectBytes) link() {
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
	c.add(f)
}

// wipesFree reports whether the cache's objects are zero when they are free
// (slab_want_init_on_free, mm/slab.h).
func (c *cacheCheck) wipesFree() bool {
	if !c.wipes || c.Flags&(c.flags.ByRCU|c.flags.Poison) != 0 || !c.n.Ctor.Present() {
		return false
	}
	ctor, err := c.n.Ctor.Uint(c.k, c.Addr)
	return err == nil && ctor == 0
}

func (o *objectBytes) wiped() {
	c := o.c
	if !o.free || !c.wipesFree() {
		return
	}
	if h, ok := c.held[o.s.Object(o.i)]; ok && h.place.Holder == slab.RCUSheaf {
		return
	}
	link := c.Layout().Link
	if c.slub {
		o.check(rules.FreeWiped, 0, min(link, o.d.size), 0, "zeroed data of")
		o.check(rules.FreeWiped, min(link+8, o.d.size), o.d.size, 0, "zeroed data of")
	}
}
