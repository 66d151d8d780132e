// Package search finds values and strings in the memory of a dump, on all
// processors at once.
//
// It knows how to read memory by the piece and to keep hits in order; what is
// memory of which address space it is told as extents, and it knows nothing of
// kernel structures or of text. Start from Search; Pattern is what to look for.
package search

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"sync"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/value"
	"github.com/kdive/kdive/vmcore"
)

// Search is one search. Set the upper fields, range over Hits, then look at the
// lower ones.
type Search struct {
	Dump    *vmcore.Dump
	Pattern *Pattern
	// Extents is the memory to search; hits come in its order. For physical
	// memory Vaddr is Paddr.
	Extents iter.Seq2[kernel.Extent, error]
	// Memory is the address space that Vaddr belongs to: a string that crosses
	// the end of an extent is followed in it.
	Memory value.Memory
	// Progress, if set, is told the number of bytes behind.
	Progress func(done uint64)

	Bytes  uint64                  // that were searched
	Unread map[fault.Reason]uint64 // bytes that could not be read, by reason
}

// pieceSize is how much memory is read at once: what fits into a processor's
// cache beside the rest.
const pieceSize = 256 << 10

// part is a part of an extent; behind it, more bytes of the extent follow.
type part struct {
	kernel.Extent
	more uint64
}

// piece is some memory to search: parts that amount to pieceSize at most.
type piece struct {
	parts []part
	err   error // an error of the extents, in its place
	done  chan result
}

// result is what was found in a piece.
type result struct {
	hits   []Hit
	bytes  uint64
	unread [fault.Damaged + 1]uint64
}

// Hits yields the matches in the order of the extents. Errors of the extents are
// yielded in their place. Memory that cannot be read is passed over and counted.
func (s *Search) Hits(ctx context.Context) iter.Seq2[Hit, error] {
	return func(yield func(Hit, error) bool) {
		s.Bytes, s.Unread = 0, map[fault.Reason]uint64{}
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		workers := runtime.GOMAXPROCS(0)
		ordered := make(chan *piece, 4*workers) // bounds the memory in flight
		work := make(chan *piece)
		running.Add(1 + workers)
		go func() {
			defer running.Done()
			defer close(ordered)
			defer close(work)
			s.produce(ctx, ordered, work)
		}()
		for range workers {
			go func() {
				defer running.Done()
				s.work(work)
			}()
		}
		for p := range ordered {
			if !s.collect(p, yield) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Hit{}, err)
		}
	}
}

// collect yields what was found in one piece.
func (s *Search) collect(p *piece, yield func(Hit, error) bool) bool {
	if p.err != nil {
		return yield(Hit{}, p.err)
	}
	r := <-p.done
	s.Bytes += r.bytes
	for reason, n := range r.unread {
		if n > 0 {
			s.Unread[fault.Reason(reason)] += n
		}
	}
	if s.Progress != nil {
		s.Progress(s.Bytes)
	}
	for _, h := range r.hits {
		if !yield(h, nil) {
			return false
		}
	}
	return true
}

