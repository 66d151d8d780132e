package kernel

import (
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/kdive/kdive/fault"
)

// PageRun is a piece of an address space that one entry of the page tables
// decides on.
type PageRun struct {
	Vaddr, Size uint64 // as much of what was asked for as the entry covers
	Entry       uint64 // as stored
	Level       Level  // of the entry
	// Paddr is the physical address of Vaddr, if the entry maps memory (Mapped).
	Paddr  uint64
	Mapped bool
	// Err is why the entry is not known: its table could not be read.
	Err error
}

// Runs yields what the tables say of the addresses from start to end, which is
// not included: runs without gaps, a page, a large page, or all that an empty
// entry or an unreadable table leaves out. Addresses that the tables cannot
// translate at all end it.
func (t *PageTables) Runs(start, end uint64) iter.Seq[PageRun] {
	return func(yield func(PageRun) bool) {
		r := runReader{t: t}
		for vaddr := start; vaddr < end && t.Canonical(vaddr); {
			run := r.at(vaddr)
			run.Size = min(run.Size, end-vaddr)
			if !yield(run) {
				return
			}
			if vaddr += run.Size; run.Size == 0 {
				return // the end of the address space
			}
		}
	}
}

// runReader keeps the last table of each level.
type runReader struct {
	t      *PageTables
	tables [LevelPGD + 1]struct {
		paddr uint64
		buf   []byte
		err   error
	}
}

func (r *runReader) entry(level Level, table, index uint64) (uint64, error) {
	c := &r.tables[level]
	if c.buf == nil || c.paddr != table {
		if c.buf == nil {
			c.buf = make([]byte, PageSize)
		}
		c.paddr, c.err = table, r.t.mem.ReadPhys(c.buf, table)
	}
	return binary.LittleEndian.Uint64(c.buf[index*8:]), c.err
}

// at is the run that begins at vaddr and goes to the end of what its entry covers.
func (r *runReader) at(vaddr uint64) PageRun {
	t := r.t
	run := PageRun{Vaddr: vaddr, Level: LevelPGD}
	if t.levels == 4 {
		run.Level = LevelP4D
	}
	for table := t.root; ; run.Level-- {
		shift := PageShift + 9*(uint(run.Level)-1)
		size := uint64(1) << shift
		run.Size = size - vaddr&(size-1)
		e, err := r.entry(run.Level, table, vaddr>>shift&511)
		if err != nil {
			run.Size = 1<<(shift+9) - vaddr&(1<<(shift+9)-1) // all that the table covers
			run.Err = fmt.Errorf("%v table: %w", run.Level, fault.At(err, space(vaddr), vaddr))
			return run
		}
		run.Entry = e
		large := run.Level == LevelPTE || e&PtePSE != 0 && run.Level <= LevelPUD
		switch {
		case e&PtePresent != 0 && !large:
			table = e & physBits &^ t.encMask
			continue
		case e&PtePresent != 0 && reservedBits(e, size):
			run.Err = reservedFault(vaddr, run.Level, e)
		case e&PtePresent != 0:
			run.Mapped, run.Paddr = true, e&physBits&^t.encMask&^(size-1)|vaddr&(size-1)
		case run.Level <= LevelPMD && e&PteProtNone != 0: // see notPresent
			run.Mapped, run.Paddr = true, ^e&physBits&^t.encMask&^(size-1)|vaddr&(size-1)
		}
		return run
	}
}
