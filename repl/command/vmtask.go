package command

import (
	"fmt"
	"iter"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/task"
)

// show shows one task, with -R if something of it is meant.
func (x *vmCall) show(k *task.Task) {
	s := vmTask{vmCall: x, task: k, mm: k.MM}
	if s.mm == 0 {
		s.mm = x.spare
	}
	if x.ref == nil {
		s.heading()
	}
	switch {
	case x.c.Has("m"):
		s.structure("mm_struct", s.mm)
	case s.mm == 0:
		if !x.c.Has("v") && x.ref == nil && x.only == 0 {
			s.memory()
		}
	case x.c.Has("v"):
		for area, err := range x.areas.All(s.mm) {
			if s.stop(err) {
				break
			}
			if err == nil {
				s.structure("vm_area_struct", area.Addr)
			}
		}
	default:
		s.space()
	}
	if x.ref != nil && s.headed {
		x.c.Out.Print("\n")
	}
}

// vmTask is the showing of one task.
type vmTask struct {
	*vmCall
	task    *task.Task
	mm      uint64
	tables  *kernel.PageTables
	headed  bool // its first line is out
	inTable bool // the last line was that of an area
	faults  int
}

func (s *vmTask) heading() {
	s.headed = true
	if !s.c.Out.JSON() {
		s.c.Out.Print(taskHead(s.task) + "\n")
	}
}

// stop says an error, if there is one, and reports whether to go on: a damaged
// space has few errors worth reading.
func (s *vmTask) stop(err error) bool {
	if s.ctx.Err() != nil {
		return true
	}
	if err == nil {
		return false
	}
	s.c.Error(fmt.Errorf("task %d (%s): %w", s.task.PID, s.task.Comm, err))
	s.faults++
	return s.faults >= maxFaults
}

// memory shows the mm_struct in one line.
func (s *vmTask) memory() {
	r := memoryRow{task: s.task, mm: s.mm}
	if s.mm != 0 {
		r.memory, r.err = s.table.MemoryAt(s.mm)
		s.stop(r.err)
	}
	memoryRecord.Emit(s.c.Out, &r)
}

// space shows the areas.
func (s *vmTask) space() {
	pages := s.c.Has("p") || s.only != 0 || s.ref != nil
	if pages && s.mm != 0 {
		s.findTables()
	}
	switch {
	case s.ref != nil:
		if m, err := s.table.MemoryAt(s.mm); err == nil && s.ref.is(s.mm, m.PGD) {
			s.refer()
		}
	case s.only == 0:
		s.memory()
	}
	for area, err := range s.areas.All(s.mm) {
		if s.stop(err) {
			return
		}
		if err != nil || s.only != 0 && area.Addr != s.only {
			continue
		}
		path, err := s.areas.Path(&area)
		if s.stop(err) {
			return
		}
		a := vmArea{areaRow: areaRow{Area: area, path: path, err: err}, task: s.task, mm: s.mm, names: s.flags}
		switch {
		case s.ref != nil:
			s.referred(&a)
		case pages:
			s.inTable = false
			s.area(&a)
			s.pages(&a)
		default:
			s.area(&a)
		}
		if s.only != 0 {
			return
		}
	}
	if s.only != 0 {
		s.notFound()
	}
}

func (s *vmTask) notFound() {
	s.c.Out.Print("(not found)\n")
	if s.c.Out.JSON() {
		s.c.Out.Note("task %d (%s) has no area at %#x", s.task.PID, s.task.Comm, s.only)
	}
}

// area shows one area, in a table with those before it unless pages stand
// between.
func (s *vmTask) area(a *vmArea) {
	if !s.inTable {
		vmAreaRecord.Head(s.c.Out)
	}
	s.inTable = true
	vmAreaRecord.Emit(s.c.Out, a)
}

// findTables prepares the translation of pages.
func (s *vmTask) findTables() {
	m, err := s.table.MemoryAt(s.mm)
	if m == nil || m.PGD == 0 {
		if err == nil {
			err = fmt.Errorf("mm_struct %#x has no page tables", s.mm)
		}
		s.stop(err)
		return
	}
	if s.tables, err = s.t.Opened.Kernel.UserTables(m.PGD); err != nil {
		s.stop(err)
	}
}

// places yields where the pages of an area are, nothing without page tables.
func (s *vmTask) places(a *vmArea) iter.Seq[mm.Place] {
	if s.tables == nil {
		return func(func(mm.Place) bool) {}
	}
	return a.Places(s.tables)
}

// pages shows where each page of an area is.
func (s *vmTask) pages(a *vmArea) {
	s.c.Out.Print(vmPageHead)
	for p := range s.places(a) {
		for n := range p.Size >> kernel.PageShift {
			if s.ctx.Err() != nil {
				return
			}
			s.page(a, &p, n)
		}
	}
}

// page shows page n of a place.
func (s *vmTask) page(a *vmArea, p *mm.Place, n uint64) {
	r := vmPage{Place: *p, area: a}
	r.Vaddr += n << kernel.PageShift
	switch r.Where {
	case mm.InMemory:
		r.Paddr += n << kernel.PageShift
	case mm.InFile:
		r.Offset += n << kernel.PageShift
	case mm.InSwap:
		r.swap = s.swapPath(r.Swap)
	}
	vmPageRecord.Emit(s.c.Out, &r)
}

// swapPath is the path of a swap area, or its number.
func (x *vmCall) swapPath(n int) string {
	path, known := x.swaps[n]
	if !known {
		var err error
		if path, err = mm.SwapFile(x.t.Opened.Kernel, n); err != nil {
			path = fmt.Sprintf("area %d", n)
		}
		x.swaps[n] = path
	}
	return path
}

// refer begins the showing of a task that is meant with -R.
func (s *vmTask) refer() {
	if !s.headed {
		s.heading()
		s.memory()
	}
}

// referred shows the area, or pages of it, if they are meant.
func (s *vmTask) referred(a *vmArea) {
	shown := false
	show := func() {
		if !shown {
			s.refer()
			s.area(a)
			shown = true
		}
	}
	if s.ref.is(a.Addr, a.Flags) || pathFits(a.path, s.ref.text) {
		show()
	}
	for p := range s.places(a) {
		if s.ctx.Err() != nil {
			return
		}
		swap := ""
		if p.Where == mm.InSwap {
			swap = s.swapPath(p.Swap)
		}
		for _, n := range s.ref.pages(&p, swap) {
			show()
			if s.inTable {
				s.c.Out.Print(vmPageHead)
			}
			s.inTable = false
			s.page(a, &p, n)
		}
	}
}

// structure prints the mm_struct or vm_area_struct at an address.
func (s *vmTask) structure(name string, addr uint64) {
	if addr == 0 {
		return
	}
	v, err := s.t.Opened.Kernel.Object("struct "+name, addr)
	if s.stop(err) || err != nil {
		return
	}
	vmStructRecord.Emit(s.c.Out, &taskStruct{task: s.task, name: name, value: v.Load(), whole: true, style: s.t.style(s.c)})
}
