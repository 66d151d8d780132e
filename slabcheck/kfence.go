package slabcheck

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

// checkGuards checks what is around the objects in KFENCE's pool.
func (ck *checker) checkGuards() {
	page := make([]byte, kernel.PageSize)
	for _, g := range ck.m.Guards() {
		start, end := int64(g.Object-g.Page), int64(g.Object-g.Page)+g.Size
		if start < 0 || end > kernel.PageSize || g.Size == 0 {
			f := rules.New(rules.KfenceMeta, "object %#x of %d bytes is not within its page", g.Object, g.Size)
			f.At, f.Object = g.Meta, g.Object
			ck.findings = append(ck.findings, &f)
			continue
		}
		if err := ck.k.Read(page, g.Page); err != nil {
			ck.unread++
			ck.unreadAt = append(ck.unreadAt, fmt.Errorf("KFENCE object %#x: %w", g.Object, err))
			continue
		}
		ck.canaries(&g, page, 0, start, "in front of")
		ck.canaries(&g, page, end, kernel.PageSize, "behind")
	}
}

// canaries checks one side of an object; from and to are offsets in its page.
func (ck *checker) canaries(g *slab.GuardedObject, page []byte, from, to int64, where string) {
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
	if o, ok := ck.m.Find(g.Object); ok {
		f.Slab, f.Page, f.Cache = o.Slab, o.Slab.Addr, o.Slab.Cache
	}
	f.Window, f.Touches = g.State == slab.Allocated && first == from, []uint64{g.Object}
	ck.findings = append(ck.findings, &f)
}
