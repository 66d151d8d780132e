package command

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/kdive/kdive/kernel"
	"github.com/kdive/kdive/repl"
	"github.com/kdive/kdive/repl/output"
)

// rdGap is memory that could not be read.
type rdGap struct {
	addr, bytes uint64
	err         error
}

var rdGapRecord = &output.Record[rdGap]{
	Type: "unreadable",
	Help: "memory in the range that could not be read",
	Columns: []output.Column[rdGap]{
		{Name: "address", Verb: "%16x:  ", Help: "first address", Get: func(g *rdGap) output.Value { return output.Addr(g.addr) }},
		{Name: "fault", Verb: "%s  ", Help: "why", Get: func(g *rdGap) output.Value { return output.Fault(g.err) }},
		{Name: "bytes", Verb: "%d bytes", Help: "how many bytes", Get: func(g *rdGap) output.Value { return output.Uint(g.bytes) }},
	},
}

// rdChunk is how many bytes are read at once.
const rdChunk = 64 << 10

// dumper emits the rows of one range.
type dumper struct {
	c      *repl.Call
	form   *rdForm
	gap    rdGap // not emitted yet: the next chunk may go on with it
	shown  uint64
	lost   uint64
	reason error // of the first gap
}

// dump shows p.count units from p.addr on.
func (p *rdPlan) dump(ctx context.Context, c *repl.Call) error {
	width := uint64(p.form.width)
	left := p.count * width
	if left > -p.addr && p.addr != 0 {
		return fmt.Errorf("%#x bytes from %#x on reach beyond the end of the address space", left, p.addr)
	}
	d := &dumper{c: c, form: &p.form}
	buf := make([]byte, min(left, rdChunk))
	total := left
	for addr := p.addr; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(left, uint64(len(buf)))
		done := d.chunk(buf[:n], addr, readAround(p.mem, buf[:n], addr), n == left)
		addr, left = addr+done, left-done
		c.Progress(total-left, total)
	}
	return d.finish()
}

// chunk emits what a read gave and returns how far it got: a row at the end
// that is not full is left to the next chunk, unless this one is the last.
func (d *dumper) chunk(data []byte, addr uint64, gaps []gap, last bool) (done uint64) {
	width := d.form.width
	pos := 0
	for _, g := range append(gaps, gap{start: len(data), end: len(data)}) {
		start := g.start / width * width // units that are partly unreadable are unreadable
		end := (g.end + width - 1) / width * width
		for pos < start {
			n := min(rdRowBytes, start-pos)
			if n < rdRowBytes && g.err == nil && !last {
				return uint64(pos)
			}
			d.row(addr+uint64(pos), data[pos:pos+n])
			pos += n
		}
		if g.err != nil && end > pos {
			d.fault(addr+uint64(pos), uint64(end-pos), g.err)
			pos = end
		}
	}
	return uint64(pos)
}

func (d *dumper) row(addr uint64, data []byte) {
	d.flush()
	d.shown += uint64(len(data))
	rdRecord.Emit(d.c.Out, &rdRow{d.form, addr, data})
}

func (d *dumper) fault(addr, n uint64, err error) {
	if d.reason == nil {
		d.reason = err
	}
	d.lost += n
	if d.gap.bytes > 0 && d.gap.addr+d.gap.bytes == addr && sameReason(d.gap.err, err) {
		d.gap.bytes += n
		return
	}
	d.flush()
	d.gap = rdGap{addr, n, err}
}

func (d *dumper) flush() {
	// If nothing at all can be read the error says it.
	if d.gap.bytes > 0 {
		rdGapRecord.Emit(d.c.Out, &d.gap)
		d.gap = rdGap{}
	}
}

// finish is the outcome: an error if something could not be read.
func (d *dumper) finish() error {
	if d.lost == 0 {
		return nil
	}
	if d.shown == 0 && d.gap.bytes == d.lost {
		return d.reason // nothing was readable, for one reason
	}
	d.flush()
	return fmt.Errorf("%d of %d bytes could not be read: %w", d.lost, d.lost+d.shown, d.reason)
}

