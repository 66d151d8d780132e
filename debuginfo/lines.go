package debuginfo

import (
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/kdive/kdive/debuginfo/index"
	"github.com/kdive/kdive/debuginfo/line"
)

// Line is the source line of an instruction. The file is a path as crash prints
// it: relative names are joined with the directory that the unit was compiled
// in, which may be relative itself. For the line of a call ask with the return
// address minus one.
func (in *Info) Line(pc uint64) (file string, lineno int, ok bool) {
	_ = guard(func() error {
		u, t, err := in.tableAt(pc)
		if err != nil {
			return err
		}
		r, found := t.Find(pc)
		if found && r.Line != 0 {
			file, lineno, ok = in.filePath(u, uint64(r.File)), int(r.Line), true
		}
		return nil
	})
	return file, lineno, ok
}

// LineRow says which line the instructions from Addr to the next row are of.
type LineRow struct {
	Addr uint64
	File string // as Line gives it
	Line int    // 0: of no line
}

// Lines is the rows that cover the addresses from low on and below high, by
// address; the first may start before low. A range that reaches over several
// units is put together.
func (in *Info) Lines(low, high uint64) iter.Seq[LineRow] {
	return func(yield func(LineRow) bool) {
		for pc := low; pc < high; {
			var rows []LineRow
			end := pc
			err := guard(func() error {
				x, err := in.index()
				if err != nil {
					return err
				}
				_, r, ok := x.UnitAt(pc)
				if !ok {
					if end, ok = x.NextRange(pc); !ok {
						end = high
					}
					return nil
				}
				end = r.High
				u, t, err := in.tableAt(pc)
				if err != nil {
					return nil // a unit without lines
				}
				for i := range t.Sequences {
					for _, row := range t.Sequences[i].Between(pc, min(high, r.High)) {
						rows = append(rows, LineRow{row.Addr, in.filePath(u, uint64(row.File)), int(row.Line)})
					}
				}
				return nil
			})
			if err != nil || end <= pc {
				return
			}
			slices.SortStableFunc(rows, func(a, b LineRow) int {
				if a.Addr < b.Addr {
					return -1
				}
				return 1
			})
			for _, r := range rows {
				if !yield(r) {
					return
				}
			}
			pc = end
		}
	}
}

// maxRows bounds the rows of the line tables that are kept, at 16 bytes each.
const maxRows = 1 << 20

// tableAt is the line table of the unit that an address belongs to.
func (in *Info) tableAt(pc uint64) (*unit, *line.Table, error) {
	x, err := in.index()
	if err != nil {
		return nil, nil, err
	}
	xu, _, ok := x.UnitAt(pc)
	if !ok {
		return in.tableNear(x, pc)
	}
	return in.tableOf(xu)
}

// tableNear is for addresses that no unit claims: a line table may still cover
// them, as those of the padding that patchable functions have in front. It is
// the table of a unit with code next to the address.
func (in *Info) tableNear(x *index.Index, pc uint64) (*unit, *line.Table, error) {
	for _, xu := range x.UnitsNear(pc) {
		if u, t, err := in.tableOf(xu); err == nil {
			if _, ok := t.Find(pc); ok {
				return u, t, nil
			}
		}
	}
	return nil, nil, fmt.Errorf("address %#x: in no unit", pc)
}

func (in *Info) tableOf(xu index.Unit) (*unit, *line.Table, error) {
	u, err := in.unitAt(xu.Off)
	if err != nil {
		return nil, nil, err
	}
	t, err := in.table(u)
	return u, t, err
}

func (in *Info) table(u *unit) (*line.Table, error) {
	in.mu.Lock()
	t := in.tables[u.Off]
	in.mu.Unlock()
	if t != nil {
		return t, nil
	}
	if u.StmtList < 0 {
		return nil, fmt.Errorf("unit %s: no line table", u.name)
	}
	t, err := line.ReadTable(&u.Data().Sections, u.StmtList)
	if t == nil {
		return nil, err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.rows += t.Rows(); in.rows > maxRows {
		clear(in.tables)
		in.rows = t.Rows()
	}
	in.tables[u.Off] = t
	return t, nil
}

// filePath is the path of file i of a unit's table, as gdb and so crash print
// it: put together, but not tidied up ("/src/./include/linux/fs.h").
func (in *Info) filePath(u *unit, i uint64) string {
	if i >= uint64(len(u.paths)) {
		return ""
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if u.paths[i] == "" {
		p := u.head.Path(&u.Data().Sections, i)
		if p != "" && p[0] != '/' && u.dir != "" {
			p = u.dir + "/" + p
		}
		u.paths[i] = p
	}
	return u.paths[i]
}

// sourcePath is the path of file i of a unit's table, tidied up and relative to
// the directory of the unit if it lies below it: "kernel/fork.c".
func (in *Info) sourcePath(u *unit, i uint64) string {
	p := in.filePath(u, i)
	if p == "" {
		return ""
	}
	return strings.TrimPrefix(path.Clean(p), path.Clean(u.dir)+"/")
}

// Unit is the source file and directory of the unit whose code covers an
// address, as the compiler was given them.
func (in *Info) Unit(pc uint64) (name, dir string, ok bool) {
	_ = guard(func() error {
		x, err := in.index()
		if err != nil {
			return err
		}
		xu, _, found := x.UnitAt(pc)
		if !found {
			return nil
		}
		u, err := in.unitAt(xu.Off)
		if err == nil {
			name, dir, ok = u.name, u.dir, true
		}
		return err
	})
	return name, dir, ok
}
