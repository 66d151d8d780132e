package vmcore

import (
	"container/heap"
	"fmt"
	"io"
	"iter"
	"sort"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kdump/source"
)

// maxPhys bounds physical addresses: x86-64 has 52 bits of them.
const maxPhys = 1 << 52

// extent is physical memory that one segment describes: either in the file,
// at consecutive offsets, or left out of it.
//
// Left out it is wherever p_memsz exceeds p_filesz. An ELF loader would put
// zeros there, and a dump's writers mean something else: makedumpfile -E ends
// a segment's bytes where a run of at least 256 excluded pages begins (zero
// pages among them), and QEMU gives no bytes to memory outside of the range
// that the user asked for. The kernel's /proc/vmcore never has the case.
type extent struct {
	start, end uint64 // physical
	off        uint64 // of start's byte in the file
	held       bool
	seq        int // place among the program headers
}

// elfMemory is the memory of an ELF core.
type elfMemory struct {
	src     source.Source
	extents []extent // sorted, disjoint
	missing uint64   // bytes that the headers promise beyond the end of the file
}

func newELFMemory(src source.Source, segments []Segment) (*elfMemory, []string) {
	m := &elfMemory{src: src}
	var all []extent
	var warnings []string
	for i, s := range segments {
		filesz, memsz := s.Filesz, max(s.Memsz, s.Filesz)
		if s.Paddr >= maxPhys || memsz > maxPhys-s.Paddr {
			warnings = append(warnings, fmt.Sprintf("program header with physical address %#x and %#x bytes reaches beyond 52 bits; it is cut", s.Paddr, memsz))
			if s.Paddr >= maxPhys {
				continue
			}
			memsz = maxPhys - s.Paddr
			filesz = min(filesz, memsz)
		}
		if filesz > 0 && s.Offset > uint64(maxOffset)-filesz {
			warnings = append(warnings, fmt.Sprintf("program header of physical address %#x has the impossible file offset %#x", s.Paddr, s.Offset))
			s.Offset = maxOffset // no bytes there: they are missing, not excluded
		}
		if filesz > 0 {
			all = append(all, extent{s.Paddr, s.Paddr + filesz, s.Offset, true, i})
		}
		if memsz > filesz {
			all = append(all, extent{s.Paddr + filesz, s.Paddr + memsz, 0, false, i})
		}
	}
	m.extents = disjoint(all)
	size := uint64(src.Size())
	for _, e := range m.extents {
		if end := e.off + e.end - e.start; e.held && end > size {
			m.missing += min(end-size, e.end-e.start)
		}
	}
	return m, warnings
}

// maxOffset is the largest file offset that is taken seriously.
const maxOffset = 1 << 60

// disjoint resolves overlaps: kexec describes the kernel's text twice, QEMU
// with paging describes a page once for every virtual address. Bytes in the
// file win over memory left out, then the earlier program header wins.
func disjoint(all []extent) []extent {
	sort.SliceStable(all, func(i, j int) bool { return all[i].start < all[j].start })
	var (
		out    []extent
		active byRank
		next   int
		pos    uint64
	)
	for next < len(all) || len(active) > 0 {
		for len(active) > 0 && active[0].end <= pos {
			heap.Pop(&active)
		}
		if len(active) == 0 {
			if next == len(all) {
				break
			}
			pos = max(pos, all[next].start)
		}
		for next < len(all) && all[next].start <= pos {
			if all[next].end > pos {
				heap.Push(&active, all[next])
			}
			next++
		}
		if len(active) == 0 {
			continue
		}
		top := active[0]
		end := top.end
		if next < len(all) {
			end = min(end, all[next].start)
		}
		out = appendExtent(out, extent{pos, end, top.off + pos - top.start, top.held, top.seq})
		pos = end
	}
	return out
}

func appendExtent(out []extent, e extent) []extent {
	if !e.held {
		e.off = 0
	}
	if len(out) > 0 {
		l := &out[len(out)-1]
		if l.end == e.start && l.held == e.held && (!e.held || l.off+l.end-l.start == e.off) {
			l.end = e.end
			return out
		}
	}
	return append(out, e)
}

// byRank is a heap with the extent that wins on top.
type byRank []extent

func (h byRank) Len() int      { return len(h) }
func (h byRank) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h byRank) Less(i, j int) bool {
	if h[i].held != h[j].held {
		return h[i].held
	}
	return h[i].seq < h[j].seq
}
func (h *byRank) Push(x any) { *h = append(*h, x.(extent)) }
func (h *byRank) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// find returns the extent that holds paddr.
func (m *elfMemory) find(paddr uint64) (*extent, bool) {
	i := sort.Search(len(m.extents), func(i int) bool { return m.extents[i].end > paddr })
	if i == len(m.extents) || m.extents[i].start > paddr {
		return nil, false
	}
	return &m.extents[i], true
}

// ReadPhys implements memory.
func (m *elfMemory) ReadPhys(p []byte, paddr uint64) error {
	for len(p) > 0 {
		e, ok := m.find(paddr)
		if !ok {
			return &fault.Error{Addr: paddr, Space: fault.Physical, Reason: fault.NotRAM}
		}
		if !e.held {
			return &fault.Error{Addr: paddr, Space: fault.Physical, Reason: fault.Excluded}
		}
		want := int(min(uint64(len(p)), e.end-paddr))
		at := e.off + paddr - e.start
		n, err := m.src.ReadAt(p[:want], int64(at))
		if n < want {
			return m.cutOff(paddr+uint64(n), at+uint64(n), err)
		}
		p, paddr = p[n:], paddr+uint64(n)
	}
	return nil
}

func (m *elfMemory) cutOff(paddr, at uint64, err error) error {
	detail := fmt.Sprintf("bytes at %#x of %d", at, m.src.Size())
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		detail = err.Error()
	}
	return &fault.Error{Addr: paddr, Space: fault.Physical, Reason: fault.Truncated, Detail: detail}
}

// Reader implements memory: reading a plain core needs no buffers.
func (m *elfMemory) Reader() physReader { return m }

// Runs implements memory.
func (m *elfMemory) Runs() iter.Seq[Run] {
	return func(yield func(Run) bool) {
		size := uint64(m.src.Size())
		var run Run
		for _, e := range m.extents {
			if !e.held || e.off >= size {
				continue
			}
			end := min(e.end, e.start+size-e.off)
			if run.End == e.start && run.End != 0 {
				run.End = end
				continue
			}
			if run.End != 0 && !yield(run) {
				return
			}
			run = Run{e.start, end}
		}
		if run.End != 0 {
			yield(run)
		}
	}
}

// State implements memory.
func (m *elfMemory) State(paddr uint64) fault.Reason {
	e, ok := m.find(paddr)
	switch {
	case !ok:
		return fault.NotRAM
	case !e.held:
		return fault.Excluded
	case e.off+paddr-e.start >= uint64(m.src.Size()):
		return fault.Truncated
	}
	return 0
}

// MaxPhys implements memory.
func (m *elfMemory) MaxPhys() uint64 {
	if n := len(m.extents); n > 0 {
		return m.extents[n-1].end
	}
	return 0
}
