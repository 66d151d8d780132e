package line_test

import (
	"testing"

	"github.com/kdive/kdive/debuginfo/die"
	. "github.com/kdive/kdive/debuginfo/dwarftest"
	"github.com/kdive/kdive/debuginfo/line"
)

func read(t *testing.T, data []byte) (*line.Table, error) {
	t.Helper()
	return line.ReadTable(&die.Sections{Line: data}, 0)
}

func TestFind(t *testing.T) {
	// The second sequence comes first in memory; the rows at 0x2008 share an
	// address; the last row of a sequence reaches to its end.
	table, err := read(t, Lines([]string{"a.c", "b.h"},
		At(0x2000), Row(0, 9), Row(8, 1), Row(0, 5), SetFile(2), Row(8, 1), End(8),
		At(0x1000), Row(0, 4), []byte{13 + 5 + 14*2} /* address +2, line +0 */, Row(2, 2), End(4)))
	if err != nil {
		t.Fatal(err)
	}
	for pc, want := range map[uint64]line.Row{
		0x2000: {Addr: 0x2000, File: 1, Line: 10}, 0x2007: {Addr: 0x2000, File: 1, Line: 10},
		0x2008: {Addr: 0x2008, File: 1, Line: 16}, 0x2017: {Addr: 0x2010, File: 2, Line: 17},
		0x1003: {Addr: 0x1000, File: 1, Line: 5}, 0x1004: {Addr: 0x1004, File: 1, Line: 7}, 0x1007: {Addr: 0x1004, File: 1, Line: 7},
		0xfff: {}, 0x1008: {}, 0x2018: {},
	} {
		if got, ok := table.Find(pc); got != want || ok != (want.Line != 0) {
			t.Errorf("%#x: %+v, %v; want %+v", pc, got, ok, want)
		}
	}
	if rows := table.Sequences[1].Between(0x2004, 0x2010); len(rows) != 2 || rows[0].Line != 10 || rows[1].Line != 16 {
		t.Errorf("rows: %+v", rows)
	}
}

func TestDamage(t *testing.T) {
	good := Lines([]string{"a.c"}, At(0x1000), Row(0, 9), End(8), At(0x2000), Row(0, 1), End(1))
	for n := range good {
		if _, err := read(t, good[:n]); err == nil {
			t.Errorf("cut off at %d of %d: no error", n, len(good))
		}
	}
	// What comes before the damage is kept.
	bad := Lines([]string{"a.c"}, At(0x1000), Row(0, 9), End(8), []byte{0, 200})
	if table, err := read(t, bad); err == nil || table == nil || len(table.Sequences) != 1 {
		t.Errorf("%+v, %v", table, err)
	}
}

// FuzzTable reads line tables made of anything, and looks addresses up.
func FuzzTable(f *testing.F) {
	f.Add(Lines([]string{"a.c", "b.h"}, At(0x2000), Row(0, 9), SetFile(2), Row(8, 1), End(8)), uint64(0x2004))
	v5 := []byte{0, 0, 0, 0, 5, 0, 8, 0, 0, 0, 0, 0, 1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1,
		1, 1, 8, 1, '/', 0, 2, 1, 8, 2, 11, 1, 'a', 0, 0, 20, 0, 1, 1}
	v5[0], v5[8] = byte(len(v5)-4), byte(len(v5)-4-12)
	f.Add(v5, uint64(0))
	f.Fuzz(func(t *testing.T, data []byte, pc uint64) {
		s := &die.Sections{Line: data, LineStr: data, Str: data}
		table, err := line.ReadTable(s, 0)
		if table == nil {
			if err == nil {
				t.Fatal("neither table nor error")
			}
			return
		}
		for i := range table.Files {
			_ = table.Path(s, uint64(i))
		}
		line.NewFileIDs(s).Append(nil, &table.Header)
		for i := range table.Sequences {
			q := &table.Sequences[i]
			if len(q.Rows) == 0 || q.Rows[0].Addr != q.Low {
				t.Fatalf("sequence %+v", q)
			}
			for k := 1; k < len(q.Rows); k++ {
				if q.Rows[k].Addr <= q.Rows[k-1].Addr {
					t.Fatalf("rows out of order: %+v", q.Rows[k-1:k+1])
				}
			}
			q.Between(pc, pc+100)
		}
		if r, ok := table.Find(pc); ok && r.Addr > pc {
			t.Fatalf("row %+v for %#x", r, pc)
		}
	})
}
