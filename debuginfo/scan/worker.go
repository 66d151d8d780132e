package scan

import (
	"errors"
	"fmt"

	"github.com/kdive/kdive/debuginfo/die"
	"github.com/kdive/kdive/debuginfo/line"
)

// worker scans units one after the other and keeps what it found.
type worker struct {
	d        *die.Data
	compiler compiler
	head     line.Header
	ids      *line.FileIDs
	files    []uint64 // identities of the unit's files
	table    int64    // of the files: offset in .debug_line
	root     *die.Unit
	seen     table
	records  [Parts]chunks
	count    int // of records
	warnings []error
	nameOff  int // where the name read last stands, if it stands in the entry
}

func newWorker(d *die.Data) *worker {
	return &worker{d: d, table: -1, ids: line.NewFileIDs(&d.Sections)}
}

var (
	errCut     = errors.New("entry reaches beyond its unit")
	errAbbrev  = errors.New("entry has an abbreviation that is not declared")
	errSibling = errors.New("entry's sibling lies before it or outside the unit")
)

// unit scans one unit.
func (w *worker) unit(h die.Header, out *Unit) error {
	out.Off, out.End = uint32(h.Off), uint32(h.End)
	u, err := w.d.Open(h)
	if err != nil {
		return err
	}
	w.root = u
	out.Name, out.CompDir = u.NameRef(), u.CompDirRef()
	if out.Ranges, err = u.CodeRanges(); err != nil {
		err = fmt.Errorf("unit at %#x (%s): %w", h.Off, u.Name(), err)
	}
	if !isC(u.Lang) || h.Type == die.UnitType {
		return err
	}
	if err := w.compiler.table(w.d, &h); err != nil {
		return fmt.Errorf("unit at %#x (%s): %w", h.Off, u.Name(), err)
	}
	if u.StmtList != w.table {
		w.files, w.table = w.files[:0], u.StmtList
		if w.d.Spend(16*len(w.head.Files)) && w.head.Read(&w.d.Sections, u.StmtList) == nil {
			w.files = w.ids.Append(w.files, &w.head)
		}
	}
	if off, e := w.entries(); e != nil {
		return fmt.Errorf("unit at %#x (%s), entry at %#x: %w", h.Off, u.Name(), off, e)
	}
	return err
}

// isC reports whether a language's names belong to C's name spaces. Assembler
// units have units' and functions' entries only. Rust repeats the kernel's
// types under the same names with layouts of its own.
func isC(lang int) bool {
	switch lang {
	case 0x01, 0x02, 0x0c, 0x1d, 0x2c, 0x3e, 0x8001: // C89, C, C99, C11, C17, C23, Mips_Assembler
		return true
	case 0x04, 0x1a, 0x21, 0x2b, 0x3a: // C++, 11, 14, 17, 20: modules of other vendors
		return true
	}
	return lang == 0
}

// entries runs over the top level of the unit.
func (w *worker) entries() (int, error) {
	b := w.d.Info[:w.root.End]
	pos := w.root.First
	start := pos
	if pos = w.attrs(b, pos); pos < 0 {
		return start, errCut
	}
	for pos < len(b) {
		start = pos
		code := uint64(b[pos])
		pos++
		if code >= 0x80 {
			if code, pos = leb(b, start); pos < 0 {
				return start, errCut
			}
		}
		if code == 0 {
			return start, nil
		}
		p := w.compiler.program(code)
		if p == nil {
			return start, errAbbrev
		}
		if p.fixed >= 0 && !p.children {
			pos += int(p.fixed)
			continue
		}
		var f fields
		if pos = w.run(p, b, pos, &f); pos < 0 {
			return start, errCut
		}
		fresh := p.kind != None && w.record(p, &f, start)
		if !p.children {
			continue
		}
		var err error
		if fresh && p.kind == Enum {
			pos, err = w.enumerators(b, pos, start, f.key(w, Enum))
		} else {
			pos, err = w.sibling(b, pos, start, &f)
		}
		if err != nil {
			return start, err
		}
	}
	return start, nil
}

// attrs passes over the root entry.
func (w *worker) attrs(b []byte, pos int) int {
	code, pos := leb(b, pos)
	if pos < 0 {
		return -1
	}
	p := w.compiler.program(code)
	if p == nil {
		return -1
	}
	var f fields
	pos = w.run(p, b, pos, &f)
	if !p.children {
		return len(b)
	}
	return pos
}

// sibling is where the entry behind the children of an entry starts. pos is
// where the children start.
func (w *worker) sibling(b []byte, pos, start int, f *fields) (int, error) {
	if f[fSibling] != 0 {
		next := w.root.Off + int(min(f[fSibling], 1<<32))
		if next < pos || next > len(b) {
			return 0, errSibling
		}
		return next, nil
	}
	for depth := 1; depth > 0; {
		if pos >= len(b) {
			return 0, errCut
		}
		at := pos
		var code uint64
		if code, pos = leb(b, pos); pos < 0 {
			return 0, errCut
		}
		if code == 0 {
			depth--
			continue
		}
		p := w.compiler.program(code)
		if p == nil {
			return 0, errAbbrev
		}
		var f fields
		if pos = w.run(p, b, pos, &f); pos < 0 {
			return 0, errCut
		}
		if !p.children {
			continue
		}
		if next := w.root.Off + int(min(f[fSibling], 1<<32)); f[fSibling] != 0 && next > at && next >= pos && next <= len(b) {
			pos = next
		} else {
			depth++
		}
	}
	return pos, nil
}

// enumerators notes the children of an enumeration that was not met before.
func (w *worker) enumerators(b []byte, pos, parent int, key uint64) (int, error) {
	for pos < len(b) {
		start := pos
		var code uint64
		if code, pos = leb(b, pos); pos < 0 {
			return 0, errCut
		}
		if code == 0 {
			return pos, nil
		}
		p := w.compiler.program(code)
		if p == nil {
			return 0, errAbbrev
		}
		var f fields
		if pos = w.run(p, b, pos, &f); pos < 0 {
			return 0, errCut
		}
		if p.kind == Enumerator && f[fName] != 0 {
			w.add(&f, Record{Key: key, Off: uint32(parent), Kind: Enumerator})
		}
		if p.children {
			var err error
			if pos, err = w.sibling(b, pos, start, &f); err != nil {
				return 0, err
			}
		}
	}
	return 0, errCut
}
