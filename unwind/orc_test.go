package unwind

import (
	"encoding/binary"
	"testing"

	"github.com/kdive/kdive/kernel"
)

func TestORCRows(t *testing.T) {
	for _, l := range orcLayouts {
		t.Run(l.name, func(t *testing.T) {
			k := newFake(t, l)
			k.function(1, "f", 0)
			u := k.unwinder()
			f := &u.orc.format
			for _, tt := range []struct {
				row  fakeRow
				want string
			}{
				{fakeRow{sp: 8, spReg: l.sp}, "cfa=rsp+8 rip=[cfa-8]"},
				{fakeRow{sp: 40, spReg: l.sp, bpReg: l.prev, bp: -16}, "cfa=rsp+40 rbp=[cfa-16] rip=[cfa-8]"},
				{fakeRow{sp: 16, spReg: 4, bpReg: 4, bp: 0}, "cfa=rbp+16 rbp=[rbp+0] rip=[cfa-8]"},
				{fakeRow{sp: 99, spReg: 6}, "cfa=r10+0 rip=[cfa-8]"},
				{fakeRow{sp: 16, spReg: l.spInd}, "cfa=[rsp]+16 rip=[cfa-8]"},
				{fakeRow{sp: -8, spReg: l.sp, kind: KindRegs}, "cfa=rsp-8"},
				{fakeRow{sp: 8, spReg: 2, kind: KindIret}, "cfa=rdx+0"},
				{fakeRow{kind: KindEnd}, "cfa=? end"},
			} {
				r, err := f.row(l.encode(tt.row))
				if err != nil || r.text() != tt.want || r.Kind != tt.row.kind || r.Exact != (r.Kind == KindRegs || r.Kind == KindIret) {
					t.Errorf("%+v: %s, %v, want %s", tt.row, r.text(), err, tt.want)
				}
			}
			for _, bits := range []uint32{15, 12 << 4, 7 << 8} {
				if r, err := f.row(binary.LittleEndian.AppendUint32([]byte{0, 0, 0, 0}, bits|l.kinds[KindCall]<<8)); err == nil && r != nil && r.Kind == KindCall {
					t.Errorf("%#x: %s", bits, r.text())
				}
			}
		})
	}
}

func TestUnsortedTable(t *testing.T) {
	table := &orcTable{base: 0x1000, size: 1, entries: []byte{3, 1, 2}}
	for i, ip := range []uint64{0x3000, 0x1800, 0x2000} {
		table.offsets = binary.LittleEndian.AppendUint32(table.offsets, uint32(ip-0x1000-uint64(i)*4))
	}
	table.order()
	for pc, want := range map[uint64]byte{0x1800: 1, 0x1fff: 1, 0x2000: 2, 0x3000: 3, 0x9999: 3} {
		if e := table.find(pc); len(e) != 1 || e[0] != want {
			t.Errorf("%#x: %v, want %d", pc, e, want)
		}
	}
	if e := table.find(0x17ff); e != nil {
		t.Error(e)
	}
}

func FuzzORC(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0x10, 0, 0, 0}, []byte{8, 0, 0, 0, 5, 2, 0, 0, 8, 0, 0xf0, 0xff, 0x15, 2, 0, 0}, uint64(0x1010), 2)
	f.Fuzz(func(t *testing.T, offsets, entries []byte, pc uint64, layout int) {
		l := orcLayouts[uint(layout)%uint(len(orcLayouts))]
		k := newFake(t, l)
		format := &orcFormat{}
		if err := kernel.Bind(k, &format.orcNeeds); err != nil {
			t.Fatal(err)
		}
		size := int(format.Size)
		n := min(len(offsets)/4, len(entries)/size)
		table := &orcTable{base: 0x1000, offsets: append([]byte(nil), offsets[:n*4]...), entries: append([]byte(nil), entries[:n*size]...), size: size}
		_ = format.probe(table.entries) // random tables have no numbering
		table.order()
		for i := 1; i < table.len(); i++ {
			if table.ip(i-1) > table.ip(i) {
				t.Fatal("not sorted")
			}
		}
		if e := table.find(pc); e != nil {
			_, _ = format.row(e)
		}
	})
}

// FuzzTrace overwrites a part of a stack, thread.sp and a part of the tables: a
// walk must come to an end within the bounds of the stacks.
func FuzzTrace(f *testing.F) {
	f.Add([]byte{0xff, 0xff, 0xff}, uint16(0x3f08), []byte{}, uint16(0), uint16(0))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0}, uint16(0x3f38), []byte{9, 2, 0, 0}, uint16(12), uint16(8))
	f.Fuzz(func(t *testing.T, stack []byte, at uint16, rows []byte, rowOff, sp uint16) {
		k := newFake(t, orcLayouts[2])
		h := syscall(k)
		u := k.unwinder()
		k.Bytes(stackAt+uint64(at)%stackSz, stack[:min(len(stack), 256)])
		if len(rows) > 0 {
			entries := u.orc.image.entries
			copy(entries[int(rowOff)%len(entries):], rows)
		}
		h.SP += uint64(int64(int16(sp)))
		check := func(tr *Trace) {
			if len(tr.Frames) > stackSz/8*8 {
				t.Fatalf("%d frames", len(tr.Frames))
			}
			if !tr.Complete && tr.Err == nil {
				t.Fatal("neither complete nor an error")
			}
		}
		check(u.Trace(h))
		check(u.Resume(h, h.SP))
		h.Running = true
		check(u.Trace(h))
		if s, ok := u.TaskStack(h); ok {
			_, _ = u.SavedRegisters(s)
		}
	})
}
