package unwind

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// section builds call frame information entry by entry.
type section struct{ b []byte }

func (s *section) entry(id uint32, body ...byte) int {
	at := len(s.b)
	for (len(body)+4)%8 != 4 {
		body = append(body, 0)
	}
	s.b = binary.LittleEndian.AppendUint32(s.b, uint32(len(body)+4))
	s.b = binary.LittleEndian.AppendUint32(s.b, id)
	s.b = append(s.b, body...)
	return at
}

func (s *section) fde(cie int, low, size uint64, code ...byte) {
	b := binary.LittleEndian.AppendUint64(nil, low)
	b = binary.LittleEndian.AppendUint64(b, size)
	s.entry(uint32(cie), append(b, code...)...)
}

// defCFA are the instructions that every CIE of x86-64 has: CFA = rsp+8, rip at
// cfa-8.
var defCFA = []byte{0x0c, 7, 8, 0x80 | 16, 1}

func cieV(version byte) []byte {
	b := []byte{version, 0}
	if version == 4 {
		b = append(b, 8, 0)
	}
	return append(append(b, 1, 0x78, 16), defCFA...)
}

// text is a row in short.
func (r *Row) text() string {
	if r == nil {
		return "none"
	}
	rule := func(x rule) string {
		return [...]string{"?", "same", fmt.Sprintf("[cfa%+d]", x.off), fmt.Sprintf("cfa%+d", x.off), fmt.Sprintf("%s%+d", x.reg, x.off),
			fmt.Sprintf("[%s%+d]", x.reg, x.off), fmt.Sprintf("[%s]%+d", x.reg, x.off), "[expr]", "expr"}[x.op]
	}
	s := "cfa=" + rule(r.cfa)
	for n, x := range r.regs {
		if x.op != opUnknown && x.op != opSame && Reg(n) != RSP {
			s += fmt.Sprintf(" %s=%s", Reg(n), rule(x))
		}
	}
	if r.Kind == KindEnd {
		s += " end"
	}
	return s
}

func TestCFI(t *testing.T) {
	const pc = 0xffffffff81000000
	for _, version := range []byte{1, 3, 4} {
		var s section
		cie := s.entry(0xffffffff, cieV(version)...)
		// push rbp; push rbx; remember; pop; pop; ret; restored; ... in the middle.
		s.fde(cie, pc, 0x100,
			0x41, 0x0e, 16, 0x80|6, 2, // +1: cfa=rsp+16, rbp at cfa-16
			0x41, 0x0e, 24, 0x80|3, 3, // +2: cfa=rsp+24, rbx at cfa-24
			0x02, 0x40, 0x0a, 0xc3, 0x0e, 8, 0xc6, // +0x42: an early return
			0x44, 0x0b, // +0x46: back
			0x03, 0x10, 0x00, 0x0d, 6, // +0x56: cfa=rbp+24
			0x04, 0x10, 0, 0, 0, 0x07, 16) // +0x66: the outermost frame
		// A stack that gcc realigned: the CFA is saved at rbp-8, rbp at rbp.
		s.fde(cie, pc+0x100, 0x100, 0x0f, 3, 0x76, 0x78, 0x06, 0x10, 6, 2, 0x76, 0)
		// Where nothing simpler will do.
		s.fde(cie, pc+0x200, 0x100, 0x16, 3, 4, 0x77, 8, 0x23, 8, 0x09, 12, 3, 0x14, 13, 1, 0x08, 14, 0x11, 15, 0x7e, 0x2e, 5)
		s.fde(cie, pc+0x300, 0x100, 0x3f)          // an instruction that nobody knows
		s.fde(cie, pc+0x400, 0x100, 0x0b)          // nothing to restore
		s.fde(0x7000, pc+0x500, 0x100)             // no CIE
		s.fde(cie, pc+0x600, 0x100, 0x0f, 0x7f, 1) // a block longer than the entry
		table := readCFI(s.b, false, 0)
		for _, tt := range []struct {
			off  uint64
			want string
		}{
			{0, "cfa=rsp+8 rip=[cfa-8]"},
			{1, "cfa=rsp+16 rbp=[cfa-16] rip=[cfa-8]"},
			{0x41, "cfa=rsp+24 rbx=[cfa-24] rbp=[cfa-16] rip=[cfa-8]"},
			{0x42, "cfa=rsp+8 rip=[cfa-8]"},
			{0x46, "cfa=rsp+24 rbx=[cfa-24] rbp=[cfa-16] rip=[cfa-8]"},
			{0x56, "cfa=rbp+24 rbx=[cfa-24] rbp=[cfa-16] rip=[cfa-8]"},
			{0x66, "cfa=rbp+24 rbx=[cfa-24] rbp=[cfa-16] end"},
			{0x180, "cfa=[rbp-8] rbp=[rbp+0] rip=[cfa-8]"},
			{0x210, "cfa=rsp+8 rbx=expr r12=rbx+0 r13=cfa-8 r15=[cfa+16] rip=[cfa-8]"},
			{0x310, "none"}, {0x410, "none"}, {0x510, "none"}, {0x610, "none"}, {0x710, "none"}, {0xffffffffffffffff, "none"},
		} {
			if got := table.row(pc + tt.off).text(); got != tt.want {
				t.Errorf("version %d, +%#x: %s, want %s", version, tt.off, got, tt.want)
			}
		}
	}
}

