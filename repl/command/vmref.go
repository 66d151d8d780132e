package command

import (
	"slices"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/repl"
)

// vmReference is what was asked for with -R.
type vmReference struct {
	text      string
	number    uint64 // in hexadecimal
	isNumber  bool
	decimal   uint64
	isDecimal bool
}

func newVMReference(text string) *vmReference {
	r := &vmReference{text: text}
	var err error
	r.number, err = repl.ParseAddress(text)
	r.isNumber = err == nil
	r.decimal, err = repl.ParseNumber(text)
	r.isDecimal = err == nil
	return r
}

// is reports whether one of the numbers is meant.
func (r *vmReference) is(numbers ...uint64) bool {
	return r.isNumber && slices.Contains(numbers, r.number)
}

// pages are the pages of a place that are meant, counted from its first: by
// their address, or by what is shown of them. swap is the path of the place's
// swap area.
func (r *vmReference) pages(p *mm.Place, swap string) []uint64 {
	var found []uint64
	add := func(first uint64) {
		if n := r.number - first; r.isNumber && n < p.Size && n%kernel.PageSize == 0 {
			found = append(found, n/kernel.PageSize)
		}
	}
	add(p.Vaddr)
	switch p.Where {
	case mm.InMemory:
		add(p.Paddr)
	case mm.InFile:
		add(p.Offset)
	case mm.InSwap:
		if r.isDecimal && r.decimal == p.Offset || pathFits(swap, r.text) {
			found = append(found, 0)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