// rdText is a string in memory.
type rdText struct {
	addr uint64
	text string
}

// textColumns is how many characters of a string stand in a line.
const textColumns = 60

var rdTextRecord = &output.Record[rdText]{
	Type: "text",
	Help: "printable characters in memory",
	Columns: []output.Column[rdText]{
		{Name: "address", Help: "address of the first character", Get: func(t *rdText) output.Value { return output.Addr(t.addr) }},
		{Name: "text", Help: "the characters", Get: func(t *rdText) output.Value { return output.String(t.text) }},
	},
	Text: func(b []byte, t *rdText) []byte {
		for pos := 0; pos < len(t.text); pos += textColumns {
			b = append(appendHex(b, t.addr+uint64(pos), 16, ' '), ":  "...)
			b = append(append(b, t.text[pos:min(pos+textColumns, len(t.text))]...), '\n')
		}
		return b
	},
}

// maxText is how long a piece of text gets before it is emitted.
const maxText = 1 << 16

// text shows characters up to the first one that cannot be printed.
func (p *rdPlan) text(ctx context.Context, c *repl.Call) error {
	left := p.count
	if left == 0 {
		left = ^uint64(0)
	}
	var piece []byte // text from addr-len(piece) on that is not emitted yet
	addr := p.addr
	emit := func(n int) {
		if n > 0 {
			rdTextRecord.Emit(c.Out, &rdText{addr - uint64(len(piece)), string(piece[:n])})
		}
		piece = piece[:copy(piece, piece[n:])]
	}
	buf := make([]byte, kernel.PageSize)
	for left > 0 && ctx.Err() == nil {
		// Never across a page that the text may not reach.
		n := min(left, kernel.PageSize-addr&(kernel.PageSize-1))
		err := p.mem.Read(buf[:n], addr)
		if err != nil {
			emit(len(piece))
			return err
		}
		end := slices.IndexFunc(buf[:n], func(ch byte) bool { return !printable(ch) })
		if end >= 0 {
			n, left = uint64(end), uint64(end)
		}
		piece = append(piece, buf[:n]...)
		addr, left = addr+n, left-n
		if len(piece) >= maxText {
			emit(len(piece) / textColumns * textColumns) // full lines
		}
	}
	emit(len(piece))
	return ctx.Err()
}

// copied says what went into a file.
type copied struct {
	bytes, addr uint64
	file        string
}

var copiedRecord = &output.Record[copied]{
	Type: "copied",
	Help: "memory that was saved in a file",
	Columns: []output.Column[copied]{
		{Name: "bytes", Verb: "%d bytes copied ", Help: "how many bytes", Get: func(x *copied) output.Value { return output.Uint(x.bytes) }},
		{Name: "address", Verb: "from %#x ", Help: "address of the first", Get: func(x *copied) output.Value { return output.Addr(x.addr) }},
		{Name: "file", Verb: "to %s", Help: "name of the file", Get: func(x *copied) output.Value { return output.String(x.file) }},
	},
}

// save copies memory into a file. It stops at the first byte that cannot be
// read: a file cannot say what is missing from it.
func (p *rdPlan) save(ctx context.Context, c *repl.Call, name string) (err error) {
	left := p.count * uint64(p.form.width)
	if left == 0 {
		return c.Usage("-r needs a count or -e")
	}
	f, err := c.Shell.CreateFile(name)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	done := copied{addr: p.addr, file: name}
	buf := make([]byte, min(left, 1<<20))
	for left > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := int(min(left, uint64(len(buf))))
		gaps := readAround(p.mem, buf[:n], p.addr+done.bytes)
		if gaps != nil {
			n = gaps[0].start
		}
		written, err := f.Write(buf[:n])
		done.bytes += uint64(written)
		if err == nil && written < n {
			err = io.ErrShortWrite
		}
		if err == nil && gaps != nil {
			err = gaps[0].err
		}
		if err != nil {
			return fmt.Errorf("after %d bytes: %w", done.bytes, err)
		}
		left -= uint64(n)
		c.Progress(done.bytes, done.bytes+left)
	}
	copiedRecord.Emit(c.Out, &done)
	return nil
}
