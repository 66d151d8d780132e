package mm

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"

	"github.com/kdive/kdive/fault"
	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/mapped"
)

// PageRange is a range of page frames whose structures lie in one piece.
type PageRange struct {
	Addr  uint64 // of the first page structure
	PFN   uint64 // first page frame
	Pages uint64
}

// Ranges are all page structures of the machine: those of the sections, or in a
// kernel without sections those of the nodes. With an error come those that were
// found.
func (p *Pages) Ranges() ([]PageRange, error) {
	s, err := LoadSections(p.k)
	if errors.Is(err, ErrFlat) {
		return p.flatRanges()
	}
	if err != nil {
		return nil, err
	}
	sections, err := s.All()
	var list []PageRange
	for _, x := range sections {
		if x.MemMap != 0 {
			list = append(list, PageRange{x.MemMap, x.PFN, x.Pages})
		}
	}
	return list, err
}

func (p *Pages) flatRanges() ([]PageRange, error) {
	nodes, err := LoadNodes(p.k)
	var list []PageRange
	for _, n := range nodes {
		list = append(list, PageRange{p.Address(n.Start), n.Start, min(n.Spanned, 1<<40)})
	}
	return list, err
}

// PageBlock is a number of page structures in a row, as bytes.
type PageBlock struct {
	Addr  uint64 // of the first page structure
	PFN   uint64 // first page frame
	Pages int
	Data  []byte // the structures, nil if they could not be read
	Err   error  // why not
	size  int
}

// Structure is the bytes of the i-th page structure.
func (b *PageBlock) Structure(i int) []byte { return b.Data[i*b.size : (i+1)*b.size] }

// Decode is the i-th page of the block.
func (p *Pages) Decode(b *PageBlock, i int) Page {
	return p.decode(b.Addr+uint64(i)*uint64(b.size), (b.PFN+uint64(i))<<kernel.PageShift, b.Structure(i))
}

// blockPages is how many page structures are read at once; smallest is how many
// of those that cannot be read so are told apart.
const (
	blockPages    = 8192
	smallestBlock = 16
)

// Blocks yields all page structures of the ranges in their order. Several blocks
// are read at a time; a block is valid until the next. What cannot be read comes
// as a block with an error. It ends early if the context does.
func (p *Pages) Blocks(ctx context.Context, ranges []PageRange) iter.Seq[*PageBlock] {
	return func(yield func(*PageBlock) bool) {
		size := int(p.n.Size)
		if size <= 0 || size > 4096 {
			yield(&PageBlock{Err: fmt.Errorf("struct page has %d bytes", size)})
			return
		}
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		// Each slot is a place in the order; readers fill them, one after the
		// other is taken out.
		slots := make(chan chan *PageBlock, runtime.GOMAXPROCS(0)+1)
		spare := make(chan []byte, cap(slots)+2)
		go p.readAhead(ctx, ranges, slots, spare)
		for slot := range slots {
			b := <-slot
			if ctx.Err() != nil {
				return
			}
			for _, part := range p.readable(b) {
				if !yield(part) {
					return
				}
			}
			select {
			case spare <- b.Data:
			default:
			}
		}
	}
}

// readAhead reads the blocks of the ranges, as many at a time as there are slots.
func (p *Pages) readAhead(ctx context.Context, ranges []PageRange, slots chan<- chan *PageBlock, spare <-chan []byte) {
	defer close(slots)
	size := uint64(p.n.Size)
	for _, r := range ranges {
		for done := uint64(0); done < r.Pages; done += blockPages {
			b := &PageBlock{Addr: r.Addr + done*size, PFN: r.PFN + done, Pages: int(min(blockPages, r.Pages-done)), size: int(size)}
			slot := make(chan *PageBlock, 1)
			select {
			case slots <- slot:
			case <-ctx.Done():
				return
			}
			go func() {
				select {
				case b.Data = <-spare:
				default:
				}
				if n := b.Pages * b.size; cap(b.Data) < n {
					b.Data = make([]byte, n, blockPages*b.size)
				} else {
					b.Data = b.Data[:n]
				}
				b.Err = mapped.Guard(func() error { return p.k.Read(b.Data, b.Addr) })
				slot <- b
			}()
		}
	}
}

// readable splits a block that cannot be read into parts that can and parts that
// cannot.
func (p *Pages) readable(b *PageBlock) []*PageBlock {
	if b.Err == nil {
		return []*PageBlock{b}
	}
	if b.Pages <= smallestBlock || b.Data == nil {
		return []*PageBlock{{Addr: b.Addr, PFN: b.PFN, Pages: b.Pages, Err: b.Err, size: b.size}}
	}
	half := b.Pages / 2
	var list []*PageBlock
	for _, x := range [...]struct{ first, pages int }{{0, half}, {half, b.Pages - half}} {
		part := &PageBlock{Addr: b.Addr + uint64(x.first*b.size), PFN: b.PFN + uint64(x.first), Pages: x.pages,
			Data: b.Data[x.first*b.size : (x.first+x.pages)*b.size], size: b.size}
		part.Err = p.k.Read(part.Data, part.Addr)
		for _, y := range p.readable(part) {
			if n := len(list); n > 0 && y.Err != nil && list[n-1].Err != nil {
				list[n-1].Pages += y.Pages // one hole
				continue
			}
			list = append(list, y)
		}
	}
	return list
}

// BlockByAddr is the page structure that holds the address addr; ok is false if
// no page structure lies there.
func (p *Pages) BlockByAddr(ranges []PageRange, addr uint64) (b *PageBlock, ok bool, err error) {
	size := uint64(p.n.Size)
	for _, r := range ranges {
		if d := addr - r.Addr; size > 0 && addr >= r.Addr && d/size < r.Pages {
			b, err = p.one(r, d/size)
			return b, true, err
		}
	}
	return nil, false, nil
}

// BlockByFrame is the page structure of the page at a physical address.
func (p *Pages) BlockByFrame(ranges []PageRange, paddr uint64) (*PageBlock, error) {
	pfn := paddr >> kernel.PageShift
	for _, r := range ranges {
		if pfn >= r.PFN && pfn-r.PFN < r.Pages {
			return p.one(r, pfn-r.PFN)
		}
	}
	return nil, &fault.Error{Addr: paddr, Space: fault.Physical, Reason: fault.Unmapped, Detail: "no page structure describes it"}
}

func (p *Pages) one(r PageRange, i uint64) (*PageBlock, error) {
	size := int(p.n.Size)
	b := &PageBlock{Addr: r.Addr + i*uint64(size), PFN: r.PFN + i, Pages: 1, Data: make([]byte, size), size: size}
	if err := p.k.Read(b.Data, b.Addr); err != nil {
		return nil, fmt.Errorf("struct page at %#x: %w", b.Addr, err)
	}
	return b, nil
}

// Reserved reports whether a page has the flag reserved: it was never given to
// the page allocator, or was taken out of it.
func (p *Pages) Reserved(x *Page) bool {
	bit := p.n.Reserved
	return bit.Present() && bit.Value >= 0 && bit.Value < 64 && x.Flags>>bit.Value&1 != 0
}
