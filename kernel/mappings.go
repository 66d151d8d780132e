package kernel

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/kdive/kdive/fault"
)

// Extent is virtual memory that maps physical memory one to one.
type Extent struct {
	Vaddr, Paddr, Size uint64
}

// join appends f to e if it goes on where e ends, in both address spaces.
func (e *Extent) join(f Extent) bool {
	if e.Size == 0 {
		*e = f
		return true
	}
	if e.Vaddr+e.Size != f.Vaddr || e.Paddr+e.Size != f.Paddr {
		return false
	}
	e.Size += f.Size
	return true
}

// Mappings yields what the tables map from start to last, both included, in
// ascending order, neighbours joined. A table that cannot be read is an error in
// its place. A table that was met before, at the same level, is passed over: what
// it maps was yielded at a lower address. That keeps the walk short where a
// kernel maps one page all over a large area (the shadow memory of KASAN), and
// finite where tables are damaged.
func (t *PageTables) Mappings(ctx context.Context, start, last uint64) iter.Seq2[Extent, error] {
	return func(yield func(Extent, error) bool) {
		top := LevelPGD
		if t.levels == 4 {
			top = LevelP4D
		}
		w := &mappingWalk{t: t, ctx: ctx, start: start, last: last, yield: yield}
		if w.table(t.root, top, 0) {
			w.flush()
		}
	}
}

// mappingWalk is one walk over all entries of a range.
type mappingWalk struct {
	t           *PageTables
	ctx         context.Context
	start, last uint64
	yield       func(Extent, error) bool
	open        Extent // may go on with the next entry
	seen        [LevelPGD + 1]map[uint64]struct{}
	bufs        [LevelPGD + 1][]byte
}

// table walks one table that maps addresses from base on. It returns false to
// stop the walk.
func (w *mappingWalk) table(paddr uint64, level Level, base uint64) bool {
	if _, again := w.seen[level][paddr]; again {
		return true
	}
	if w.seen[level] == nil {
		w.seen[level] = map[uint64]struct{}{}
		w.bufs[level] = make([]byte, PageSize)
	}
	w.seen[level][paddr] = struct{}{}
	buf := w.bufs[level]
	if err := w.ctx.Err(); err != nil {
		w.yield(Extent{}, err)
		return false
	}
	if err := w.t.mem.ReadPhys(buf, paddr); err != nil {
		err = fmt.Errorf("%v table: %w", level, fault.At(err, space(base), max(base, w.start)))
		return w.flush() && w.yield(Extent{}, err)
	}
	shift := PageShift + 9*(uint(level)-1)
	for i := range uint64(512) {
		vaddr := w.t.extend(base + i<<shift)
		if vaddr+(1<<shift-1) < w.start {
			continue
		}
		if vaddr > w.last {
			return true
		}
		if !w.entry(binary.LittleEndian.Uint64(buf[i*8:]), level, vaddr, 1<<shift) {
			return false
		}
	}
	return true
}

// extend makes an address canonical.
func (t *PageTables) extend(vaddr uint64) uint64 {
	shift := 64 - (PageShift + 9*t.levels)
	return uint64(int64(vaddr<<shift) >> shift)
}

func (w *mappingWalk) entry(e uint64, level Level, vaddr, size uint64) bool {
	next := e & physBits &^ w.t.encMask
	switch {
	case e == 0:
		return true
	case e&PtePresent == 0:
		if level > LevelPMD || e&PteProtNone == 0 {
			return true
		}
		next = ^e & physBits &^ w.t.encMask
	case level != LevelPTE && (e&PtePSE == 0 || level > LevelPUD):
		return w.table(next, level-1, vaddr)
	case reservedBits(e, size):
		return w.flush() && w.yield(Extent{}, reservedFault(max(vaddr, w.start), level, e))
	}
	x := Extent{vaddr, next &^ (size - 1), size}
	if w.open.join(x) {
		return true
	}
	done := w.open
	w.open = x
	return w.yield(done.within(w.start, w.last), nil)
}

func (w *mappingWalk) flush() bool {
	if w.open.Size == 0 {
		return true
	}
	done := w.open
	w.open = Extent{}
	return w.yield(done.within(w.start, w.last), nil)
}

// within cuts e to the addresses from start to last.
func (e Extent) within(start, last uint64) Extent {
	if e.Vaddr < start {
		cut := start - e.Vaddr
		e.Vaddr, e.Paddr, e.Size = start, e.Paddr+cut, e.Size-cut
	}
	if e.Vaddr+e.Size-1 > last {
		e.Size = last - e.Vaddr + 1
	}
	return e
}
