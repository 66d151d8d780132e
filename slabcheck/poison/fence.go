package poison

import (
	"bytes"
	"fmt"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/slab"
	"github.com/kdive/kdive/slabcheck/rules"
)

// canary is what KFENCE fills the rest of an object's page with
// (KFENCE_CANARY_PATTERN_U8, mm/kfence/kfence.h).
func canary(addr uint64) byte { return 0xaa ^ byte(addr&7) }

// Guards checks what is around the objects in KFENCE's pool; fail gets what cannot be
// read.
func (k *Kernel) Guards(report func(rules.Finding), fail func(error)) {
	page := make([]byte, kernel.PageSize)
	for _, g := range k.m.Guards() {
		start, end := int64(g.Object-g.Page), int64(g.Object-g.Page)+g.Size
		if start < 0 || end > kernel.PageSize || g.Size == 0 {
			f := rules.New(rules.KfenceMeta, "object %#x of %d bytes is not within its page", g.Object, g.Size)
			f.At, f.Object = g.Meta, g.Object
			report(f)
			continue
		}
		if err := k.k.Read(page, g.Page); err != nil {
			fail(fmt.Errorf("KFENCE object %#x: %w", g.Object, err))
			continue
		}
		k.canaries(&g, page, 0, start, "in front of", report)
		k.canaries(&g, page, end, kernel.PageSize, "behind", report)
	}
}

// canaries checks one side of an object; from and to are offsets in its page.
func (k *Kernel) canaries(g *slab.GuardedObject, page []byte, from, to int64, where string, report func(rules.Finding)) {
	first, last := int64(-1), int64(0)
	for i := from; i < to; i++ {
		if page[i] != canary(uint64(i)) {
			if last = i; first < 0 {
				first = i
			}
		}
	}
	if first < 0 {
		return
	}
	f := rules.New(rules.KfenceCanary, "the bytes %s object %#x of KFENCE are overwritten, %d bytes from %#x on", where, g.Object, last-first+1, g.Page+uint64(first))
	last = min(last, first+63)
	f.At, f.Object, f.Offset = g.Page+uint64(first), g.Object, first-int64(g.Object-g.Page)
	f.Found = bytes.Clone(page[first : last+1])
	for i := first; i <= last; i++ {
		f.Expected = append(f.Expected, canary(uint64(i)))
	}
	if o, ok := k.m.Find(g.Object); ok {
		f.Slab, f.Page, f.Cache = o.Slab, o.Slab.Addr, o.Slab.Cache
	}
	f.Window, f.Touches = g.State == slab.Allocated && first == from, []uint64{g.Object}
	report(f)
}
