package poison

import (
	"bytes"
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/rules"
)

// Slab is a slab to check.
type Slab struct {
	*slab.Slab
	Order  int              // it has 1<<Order pages
	Broken bool             // its free list does not end: red zones say what is free
	Free   func(i int) bool // reports whether an object is on the slab's list or another
	Waits  func(i int) bool // reports whether it waits for RCU, and is not wiped yet
}

// maxOrder bounds what is read of a slab that claims to be huge: the page allocator
// has no larger blocks on x86-64 (MAX_PAGE_ORDER, include/linux/mmzone.h).
const maxOrder = 10

// Check checks what is around and in the objects of a slab. The error says why it
// cannot be read.
func (c *Cache) Check(s *Slab, report func(rules.Finding)) error {
	if !c.Debugged() && !c.Wiped() || s.Objects <= 0 || c.Size <= 0 {
		return nil
	}
	if s.Order > maxOrder {
		return nil
	}
	room := int64(kernel.PageSize) << max(s.Order, 0)
	if int64(s.Objects)*c.Size > room {
		return nil
	}
	buf := make([]byte, room)
	if err := c.k.Read(buf, s.Base); err != nil {
		return err
	}
	d := c.layout()
	for i := range s.Objects {
		at := int64(i) * c.Size
		o := object{c: c, s: s, i: i, d: d, b: buf[at : at+c.Size], free: s.Free(i), sure: rules.Certain, report: report}
		if s.Broken && !o.free {
			o.guess()
		}
		if !c.Debugged() {
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
		c.slabPadding(s, buf, report)
	}
	return nil
}

// slabPadding checks what is behind the last object.
func (c *Cache) slabPadding(s *Slab, buf []byte, report func(rules.Finding)) {
	from := int64(s.Objects) * c.Size
	to := int64(len(buf))
	if exts, size := c.objExts(s); size > 0 && exts >= from && size <= to-exts {
		// Only what is behind the accounting data is padding.
		from = exts + size
	}
	if from >= to {
		return
	}
	if o := other(buf[from:to], poisonInuse); o >= 0 {
		f := rules.New(rules.PadSlab, "the padding at the end of slab %#x is overwritten", s.Addr)
		f.Slab = s.Slab
		pattern(&f, s.Base+uint64(from), buf[from:to], o, poisonInuse)
		f.Offset = int64(f.At - s.Base)
		report(f)
	}
}

// objExts is where the accounting data of a slab's objects is, from the slab's
// start, if it is behind the objects; or, with a stride of the object size, in
// each object.
func (c *Cache) objExts(s *Slab) (at, size int64) {
	n := &c.n
	if !n.ObjExts.Present() || !n.Stride.Present() || n.ExtSize == 0 {
		return 0, 0
	}
	v, err := n.ObjExts.Uint(c.k, s.Addr)
	if err != nil {
		return 0, 0
	}
	at = int64(v&^7 - s.Base)
	if at < 0 || at >= int64(kernel.PageSize)<<max(s.Order, 0) {
		return 0, 0
	}
	return at, int64(n.ExtSize) * int64(s.Objects)
}

// extInObject is the size of the accounting data in each object, 0 if it is
// elsewhere.
func (c *Cache) extInObject(s *Slab) int64 {
	n := &c.n
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
func pattern(f *rules.Finding, at uint64, b []byte, first int, fill byte) {
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
