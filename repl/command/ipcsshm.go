package command

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kdive/kdive/ipc"
	"github.com/kdive/kdive/repl/output"
)

// shmRow is a shared memory segment.
type shmRow struct {
	ipc.Segment
	ns       uint64
	usage    ipc.Usage
	err      error // why the usage is not known
	attached []ipc.Attachment
	sought   bool // for attachments
}

func (r *shmRow) pages(n uint64) output.Value {
	if r.err != nil {
		return output.Fault(r.err)
	}
	return output.Uint(n)
}

// status are the words that describe the segment.
func (r *shmRow) status() (words []string) {
	if r.Destroyed() {
		words = append(words, "dest")
	}
	if r.Locked() {
		words = append(words, "locked")
	}
	return words
}

var shmRecord = &output.Record[shmRow]{
	Type: "shared_memory",
	Help: "one shared memory segment",
	Columns: append(ipcColumns("SHMID_KERNEL     ", "SHMID      ", "address of the shmid_kernel",
		func(r *shmRow) *ipc.Object { return &r.Object }, func(r *shmRow) uint64 { return r.ns }), []output.Column[shmRow]{
		{Name: "bytes", Head: "BYTES      ", Verb: "%-10d ", Help: "its size in bytes", Get: func(r *shmRow) output.Value { return output.Uint(r.Bytes) }},
		{Name: "attaches", Head: "NATTCH ", Verb: "%-6d ", Help: "how often it is attached, as it says itself", Get: func(r *shmRow) output.Value { return output.Uint(r.Attached) }},
		{Name: "status", Head: "STATUS", Verb: "%s", Help: "dest: goes away with its last user; locked: kept out of swap",
			Get: func(r *shmRow) output.Value { return output.Strings(r.status()) },
			Text: func(r *shmRow) string {
				words := [2]string{}
				if r.Destroyed() {
					words[0] = "dest"
				}
				if r.Locked() {
					words[1] = "locked"
				}
				return strings.Join(words[:], " ")
			}},
		{Name: "file", Help: "struct file that holds its memory", Get: func(r *shmRow) output.Value { return output.Addr(r.File) }},
		{Name: "creator_pid", Help: "who created it", Get: func(r *shmRow) output.Value { return pidValue(r.CPID) }},
		{Name: "last_pid", Help: "who attached or detached it last", Get: func(r *shmRow) output.Value { return pidValue(r.LPID) }},
		{Name: "pages", Help: "pages of 4,096 bytes of its size", Get: func(r *shmRow) output.Value { return output.Uint(r.usage.Pages) }},
		{Name: "resident", Help: "pages in memory", Get: func(r *shmRow) output.Value { return r.pages(r.usage.Resident) }},
		{Name: "swapped", Help: "pages in swap", Get: func(r *shmRow) output.Value { return r.pages(r.usage.Swapped) }},
		{Name: "inode", Help: "its inode", Get: func(r *shmRow) output.Value {
			if r.usage.Inode == 0 && r.err != nil {
				return output.Fault(r.err)
			}
			return output.Addr(r.usage.Inode)
		}},
		{Name: "attached", Help: "its mappings into processes, from their memory maps: pid, task, comm, vma, start, end; data: the mapping's shm_file_data; data_id: the segment's id in there, which should be the same; exiting: the process is giving its memory back", Get: func(r *shmRow) output.Value {
			if !r.sought {
				return output.Null()
			}
			list := make([]output.Value, len(r.attached))
			for i := range r.attached {
				list[i] = attachmentValue(&r.attached[i])
			}
			return output.List(list...)
		}},
	}...),
}

func attachmentValue(a *ipc.Attachment) output.Value {
	return output.Object(
		output.Field{Name: "pid", Value: output.Int(a.Task.PID)},
		output.Field{Name: "task", Value: output.Addr(a.Task.Addr)},
		output.Field{Name: "comm", Value: output.String(a.Task.Comm)},
		output.Field{Name: "vma", Value: output.Addr(a.VMA)},
		output.Field{Name: "start", Value: output.Addr(a.Start)},
		output.Field{Name: "end", Value: output.Addr(a.End)},
		output.Field{Name: "data", Value: output.Addr(a.Data)},
		output.Field{Name: "data_id", Value: output.Int(a.ID)},
		output.Field{Name: "exiting", Value: output.Bool(a.Exiting)},
	)
}

func (x *ipcsCall) segments(filter func(*ipc.Object) bool) int {
	first := true
	head := func() {
		if !x.c.Has("M") { // which has a heading for each segment
			shmRecord.Head(x.c.Out)
		}
	}
	return ipcRows(x, x.model.Segments(x.ns), func(s *ipc.Segment) *ipc.Object { return &s.Object }, filter, head,
		func(s *ipc.Segment) {
			if x.c.Has("M") {
				if !first {
					x.c.Out.Print("\n")
				}
				shmRecord.Head(x.c.Out)
			}
			first = false
			x.segment(s)
		})
}

func (x *ipcsCall) segment(s *ipc.Segment) {
	r := shmRow{Segment: *s, ns: x.ns}
	if x.c.Has("M") || x.c.Out.JSON() {
		r.usage, r.err = x.model.Usage(s)
	}
	if x.c.Has("a") || x.c.Out.JSON() {
		r.attached, r.sought = x.attachments(s), true
	}
	shmRecord.Emit(x.c.Out, &r)
	if x.c.Has("M") {
		x.usage(&r)
	}
	if x.c.Has("a") {
		for i := range r.attached {
			x.attachment(s, &r.attached[i])
		}
	}
}

func (x *ipcsCall) usage(r *shmRow) {
	if r.err != nil {
		x.c.Error(r.err)
		return
	}
	x.c.Out.Printf("PAGES ALLOCATED/RESIDENT/SWAPPED: %d/%d/%d\n", r.usage.Pages, r.usage.Resident, r.usage.Swapped)
	x.c.Out.Printf("INODE: %x\n", r.usage.Inode)
}

// attachment prints what the record holds for programs.
func (x *ipcsCall) attachment(s *ipc.Segment, a *ipc.Attachment) {
	remark := ""
	if a.ID != s.ID {
		remark += fmt.Sprintf("  SHM_FILE_DATA %x SAYS %d", a.Data, a.ID)
	}
	if a.Exiting {
		remark += "  (exiting)"
	}
	x.c.Out.Printf("  PID: %-7d VMA: %016x  %12x-%-12x  COMMAND: %q%s\n", a.Task.PID, a.VMA, a.Start, a.End, a.Task.Comm, remark)
}

// attachments are the mappings of a segment.
func (x *ipcsCall) attachments(s *ipc.Segment) []ipc.Attachment {
	if x.attached == nil {
		x.attached = map[uint64][]ipc.Attachment{}
		table, err := x.t.tasks()
		if err != nil {
			x.c.Error(err)
			return nil
		}
		var errs []error
		x.attached, errs = x.model.Attachments(x.ctx, table)
		for i, err := range errs {
			if i == maxFaults {
				x.c.Warn("and %d more of this kind", len(errs)-i)
				break
			}
			x.c.Error(err)
		}
		if x.attached == nil {
			x.attached = map[uint64][]ipc.Attachment{}
		}
	}
	return slices.DeleteFunc(slices.Clone(x.attached[s.File]), func(a ipc.Attachment) bool { return s.File == 0 || a.NS != 0 && a.NS != x.ns })
}
