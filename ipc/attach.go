package ipc

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kdive/kdive/mm"
	"github.com/kdive/kdive/task"
)

// Attachment is one mapping of a segment into the memory of a process.
type Attachment struct {
	Task       *task.Task // the first task found that uses the memory
	VMA        uint64     // address of the vm_area_struct
	Start, End uint64     // user virtual
	// What the mapping's shm_file_data says of the segment. ID may differ from
	// the segment's own: then one of them is damaged.
	Data uint64 // its address
	ID   int32
	NS   uint64
	// Exiting says that the process was giving its memory back: the mapping may
	// be gone already.
	Exiting bool
}

// Attachments are all mappings of shared memory segments, by the file that
// holds the segment's memory (Segment.File). Errors are of what could not be
// read; the rest is complete. It ends early when ctx is done.
func (m *Model) Attachments(ctx context.Context, table *task.Table) (map[uint64][]Attachment, []error) {
	n, err := m.fileNeeds()
	if err != nil {
		return nil, []error{err}
	}
	areas, err := mm.LoadAreas(m.k)
	if err != nil {
		return nil, []error{err}
	}
	a := attacher{m: m, n: n, areas: areas, found: map[uint64][]Attachment{}, files: map[uint64]bool{}}
	seen := map[uint64]bool{}
	for _, exiting := range []bool{false, true} {
		for _, x := range table.Tasks {
			space := x.MM
			if exiting && space == 0 && !x.Kernel() && x.Exiting() {
				space = x.ActiveMM // do_exit forgets mm first and frees it then
			}
			if space == 0 || seen[space] {
				continue
			}
			seen[space] = true
			if ctx.Err() != nil {
				return a.found, append(a.errs, ctx.Err())
			}
			a.task(x, space, exiting)
		}
	}
	for _, list := range a.found {
		slices.SortStableFunc(list, func(x, y Attachment) int { return int(x.Task.PID) - int(y.Task.PID) })
	}
	return a.found, a.errs
}

// attacher collects attachments.
type attacher struct {
	m     *Model
	n     *fileNeeds
	areas *mm.Areas
	found map[uint64][]Attachment
	files map[uint64]bool // whether a mapped file is a segment's
	errs  []error
}

// maxErrors is how many errors are kept of one address space.
const maxErrors = 16

func (a *attacher) task(x *task.Task, space uint64, exiting bool) {
	errs := 0
	fail := func(err error) bool {
		if exiting {
			return true // half taken apart: not what is asked for
		}
		a.errs = append(a.errs, fmt.Errorf("task %d (%s): %w", x.PID, x.Comm, err))
		errs++
		return errs < maxErrors
	}
	for area, err := range a.areas.All(space) {
		if err == nil && area.File != 0 {
			err = a.area(x, &area, exiting)
		}
		if err != nil && !fail(err) {
			return
		}
	}
}

func (a *attacher) area(x *task.Task, area *mm.Area, exiting bool) error {
	isShm, known := a.files[area.File]
	if !known {
		ops, err := a.n.Ops.Uint(a.m.k, area.File)
		if err != nil {
			return fmt.Errorf("file %#x: %w", area.File, err)
		}
		isShm = ops != 0 && (ops == uint64(a.n.ShmOps) || ops == uint64(a.n.ShmHugeOps))
		a.files[area.File] = isShm
	}
	if !isShm {
		return nil
	}
	at := Attachment{Task: x, VMA: area.Addr, Start: area.Start, End: area.End, Exiting: exiting}
	var id, file uint64
	var err1, err2, err3 error
	data, err := a.n.Private.Uint(a.m.k, area.File)
	if err == nil {
		at.Data = data
		id, err1 = a.n.DataID.Uint(a.m.k, data)
		at.NS, err2 = a.n.DataNS.Uint(a.m.k, data)
		file, err3 = a.n.DataFile.Uint(a.m.k, data)
	}
	if err := errors.Join(err, err1, err2, err3); err != nil {
		return fmt.Errorf("segment behind file %#x: %w", area.File, err)
	}
	at.ID = int32(id)
	a.found[file] = append(a.found[file], at)
	return nil
}