func TestEHFrame(t *testing.T) {
	const at, pc = 0xffffffff82000000, 0xffffffff81000000
	var s section
	s.entry(0, append([]byte{1, 'z', 'R', 'S', 0, 1, 0x78, 16, 1, 0x1b}, defCFA...)...)
	fde := len(s.b)
	rel := binary.LittleEndian.AppendUint32(nil, uint32(pc-(at+uint64(fde)+8)&0xffffffff))
	rel = binary.LittleEndian.AppendUint32(rel, 0x40)
	s.entry(uint32(fde+4), append(rel, 0, 0x48, 0x0e, 32)...)
	s.b = append(s.b, 0, 0, 0, 0)
	table := readCFI(s.b, true, at)
	if got := table.row(pc + 8).text(); got != "cfa=rsp+32 rip=[cfa-8]" {
		t.Error(got)
	}
	if r := table.row(pc); r.text() != "cfa=rsp+8 rip=[cfa-8]" || !r.Exact {
		t.Error(r.text())
	}
	if table.row(pc+0x40) != nil || table.row(pc-1) != nil {
		t.Error("a row outside of the function")
	}
}

// words is a stack for expressions.
type words map[uint64]uint64

func (w words) word(at uint64) (uint64, error) {
	if v, ok := w[at]; ok {
		return v, nil
	}
	return 0, fmt.Errorf("nothing at %#x", at)
}

func TestExpressions(t *testing.T) {
	var regs Registers
	regs.Set(RSP, 0x1000)
	regs.Set(RIP, 0x101b)
	m := words{0x1008: 0xabcd}
	for _, tt := range []struct {
		code string
		want string
	}{
		{"", "5000"}, // the CFA itself
		{"\x77\x08", "1008"},
		{"\x77\x08\x06", "abcd"},
		{"\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22", "1010"}, // what .plt has: rsp+8+((rip&15)>=11)<<3
		{"\x0a\x34\x12\x23\x04", "1238"},
		{"\x09\xff\x33\x1e", "fffffffffffffffd"},
		{"\x12\x13\x33\x1c", "4ffd"},
		{"\x0e\x01\x02\x03\x04\x05\x06\x07\x08", "807060504030201"},
		{"\x13\x13", "! expression with an empty stack"},
		{"\x13", "! expression without a result"},
		{"\x13\x22", "! expression with an empty stack"},
		{"\x22", "! expression with an empty stack"},
		{"\x73\x00", "! rbx is not known"},
		{"\x32\x06", "! nothing at 0x2"},
		{"\xff", "! expression with an empty stack"},
		{"\x32\xff", "! expression with operator 0xff"},
		{"\x0e\x01", "! damaged expression"},
		{strings.Repeat("\x12", 100), "! damaged expression"},
	} {
		v, err := evalExpr([]byte(tt.code), &regs, 0x5000, m)
		got := fmt.Sprintf("%x", v)
		if err != nil {
			got = "! " + err.Error()
		}
		if got != tt.want {
			t.Errorf("% x: %s, want %s", tt.code, got, tt.want)
		}
	}
}

func FuzzCFI(f *testing.F) {
	var s section
	cie := s.entry(0xffffffff, cieV(4)...)
	s.fde(cie, 0x1000, 0x100, 0x41, 0x0e, 16, 0x86, 2, 0x0a, 0xc6, 0x0b, 0x0f, 3, 0x76, 0x78, 0x06)
	f.Add(s.b, false)
	f.Add([]byte("\xff\xff\xff\xff\x20\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x01\x78\x10"), false)
	var e section
	e.entry(0, append([]byte{1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b}, defCFA...)...)
	e.entry(uint32(len(e.b)+4), 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0x48, 0x0e, 32)
	f.Add(e.b, true)
	f.Fuzz(func(t *testing.T, b []byte, eh bool) {
		table := readCFI(b, eh, 0x1000)
		var regs Registers
		regs.Set(RSP, 0x1000)
		for _, d := range table.fdes[:min(len(table.fdes), 16)] {
			for _, pc := range []uint64{d.low, d.low + 1, d.high - 1} {
				r := table.row(pc)
				if r == nil {
					continue
				}
				r.own()
				for n := range r.regs {
					_, _ = r.regs[n].eval(Reg(n), &regs, 0x2000, words{})
				}
			}
		}
	})
}
