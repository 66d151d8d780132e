package mm

import (
	"iter"

	"github.com/kdive/kdive/kernel"
)

// Whereabouts says where pages of an area are.
type Whereabouts uint8

// The whereabouts of pages. InFile and Nowhere mean that no table entry tells of
// them: the next access reads the page from the file, or makes an empty one.
const (
	Nowhere Whereabouts = iota
	InMemory
	InSwap
	InFile
	Unknown // Err says why
)

// Place is where pages of an area are that follow one another.
type Place struct {
	Vaddr, Size uint64 // user virtual, bytes: whole pages
	Where       Whereabouts
	Paddr       uint64 // InMemory: physical address of the first page
	Swap        int    // InSwap: number of the swap area, as in the entry
	// Offset of the first page: InSwap in the swap area, in pages; InFile in the
	// file, in bytes.
	Offset uint64
	Err    error
}

// Places yields where the pages of the area are, by the tables of its address
// space, without gaps.
func (area *Area) Places(t *kernel.PageTables) iter.Seq[Place] {
	return func(yield func(Place) bool) {
		for run := range t.Runs(area.Start&^(kernel.PageSize-1), area.End) {
			if !yield(area.place(&run, t.EncMask())) {
				return
			}
		}
	}
}

func (area *Area) place(run *kernel.PageRun, encMask uint64) Place {
	p := Place{Vaddr: run.Vaddr, Size: run.Size}
	switch {
	case run.Err != nil:
		p.Where, p.Err = Unknown, run.Err
	case run.Mapped:
		p.Where, p.Paddr = InMemory, run.Paddr
	case run.Level == kernel.LevelPTE && run.Entry != 0:
		p.Where = InSwap
		_, _, p.Swap, p.Offset = kernel.DecodePte(run.Entry, encMask)
	case area.File != 0:
		p.Where, p.Offset = InFile, area.Offset+run.Vaddr-area.Start
	}
	return p
}