// produce cuts the extents into pieces and hands each to the workers and to the
// collector.
func (s *Search) produce(ctx context.Context, ordered, work chan<- *piece) {
	p, size := &piece{}, uint64(0)
	send := func() bool {
		if p.err == nil && len(p.parts) == 0 {
			return true
		}
		next := p
		p, size = &piece{}, 0
		next.done = make(chan result, 1)
		// The workers first: the collector must find no piece without a result.
		if next.err == nil {
			select {
			case work <- next:
			case <-ctx.Done():
				return false
			}
		}
		select {
		case ordered <- next:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for e, err := range s.Extents {
		if err != nil {
			if !send() {
				return
			}
			p.err = err
			if !send() || errors.Is(err, ctx.Err()) {
				return
			}
			continue
		}
		if skip := -e.Vaddr % uint64(s.Pattern.width); skip > 0 { // a word that begins in front of it
			skip = min(skip, e.Size)
			e.Vaddr, e.Paddr, e.Size = e.Vaddr+skip, e.Paddr+skip, e.Size-skip
		}
		for e.Size > 0 {
			// Pieces end at multiples of the size where they can.
			n := min(e.Size, pieceSize-size, pieceSize-e.Vaddr%pieceSize)
			if cut := (e.Vaddr + n) % 8; n < e.Size && cut > 0 { // never within a word
				if cut >= n {
					if !send() {
						return
					}
					continue
				}
				n -= cut
			}
			p.parts = append(p.parts, part{kernel.Extent{Vaddr: e.Vaddr, Paddr: e.Paddr, Size: n}, e.Size - n})
			e.Vaddr, e.Paddr, e.Size = e.Vaddr+n, e.Paddr+n, e.Size-n
			if size += n; size == pieceSize || e.Size > 0 {
				if !send() {
					return
				}
			}
		}
	}
	send()
}

// work searches pieces with a reader and a buffer of its own.
func (s *Search) work(work <-chan *piece) {
	w := &worker{s: s, reader: s.Dump.NewReader(), buf: make([]byte, pieceSize+maxText), maxPhys: s.Dump.Info().MaxPhys}
	for p := range work {
		var r result
		for _, e := range p.parts {
			w.part(e, &r)
		}
		p.done <- r
	}
}

type worker struct {
	s      *Search
	reader *vmcore.Reader
	buf    []byte

	maxPhys uint64 // nothing from there on is in the dump
}

// part searches one part, around what cannot be read.
func (w *worker) part(e part, r *result) {
	r.bytes += e.Size
	for e.Size > 0 {
		// A string may reach into what follows.
		want := e.Size + min(e.more, uint64(w.s.Pattern.tail))
		got, err := w.read(w.buf[:want], e.Paddr)
		if err == nil && e.more == 0 {
			got += w.follow(e.Vaddr+e.Size, int(e.Size))
		}
		n := min(got, e.Size)
		r.hits = w.s.Pattern.Find(r.hits, w.buf[:got], int(n), e.Vaddr, e.Paddr)
		if n == e.Size {
			return
		}
		skip := w.gap(e, n, fault.ReasonOf(err), r)
		e.Vaddr, e.Paddr, e.Size = e.Vaddr+skip, e.Paddr+skip, e.Size-skip
	}
}

// gap passes over the page at offset n that could not be read, and over those
// behind it that are not in the dump. Damaged page tables map gibibytes of such.
func (w *worker) gap(e part, n uint64, reason fault.Reason, r *result) uint64 {
	for {
		end := min(e.Size, n+kernel.PageSize-(e.Paddr+n)%kernel.PageSize)
		if e.Paddr+n >= w.maxPhys {
			end = e.Size
		}
		if int(reason) < len(r.unread) {
			r.unread[reason] += end - n
		}
		n = end
		if n == e.Size {
			return n
		}
		if reason = w.s.Dump.State(e.Paddr + n); reason == 0 {
			return n
		}
	}
}

// read reads physical memory as far as it goes.
func (w *worker) read(p []byte, paddr uint64) (uint64, error) {
	err := w.reader.ReadPhys(p, paddr)
	if err == nil {
		return uint64(len(p)), nil
	}
	var f *fault.Error
	if errors.As(err, &f) && f.Addr-paddr < uint64(len(p)) {
		return f.Addr - paddr, err
	}
	return 0, err
}

// follow reads what a string that begins in front of addr may reach into beyond
// the end of an extent, to w.buf[at:], and returns how many bytes that are.
func (w *worker) follow(addr uint64, at int) uint64 {
	tail := w.s.Pattern.tail
	if tail == 0 || w.s.Memory == nil {
		return 0
	}
	err := w.s.Memory.Read(w.buf[at:at+tail], addr)
	if err == nil {
		return uint64(tail)
	}
	var f *fault.Error
	if errors.As(err, &f) && f.Addr-addr < uint64(tail) {
		return f.Addr - addr
	}
	return 0
}
